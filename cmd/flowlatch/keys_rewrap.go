package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysRewrapCommand struct {
	DryRun bool `name:"dry-run" help:"Only print what would be re-encrypted, and what can't be decrypted."`
}

// Help is shown by --help.
func (keysRewrapCommand) Help() string {
	return `Re-encrypts everything in the database with the current key of the keyset, in small steps. The service may run meanwhile. You may stop or kill the command at any time: the next run continues. A Voiceflow key that is set meanwhile is kept. The command prints the name of each assistant whose key can't be decrypted, and leaves that key unchanged. It deletes conversations that can't be decrypted, and their callers start new ones.

    flowlatch keys rewrap --dry-run
    flowlatch keys rewrap`
}

// Run re-encrypts everything.
func (c keysRewrapCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		var shown *progress
		out, err := service.Keyset().Reencrypt(ctx, call, c.DryRun, func(done, total int) {
			if shown == nil {
				shown = newProgress("re-encrypting", total)
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
			sayOnStdout(fmt.Sprintf("rows to re-encrypt with key %s: %d", key, out.Left))
		default:
			sayOnStdout(fmt.Sprintf("rows re-encrypted with key %s: %d; left: %d", key, out.Done, out.Left))
		}
		if out.Forgotten > 0 {
			sayOnStdout(fmt.Sprintf("deleted conversations that can't be decrypted: %d", out.Forgotten))
		}
		if out.Logins > 0 {
			sayOnStdout(fmt.Sprintf("ended logins whose tokens of the identity provider can't be decrypted: %d", out.Logins))
		}
		return err
	})
}
