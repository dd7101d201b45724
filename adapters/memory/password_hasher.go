package memory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.PasswordHasher = PasswordHasher{}

// PasswordHasher is a ports.PasswordHasher for tests only. It does one round of salted SHA-256,
// so that a test can log in a hundred times at once. An attacker can guess as fast. It refuses
// two common passwords, password and 12345678. The zero value is ready, and safe for concurrent
// use.
type PasswordHasher struct{}

// Hash returns a salted hash. Returns Invalid for a common password. Returns Unavailable if ctx
// has ended.
func (PasswordHasher) Hash(ctx context.Context, password domain.Secret) (domain.Secret, error) {
	if ctx.Err() != nil {
		return domain.Secret{}, unavailable(context.Cause(ctx))
	}
	if text := password.Reveal(); text == "password" || text == "12345678" {
		return domain.Secret{}, &domain.Error{Kind: domain.Invalid, Public: "password is too easy to guess; choose another one"}
	}
	return hash(rand.Text(), password), nil
}

// Verify reports whether of is a hash of password. Returns Unavailable if ctx has ended.
func (PasswordHasher) Verify(ctx context.Context, password, of domain.Secret) (bool, error) {
	if ctx.Err() != nil {
		return false, unavailable(context.Cause(ctx))
	}
	salt, _, _ := strings.Cut(of.Reveal(), ":")
	return hash(salt, password).Equal(of), nil
}

func hash(salt string, password domain.Secret) domain.Secret {
	sum := sha256.Sum256([]byte(salt + ":" + password.Reveal()))
	return domain.NewSecret(salt + ":" + hex.EncodeToString(sum[:]))
}
