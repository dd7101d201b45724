package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type auditVerifyCommand struct {
	Head  string   `name:"head" placeholder:"SEQ:HASH" help:"A head that an earlier run printed. It must be in the chain."`
	Files []string `arg:"" optional:"" help:"Files that the service stored before it removed old rows, or exports. They are verified too."`
}

// Help is shown by --help.
func (auditVerifyCommand) Help() string {
	return `Computes the chain of hashes over the audit again. Prints the number of rows and the head of the chain. If a row was changed, removed, inserted or moved, or the end was cut off, it names the first broken row, and the exit code is 1.

With FLOWLATCH_AUDIT_KEEP, the service removes old rows and signs the point where the audit begins then. The command prints it. Rows that are missing without that signature are named as removed. Name the files of FLOWLATCH_AUDIT_ARCHIVE to verify them too. The last one must end where the audit begins, and each must go on where the one before it ends.

A person who controls the whole database can restore an earlier state of all of it. To detect that, keep the head somewhere else and pass it as --head the next time.

    flowlatch audit verify
    flowlatch audit verify --head 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    flowlatch audit verify /srv/audit/audit-*.jsonl`
}

// Run verifies the audit.
func (c auditVerifyCommand) Run(ctx context.Context) error {
	spans, err := readSpans(c.Files)
	if err != nil {
		return err
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		end, err := service.Audit().Verify(ctx, call, c.Head)
		if err != nil {
			return err
		}
		cut := end.Begins
		sayOnStdout(fmt.Sprintf("the audit is whole: %d rows; its head is %s", end.Seq-cut.Seq, end.ChainPoint))
		if cut.Seq > 0 {
			sayOnStdout(fmt.Sprintf("it begins after %s: the %d rows up to there, from before %s, were removed; the last time at %s",
				cut.ChainPoint, cut.Seq, stamp(cut.Before), stamp(cut.At)))
		}
		if end.NotedIsCut {
			sayOnStdout("the head that was named is among the removed rows, so the audit can't show any longer whether it had it; the archived files can")
		}
		if len(spans) == 0 {
			return nil
		}
		all, err := service.Audit().VerifySpans(ctx, call, spans)
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("the files are whole and belong to it: the rows from seq %d to seq %d", all.From.Seq+1, all.To.Seq))
		return nil
	})
}

// readSpans verifies each file by itself, and returns their parts of the chain in its order.
func readSpans(files []string) ([]audit.Span, error) {
	spans := make([]audit.Span, len(files))
	for i, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		spans[i], err = audit.ReadSpan(f)
		_ = f.Close() // it was only read
		if err != nil {
			return nil, fmt.Errorf("%s: %w", terminal.Visible(path), err)
		}
	}
	slices.SortFunc(spans, func(a, b audit.Span) int { return cmp.Compare(a.From.Seq, b.From.Seq) })
	return spans, nil
}
