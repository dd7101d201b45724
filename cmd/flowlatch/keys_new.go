package main

import (
	"errors"
	"io"
	"os"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type keysNewCommand struct {
	File string `arg:"" help:"The file to create, in an existing folder. An existing file is never overwritten. It can't be standard output."`
	From string `help:"A file with a keyset that is not wrapped, or - for standard input. It is wrapped instead of a new one." placeholder:"CLEAR"`
}

// Help is shown by --help.
func (keysNewCommand) Help() string {
	return `Creates a keyset for FLOWLATCH_KEYSET_FILE, in a file with mode 0600. The keyset and the database together give access to the Voiceflow keys of all assistants. Without the keyset, the database is useless. Keep a copy of the keyset, apart from the database.

A service without a keyset setting creates a keyset in the data folder at its first start. All instances of one database need the same keyset.

With FLOWLATCH_KEYSET_KMS, that key wraps the keyset, so only those who may use the key can use the keyset. With --from, the command wraps the keyset of another file, which was not wrapped until now.

    flowlatch keys new /etc/flowlatch/keyset.json
    FLOWLATCH_KEYSET_KMS=vault-transit://vault:8200/transit/flowlatch FLOWLATCH_KEYSET_KMS_TOKEN_FILE=token flowlatch keys new --from keyset.json wrapped.json`
}

// Run creates the keyset.
func (c keysNewCommand) Run() error {
	if c.File == "-" {
		return errors.New("a keyset is not written to standard output; name a file")
	}
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
	sayOnStdout("created a keyset in " + terminal.Visible(c.File))
	return nil
}

// keyset returns a new keyset, or the wrapped keyset of the file in From.
func (c keysNewCommand) keyset(wrap tink.AEAD) (domain.Secret, error) {
	switch {
	case c.From == "":
		return tinkcipher.Generate(wrap)
	case wrap == nil:
		return domain.Secret{}, &domain.Error{Kind: domain.Invalid, Public: "--from wraps a keyset; set " + config.Prefix + "KEYSET_KMS to the key that wraps it"}
	}
	clear := os.Stdin
	if c.From != "-" {
		var err error
		if clear, err = openNamed("the keyset that is not wrapped", c.From); err != nil {
			return domain.Secret{}, err
		}
		defer func() { _ = clear.Close() }()
	}
	text, err := io.ReadAll(clear)
	if err != nil {
		return domain.Secret{}, err
	}
	return tinkcipher.Wrap(domain.NewSecret(string(text)), terminal.Visible(c.From), wrap)
}
