package main

import (
	"os"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysNewCommand struct {
	File string `arg:"" help:"The file to make, in a folder that is there. What is there already is never overwritten."`
	From string `help:"A file with a keyset in clear, which is wrapped in place of a new one." placeholder:"CLEAR"`
}

// Help is shown by --help.
func (keysNewCommand) Help() string {
	return `Makes a keyset for FLOWLATCH_KEYSET_FILE, in a file with mode 0600. Whoever has the keyset and the database has the keys of all assistants, and without it nobody has: keep a copy of it, apart from the database.

A service that is told of no keyset makes its own in the data folder at its first start. Several instances over one database need one that they share.

With FLOWLATCH_KEYSET_KMS the keyset is wrapped by that key, and of use to nobody who may not use it. With --from it is the keyset of another file, which was in clear until now.

    flowlatch keys new /etc/flowlatch/keyset.json
    FLOWLATCH_KEYSET_KMS=vault-transit://vault:8200/transit/flowlatch FLOWLATCH_KEYSET_KMS_TOKEN_FILE=token flowlatch keys new --from keyset.json wrapped.json`
}

// Run makes the keyset.
func (c keysNewCommand) Run() error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	wrap, err := newWrap(cfg)
	if err != nil {
		return err
	}
	keyset, err := c.keyset(wrap)
	if err != nil {
		return err
	}
	if err := tinkcipher.WriteFile(c.File, keyset); err != nil {
		return err
	}
	sayOnStdout("made a keyset in " + terminal.Visible(c.File))
	return nil
}

// keyset is a new one, or that of the file that was named.
func (c keysNewCommand) keyset(wrap tink.AEAD) (domain.Secret, error) {
	switch {
	case c.From == "":
		return tinkcipher.Generate(wrap)
	case wrap == nil:
		return domain.Secret{}, &domain.Error{Kind: domain.Invalid, Public: "--from wraps a keyset, and " + config.Prefix + "KEYSET_KMS names no key for that"}
	}
	text, err := os.ReadFile(c.From)
	if err != nil {
		return domain.Secret{}, err
	}
	return tinkcipher.Wrap(domain.NewSecret(string(text)), terminal.Visible(c.From), wrap)
}
