package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Cipher seals small secrets with authenticated encryption under the service's keyset.
type Cipher interface {
	// Prepare makes the cipher ready; before it has succeeded, Seal and Open are
	// Unavailable. Where there is no keyset yet it makes one if fresh, which says that nothing
	// was ever sealed for this installation. Where a keyset should be and is not, or can't
	// be used, it is Corrupt with a sentence for the operator that says which one it
	// looked for and where. Preparing again changes nothing.
	Prepare(ctx context.Context, fresh bool) error

	// Seal encrypts plain, which may be empty, under the current key, bound to to, which
	// is authenticated and not stored. Equal calls give different results. The result
	// names the key. Nothing is sealed to the zero Binding: Invalid.
	Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error)

	// Open reverses Seal under any key of the keyset. Whatever is wrong, with the bytes,
	// the key's name or the binding, it is Corrupt and says nothing more.
	Open(s domain.Sealed, to domain.Binding) (domain.Secret, error)
}
