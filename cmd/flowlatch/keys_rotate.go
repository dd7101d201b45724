package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysRotateCommand struct {
	ByHand string `help:"Take one step of a rotation on this copy of the keyset, and touch nothing else." placeholder:"COPY"`
}

// Help is shown by --help.
func (keysRotateCommand) Help() string {
	return `Adds a key to the keyset, which seals from then on. Instances that are up take it over within a second, without a restart. All that other keys have sealed opens as before, and cookies stay good. From then on the service starts with a keyset that has the new key, and not with one of before: keep a copy of the new one.

A keyset in FLOWLATCH_KEYSET, in a file that is mounted or in one that is read-only is not changed from here. With --by-hand each run takes one step on a copy of it, and every instance has to get the copy before the next step: the first adds a key that only opens, the second makes it the one that seals.

    flowlatch keys rotate
    flowlatch keys rotate --by-hand copy-of-keyset.json`
}

// Run rotates the keyset, or takes a step by hand.
func (c keysRotateCommand) Run(ctx context.Context) error {
	if c.ByHand != "" {
		return c.step(ctx)
	}
	return operate(ctx, wantsFolder, func(s *app.Service, call app.Call) error {
		key, err := s.RotateKeys(ctx, call)
		if err != nil {
			return err
		}
		sayOnStdout(fmt.Sprintf("key %s seals from now on; what other keys have sealed opens as before", key))
		sayOnStdout("keep a copy of the keyset as it is now, apart from the database: one of before opens it no more")
		return nil
	})
}

// step takes one step by hand.
func (c keysRotateCommand) step(ctx context.Context) error {
	o, err := byHandOptions()
	if err != nil {
		return err
	}
	key, seals, err := tinkcipher.RotateByHand(ctx, c.ByHand, o)
	switch {
	case err != nil:
		return err
	case seals:
		sayOnStdout(fmt.Sprintf("key %s seals in %s; give it to every instance", key, terminal.Visible(c.ByHand)))
	default:
		sayOnStdout(fmt.Sprintf("added key %s to %s, which only opens yet; give it to every instance, and then run this again", key, terminal.Visible(c.ByHand)))
	}
	return nil
}

// byHandOptions are how the copy of a keyset is kept that is changed by hand: wrapped as
// the keyset itself is.
func byHandOptions() (tinkcipher.FileOptions, error) {
	cfg, err := commandConfig()
	if err != nil {
		return tinkcipher.FileOptions{}, err
	}
	wrap, err := newWrap(cfg)
	return tinkcipher.FileOptions{Wrap: wrap}, err
}
