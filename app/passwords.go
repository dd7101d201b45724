package app

import (
	"context"
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// passwords is the PasswordHasher of every use case. Keyboards and systems write one letter as
// one code point (NFC) or as several (NFD). A password is the same in both forms.
type passwords struct{ ports.PasswordHasher }

// newPassword returns the password in NFC, as it is hashed. Returns Invalid if it breaks a rule of
// domain.CheckPassword.
func newPassword(password domain.Secret) (domain.Secret, error) {
	password = domain.NewSecret(norm.NFC.String(password.Reveal()))
	return password, domain.CheckPassword(password)
}

// Hash returns a hash of a new password. Returns the errors of newPassword and of the
// ports.PasswordHasher.
func (p passwords) Hash(ctx context.Context, password domain.Secret) (domain.Secret, error) {
	password, err := newPassword(password)
	if err != nil {
		return domain.Secret{}, err
	}
	return p.PasswordHasher.Hash(ctx, password)
}

// Verify reports whether hash is a hash of password. Hashes of earlier programs were made of what
// was typed, so Verify also tries the password as it is given and in NFD. A password in ASCII has
// one form. How many forms are tried depends on the password only, unless one of them is right. So
// the time does not show whether a user exists.
func (p passwords) Verify(ctx context.Context, password, hash domain.Secret) (bool, error) {
	given := password.Reveal()
	forms := []string{norm.NFC.String(given), given, norm.NFD.String(given)}
	for i, form := range forms {
		if slices.Contains(forms[:i], form) {
			continue
		}
		if ok, err := p.PasswordHasher.Verify(ctx, domain.NewSecret(form), hash); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
