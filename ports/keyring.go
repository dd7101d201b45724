package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Keyring turns over the keyset that a Cipher seals with, while the Cipher is in use. The
// Cipher of the same keyset is Unavailable until Prepare has succeeded.
//
// The application needs a Keyring beside every Cipher: it checks the keyset at start, and
// counts what needs each key. Where keys are turned over elsewhere, as in a key management
// service, the Keyring is small: Prepare checks that the keys can be used, Keys names them,
// and Rotate and Retire are Conflict.
type Keyring interface {
	// Prepare makes the keyset ready. If there is none and fresh, it makes one; fresh says
	// that nothing was ever sealed for this installation. Returns Corrupt if the keyset
	// should be there and is missing, or can't be used; a sentence tells the operator which
	// keyset it looked for and where. Returns Unavailable if an outside key that wraps the
	// keyset is out of reach, or if ctx has ended. Preparing again changes nothing.
	Prepare(ctx context.Context, fresh bool) error

	// Keys returns the keys of the keyset: the current one, which seals, then those that only
	// open, in the order in which they were added. There are none before Prepare.
	Keys() []domain.KeyID

	// Refresh takes over changes that other instances made to the keyset, so that the current
	// key is the same. Without it, an instance still opens what any other has sealed.
	// Returns Unavailable before Prepare and if ctx has ended.
	Refresh(ctx context.Context) error

	// Rotate adds a key and makes it the current one. It calls known with a Seal under the
	// new key once every instance can open what that Seal returns, and before anything else
	// is sealed with the new key. If known fails, its error is returned as it is, the
	// current key stays, and the new key may remain as one that only opens. Rotations at the
	// same time run one after the other, and none loses the key of another. Returns Conflict
	// if the keyset can't be changed from here; a sentence says how to do it by hand.
	// Returns Unavailable before Prepare and if ctx has ended.
	Rotate(ctx context.Context, known func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error)

	// Retire removes keys from the keyset and returns them, each once: the named ones, or
	// all but the current one if keys is empty. It calls allow with them at a time when no
	// instance seals with them and nobody changes the keyset. If allow fails, its error is
	// returned as it is and nothing is changed. If there is nothing to remove, allow is not
	// called. Returns Conflict for the current key. Returns NotFound for a key that the
	// keyset does not have. Returns Conflict and Unavailable as Rotate does.
	Retire(ctx context.Context, keys []domain.KeyID, allow func(keys []domain.KeyID) error) ([]domain.KeyID, error)
}
