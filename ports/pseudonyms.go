package ports

import "github.com/flowlatch/flowlatch/domain"

// Pseudonyms turns user ids and session ids into pseudonyms and back. It stores nothing. Under the
// same key and binding, a text has the same pseudonym on every instance, forever.
type Pseudonyms interface {
	// NewKey returns a random key.
	NewKey() (domain.Secret, error)

	// Bind returns the pseudonym of text under the key and the binding. The text has 1 to
	// domain.MaxOwnUserID bytes. The pseudonym is one by domain.IsPseudonym. Equal texts and
	// bindings give equal pseudonyms; all others give different ones. Without the key,
	// nobody can compute one from the other. Returns Corrupt if the key was not made by
	// NewKey. Returns Invalid for a text of another length and for the zero Binding.
	Bind(text string, key domain.Secret, to domain.Binding) (string, error)

	// Unbind returns the text that Bind was given. It does so for every text of up to 64
	// bytes, and may return false for a longer one. It returns false for anything that is
	// not a pseudonym under the key and the binding.
	Unbind(pseudonym string, key domain.Secret, to domain.Binding) (text string, ok bool)
}
