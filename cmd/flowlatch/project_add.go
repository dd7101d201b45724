package main

import (
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectAddCommand struct {
	Version          string `arg:"" name:"version-id" help:"The assistant's version id at Voiceflow, 24 hexadecimal digits, or the alias of an environment, such as production."`
	VoiceflowProject string `name:"voiceflow-project" placeholder:"ID" help:"The Voiceflow project id. An alias needs it."`
	environmentFlags
}

// environmentFlags are the environments that calls of an assistant can use.
type environmentFlags struct {
	Environments []string `name:"environment" placeholder:"NAME" sep:"none" help:"An environment that calls can use: an alias or a version id. Repeat the flag for several. The first is what a call uses that names none. The name all allows every environment."`
	AllowDraft   []string `name:"allow-draft" placeholder:"NAME" sep:"none" help:"An environment whose draft can be used. Repeat the flag for several. Without it, that is development, if it is allowed. An empty name allows no draft."`
}

// spec returns what the flags say, nil if there are none.
func (f environmentFlags) spec() *domain.EnvironmentsSpec {
	drafts := f.AllowDraft
	if slices.Equal(drafts, []string{""}) {
		drafts = []string{}
	}
	return domain.EnvironmentsNamed(f.Environments, drafts)
}

// Help is shown by --help.
func (projectAddCommand) Help() string {
	return `Asks for the Voiceflow key of the assistant at the terminal, without showing it. If standard input is not a terminal, the key is its first line. Fetches the assistant from Voiceflow with that key and stores the key encrypted. Nothing shows the key again. Without --environment the assistant is pinned to its version.

    flowlatch project add 65f1c0ffee0123456789abcd
    flowlatch project add production --voiceflow-project 65f1c0ffee0123456789abcc < key.txt
    flowlatch project add main --voiceflow-project 65f1c0ffee0123456789abcc --environment main --environment all`
}

// Run adds the assistant.
func (c projectAddCommand) Run(ctx context.Context) error {
	version, err := domain.ParseVersionRef(c.Version, c.VoiceflowProject)
	if err != nil {
		return err // before the operator pastes a key
	}
	environments := c.spec()
	if environments != nil {
		if _, err := domain.ParseEnvironments(*environments, version.Version); err != nil {
			return err
		}
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		key, err := terminal.ReadKey(ctx)
		if err != nil {
			return err
		}
		p, err := service.AddProject(ctx, call, app.AddProject{
			Version: c.Version, Key: key, VoiceflowProject: c.VoiceflowProject, Environments: environments,
		})
		if err != nil {
			return err
		}
		sayOnStdout("added " + terminal.Visible(p.Name) + ", which has the Id " + string(p.ID))
		return nil
	})
}
