package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type auditExportCommand struct {
	File string `arg:"" optional:"" help:"The file to create, in an existing folder. Standard output if it is - or left out. An existing file is never overwritten."`
}

// Help is shown by --help.
func (auditExportCommand) Help() string {
	return `Writes the audit as JSON lines, in the order of its chain. A line has what /get_audit_events shows, and Seq, Hash, and Previous, which is the hash of the row before. 'flowlatch audit verify' says whether the chain is whole. If it is not, the rows that exist are written too, and the exit code is 1. The file appears only when it is complete. It has mode 0600.

    flowlatch audit export audit.jsonl
    flowlatch audit export | jq -c 'select(.Action == "login")'`
}

// auditEvent is a line of the export.
type auditEvent struct {
	ID        string `json:"Id"`
	Time      string
	Actor     domain.Actor
	Action    domain.Action
	Object    string
	Outcome   string
	RequestID string `json:"RequestId"`
	Address   string
	Count     int64
	Seq       int64
	Hash      string
	Previous  string `json:",omitempty"`
}

// eventOf returns the line of a row, without Previous.
func eventOf(row domain.ChainedRow) auditEvent {
	r := row.Row
	return auditEvent{
		ID: strconv.FormatInt(r.ID, 10), Time: stamp(r.At), Actor: r.Actor, Action: r.Action, Object: r.Object, Outcome: r.Outcome,
		RequestID: r.RequestID, Address: r.Address, Count: r.Count, Seq: row.Link.Seq, Hash: row.Link.Hash.String(),
	}
}

// Run writes the audit.
func (c auditExportCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		if c.File == "" || c.File == "-" {
			return exportAudit(ctx, service, call, stdout)
		}
		path := absolute(c.File)
		var broken error // the rows that are left must be kept
		err := writeNewFile(path, func(to io.Writer) error {
			err := exportAudit(ctx, service, call, to)
			if domain.KindOf(err) == domain.Corrupt {
				broken = &domain.Error{Kind: domain.Corrupt, Public: "the audit is not whole; its remaining rows are in " + terminal.Visible(path), Cause: err}
				return nil
			}
			return err
		})
		return errors.Join(err, broken)
	})
}

// exportAudit writes the audit. Returns Corrupt if the audit is not whole; all remaining rows
// were written then.
func exportAudit(ctx context.Context, service *app.Service, call domain.Call, to io.Writer) error {
	out := bufio.NewWriter(to)
	err := service.Audit().Export(ctx, call, func(row domain.ChainedRow, previous domain.AuditHash) error {
		event := eventOf(row)
		event.Previous = previous.String()
		return printJSON(out, event)
	})
	return cmp.Or(out.Flush(), err)
}
