package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// PasswordHasher hashes passwords slowly, and bounds how many it hashes at once.
type PasswordHasher interface {
	// Hash returns a salted hash of password: two calls give two. A password that is
	// among the most common ones is Invalid. It is Unavailable when ctx ends before its
	// turn comes.
	Hash(ctx context.Context, password domain.Secret) (domain.Secret, error)

	// Verify says whether hash is of password. The zero hash, and one that is not of this
	// hasher, is of no password and costs the same time as any other. It is Unavailable
	// when ctx ends before its turn comes.
	Verify(ctx context.Context, password, hash domain.Secret) (bool, error)
}
