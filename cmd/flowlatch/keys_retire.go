package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysRetireCommand struct {
	Key         string `arg:"" optional:"" name:"key-id" help:"The key to retire; all but the one that seals where none is named."`
	EndSessions bool   `name:"end-sessions" help:"End the sessions and conversations that still need the key."`
	ByHand      string `help:"Take the key out of this copy of the keyset, and touch nothing else." placeholder:"COPY"`
}

// Help is shown by --help.
func (keysRetireCommand) Help() string {
	return `Takes keys out of the keyset that no longer seal, so that what they have sealed opens for nobody. It refuses while something still needs one, and says how much: rows, which 'flowlatch keys rewrap' seals anew; sessions that may hold a cookie of the key, which are those that were last seen with a cookie of it or of an older key, until they have been used again or are over; and conversations, whose handles are never sealed anew: they need the key until their login or access token ends. With --end-sessions those sessions and conversations are ended: their users log in again, and their programs open new conversations. Keys of assistants that do not open keep nothing from being retired.

A keyset in FLOWLATCH_KEYSET, in a file that is mounted or in one that is read-only is not changed from here. With --by-hand the key that is named goes from a copy of it, which every instance then has to get; that nothing needs the key any more is for 'flowlatch keys status' to say.

    flowlatch keys retire
    flowlatch keys retire 1886453126 --end-sessions
    flowlatch keys retire 1886453126 --by-hand copy-of-keyset.json`
}

// Run retires the keys, or takes one out of a copy.
func (c keysRetireCommand) Run(ctx context.Context) error {
	if c.ByHand != "" {
		return c.byHand(ctx)
	}
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
			sayOnStdout("retired key " + terminal.Visible(string(key)))
		}
		return nil
	})
}

// byHand takes a key out of a copy of the keyset.
func (c keysRetireCommand) byHand(ctx context.Context) error {
	if c.Key == "" || c.EndSessions {
		return errors.New("--by-hand takes the id of one key, and ends no sessions")
	}
	o, err := byHandOptions()
	if err != nil {
		return err
	}
	if err := tinkcipher.RetireByHand(ctx, c.ByHand, domain.KeyID(c.Key), o); err != nil {
		return err
	}
	sayOnStdout(fmt.Sprintf("took key %s out of %s; give it to every instance", terminal.Visible(c.Key), terminal.Visible(c.ByHand)))
	return nil
}
