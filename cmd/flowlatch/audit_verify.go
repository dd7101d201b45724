package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/app"
)

type auditVerifyCommand struct {
	Head string `name:"head" placeholder:"SEQ:HASH" help:"What an earlier run printed, which must be in the chain."`
}

// Help is shown by --help.
func (auditVerifyCommand) Help() string {
	return `Computes the chain of hashes over the audit anew. Prints how many rows it has, and its head. Otherwise fails with exit code 1, and names the first row that is broken: one that was changed, removed, inserted or moved, or a tail that was cut off.

Whoever has the whole database can take all of it back to what it was at some time. To see that too, keep the head somewhere else, and give it with --head the next time.

    flowlatch audit verify
    flowlatch audit verify --head 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`
}

// Run verifies the audit.
func (c auditVerifyCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		end, err := service.VerifyAudit(ctx, call, c.Head)
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("the audit is whole: %d rows; its head is %s", end.Seq, end))
		return nil
	})
}
