package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userPasswdCommand struct {
	Name string `arg:"" help:"The user's name."`
}

// Help is shown by --help.
func (userPasswdCommand) Help() string {
	return `Asks for the new password as user create does, and ends all sessions of the user.

    flowlatch user passwd ben`
}

// Run changes the password.
func (c userPasswdCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		user, err := service.FindUser(ctx, call, c.Name)
		if err != nil {
			return err
		}
		password, err := terminal.ReadPassword(ctx)
		if err != nil {
			return err
		}
		if _, err := service.UpdateUser(ctx, call, app.UpdateUser{ID: string(user.ID), Password: &password}); err != nil {
			return err
		}
		sayOnStdout(string(user.Name) + " has a new password; all their sessions have ended")
		return nil
	})
}
