package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/exportfile"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectExportCommand struct {
	Recipients []string `name:"recipient" placeholder:"AGE1…" sep:"none" required:"" help:"A public key of age that can open the file. Repeat the flag for several; each can open the file alone."`
	File       string   `arg:"" help:"The file to create, in an existing folder. An existing file is never overwritten. It can't be standard output."`
	Projects   []string `arg:"" optional:"" help:"The assistants, each by its Id, its Voiceflow project id, or its exact name. All assistants if none is named."`
}

// Help is shown by --help.
func (projectExportCommand) Help() string {
	return `Writes assistants with their Voiceflow keys into a file with mode 0600. Another installation reads it with project import. age encrypts the file to the public keys that you name. Only the secret keys can open it; this installation can't. Run 'age-keygen -o key.txt' on the other machine to create a pair, and keep the secret key there. The file has no users, grants or sessions: 'flowlatch backup' has those.

The audit gets a row for each assistant. An assistant whose key can't be decrypted is named and left out, and the exit code is 1.

    flowlatch project export --recipient age1… assistants.age
    flowlatch project export --recipient age1… pizza.age 'Pizza Palace'`
}

// Run writes the file.
func (c projectExportCommand) Run(ctx context.Context) error {
	recipients, err := exportfile.ParseRecipients(c.Recipients)
	if err != nil {
		return err
	}
	if c.File == "-" {
		return errors.New("keys are not written to standard output; name a file")
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		var done, unopened int
		err := writeNewFile(c.File, func(w io.Writer) error {
			give := func(take exportfile.Take) error {
				return service.ExportProjects(ctx, call, c.Projects, func(e app.ExportedProject) error {
					for _, slot := range e.Unopened {
						unopened++
						sayOnStdout("the " + string(slot) + " key of " + terminal.Visible(e.Project.Name) + ", which has the Id " + string(e.Project.ID) + ", can't be decrypted")
					}
					if len(e.Keys) == 0 {
						return nil
					}
					done++
					return take(e.Project, e.Keys)
				})
			}
			if err := exportfile.Write(w, recipients, service.VoiceflowOrigin(), give); err != nil {
				return err
			}
			if done == 0 {
				return errors.New("no key can be decrypted, so there is nothing to export")
			}
			return nil
		})
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("exported %d", done))
		if unopened > 0 {
			return fmt.Errorf("keys that can't be decrypted: %d; they are not in the file", unopened)
		}
		return nil
	})
}
