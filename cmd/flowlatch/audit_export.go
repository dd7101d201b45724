package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

type auditExportCommand struct {
	File string `arg:"" optional:"" help:"A file that is not there yet; standard output when left out."`
}

// Help is shown by --help.
func (auditExportCommand) Help() string {
	return `Writes the audit as JSON lines, in the order of its chain: what /get_audit_events shows, and Seq, Hash and Previous, the hash of the row before. 'flowlatch audit verify' says whether the chain is whole.

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
	Previous  string
}

// Run writes the audit.
func (c auditExportCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		if c.File == "" {
			return exportAudit(ctx, service, call, os.Stdout)
		}
		file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("the file can't be made: %w", err)
		}
		return errors.Join(exportAudit(ctx, service, call, file), file.Close())
	})
}

func exportAudit(ctx context.Context, service *app.Service, call app.Call, to io.Writer) error {
	out := bufio.NewWriter(to)
	err := service.ExportAudit(ctx, call, func(row domain.ChainedRow, previous domain.AuditHash) error {
		r := row.Row
		return printJSON(out, auditEvent{
			ID: strconv.FormatInt(r.ID, 10), Time: stamp(r.At), Actor: r.Actor, Action: r.Action, Object: r.Object, Outcome: r.Outcome,
			RequestID: r.RequestID, Address: r.Address, Count: r.Count,
			Seq: row.Link.Seq, Hash: row.Link.Hash.String(), Previous: previous.String(),
		})
	})
	return errors.Join(err, out.Flush())
}
