package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
)

// rightRow is the user who acts, with the login or access token that the right stands on.
type rightRow struct {
	User  userRow    `bun:"embed:u_"`
	Login sessionRow `bun:"embed:l_"`
	Token tokenRow   `bun:"embed:t_"`
}

func (r *rightRow) right() domain.Right {
	right := domain.Right{User: r.User.user()}
	if r.Login.ID != "" {
		right.Login = r.Login.session()
	}
	if r.Token.ID != "" {
		right.Token, right.Secrets = r.Token.token(), r.Token.secrets()
	}
	return right
}

// userLock says how the row of the user who acts is locked.
type userLock int

const (
	// shared keeps the user as they are until the end of the change.
	shared userLock = iota
	// alone also makes other acts of the same user wait. A method needs it if it may change
	// the row of the user who acts, or end the login that the act stands on: two such acts
	// that only share the rows would wait for each other. Every method that a member may call
	// locks alone too: many requests that share a row one after the other could keep the admin
	// waiting who takes their right away.
	alone
)

// The user is locked before the login or access token, as in every method that takes a right
// away. KEY SHARE makes whoever deletes the login or token wait. Uses, which update it, go on.
var (
	userOfRight  = named("u.id, u.role, u.disabled, u.password_hash", "u")
	rightByLogin = `SELECT ` + userOfRight + `, ` + named(sessionColumns, "l") + `
FROM sessions l JOIN users u ON u.id = l.user_id WHERE l.id = $1`
	rightByToken = `SELECT ` + userOfRight + `, ` + named(tokenAndHashes, "t") + `
FROM access_tokens t JOIN users u ON u.id = t.user_id WHERE t.id = $1`

	lockLogin = map[userLock]string{
		shared: rightByLogin + ` FOR SHARE OF u FOR KEY SHARE OF l`,
		alone:  rightByLogin + ` FOR NO KEY UPDATE OF u FOR KEY SHARE OF l`,
	}
	lockToken = map[userLock]string{
		shared: rightByToken + ` FOR SHARE OF u FOR KEY SHARE OF t`,
		alone:  rightByToken + ` FOR NO KEY UPDATE OF u FOR KEY SHARE OF t`,
	}
)

const (
	selectRightToUse = `SELECT g.scopes FROM projects p, grants g WHERE g.user_id = $1 AND g.project_id = $2 AND p.id = g.project_id`
	lockRightToUse   = selectRightToUse + ` FOR KEY SHARE OF p FOR SHARE OF g`
)

// allowed finds the right of the act and locks it for the transaction. act.Allow decides, and
// allowed returns the caller with the rights that they have now. Only an advisory lock may
// come before it in a transaction. It takes one statement unless the act stands alone, and
// another one if the act needs a grant, or a database without users.
func (s *Store) allowed(ctx context.Context, tx bun.Tx, act domain.Act, lock userLock) (domain.Caller, error) {
	var right domain.Right
	var err error
	if !act.StandsAlone() {
		if right, err = s.findRight(ctx, tx, act, lock); err != nil {
			return domain.Caller{}, err
		}
	}
	if act.Needs.NoUsers() {
		if right.AnyUser, err = s.anyUser(ctx, tx); err != nil {
			return domain.Caller{}, err
		}
	}
	if act.WantsGrant(right.User.Role) {
		if right.Granted, err = s.findGrant(ctx, tx, act.By.ID, act.Needs.Project()); err != nil {
			return domain.Caller{}, err
		}
	}
	return act.Allow(right, domain.Instant(s.options.Now()))
}

// findRight finds and locks the user who acts, with the login or access token of the act.
func (s *Store) findRight(ctx context.Context, tx bun.Tx, act domain.Act, lock userLock) (domain.Right, error) {
	statement, id := rightByLogin, string(act.By.Login.ID)
	if s.postgres {
		statement = lockLogin[lock]
	}
	if act.By.Token != "" {
		statement, id = rightByToken, string(act.By.Token)
		if s.postgres {
			statement = lockToken[lock]
		}
	}
	var rows []rightRow
	if err := s.query(ctx, tx.Tx, &rows, statement, id); err != nil {
		return domain.Right{}, err
	}
	if len(rows) == 0 {
		return domain.Right{}, nil
	}
	return rows[0].right(), nil
}

// findGrant finds and locks the grant of the user on the project. It returns empty scopes if
// there is none.
func (s *Store) findGrant(ctx context.Context, tx bun.Tx, user domain.UserID, project domain.ProjectID) (domain.Scopes, error) {
	statement := selectRightToUse
	if s.postgres {
		statement = lockRightToUse
	}
	var grants []grantRow
	if err := s.query(ctx, tx.Tx, &grants, statement, string(user), string(project)); err != nil || len(grants) == 0 {
		return 0, err
	}
	return domain.ScopesFromText(grants[0].Scopes), nil
}

// keepUsers makes other transactions wait that insert a user, in any way and on any instance, until
// the end of this one (PostgreSQL's documentation, 'Explicit Locking'). There is no row to lock while
// there is no user.
const keepUsers = `LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE`

// anyUser reports whether there is a user. If there is none, that stays so until the end of the
// transaction.
func (s *Store) anyUser(ctx context.Context, tx bun.Tx) (bool, error) {
	if s.postgres {
		if _, err := s.exec(ctx, tx.Tx, keepUsers); err != nil {
			return false, err
		}
	}
	return tx.NewSelect().Model((*userRow)(nil)).Exists(ctx)
}

// act runs do in a transaction if the act is allowed. It stores the act's record if do reports
// that something changed. do may run more than once.
func (s *Store) act(ctx context.Context, what string, act domain.Act, do func(ctx context.Context, tx bun.Tx) (changed bool, err error)) error {
	return s.change(ctx, what, func(ctx context.Context, tx bun.Tx) error { return s.carryOut(ctx, tx, act, shared, do) })
}

// carryOut is act inside a transaction.
func (s *Store) carryOut(ctx context.Context, tx bun.Tx, act domain.Act, lock userLock,
	do func(ctx context.Context, tx bun.Tx) (changed bool, err error)) error {
	if _, err := s.allowed(ctx, tx, act, lock); err != nil {
		return err
	}
	changed, err := do(ctx, tx)
	if err != nil || !changed {
		return err
	}
	return s.audit(ctx, tx.Tx, act.Record)
}
