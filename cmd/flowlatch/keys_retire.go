package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

type keysRetireCommand struct {
	Key         string `arg:"" optional:"" name:"key-id" help:"The key to retire; all but the one that seals where none is named."`
	EndSessions bool   `name:"end-sessions" help:"End the sessions and conversations that still need the key."`
}

// Help is shown by --help.
func (keysRetireCommand) Help() string {
	return `Takes keys out of the keyset that no longer seal, so that what they have sealed opens for nobody. It refuses while something still needs one, and says how much: rows, which 'flowlatch keys rewrap' seals anew; sessions, which need the key until they have been used once more or are over; and conversations. With --end-sessions those sessions and conversations are ended: their users log in again. Keys of assistants that do not open keep nothing from being retired.

    flowlatch keys retire
    flowlatch keys retire 1886453126 --end-sessions`
}

// Run retires the keys.
func (c keysRetireCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		var keys []domain.KeyID
		if c.Key != "" {
			keys = append(keys, domain.KeyID(c.Key))
		}
		out, err := service.RetireKeys(ctx, call, keys, c.EndSessions)
		if out.Ended != (domain.KeyUse{}) {
			sayOnStdout(fmt.Sprintf("sessions that were ended: %d; conversations: %d", out.Ended.Logins, out.Ended.Handles))
		}
		if err != nil {
			return err
		}
		if len(out.Keys) == 0 {
			sayOnStdout("there is no key to retire")
		}
		for _, key := range out.Keys {
			sayOnStdout("retired key " + visible(string(key)))
		}
		return nil
	})
}
