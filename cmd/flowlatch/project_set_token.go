package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectSetTokenCommand struct {
	Project string `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
	Slot    string `default:"primary" placeholder:"SLOT" help:"The slot of the key: primary, secondary or personal."`
}

// Help is shown by --help.
func (projectSetTokenCommand) Help() string {
	return `Asks for another Voiceflow key of the assistant at the terminal, without showing it. If standard input is not a terminal, the key is its first line. Tries the key at Voiceflow first: if Voiceflow rejects it for this assistant, nothing changes. Then the key replaces the one in its slot. If Voiceflow rejects the primary key later, calls use the secondary key. The slot personal is for a personal access token of Voiceflow, which begins with vfp_. Only calls of Voiceflow's stable API, below /v1/stable, use it.

    flowlatch project set-token 'Pizza Palace' --slot secondary
    flowlatch project set-token 'Pizza Palace' --slot personal
    flowlatch project set-token 'Pizza Palace' < key.txt`
}

// Run sets the key.
func (c projectSetTokenCommand) Run(ctx context.Context) error {
	if _, err := domain.ParseSlot(c.Slot); err != nil {
		return err // before the operator pastes a key
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		found, err := service.FindProject(ctx, call, c.Project)
		if err != nil {
			return err
		}
		key, err := terminal.ReadKey(ctx)
		if err != nil {
			return err
		}
		p, err := service.SetToken(ctx, call, app.SetToken{Project: string(found.ID), Key: key, Slot: c.Slot})
		if err != nil {
			return err
		}
		sayOnStdout("set the " + c.Slot + " key of " + terminal.Visible(p.Name))
		return nil
	})
}
