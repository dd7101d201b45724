package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AccessTokens = (*AccessTokens)(nil)

// AccessTokens is a ports.AccessTokens on a Store.
type AccessTokens struct{ store *Store }

// tokenRow is an access token. Only look-ups by a text read the hashes.
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
	LastUsed  int64 // 0 if it was never used
	Rate      int   // 0 if it has none of its own
	Open      int   // 0 if it has none of its own

	Environments string // as domain.EnvironmentNamesText writes them

	Renewed         int64 // 0 if it was never rotated
	PreviousExpires int64 // 0 if it has no previous text
	Hash            []byte
	PreviousHash    []byte
}

func (r *tokenRow) token() domain.AccessToken {
	return domain.AccessToken{
		ID: r.ID, Name: r.Name, Prefix: r.Prefix, User: r.UserID, Project: r.ProjectID, Scopes: domain.ScopesFromText(r.Scopes),
		OwnUsers: r.OwnUsers, Created: instant(r.Created), Expires: instant(r.Expires), LastUsed: instantOrNever(r.LastUsed),
		Rate: r.Rate, Open: r.Open, Environments: domain.EnvironmentNamesFromText(r.Environments),
		Renewed: instantOrNever(r.Renewed), PreviousEnds: instantOrNever(r.PreviousExpires),
	}
}

func (r *tokenRow) secrets() (s domain.TokenSecrets) {
	copy(s.Current[:], r.Hash)
	copy(s.Previous[:], r.PreviousHash)
	return s
}

const (
	tokenColumns = `t.id, t.name, t.prefix, t.user_id, t.project_id, t.scopes, t.own_users, t.created, t.expires, t.last_used, t.rate, t.open,
	t.environments, t.renewed, t.previous_expires`
	tokenAndHashes = tokenColumns + `, t.hash, t.previous_hash`
)

// rotatedRow is an access token with what a rotation needs to know of its owner.
type rotatedRow struct {
	tokenRow

	OwnerDisabled bool
}

const (
	insertToken = `INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used, rate, open, environments)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

	pageOfTokens = `SELECT ` + tokenColumns + ` FROM access_tokens t WHERE t.id > $1 ORDER BY t.id LIMIT $2`

	pageOfTokensOfUser = `SELECT ` + tokenColumns + ` FROM access_tokens t WHERE t.user_id = $3 AND t.id > $1 ORDER BY t.id LIMIT $2`

	countTokens = `SELECT count(*) AS n FROM access_tokens WHERE user_id = $1`

	tokensOfHash  = `SELECT id FROM access_tokens WHERE hash = $1 UNION ALL SELECT id FROM access_tokens WHERE previous_hash = $1`
	tokenToRotate = `SELECT ` + tokenAndHashes + `, u.disabled AS owner_disabled FROM access_tokens t JOIN users u ON u.id = t.user_id WHERE t.id = $1`
	rotateToken   = `UPDATE access_tokens SET hash = $2, prefix = $3, previous_hash = $4, previous_expires = $5, renewed = $6, expires = $7 WHERE id = $1`

	ownerOfToken = `SELECT user_id FROM access_tokens WHERE id = $1`
	removeToken  = `DELETE FROM access_tokens WHERE id = $1`
	removeTokens = `DELETE FROM access_tokens WHERE user_id = $1`

	tokenUsed = `UPDATE access_tokens SET last_used = $2 WHERE id = $1 AND last_used < $2`
)

func noToken() error { return domain.NoSuch("access token") }

// Create implements ports.AccessTokens. Calls for the same user take turns, so that the
// number of the user's tokens is still right when the token is stored.
func (a *AccessTokens) Create(ctx context.Context, act domain.Act, t domain.AccessToken, hash domain.TokenHash) error {
	s := a.store
	return s.change(ctx, "create an access token", func(ctx context.Context, tx bun.Tx) error {
		return s.carryOut(ctx, tx, act, alone, func(ctx context.Context, tx bun.Tx) (bool, error) {
			if err := domain.Storable(t.User); err != nil {
				return false, err
			}
			if err := act.Makes(t); err != nil {
				return false, err
			}
			if act.StandsAlone() { // then the check of the right locked no user
				if err := s.lockUser(ctx, tx, t.User); err != nil {
					return false, err
				}
			}
			if t.Project != "" {
				if _, err := s.lockProject(ctx, tx, t.Project, "KEY SHARE"); err != nil {
					return false, err
				}
			}
			var has []struct{ N int }
			if err := s.query(ctx, tx.Tx, &has, countTokens, string(t.User)); err != nil {
				return false, err
			}
			if err := domain.MayAddToken(has[0].N); err != nil {
				return false, err
			}
			if err := s.hashIsNew(ctx, tx, hash); err != nil {
				return false, err
			}
			_, err := s.exec(ctx, tx.Tx, insertToken, string(t.ID), hash[:], t.Name, t.Prefix, string(t.User), nullable(string(t.Project)),
				t.Scopes.Text(), t.OwnUsers, micros(t.Created), micros(t.Expires), microsOrNever(t.LastUsed), t.Rate, t.Open,
				domain.EnvironmentNamesText(t.Environments))
			return err == nil, err
		})
	})
}

// hashIsNew returns the error of domain.IDTaken if a token has the hash. A unique index of one
// column would not see it in the other one.
func (s *Store) hashIsNew(ctx context.Context, tx bun.Tx, hash domain.TokenHash) error {
	var rows []tokenRow
	if err := s.query(ctx, tx.Tx, &rows, tokensOfHash, hash[:]); err != nil {
		return err
	}
	if len(rows) > 0 {
		return domain.IDTaken()
	}
	return nil
}

// Rotate implements ports.AccessTokens. What a token needs never changes, so it is read before the
// right is locked. The token is locked after that, as in every method.
func (a *AccessTokens) Rotate(ctx context.Context, act domain.Act, id domain.TokenID, r domain.Rotation) (domain.AccessToken, error) {
	s := a.store
	var rotated domain.AccessToken
	err := s.change(ctx, "rotate an access token", func(ctx context.Context, tx bun.Tx) error {
		act := act
		caller, err := s.allowed(ctx, tx, act, alone)
		if err != nil {
			return err
		}
		found, err := s.findToRotate(ctx, tx, id, tokenToRotate)
		if err != nil {
			return err
		}
		if err := act.Rotates(caller, found.token()); err != nil {
			return err
		}
		act.Needs = found.token().Needs()
		return s.carryOut(ctx, tx, act, alone, func(ctx context.Context, tx bun.Tx) (bool, error) {
			statement := tokenToRotate
			if s.postgres {
				statement += ` FOR UPDATE OF t`
			}
			if found, err = s.findToRotate(ctx, tx, id, statement); err != nil {
				return false, err
			}
			rotated, err = s.rotate(ctx, tx, found, r)
			return err == nil, err
		})
	})
	if err != nil {
		return domain.AccessToken{}, err
	}
	return rotated, nil
}

func (s *Store) findToRotate(ctx context.Context, tx bun.Tx, id domain.TokenID, statement string) (rotatedRow, error) {
	var rows []rotatedRow
	if err := s.query(ctx, tx.Tx, &rows, statement, string(id)); err != nil {
		return rotatedRow{}, err
	}
	if len(rows) == 0 {
		return rotatedRow{}, noToken()
	}
	return rows[0], nil
}

// rotate stores the token with another text.
func (s *Store) rotate(ctx context.Context, tx bun.Tx, found rotatedRow, r domain.Rotation) (domain.AccessToken, error) {
	t, secrets, err := found.token().Rotated(found.secrets(), r, found.OwnerDisabled, s.options.Now())
	if err != nil {
		return domain.AccessToken{}, err
	}
	if err := s.hashIsNew(ctx, tx, r.Hash); err != nil {
		return domain.AccessToken{}, err
	}
	var previous any // NULL if there is none
	if secrets.Previous != (domain.TokenHash{}) {
		previous = secrets.Previous[:]
	}
	_, err = s.exec(ctx, tx.Tx, rotateToken, string(t.ID), secrets.Current[:], t.Prefix, previous, microsOrNever(t.PreviousEnds),
		micros(t.Renewed), micros(t.Expires))
	return t, err
}

// lockUser makes other changes by the user wait. Returns NotFound if there is no such user.
func (s *Store) lockUser(ctx context.Context, tx bun.Tx, id domain.UserID) error {
	var users []userRow
	if err := s.lock(tx.NewSelect().Model(&users).Column("id").Where("id = ?", id), "NO KEY UPDATE").Scan(ctx); err != nil {
		return err
	}
	if len(users) == 0 {
		return noUser()
	}
	return nil
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

// Remove implements ports.AccessTokens. The foreign key removes the conversations.
func (a *AccessTokens) Remove(ctx context.Context, act domain.Act, id domain.TokenID) error {
	s := a.store
	return s.change(ctx, "remove an access token", func(ctx context.Context, tx bun.Tx) error {
		caller, err := s.allowed(ctx, tx, act, alone)
		if err != nil {
			return err
		}
		var owners []ownerRow // an owner never changes
		if err := s.query(ctx, tx.Tx, &owners, ownerOfToken, string(id)); err != nil {
			return err
		}
		if len(owners) == 0 || !caller.MayEnd(owners[0].UserID) {
			return noToken()
		}
		removed, err := s.exec(ctx, tx.Tx, removeToken, string(id))
		if err != nil {
			return err
		}
		if removed == 0 {
			return noToken()
		}
		return s.audit(ctx, tx.Tx, act.Record)
	})
}
