package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
)

type auditUnfinishedCommand struct{}

// Help is shown by --help.
func (auditUnfinishedCommand) Help() string {
	return `Lists the forwarded calls that have begun and whose outcome is not in the audit, as JSON lines. A line has what a line of 'audit export' has, without Previous.

A call that is open now is listed until it ends. A call that stays listed ended with its process, by a crash or a kill. It may have been carried out. Look at Voiceflow before you repeat it.

    flowlatch audit unfinished
    flowlatch audit unfinished | jq -r '[.Time, .Actor, .Object] | @tsv'`
}

// Run prints the calls.
func (auditUnfinishedCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		rows, err := service.Audit().Unfinished(ctx, call)
		for _, row := range rows {
			if err := printJSON(stdout, audit.NewLine(row)); err != nil {
				return err
			}
		}
		return err
	})
}
