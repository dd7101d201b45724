package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Callers says who calls, in one look-up.
type Callers interface {
	// BySession returns the user whose login the session is, with the rights that the
	// user has now and the login as stored. It is NotFound when there is no such login or
	// it is over, when the session is no login, and when the user is gone or disabled.
	BySession(ctx context.Context, id domain.SessionID) (domain.Caller, error)

	// ByToken returns the user who made the access token, with the rights that the user
	// has now, and with the token's id, project and scopes. It is NotFound when there is
	// no such token or it is over, and when the user is gone or disabled.
	ByToken(ctx context.Context, hash domain.TokenHash) (domain.Caller, error)
}
