package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysRewrapCommand struct {
	DryRun bool `name:"dry-run" help:"Only say what would be sealed anew, and what does not open."`
}

// Help is shown by --help.
func (keysRewrapCommand) Help() string {
	return `Seals everything that is stored anew with the key that seals, in small steps and beside a service that is up. It may be stopped or killed at any time: the next one goes on where it was. A key that somebody sets meanwhile stays as it was set. What does not open is printed by the assistant's name and stays as it is; conversations that do not open are forgotten, and their callers open new ones.

    flowlatch keys rewrap --dry-run
    flowlatch keys rewrap`
}

// Run seals everything anew.
func (c keysRewrapCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		var shown *progress
		out, err := service.RewrapKeys(ctx, call, c.DryRun, func(done, total int) {
			if shown == nil {
				shown = newProgress("sealing anew", total)
			}
			shown.set(done)
		})
		if shown != nil {
			shown.finish()
		}
		if out.Key == "" { // it did not begin
			return err
		}
		sayUnopened(out.Unopened)
		switch key := terminal.Visible(string(out.Key)); {
		case c.DryRun:
			sayOnStdout(fmt.Sprintf("rows to be sealed anew with key %s: %d", key, out.Left))
		default:
			sayOnStdout(fmt.Sprintf("rows sealed anew with key %s: %d; left: %d", key, out.Done, out.Left))
		}
		if out.Forgotten > 0 {
			sayOnStdout(fmt.Sprintf("conversations that do not open and are forgotten: %d", out.Forgotten))
		}
		return err
	})
}
