package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userRevokeCommand struct {
	Name    string `arg:"" help:"The user's name."`
	Project string `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
}

// Help is shown by --help.
func (userRevokeCommand) Help() string {
	return `Removes a grant. The assistant sessions that it allowed end at once, on every instance. If there is no such grant, nothing changes.

    flowlatch user revoke ben 'Pizza Palace'`
}

// Run revokes the grant.
func (c userRevokeCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		user, project, err := userAndProject(ctx, service, call, c.Name, c.Project)
		if err != nil {
			return err
		}
		if err := service.RevokeProject(ctx, call, user, project); err != nil {
			return err
		}
		sayOnStdout(terminal.Visible(c.Project) + " is no longer granted to " + terminal.Visible(c.Name))
		return nil
	})
}
