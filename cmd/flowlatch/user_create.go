package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userCreateCommand struct {
	Admin bool   `help:"Create an admin, who may add, grant and use every assistant."`
	Name  string `arg:"" help:"What the user logs in with: 1 to 64 of a-z 0-9 . _ @ + -."`
}

// Help is shown by --help.
func (userCreateCommand) Help() string {
	return `Asks for the password twice at the terminal, without showing it. If standard input is not a terminal, the password is its first line, in UTF-8 or in UTF-16 with a byte order mark. A password has 8 to 128 characters. A letter with an accent is one character, however it is typed. A common password is rejected.

The command reads the same environment as serve, which may run meanwhile. It creates the data folder if there is none.

    flowlatch user create --admin ada
    pass show flowlatch/ben | flowlatch user create ben`
}

// Run creates the user.
func (c userCreateCommand) Run(ctx context.Context) error {
	if _, err := domain.ParseUsername(c.Name); err != nil {
		return err // before the operator types a password
	}
	return operate(ctx, makesFolder, func(service *app.Service, call domain.Call) error {
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
		sayOnStdout("created the " + string(user.Role) + " " + string(user.Name) + ", who has the Id " + string(user.ID))
		return nil
	})
}
