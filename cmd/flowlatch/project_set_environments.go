package main

import (
	"context"
	"errors"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectSetEnvironmentsCommand struct {
	Project string `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
	environmentFlags
}

// Help is shown by --help.
func (projectSetEnvironmentsCommand) Help() string {
	return `Sets the environments that calls of the assistant can use, from the next call on. An assistant that was pinned to its version is no longer pinned. The command replaces all that was set: name every environment that calls can use.

    flowlatch project set-environments 'Pizza Palace' --environment main --environment all
    flowlatch project set-environments 'Pizza Palace' --environment main --environment staging --allow-draft staging`
}

// Validate checks what kong can't check.
func (c projectSetEnvironmentsCommand) Validate() error {
	if c.spec() == nil {
		return errors.New("name an environment with --environment")
	}
	return nil
}

// Run sets the environments.
func (c projectSetEnvironmentsCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		found, err := service.FindProject(ctx, call, c.Project)
		if err != nil {
			return err
		}
		p, err := service.SetEnvironments(ctx, call, string(found.ID), c.spec())
		if err != nil {
			return err
		}
		sayOnStdout("set the environments of " + terminal.Visible(p.Name) + ": " + p.Environments.Text())
		return nil
	})
}
