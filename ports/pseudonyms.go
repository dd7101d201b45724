package ports

import "github.com/flowlatch/flowlatch/domain"

// Pseudonyms turns texts into others that say nothing, and back, without keeping
// anything. The key decides: under the same key a text has the same pseudonym for ever, on
// every instance.
type Pseudonyms interface {
	// NewKey makes a key from randomness of its own.
	NewKey() (domain.Secret, error)

	// Of returns the pseudonym of text, 1 to domain.MaxOwnUserID bytes, under the key and
	// the binding: up to 128 letters, digits, - and _ (RFC 4648, section 5), which begin with
	// domain.PseudonymPrefix, equal for equal texts and bindings, and different otherwise.
	// Nobody can tell the text from it, or make it from the text, without the key. It is
	// Corrupt for what is no key of NewKey's, and Invalid for a text of another length and
	// for the zero Binding.
	Of(text string, key domain.Secret, to domain.Binding) (string, error)

	// Text reverses Of where it can: for every text of up to 64 bytes. It says no for what
	// is no pseudonym under the key and the binding, and may say no for that of a longer
	// text.
	Text(pseudonym string, key domain.Secret, to domain.Binding) (text string, ok bool)
}
