package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

type userDisableCommand struct {
	Name string `arg:"" help:"The user's name."`
}

// Help is shown by --help.
func (userDisableCommand) Help() string {
	return `Disables a user. The user can't log in, and their sessions end at once, on every instance. Their grants are kept. The last admin can't be disabled.

    flowlatch user disable ben`
}

// Run disables the user.
func (c userDisableCommand) Run(ctx context.Context) error {
	return changeUser(ctx, c.Name, "disabled", func(in *app.UpdateUser) { in.Disabled = new(true) })
}

// changeUser changes the user with that name and prints their new state.
func changeUser(ctx context.Context, name, now string, change func(*app.UpdateUser)) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		user, err := service.FindUser(ctx, call, name)
		if err != nil {
			return err
		}
		in := app.UpdateUser{ID: string(user.ID)}
		change(&in)
		if _, err := service.UpdateUser(ctx, call, in); err != nil {
			return err
		}
		sayOnStdout(string(user.Name) + " is " + now)
		return nil
	})
}
