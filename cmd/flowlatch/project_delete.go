package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectDeleteCommand struct {
	Project string `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
}

// Help is shown by --help.
func (projectDeleteCommand) Help() string {
	return `Deletes the assistant here, with its keys, its grants and its sessions. Nothing is sent to Voiceflow: the assistant there does not change.

    flowlatch project delete 'Pizza Palace'`
}

// Run deletes the assistant.
func (c projectDeleteCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		in := app.DeleteProject{Name: c.Project}
		if _, err := domain.ParseProjectRef(c.Project); err == nil {
			in = app.DeleteProject{ID: c.Project}
		}
		if err := service.DeleteProject(ctx, call, in); err != nil {
			return err
		}
		sayOnStdout("deleted " + terminal.Visible(c.Project) + " here")
		return nil
	})
}
