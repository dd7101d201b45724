package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// AccessTokens keeps access tokens, each by the hashes of its texts: the current one, and after a
// rotation for a while the one before. A token goes with its user and with its project, and with a
// change of its user's password (UserRepository.Update).
type AccessTokens interface {
	// Create stores the token under its hash, which no other token has. Returns the error of Act.Makes. It calls
	// domain.MayAddToken with the number of tokens that the user has and returns its error.
	// That bound also holds for calls at the same instant. Returns NotFound if the token's
	// user or project does not exist.
	Create(ctx context.Context, act domain.Act, t domain.AccessToken, hash domain.TokenHash) error

	// Rotate gives the token another text, as AccessToken.Rotated says, and returns it. The act
	// needs what creating the token needs. Rotations of a token take turns, so that two at the
	// same instant are one after the other. Returns the errors of Act.Rotates and
	// AccessToken.Rotated, and NotFound for an unknown id.
	Rotate(ctx context.Context, act domain.Act, id domain.TokenID, r domain.Rotation) (domain.AccessToken, error)

	// Page returns at most limit tokens that come after the cursor, in the order of their
	// ids, expired ones included: those of the user, or with "" those of all users. No match
	// is no error.
	Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.AccessToken, error)

	// Names returns the names of the tokens that the ids name: those of the user, or with "" those of
	// all users. An id that names none is absent. Returns the error of domain.MayName.
	Names(ctx context.Context, user domain.UserID, of []domain.TokenID) (map[domain.TokenID]string, error)

	// Remove forgets the token and the conversations that it opened. Returns NotFound for an
	// unknown id, and for another user's token unless the caller may manage.
	Remove(ctx context.Context, act domain.Act, id domain.TokenID) error
}
