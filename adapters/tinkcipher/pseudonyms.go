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

// Pseudonyms is a ports.Pseudonyms on deterministic authenticated encryption with AES-SIV (RFC
// 5297). The binding is the associated data, and there is no nonce. A key is 64 bytes in base64
// (RFC 4648, section 4).
//
// A pseudonym is domain.PseudonymPrefix, one letter and base64url without padding. After the
// letter p comes the ciphertext, which is 16 bytes longer than the text. For texts of more than
// 77 bytes that would exceed 128 characters. Their letter is h, and the SHA-256 of the
// ciphertext follows. Nobody can turn that back. The length of a pseudonym shows the length of a
// short text.
//
// It stores nothing and is safe for concurrent use. A call takes about a microsecond.
type Pseudonyms struct{}

const (
	reversible = domain.PseudonymPrefix + "p"
	oneWay     = domain.PseudonymPrefix + "h"
)

// NewPseudonyms returns Pseudonyms.
func NewPseudonyms() *Pseudonyms { return &Pseudonyms{} }

// NewKey returns a random key. It never fails.
func (*Pseudonyms) NewKey() (domain.Secret, error) {
	var key [subtle.AESSIVKeySize]byte
	_, _ = rand.Read(key[:]) // documented never to fail
	return domain.NewSecret(base64.StdEncoding.EncodeToString(key[:])), nil
}

// Bind returns the pseudonym of text. Returns Corrupt if NewKey did not make key. Returns
// Invalid for a text that is empty or longer than domain.MaxOwnUserID bytes, and for the zero
// Binding.
func (*Pseudonyms) Bind(text string, key domain.Secret, to domain.Binding) (string, error) {
	siv := siv(key)
	switch {
	case siv == nil:
		return "", &domain.Error{Kind: domain.Corrupt, Public: "the key of the pseudonyms is invalid"}
	case to.AssociatedData() == "":
		return "", &domain.Error{Kind: domain.Invalid, Public: "a pseudonym needs a binding"}
	case text == "" || len(text) > domain.MaxOwnUserID:
		return "", &domain.Error{Kind: domain.Invalid, Public: "a user id must be 1 to 256 bytes"}
	}
	sealed, err := siv.EncryptDeterministically([]byte(text), []byte(to.AssociatedData()))
	if err != nil {
		return "", &domain.Error{Kind: domain.Unavailable, Public: "encryption failed", Cause: err}
	}
	if len(reversible)+base64.RawURLEncoding.EncodedLen(len(sealed)) <= domain.MaxPseudonym {
		return reversible + base64.RawURLEncoding.EncodeToString(sealed), nil
	}
	hash := sha256.Sum256(sealed)
	return oneWay + base64.RawURLEncoding.EncodeToString(hash[:]), nil
}

// Unbind returns the text that Bind was given, for every text of up to 77 bytes. It returns
// false for everything that Bind would not have returned, and for an invalid key.
func (*Pseudonyms) Unbind(pseudonym string, key domain.Secret, to domain.Binding) (text string, ok bool) {
	if len(pseudonym) > domain.MaxPseudonym || len(pseudonym) < len(reversible) || pseudonym[:len(reversible)] != reversible ||
		to.AssociatedData() == "" {
		return "", false
	}
	encoded := pseudonym[len(reversible):]
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	// The decoder ignores line breaks.
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

// siv returns AES-SIV under key, or nil if the key is invalid. Each call makes a new one, so
// that no key is kept. That is a small part of the cost of a call.
func siv(key domain.Secret) *subtle.AESSIV {
	text := key.Reveal()
	if len(text) != base64.StdEncoding.EncodedLen(subtle.AESSIVKeySize) {
		return nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil
	}
	siv, err := subtle.NewAESSIV(b) // rejects any other length
	if err != nil {
		return nil
	}
	return siv
}
