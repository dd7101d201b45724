package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type auditExportCommand struct {
	File string `arg:"" optional:"" help:"The file to create, in an existing folder. Standard output if it is - or left out. An existing file is never overwritten."`
}

// Help is shown by --help.
func (auditExportCommand) Help() string {
	return `Writes the audit as JSON lines, in the order of its chain. A line has what /get_audit_events shows, and Seq, Hash, and Previous, which is the hash of the row before. 'flowlatch audit verify' says whether the chain is whole. If it is not, the rows that exist are written too, and the exit code is 1. The file appears only when it is complete. It has mode 0600. If old rows were removed (FLOWLATCH_AUDIT_KEEP), the export begins after them, and the command says so.

    flowlatch audit export audit.jsonl
    flowlatch audit export | jq -c 'select(.Action == "login")'`
}

// Run writes the audit.
func (c auditExportCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		if cut, err := service.Audit().Begins(ctx, call); err != nil {
			return err
		} else if cut.Seq > 0 {
			sayOnStderr(fmt.Sprintf("the audit begins after seq %d: older rows were removed at %s", cut.Seq, stamp(cut.At)))
		}
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
		line := audit.NewLine(row)
		line.Previous = previous.String()
		return printJSON(out, line)
	})
	return cmp.Or(out.Flush(), err)
}
