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

type keysRotateCommand struct {
	ByHand string `help:"Take one step of a rotation on this copy of the keyset, and change nothing else." placeholder:"COPY"`
}

// Help is shown by --help.
func (keysRotateCommand) Help() string {
	return `Adds a key to the keyset and makes it the current key. Running instances use it within a second, without a restart. The other keys still decrypt what they encrypted, and cookies stay valid. From then on the service does not start with the keyset of before, so keep a copy of the new one.

The command can't change a keyset in FLOWLATCH_KEYSET, in a mounted file or in a read-only file. With --by-hand, each run takes one step on a copy. Give the copy to every instance before the next step. The first step adds a key that only decrypts; the second makes it the current key.

    flowlatch keys rotate
    flowlatch keys rotate --by-hand copy-of-keyset.json`
}

// Run rotates the keyset, or takes a step by hand.
func (c keysRotateCommand) Run(ctx context.Context) error {
	if c.ByHand != "" {
		return c.step(ctx)
	}
	return operate(ctx, wantsFolder, func(s *app.Service, call domain.Call) error {
		key, err := s.Keyset().Rotate(ctx, call)
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("key %s is the current key; the other keys still decrypt what they encrypted", key))
		sayOnStdout("keep a copy of the new keyset, apart from the database; an older copy no longer opens the database")
		return nil
	})
}

// step takes one step by hand.
func (c keysRotateCommand) step(ctx context.Context) error {
	o, err := byHandOptions(c.ByHand)
	if err != nil {
		return err
	}
	key, seals, err := tinkcipher.RotateByHand(ctx, c.ByHand, o)
	switch {
	case err != nil:
		return err
	case seals:
		sayOnStdout(fmt.Sprintf("key %s is the current key in %s; give this file to every instance", key, terminal.Visible(c.ByHand)))
	default:
		sayOnStdout(fmt.Sprintf("added key %s to %s; it only decrypts so far; give this file to every instance, then run this command again", key, terminal.Visible(c.ByHand)))
	}
	return nil
}

// byHandOptions returns the options for a copy of the keyset that is changed by hand. The
// copy is wrapped as the keyset is.
func byHandOptions(file string) (tinkcipher.FileOptions, error) {
	if file == "-" {
		return tinkcipher.FileOptions{}, errors.New("--by-hand changes a file where it is; name a file instead of -")
	}
	cfg, err := commandConfig()
	if err != nil {
		return tinkcipher.FileOptions{}, err
	}
	wrap, err := newWrap(cfg)
	return tinkcipher.FileOptions{Wrap: wrap}, err
}
