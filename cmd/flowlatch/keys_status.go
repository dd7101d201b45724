package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysStatusCommand struct{}

// Help is shown by --help.
func (keysStatusCommand) Help() string {
	return `Prints each key of the keyset and how much needs it: rows, logins whose cookie may be encrypted with it, and handles of conversations. USE is seals for the current key, and opens for a key that only decrypts. A login counts against the key of its last known cookie and against each newer key. A key that nothing needs can be retired.

Then it prints the assistants whose Voiceflow key can't be decrypted. Set those keys again. The command tries to decrypt everything. The service may run meanwhile.

    flowlatch keys status`
}

var keysInUse = listing[keyset.KeyInUse]{
	columns: []string{"KEY", "USE", "ROWS", "SESSIONS", "CONVERSATIONS"},
	cells: func(k keyset.KeyInUse) []string {
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
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		status, err := service.Keyset().Status(ctx, call)
		if err != nil {
			return err
		}
		rows := status.Keys
		if status.Unknown != (domain.KeyUse{}) {
			rows = append(rows, keyset.KeyInUse{KeyUse: status.Unknown})
		}
		err = keysInUse.print(stdout, false, func(domain.Cursor) (paging.Page[keyset.KeyInUse], error) {
			return paging.Page[keyset.KeyInUse]{Items: rows}, nil
		})
		sayUnopened(status.Unopened)
		if n := len(status.Unopened); n > 0 {
			sayOnStdout(fmt.Sprintf("rows that can't be decrypted: %d", n))
		}
		if status.Conversations > 0 {
			sayOnStdout(fmt.Sprintf("conversations that can't be decrypted: %d; keys rewrap deletes them", status.Conversations))
		}
		if status.Logins > 0 {
			sayOnStdout(fmt.Sprintf("logins whose tokens of the identity provider can't be decrypted: %d; keys rewrap ends them", status.Logins))
		}
		return err
	})
}

// sayUnopened prints what can't be decrypted.
func sayUnopened(all []keyset.Unopened) {
	for _, u := range all {
		switch u.Ref.Kind {
		case domain.SealedProjectKey:
			sayOnStdout("can't be decrypted: the " + string(u.Ref.Slot) + " key of " + terminal.Visible(u.Name) + ", which has the Id " + u.Ref.ID)
		case domain.SealedWebhook:
			sayOnStdout("can't be decrypted: the signing secret of the webhook with the Id " + u.Ref.ID + "; set the webhook again")
		default:
			sayOnStdout("can't be decrypted: the " + string(u.Ref.Kind))
		}
	}
}
