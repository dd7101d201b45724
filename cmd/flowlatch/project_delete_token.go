package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectDeleteTokenCommand struct {
	Project string `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
	Slot    string `required:"" placeholder:"SLOT" help:"The slot of the key: secondary or personal."`
}

// Help is shown by --help.
func (projectDeleteTokenCommand) Help() string {
	return `Deletes a Voiceflow key of the assistant here. The key stays valid at Voiceflow, so revoke it there too. An assistant always has a primary key: set another one in its place, or delete the assistant.

    flowlatch project delete-token 'Pizza Palace' --slot personal`
}

// Run deletes the key.
func (c projectDeleteTokenCommand) Run(ctx context.Context) error {
	if _, err := domain.ParseSlotToEmpty(c.Slot); err != nil {
		return err
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		found, err := service.FindProject(ctx, call, c.Project)
		if err != nil {
			return err
		}
		p, err := service.DeleteToken(ctx, call, app.DeleteToken{Project: string(found.ID), Slot: c.Slot})
		if err != nil {
			return err
		}
		sayOnStdout("deleted the " + c.Slot + " key of " + terminal.Visible(p.Name))
		return nil
	})
}
