package tinkcipher

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Pseudonyms = (*Pseudonyms)(nil)

// Pseudonyms is a ports.Pseudonyms on deterministic authenticated encryption with AES-SIV
// (RFC 5297), with 64 bytes of key, the binding as associated data, and no nonce. A key is
// these bytes in base64 (RFC 4648, section 4).
//
// A pseudonym is domain.PseudonymPrefix, a letter, which says what follows, and base64url
// without padding: p, and the ciphertext, which is 16 bytes longer than the text; or, where
// that would be more than 128 characters, which it is for texts of more than 77 bytes, h,
// and the SHA-256 of the ciphertext, which nobody can turn back. The length of a pseudonym
// tells that of a short text.
//
// It keeps nothing and is safe for concurrent use. A call takes about a microsecond.
type Pseudonyms struct{}

const (
	reversible = domain.PseudonymPrefix + "p"
	oneWay     = domain.PseudonymPrefix + "h"

	// maxPseudonym is the longest pseudonym, in characters: as long as a user id may be in
	// the paths of Voiceflow's API.
	maxPseudonym = 128
)

// NewPseudonyms returns Pseudonyms.
func NewPseudonyms() *Pseudonyms { return &Pseudonyms{} }

// NewKey makes a key from the randomness of the operating system. It never fails.
func (*Pseudonyms) NewKey() (domain.Secret, error) {
	var key [subtle.AESSIVKeySize]byte
	_, _ = rand.Read(key[:]) // documented never to fail
	return domain.NewSecret(base64.StdEncoding.EncodeToString(key[:])), nil
}

// Of returns the pseudonym of text. It is Corrupt for what is no key, and Invalid for a
// text that is empty or longer than domain.MaxOwnUserID bytes and for the zero Binding.
func (*Pseudonyms) Of(text string, key domain.Secret, to domain.Binding) (string, error) {
	siv := siv(key)
	switch {
	case siv == nil:
		return "", &domain.Error{Kind: domain.Corrupt, Public: "the key of the pseudonyms is none"}
	case to.AssociatedData() == "":
		return "", &domain.Error{Kind: domain.Invalid, Public: "no pseudonym is made without saying what for"}
	case text == "" || len(text) > domain.MaxOwnUserID:
		return "", &domain.Error{Kind: domain.Invalid, Public: "a user id must be 1 to 256 bytes"}
	}
	sealed, err := siv.EncryptDeterministically([]byte(text), []byte(to.AssociatedData()))
	if err != nil {
		return "", &domain.Error{Kind: domain.Unavailable, Public: "encryption failed", Cause: err}
	}
	if len(reversible)+base64.RawURLEncoding.EncodedLen(len(sealed)) <= maxPseudonym {
		return reversible + base64.RawURLEncoding.EncodeToString(sealed), nil
	}
	hash := sha256.Sum256(sealed)
	return oneWay + base64.RawURLEncoding.EncodeToString(hash[:]), nil
}

// Text returns what Of made the pseudonym from, for every text of up to 77 bytes. It says
// no for everything that Of would not have written, a key that is none included.
func (*Pseudonyms) Text(pseudonym string, key domain.Secret, to domain.Binding) (text string, ok bool) {
	if len(pseudonym) > maxPseudonym || len(pseudonym) < len(reversible) || pseudonym[:len(reversible)] != reversible ||
		to.AssociatedData() == "" {
		return "", false
	}
	encoded := pseudonym[len(reversible):]
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	// The decoder passes over line breaks.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(sealed)) != len(encoded) {
		return "", false
	}
	siv := siv(key)
	if siv == nil {
		return "", false
	}
	plain, err := siv.DecryptDeterministically(sealed, []byte(to.AssociatedData()))
	if err != nil || len(plain) == 0 {
		return "", false
	}
	return string(plain), true
}

// siv is AES-SIV under key, nil for what is no key. It is made for each call: that is a
// small part of what a call costs, and no key is kept.
func siv(key domain.Secret) *subtle.AESSIV {
	text := key.Reveal()
	if len(text) != base64.StdEncoding.EncodedLen(subtle.AESSIVKeySize) {
		return nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil
	}
	siv, err := subtle.NewAESSIV(b) // refuses what has another length
	if err != nil {
		return nil
	}
	return siv
}
