package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Keyring rotates the keyset that a Cipher seals with, while the Cipher is in use. The Cipher of
// the same keyset is Unavailable until Prepare has succeeded.
//
// The application needs a Keyring beside every Cipher: it checks the keyset at start, and counts
// what needs each key. If keys are rotated elsewhere, as in a key management service, the
// Keyring is small. Its Prepare checks that the keys can be used, Keys names them, and Rotate
// and Retire return Conflict.
type Keyring interface {
	// Prepare makes the keyset ready. If there is none and fresh, it creates one. fresh tells
	// that nothing was ever sealed for this installation. Returns Corrupt if the keyset is
	// missing though it must exist, or if it can't be used. The sentence tells the operator
	// which keyset it looked for and where. Returns Unavailable if an outside key that wraps the
	// keyset is out of reach, or if ctx has ended. Another call after a success changes nothing.
	Prepare(ctx context.Context, fresh bool) error

	// Keys returns the keys of the keyset: the current key first, then the keys that only open,
	// in the order in which they were added. It returns none before Prepare.
	Keys() []domain.KeyID

	// Refresh reads the changes that other instances made to the keyset, so that the current key
	// is the same. An instance opens what any other has sealed even without it. Returns
	// Unavailable before Prepare and if ctx has ended.
	Refresh(ctx context.Context) error

	// Rotate adds a key and makes it the current key. It calls known with a Seal under the new
	// key. At that time every instance can open what that Seal returns, and nothing else was
	// sealed with the new key. If known fails, its error is returned as it is, the current key
	// stays, and the new key may remain as a key that only opens. Rotations at the same time run
	// one after the other, and each keeps the keys of the others.
	//
	// Returns Conflict if this program can't change the keyset; the sentence says how to do it
	// by hand. Returns Unavailable before Prepare and if ctx has ended.
	Rotate(ctx context.Context, known func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error)

	// Retire removes keys from the keyset and returns them, each once: the named keys, or all
	// but the current key if keys is empty. Before that, it calls allow with them at a time when
	// no instance seals with them and nobody changes the keyset. If allow fails, its error is
	// returned as it is and nothing changes. If there is nothing to remove, allow is not called.
	//
	// Returns Conflict for the current key. Returns NotFound for a key that the keyset does not
	// have. Returns Conflict and Unavailable as Rotate does.
	Retire(ctx context.Context, keys []domain.KeyID, allow func(keys []domain.KeyID) error) ([]domain.KeyID, error)
}
