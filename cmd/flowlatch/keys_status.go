package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysStatusCommand struct{}

// Help is shown by --help.
func (keysStatusCommand) Help() string {
	return `Prints each key of the keyset, whether it seals or only opens, and how much needs it: rows that are stored, sessions that are live and may hold a cookie of it, and handles of conversations. A session may hold a cookie of the key with which it was last seen and of each that was added later, so it may count for several. A key that nothing needs can be retired. Then prints by name the assistants whose key does not open: they need it set again. It tries to open everything, and may run beside a service that is up.

    flowlatch keys status`
}

var keysInUse = listing[app.KeyInUse]{
	columns: []string{"KEY", "USE", "ROWS", "SESSIONS", "CONVERSATIONS"},
	cells: func(k app.KeyInUse) []string {
		use := "opens"
		switch {
		case k.ID == "":
			return []string{"not known", "", strconv.Itoa(k.Rows), strconv.Itoa(k.Logins), strconv.Itoa(k.Handles)}
		case k.Seals:
			use = "seals"
		}
		return []string{terminal.Visible(string(k.ID)), use, strconv.Itoa(k.Rows), strconv.Itoa(k.Logins), strconv.Itoa(k.Handles)}
	},
}

// Run prints the keys.
func (keysStatusCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		status, err := service.KeyStatus(ctx, call)
		if err != nil {
			return err
		}
		rows := status.Keys
		if status.Unknown != (domain.KeyUse{}) {
			rows = append(rows, app.KeyInUse{KeyUse: status.Unknown})
		}
		err = keysInUse.print(os.Stdout, false, func(domain.Cursor) (app.Page[app.KeyInUse], error) {
			return app.Page[app.KeyInUse]{Items: rows}, nil
		})
		sayUnopened(status.Unopened)
		if n := len(status.Unopened); n > 0 {
			sayOnStdout(fmt.Sprintf("rows that do not open: %d", n))
		}
		if status.Conversations > 0 {
			sayOnStdout(fmt.Sprintf("conversations whose session key does not open: %d; a rewrap forgets them", status.Conversations))
		}
		return err
	})
}

// sayUnopened prints what does not open.
func sayUnopened(all []app.Unopened) {
	for _, u := range all {
		if u.Ref.Kind == domain.SealedProjectKey {
			sayOnStdout("does not open: the " + string(u.Ref.Slot) + " key of " + terminal.Visible(u.Name) + ", which has the Id " + u.Ref.ID)
		} else {
			sayOnStdout("does not open: the " + string(u.Ref.Kind))
		}
	}
}
