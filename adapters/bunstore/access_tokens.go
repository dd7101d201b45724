package bunstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AccessTokens = (*AccessTokens)(nil)

// AccessTokens is a ports.AccessTokens on a Store.
type AccessTokens struct{ store *Store }

// NewAccessTokens returns the AccessTokens of s.
func NewAccessTokens(s *Store) *AccessTokens { return &AccessTokens{s} }

// tokenRow is all of a token but its hash, which nothing reads.
type tokenRow struct {
	bun.BaseModel `bun:"table:access_tokens"`

	ID        domain.TokenID `bun:",pk"`
	Name      string
	Prefix    string
	UserID    domain.UserID
	ProjectID domain.ProjectID
	Scopes    string
	OwnUsers  bool
	Created   int64
	Expires   int64
	LastUsed  int64 // 0 when it never was
}

func (r *tokenRow) token() domain.AccessToken {
	return domain.AccessToken{
		ID: r.ID, Name: r.Name, Prefix: r.Prefix, User: r.UserID, Project: r.ProjectID, Scopes: domain.ScopesFromText(r.Scopes),
		OwnUsers: r.OwnUsers, Created: instant(r.Created), Expires: instant(r.Expires), LastUsed: instantOrNever(r.LastUsed),
	}
}

const tokenColumns = `t.id, t.name, t.prefix, t.user_id, t.project_id, t.scopes, t.own_users, t.created, t.expires, t.last_used`

const (
	insertToken = `INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	pageOfTokens = `SELECT ` + tokenColumns + ` FROM access_tokens t WHERE t.id > $1 ORDER BY t.id LIMIT $2`

	pageOfTokensOfUser = `SELECT ` + tokenColumns + ` FROM access_tokens t WHERE t.user_id = $3 AND t.id > $1 ORDER BY t.id LIMIT $2`

	tokenUsed = `UPDATE access_tokens SET last_used = $2 WHERE id = $1 AND last_used < $2`
)

func noToken() error {
	return &domain.Error{Kind: domain.NotFound, Public: "there is no such access token"}
}

// Create implements ports.AccessTokens.
func (a *AccessTokens) Create(ctx context.Context, t domain.AccessToken, hash domain.TokenHash, rec domain.Record) error {
	s := a.store
	return s.change(ctx, "create an access token", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(t.User); err != nil {
			return err
		}
		var users []userRow
		if err := s.lock(tx.NewSelect().Model(&users).Column("id").Where("id = ?", t.User), "KEY SHARE").Scan(ctx); err != nil {
			return err
		}
		if len(users) == 0 {
			return noUser()
		}
		if t.Project != "" {
			if _, err := s.lockProject(ctx, tx, t.Project, "KEY SHARE"); err != nil {
				return err
			}
		}
		_, err := s.exec(ctx, tx.Tx, insertToken, string(t.ID), hash[:], t.Name, t.Prefix, string(t.User), nullable(string(t.Project)),
			t.Scopes.Text(), t.OwnUsers, micros(t.Created), micros(t.Expires), microsOrNever(t.LastUsed))
		if err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// Page implements ports.AccessTokens.
func (a *AccessTokens) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.AccessToken, error) {
	s := a.store
	statement, args := pageOfTokens, []any{after.ID, max(limit, 0)}
	if of != "" {
		statement, args = pageOfTokensOfUser, append(args, string(of))
	}
	var rows []tokenRow
	err := s.read(ctx, "find access tokens", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, args...)
	})
	if err != nil {
		return nil, err
	}
	tokens := make([]domain.AccessToken, len(rows))
	for i := range rows {
		tokens[i] = rows[i].token()
	}
	return tokens, nil
}

// Remove implements ports.AccessTokens.
func (a *AccessTokens) Remove(ctx context.Context, id domain.TokenID, of domain.UserID, rec domain.Record) error {
	s := a.store
	return s.change(ctx, "remove an access token", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(string(id), string(of)); err != nil {
			return err
		}
		remove := tx.NewDelete().Model((*tokenRow)(nil)).Where("id = ?", id) // conversations go by the foreign key
		if of != "" {
			remove.Where("user_id = ?", of)
		}
		removed, err := changed(remove.Exec(ctx))
		if err != nil {
			return err
		}
		if removed == 0 {
			return noToken()
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// Used implements ports.AccessTokens.
func (a *AccessTokens) Used(ctx context.Context, last map[domain.TokenID]time.Time) error {
	if len(last) == 0 {
		return nil
	}
	s := a.store
	return s.change(ctx, "record the use of access tokens", func(ctx context.Context, tx bun.Tx) error {
		// In one order, so that two instances do not block each other.
		for _, id := range slices.Sorted(maps.Keys(last)) {
			if _, err := s.exec(ctx, tx.Tx, tokenUsed, string(id), micros(last[id])); err != nil {
				return err
			}
		}
		return nil
	})
}
