package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userCreateCommand struct {
	Admin bool   `help:"Make the user an admin, who may add, grant and use every assistant."`
	Name  string `arg:"" help:"What the user logs in with: 1 to 64 of a-z 0-9 . _ @ + -."`
}

// Help is shown by --help.
func (userCreateCommand) Help() string {
	return `Asks for the password on the terminal, twice, without showing it. Where standard input is no terminal its first line is the password. It must have 8 to 128 characters and not be a common one.

It reads the same environment as serve, may run beside it, and makes the data folder where there is none yet.

    flowlatch user create --admin ada
    pass show flowlatch/ben | flowlatch user create ben`
}

// Run makes the user.
func (c userCreateCommand) Run(ctx context.Context) error {
	if _, err := domain.ParseUsername(c.Name); err != nil {
		return err // before anyone types a password in vain
	}
	return operate(ctx, makesFolder, func(service *app.Service, call app.Call) error {
		password, err := terminal.ReadPassword(ctx)
		if err != nil {
			return err
		}
		in := app.CreateUser{Username: c.Name, Password: password, Role: string(domain.RoleMember)}
		if c.Admin {
			in.Role = string(domain.RoleAdmin)
		}
		user, err := service.CreateUser(ctx, call, in)
		if err != nil {
			return err
		}
		sayOnStdout("made the " + string(user.Role) + " " + string(user.Name) + ", who has the Id " + string(user.ID))
		return nil
	})
}
