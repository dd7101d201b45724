package domain

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that must not show, such as an API key, a password, a password hash, a keyset
// or a database URL. It prints as [redacted] with every verb, logs as [redacted], and can't be
// marshaled. That holds inside another struct too.
//
// The value is a pointer to a string because fmt calls no methods through an unexported field.
// There fmt prints a plain string, and with a wrong verb the target of a *[]byte, but only the
// address of a *string.
type Secret struct{ p *string }

// NewSecret wraps text. The empty text gives the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text, "" for the zero Secret. It is the only way to read a Secret, so a
// search for Reveal finds every place that uses one.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether s is empty.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal reports whether the texts are the same, in a time that depends on their lengths only.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Format writes [redacted], whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue logs [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText always fails, so that no encoder can write a Secret.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("domain: a Secret cannot be marshalled")
}

// UnmarshalText takes the text from a decoder, so that it is never a plain string in between. It
// keeps no reference to text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
