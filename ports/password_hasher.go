package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// PasswordHasher hashes passwords slowly, and bounds how many it hashes at once. It takes a password
// as it is, byte by byte. app makes one form of the forms in which a password can be typed.
type PasswordHasher interface {
	// Hash returns a salted hash of password. Equal passwords give different hashes. Returns
	// Invalid if the password is too common. Returns Unavailable if ctx ends before the call
	// gets its turn.
	Hash(ctx context.Context, password domain.Secret) (domain.Secret, error)

	// Verify reports whether hash is a hash of password. It is false for the zero hash and for a
	// hash that this hasher did not make; that takes as long as for any other hash. Returns
	// Unavailable if ctx ends before the call gets its turn.
	Verify(ctx context.Context, password, hash domain.Secret) (bool, error)
}
