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
	return `Forgets the assistant here, with its sealed key, its grants and its open sessions. Nothing is sent to Voiceflow, where the assistant stays as it is.

    flowlatch project delete 'Pizza Palace'`
}

// Run deletes the assistant.
func (c projectDeleteCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
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
