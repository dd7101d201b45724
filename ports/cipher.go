package ports

import "github.com/flowlatch/flowlatch/domain"

// Cipher seals small secrets with authenticated encryption. Each ciphertext is bound to what
// it is for and names the key that sealed it.
//
// An importer with a key management service of its own writes a Cipher, and a Keyring on
// the same keys beside it.
type Cipher interface {
	// Seal encrypts plain, which may be empty, under the current key. The result is bound to
	// to, which is authenticated and not stored, and names the key. Equal calls give
	// different results. Returns Invalid for the zero Binding. Returns Unavailable if the
	// keys are out of reach, or if the current key may have changed and can't be read.
	Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error)

	// Open reverses Seal, whichever key sealed. Returns Corrupt if the bytes, the name of
	// the key or the binding is wrong, and does not say which. Returns Unavailable if the
	// keys are out of reach, or if the key is unknown here and the keyset can't be read:
	// an outage says nothing about what was sealed.
	Open(s domain.Sealed, to domain.Binding) (domain.Secret, error)
}
