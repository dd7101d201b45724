package main

import (
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
)

type keysNewCommand struct {
	File string `arg:"" help:"The file to make, in a folder that is there. What is there already is never overwritten."`
}

// Help is shown by --help.
func (keysNewCommand) Help() string {
	return `Makes a keyset for FLOWLATCH_KEYSET_FILE, in a file with mode 0600. Whoever has the keyset and the database has the keys of all assistants, and without it nobody has: keep a copy of it, apart from the database.

A service that is told of no keyset makes its own in the data folder at its first start. Several instances over one database need one that they share.

    flowlatch keys new /etc/flowlatch/keyset.json`
}

// Run makes the keyset.
func (c keysNewCommand) Run() error {
	keyset, err := tinkcipher.Generate(nil)
	if err != nil {
		return err
	}
	if err := tinkcipher.WriteFile(c.File, keyset); err != nil {
		return err
	}
	sayOnStdout("made a keyset in " + visible(c.File))
	return nil
}
