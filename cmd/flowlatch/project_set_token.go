package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectSetTokenCommand struct {
	Project string `arg:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
	Slot    string `default:"primary" placeholder:"SLOT" help:"Which of its two keys it is: primary or secondary."`
}

// Help is shown by --help.
func (projectSetTokenCommand) Help() string {
	return `Asks for another API key of the assistant on the terminal without showing it. Where standard input is no terminal its first line is the key. Tries the key at Voiceflow first: one that does not open this assistant changes nothing. Then it is kept sealed in the place of the one that was there. While the secondary key is good, calls go on with it when Voiceflow refuses the primary.

    flowlatch project set-token 'Pizza Palace' --slot secondary
    flowlatch project set-token 'Pizza Palace' < key.txt`
}

// Run puts the key in its place.
func (c projectSetTokenCommand) Run(ctx context.Context) error {
	if _, err := domain.ParseSlot(c.Slot); err != nil {
		return err // before anyone pastes a key in vain
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
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
		sayOnStdout("put the " + c.Slot + " key of " + terminal.Visible(p.Name) + " in its place")
		return nil
	})
}
