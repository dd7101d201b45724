package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectAddCommand struct {
	Version          string `arg:"" name:"version-id" help:"The assistant's version id at Voiceflow, 24 hexadecimal digits, or the alias of an environment, such as production."`
	VoiceflowProject string `name:"voiceflow-project" placeholder:"ID" help:"The Voiceflow project id. An alias needs it."`
}

// Help is shown by --help.
func (projectAddCommand) Help() string {
	return `Asks for the Voiceflow key of the assistant at the terminal, without showing it. If standard input is not a terminal, the key is its first line. Fetches the assistant from Voiceflow with that key and stores the key encrypted. Nothing shows the key again.

    flowlatch project add 65f1c0ffee0123456789abcd
    flowlatch project add production --voiceflow-project 65f1c0ffee0123456789abcc < key.txt`
}

// Run adds the assistant.
func (c projectAddCommand) Run(ctx context.Context) error {
	if _, err := domain.ParseVersionRef(c.Version, c.VoiceflowProject); err != nil {
		return err // before the operator pastes a key
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		key, err := terminal.ReadKey(ctx)
		if err != nil {
			return err
		}
		p, err := service.AddProject(ctx, call, app.AddProject{Version: c.Version, Key: key, VoiceflowProject: c.VoiceflowProject})
		if err != nil {
			return err
		}
		sayOnStdout("added " + terminal.Visible(p.Name) + ", which has the Id " + string(p.ID))
		return nil
	})
}
