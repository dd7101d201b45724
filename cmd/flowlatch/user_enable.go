package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
)

type userEnableCommand struct {
	Name string `arg:"" help:"The user's name."`
}

// Help is shown by --help.
func (userEnableCommand) Help() string {
	return `Enables a user. The user can log in again, with the same password and the same grants. Ended sessions stay ended.

    flowlatch user enable ben`
}

// Run enables the user.
func (c userEnableCommand) Run(ctx context.Context) error {
	return changeUser(ctx, c.Name, "enabled", func(in *app.UpdateUser) { in.Disabled = new(false) })
}
