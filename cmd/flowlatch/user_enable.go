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
	return `The user can log in again, with the password and the grants of before. Sessions that ended stay ended.

    flowlatch user enable ben`
}

// Run enables the user.
func (c userEnableCommand) Run(ctx context.Context) error {
	return changeUser(ctx, c.Name, "enabled", func(in *app.UpdateUser) { in.Disabled = new(false) })
}
