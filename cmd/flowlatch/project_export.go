package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/exportfile"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectExportCommand struct {
	Recipients []string `name:"recipient" placeholder:"AGE1…" sep:"none" required:"" help:"A public key of age that the file is sealed to. There may be several; each opens the file alone."`
	File       string   `arg:"" help:"The file to make, in a folder that is there. What is there already is never overwritten."`
	Projects   []string `arg:"" optional:"" help:"The assistants, each by its Id, its Voiceflow project id, or its exact name. All when none is named."`
}

// Help is shown by --help.
func (projectExportCommand) Help() string {
	return `Writes assistants with their keys into a file with mode 0600, for another installation to read with project import. The file is sealed by age to the public keys that are named: who has none of the secret keys, this installation included, can't open it. 'age-keygen -o key.txt' makes a pair; the secret key stays where the file is to be read. Users, grants and sessions are not in it: 'flowlatch backup' has those.

The audit has a row for each assistant. One whose key does not open is named and passed over; the exit code is then 1.

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
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		var done, unopened int
		err := writeNewFile(c.File, func(w io.Writer) error {
			give := func(take exportfile.Take) error {
				return service.ExportProjects(ctx, call, c.Projects, func(e app.ExportedProject) error {
					for _, slot := range e.Unopened {
						unopened++
						sayOnStdout("the " + string(slot) + " key of " + terminal.Visible(e.Project.Name) + ", which has the Id " + string(e.Project.ID) + ", does not open")
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
				return errors.New("no key opens, so there is nothing to export")
			}
			return nil
		})
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("exported %d", done))
		if unopened > 0 {
			return fmt.Errorf("keys that do not open: %d; they are not in the file", unopened)
		}
		return nil
	})
}
