package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userPasswdCommand struct {
	Name             string `arg:"" help:"The user's name."`
	KeepAccessTokens bool   `help:"Keep the user's access tokens. Without this, they are deleted."`
}

// Help is shown by --help.
func (userPasswdCommand) Help() string {
	return `Asks for the new password as user create does, ends all sessions of the user, and deletes their access tokens.

    flowlatch user passwd ben
    flowlatch user passwd --keep-access-tokens ben`
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
		if _, err := service.UpdateUser(ctx, call, app.UpdateUser{ID: string(user.ID), Password: &password, KeepTokens: c.KeepAccessTokens}); err != nil {
			return err
		}
		lost := "all their sessions have ended, and their access tokens are deleted"
		if c.KeepAccessTokens {
			lost = "all their sessions have ended; their access tokens still work"
		}
		sayOnStdout(string(user.Name) + " has a new password; " + lost)
		return nil
	})
}
