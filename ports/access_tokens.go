package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// AccessTokens keeps access tokens, each by the hash of its text. It is a view on the
// database that UserRepository is one of: a token goes with its user and with its project.
type AccessTokens interface {
	// Create stores the token under its hash. It is NotFound when its user or its project
	// is not there.
	Create(ctx context.Context, t domain.AccessToken, hash domain.TokenHash, rec domain.Record) error

	// Page returns at most limit tokens, those of the user, or with "" of everybody, that
	// come after the cursor, in the order of their ids, over or not. None is no error.
	Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.AccessToken, error)

	// Remove forgets the token, and the conversations that it made. With a user it is
	// NotFound for a token of somebody else, as it is for an unknown id.
	Remove(ctx context.Context, id domain.TokenID, of domain.UserID, rec domain.Record) error

	// Used records when tokens were last used, forward only. Those that are not there are
	// passed over. It keeps no record.
	Used(ctx context.Context, last map[domain.TokenID]time.Time) error
}
