package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Cipher seals small secrets with authenticated encryption under the service's keyset,
// whose keys turn over while it is in use. Before Prepare has succeeded, all other methods
// but Keys are Unavailable, and Refresh, Rotate and Retire are under a context that has
// ended.
type Cipher interface {
	// Prepare makes the cipher ready. Where there is no keyset yet it makes one if fresh,
	// which says that nothing was ever sealed for this installation. Where a keyset should
	// be and is not, or can't be used, it is Corrupt with a sentence for the operator that
	// says which one it looked for and where; it is Unavailable where a key outside that
	// the keyset is wrapped with does not answer. Preparing again changes nothing.
	Prepare(ctx context.Context, fresh bool) error

	// Seal encrypts plain, which may be empty, under the current key, bound to to, which
	// is authenticated and not stored. Equal calls give different results. The result
	// names the key. Nothing is sealed to the zero Binding: Invalid. It may be Unavailable
	// where the keyset was changed and can't be read, since the current key may be another.
	Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error)

	// Open reverses Seal under any key of the keyset. Whatever is wrong, with the bytes,
	// the key's name or the binding, it is Corrupt and says nothing more. It is Unavailable
	// where the key is not known here and the keyset can't be read to look for it: an
	// outage says nothing about what was sealed.
	Open(s domain.Sealed, to domain.Binding) (domain.Secret, error)

	// Keys returns the keys of the keyset: first the current one, which seals, then those
	// that only open, in the order in which they were added. There are none before Prepare.
	Keys() []domain.KeyID

	// Refresh takes over what other instances have made of the keyset. What any instance
	// has sealed opens on every other also without it; with it the current key is the
	// same.
	Refresh(ctx context.Context) error

	// Rotate adds a key and makes it the current one. known is called with a Seal under
	// the new key when every instance can open what that seals, and before anything else
	// is sealed with it; its error is returned as it is, and then the current key is the
	// one that it was, and the new one may stay as one that only opens. Rotations at the
	// same time come one after the other, and none loses the key of another. It is
	// Conflict, with a sentence that says how to do it by hand, for a keyset that can't be
	// changed from here.
	Rotate(ctx context.Context, known func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error)

	// Retire takes keys out of the keyset and returns them, each once: those that are
	// named, or all but the current one. allow is told which, at a time when no instance
	// seals with them any more and none changes the keyset; its error is returned as it
	// is, and nothing is changed. There may be none, and then allow is not called. It is
	// Conflict for the current key, and, as Rotate is, for a keyset that can't be changed
	// from here; and NotFound for a key that is not in the keyset.
	Retire(ctx context.Context, keys []domain.KeyID, allow func(keys []domain.KeyID) error) ([]domain.KeyID, error)
}
