package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userGrantCommand struct {
	Name    string   `arg:"" help:"The user's name."`
	Project string   `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
	Scopes  []string `placeholder:"SCOPE,…" help:"What the user may do: converse, state, debug, transcripts, transcripts:delete, analytics, knowledge, knowledge:write, projects, export. If it is left out, an existing grant keeps its scopes and a new one gets converse."`
}

// Help is shown by --help.
func (userGrantCommand) Help() string {
	return `Grants an assistant to a user. If the user has the grant already, this changes its scopes. 'flowlatch project list' shows Ids and names.

    flowlatch user grant ben 'Pizza Palace'
    flowlatch user grant ben 'Pizza Palace' --scopes converse,transcripts`
}

// Run grants the assistant.
func (c userGrantCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		user, project, err := userAndProject(ctx, service, call, c.Name, c.Project)
		if err != nil {
			return err
		}
		if err := service.GrantProject(ctx, call, user, project, c.Scopes); err != nil {
			return err
		}
		sayOnStdout(terminal.Visible(c.Name) + " may use " + terminal.Visible(c.Project))
		return nil
	})
}

// userAndProject returns the ids of the user and the assistant of a grant.
func userAndProject(ctx context.Context, service *app.Service, call domain.Call, name, project string) (userID, projectID string, err error) {
	user, err := service.FindUser(ctx, call, name)
	if err != nil {
		return "", "", err
	}
	p, err := service.FindProject(ctx, call, project)
	return string(user.ID), string(p.ID), err
}
