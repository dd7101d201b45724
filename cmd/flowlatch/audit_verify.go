package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

type auditVerifyCommand struct {
	Head string `name:"head" placeholder:"SEQ:HASH" help:"A head that an earlier run printed. It must be in the chain."`
}

// Help is shown by --help.
func (auditVerifyCommand) Help() string {
	return `Computes the chain of hashes over the audit again. Prints the number of rows and the head of the chain. If a row was changed, removed, inserted or moved, or the end was cut off, it names the first broken row, and the exit code is 1.

A person who controls the whole database can restore an earlier state of all of it. To detect that, keep the head somewhere else and pass it as --head the next time.

    flowlatch audit verify
    flowlatch audit verify --head 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`
}

// Run verifies the audit.
func (c auditVerifyCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		end, err := service.Audit().Verify(ctx, call, c.Head)
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("the audit is whole: %d rows; its head is %s", end.Seq, end))
		return nil
	})
}
