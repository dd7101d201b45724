package bunstore

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Callers = (*Callers)(nil)

// Callers is a ports.Callers on a Store.
type Callers struct{ store *Store }

// NewCallers returns the Callers of s.
func NewCallers(s *Store) *Callers { return &Callers{s} }

// callerRow is a login with the role that its user has now.
type callerRow struct {
	sessionRow

	Role domain.Role
}

const selectCaller = `SELECT u.role, ` + sessionColumns + ` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = $1 AND s.kind = 'login' AND s.idle > $2 AND s.expires > $2 AND NOT u.disabled`

// BySession implements ports.Callers.
func (c *Callers) BySession(ctx context.Context, id domain.SessionID) (domain.Caller, error) {
	s := c.store
	var rows []callerRow
	err := s.read(ctx, "find a caller", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, selectCaller, string(id), micros(s.options.Now()))
	})
	if err != nil {
		return domain.Caller{}, err
	}
	if len(rows) == 0 {
		return domain.Caller{}, noSession()
	}
	return domain.Caller{ID: rows[0].UserID, Admin: rows[0].Role == domain.RoleAdmin, Login: rows[0].session()}, nil
}

// tokenCallerRow is a token with the role that its user has now.
type tokenCallerRow struct {
	tokenRow

	Role domain.Role
}

const selectTokenCaller = `SELECT u.role, ` + tokenColumns + ` FROM access_tokens t JOIN users u ON u.id = t.user_id
WHERE t.hash = $1 AND NOT u.disabled` + tokenLives

// ByToken implements ports.Callers.
func (c *Callers) ByToken(ctx context.Context, hash domain.TokenHash) (domain.Caller, error) {
	s := c.store
	var rows []tokenCallerRow
	err := s.read(ctx, "find a caller", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, selectTokenCaller, hash[:], micros(s.options.Now()))
	})
	if err != nil {
		return domain.Caller{}, err
	}
	if len(rows) == 0 {
		return domain.Caller{}, noToken()
	}
	return tokenCaller(rows[0].token(), rows[0].Role == domain.RoleAdmin), nil
}
