// Package terminal talks to the operator at a terminal: it asks for secrets, and it makes
// text from outside safe to print.
package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/flowlatch/flowlatch/domain"
)

// maxSecretLine is the longest line with a secret, in bytes. No secret that is accepted is
// that long.
const maxSecretLine = 4 << 10

// ReadPassword asks for a new password. At a terminal it asks twice, so that a typing error
// is noticed. If standard input is not a terminal, the password is its first line.
func ReadPassword(ctx context.Context) (domain.Secret, error) {
	if !term.IsTerminal(stdin()) {
		return readLine("the password", os.Stdin)
	}
	password, err := ask(ctx, "Password: ")
	if err != nil {
		return domain.Secret{}, err
	}
	again, err := ask(ctx, "The same again: ")
	if err != nil {
		return domain.Secret{}, err
	}
	if !password.Equal(again) {
		return domain.Secret{}, errors.New("the two passwords differ; nothing was done")
	}
	return password, nil
}

// ReadKey asks for the Voiceflow key of an assistant. If standard input is not a terminal,
// the key is its first line.
func ReadKey(ctx context.Context) (domain.Secret, error) {
	if !term.IsTerminal(stdin()) {
		return readLine("the API key of the assistant", os.Stdin)
	}
	return ask(ctx, "API key of the assistant: ")
}

func stdin() int { return int(os.Stdin.Fd()) }

// ask shows the question and reads the answer without showing it. It restores the terminal,
// also if ctx ends first.
func ask(ctx context.Context, question string) (domain.Secret, error) {
	before, err := term.GetState(stdin())
	if err != nil {
		return domain.Secret{}, fmt.Errorf("the terminal could not be read: %w", err)
	}
	_, _ = fmt.Fprint(os.Stderr, question)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(stdin())
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		_, _ = fmt.Fprintln(os.Stderr)
		if a.err != nil {
			return domain.Secret{}, fmt.Errorf("the terminal could not be read: %w", a.err)
		}
		return domain.NewSecret(string(a.text)), nil
	case <-ctx.Done():
		_, _ = fmt.Fprintln(os.Stderr)
		return domain.Secret{}, errors.Join(errors.New("interrupted; nothing was done"), term.Restore(stdin(), before))
	}
}

// readLine reads a secret, which is the first line of from. A byte order mark is dropped. It also
// says whether the text is UTF-16, as Windows PowerShell 5.1 writes files
// (https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_character_encoding).
func readLine(what string, from io.Reader) (domain.Secret, error) {
	text := transform.NewReader(from, unicode.BOMOverride(transform.Nop))
	line, err := bufio.NewReader(io.LimitReader(text, maxSecretLine)).ReadString('\n')
	if err != nil && err != io.EOF {
		return domain.Secret{}, fmt.Errorf("standard input could not be read: %w", err)
	}
	if len(line) == maxSecretLine {
		return domain.Secret{}, fmt.Errorf("the line on standard input is too long for %s", what)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return domain.Secret{}, fmt.Errorf("the first line of standard input is empty; it should be %s", what)
	}
	// Bytes that are not UTF-8, and halves of characters in UTF-16, come as RuneError.
	if strings.ContainsRune(line, utf8.RuneError) {
		return domain.Secret{}, fmt.Errorf("the first line of standard input is neither UTF-8 nor UTF-16; write %s in one of them", what)
	}
	return domain.NewSecret(line), nil
}
