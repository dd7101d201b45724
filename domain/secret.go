package domain

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that must not show: an API key, a password, a password hash, a
// keyset, a database URL. It prints as [redacted] under every verb, logs as
// [redacted] and refuses to be marshalled, also inside another struct.
//
// The value sits behind a pointer to a string because fmt calls no methods through
// an unexported field: it would print a plain string there, and prints the target
// of a *[]byte under a wrong verb, but only the address of a *string.
type Secret struct{ p *string }

// NewSecret wraps text. The empty text gives the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text, "" for the zero Secret. It is the only way to read it,
// so that a search for its name finds every place where a secret is used.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero says whether there is nothing in it.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal compares in a time that depends on the lengths only.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Format writes [redacted], whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue logs [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText always fails, so no encoder can write a Secret.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("domain: a Secret cannot be marshalled")
}

// UnmarshalText takes the secret from a decoder, so that it is never a plain string
// in between. It keeps no reference to text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
