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
	Key         string `arg:"" optional:"" name:"key-id" help:"The keyset key to retire. All but the current key if it is left out."`
	EndSessions bool   `name:"end-sessions" help:"End the logins and conversations that still need the key."`
	ByHand      string `help:"Remove the key from this copy of the keyset, and change nothing else." placeholder:"COPY"`
}

// Help is shown by --help.
func (keysRetireCommand) Help() string {
	return `Removes keys from the keyset that are no longer the current key. Nobody can decrypt what they encrypted after that. The command refuses while something still needs a key, and prints how much does:
rows, until 'flowlatch keys rewrap' re-encrypts them;
logins whose cookie may be encrypted with the key, until they are used again or expire;
conversations, until their login or access token ends, because their handles are never re-encrypted.

With --end-sessions, the command ends those logins and conversations: their users log in again, and their programs start new conversations. Voiceflow keys that can't be decrypted do not prevent a retirement.

The command can't change a keyset in FLOWLATCH_KEYSET, in a mounted file or in a read-only file. With --by-hand it removes the key from a copy, which you then give to every instance. Check first with 'flowlatch keys status' that nothing needs the key.

    flowlatch keys retire
    flowlatch keys retire 1886453126 --end-sessions
    flowlatch keys retire 1886453126 --by-hand copy-of-keyset.json`
}

// Run retires the keys, or removes one from a copy of the keyset.
func (c keysRetireCommand) Run(ctx context.Context) error {
	if c.ByHand != "" {
		return c.byHand(ctx)
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		var keys []domain.KeyID
		if c.Key != "" {
			keys = append(keys, domain.KeyID(c.Key))
		}
		out, err := service.Keyset().Retire(ctx, call, keys, c.EndSessions)
		if out.Ended != (domain.KeyUse{}) {
			sayOnStdout(fmt.Sprintf("ended logins: %d; ended conversations: %d", out.Ended.Logins, out.Ended.Handles))
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

// byHand removes a key from a copy of the keyset.
func (c keysRetireCommand) byHand(ctx context.Context) error {
	if c.Key == "" || c.EndSessions {
		return errors.New("--by-hand needs the id of one key, and can't be used with --end-sessions")
	}
	o, err := byHandOptions(c.ByHand)
	if err != nil {
		return err
	}
	if err := tinkcipher.RetireByHand(ctx, c.ByHand, domain.KeyID(c.Key), o); err != nil {
		return err
	}
	sayOnStdout(fmt.Sprintf("removed key %s from %s; give this file to every instance", terminal.Visible(c.Key), terminal.Visible(c.ByHand)))
	return nil
}
