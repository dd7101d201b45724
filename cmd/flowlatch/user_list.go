package main

import (
	"context"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type userListCommand struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// Help is shown by --help.
func (userListCommand) Help() string {
	return `Prints the users, sorted by name, and how many grants each has. An admin may use every assistant without a grant. IDENTITY is the subject at the identity provider that a user is linked to.

    flowlatch user list
    flowlatch user list --json | jq -r 'select(.Role == "admin") | .Username'`
}

var users = listing[domain.User]{
	columns: []string{"NAME", "ROLE", "STATE", "GRANTS", "CREATED", "ID", "IDENTITY"},
	cells: func(u domain.User) []string {
		state := "enabled"
		if u.Disabled {
			state = "disabled"
		}
		identity := "-"
		if u.Identity != (domain.Identity{}) {
			identity = terminal.Visible(u.Identity.Subject)
		}
		return []string{string(u.Name), string(u.Role), state, strconv.Itoa(len(u.Assistants)), stamp(u.Created), string(u.ID), identity}
	},
	object: func(u domain.User) any {
		var identity *domain.Identity
		if u.Identity != (domain.Identity{}) {
			identity = &u.Identity
		}
		return struct {
			ID         domain.UserID `json:"Id"`
			Username   domain.Username
			Role       domain.Role
			Disabled   bool
			Assistants []domain.ProjectID
			Created    string
			Identity   *domain.Identity `json:",omitempty"`
		}{u.ID, u.Name, u.Role, u.Disabled, append([]domain.ProjectID{}, u.Assistants...), stamp(u.Created), identity}
	},
}

// Run prints the users.
func (c userListCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		return users.print(stdout, c.JSON, func(after domain.Cursor) (paging.Page[domain.User], error) {
			return service.GetAllUsers(ctx, call, after, paging.Max)
		})
	})
}
