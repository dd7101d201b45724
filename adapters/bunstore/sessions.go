package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.SessionStore = (*Sessions)(nil)

// Sessions is a ports.SessionStore on a Store.
type Sessions struct{ store *Store }

// NewSessions returns the Sessions of s.
func NewSessions(s *Store) *Sessions { return &Sessions{s} }

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions"`

	ID        domain.SessionID `bun:",pk"`
	Kind      domain.SessionKind
	UserID    domain.UserID
	LoginID   domain.SessionID
	ProjectID domain.ProjectID
	ByRole    bool
	Remember  bool
	Created   int64
	LastUsed  int64
	Idle      int64
	Expires   int64
	Address   string
	Agent     string
	SealedBy  domain.KeyID
}

func (r *sessionRow) session() domain.Session {
	return domain.Session{
		ID: r.ID, Kind: r.Kind, User: r.UserID, Login: r.LoginID, Project: r.ProjectID, ByRole: r.ByRole, Remember: r.Remember,
		Created: instant(r.Created), LastUsed: instant(r.LastUsed), Idle: instant(r.Idle), Expires: instant(r.Expires),
		Address: r.Address, Agent: r.Agent, SealedBy: r.SealedBy,
	}
}

const sessionColumns = `s.id, s.kind, s.user_id, s.login_id, s.project_id, s.by_role, s.remember,
	s.created, s.last_used, s.idle, s.expires, s.address, s.agent, s.sealed_by`

// A session is over at the earlier of its ends. Only what goes through all sessions asks
// for that as ends, which has an index: a planner might otherwise take it for a way to a
// live session.
const (
	selectSession = `SELECT ` + sessionColumns + ` FROM sessions s WHERE s.id = $1 AND s.idle > $2 AND s.expires > $2`

	touchSession = `UPDATE sessions SET last_used = CASE WHEN last_used < $2 THEN $2 ELSE last_used END,
	idle = CASE WHEN idle < $3 THEN $3 ELSE idle END WHERE id = $1 AND idle > $4 AND expires > $4`

	pageOfSessions = `SELECT ` + sessionColumns + ` FROM sessions s
WHERE s.user_id = $3 AND s.id > $1 AND s.idle > $4 AND s.expires > $4 ORDER BY s.id LIMIT $2`

	markSealed = `UPDATE sessions SET sealed_by = $2 WHERE id = $1 AND sealed_by <> $2 AND idle > $3 AND expires > $3`

	endSession       = `DELETE FROM sessions WHERE id = $1 AND idle > $2 AND expires > $2`
	endSessionOfUser = endSession + ` AND user_id = $3`

	// The logins go first, and by the foreign key what is under them: one who opens an
	// assistant session locks the login before the session.
	endLogins   = `DELETE FROM sessions WHERE user_id = $1 AND id <> $2 AND kind = 'login'`
	endSessions = `DELETE FROM sessions WHERE user_id = $1 AND id <> $2 AND (login_id IS NULL OR login_id <> $2)`

	// The same of those that are not over.
	endLiveLogins   = `DELETE FROM sessions WHERE user_id = $1 AND idle > $2 AND expires > $2 AND kind = 'login'`
	endLiveSessions = `DELETE FROM sessions WHERE user_id = $1 AND idle > $2 AND expires > $2`
)

// The values of a session are $1 to $14, those of its audit row $15 to $22. $23 is what
// else decides.
const (
	insertSession = `INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember,
	created, last_used, idle, expires, address, agent, sealed_by) `
	sessionValues = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14`
	recordOpened  = insertAudit + `SELECT $15, $16, $17, $18, $19, $20, $21, $22`

	// replacing puts the session in the place of the one that its login had.
	replacing = ` ON CONFLICT (login_id) WHERE login_id IS NOT NULL DO UPDATE SET
	id = excluded.id, user_id = excluded.user_id, project_id = excluded.project_id, by_role = excluded.by_role, remember = excluded.remember,
	created = excluded.created, last_used = excluded.last_used, idle = excluded.idle, expires = excluded.expires,
	address = excluded.address, agent = excluded.agent, sealed_by = excluded.sealed_by`
)

// admission is one way in which a session can be let in. Where nothing lets it in its
// statements find no row.
type admission struct {
	find string // reads what lets the session in
	open string // for Postgres: locks that, and stores the session and its record
	// insert stores the session that find has let in, where nothing has to be locked.
	insert string
}

// newAdmission makes the way in that reads the columns from; locks is what Postgres
// locks of it, only what has to be so of what was read for the session to be stored, and
// onConflict what becomes of a session that is there.
//
// To lock and to store in one statement is safe although its snapshot is taken before
// it gets the locks: a row that changed meanwhile is looked at again as it is now, and
// left out when it is gone (PostgreSQL documentation, 13.2.1).
func newAdmission(columns, from, locks, only, onConflict string) admission {
	find := `SELECT ` + columns + from
	return admission{
		find: find,
		open: `WITH allowed AS (` + find + locks + `),
opened AS (` + insertSession + `SELECT ` + sessionValues + ` FROM allowed WHERE ` + only + onConflict + ` RETURNING id),
recorded AS (` + recordOpened + ` FROM opened)
SELECT * FROM allowed`,
		insert: insertSession + `VALUES (` + sessionValues + `)` + onConflict,
	}
}

const (
	liveLogin = ` AND l.id = $4 AND l.kind = 'login' AND l.user_id = $3 AND l.idle > $23 AND l.expires > $23`
	isAdmin   = ` u.id = $3 AND u.role = 'admin' AND NOT u.disabled`
	isGranted = ` g.user_id = $3 AND g.project_id = $5 AND ` + itsProject
	// maybeOpens is domain.Project.MayBeSet.
	maybeOpens = `(key_status <> 'needs_reentry' OR secondary_status NOT IN ('none', 'needs_reentry'))`
	mayLogIn   = ` FROM users u WHERE u.id = $3 AND NOT u.disabled AND u.password_hash = $23`
	roleStands = `SELECT u.id FROM users u, sessions l WHERE u.id = $1 AND u.role = 'admin' AND NOT u.disabled
	AND l.id = $2 AND l.kind = 'login' AND l.user_id = $1 AND l.idle > $3 AND l.expires > $3`
)

var (
	loginByPassword = newAdmission(`u.id`, mayLogIn, ` FOR SHARE`, `true`, ``)

	assistantByRole = newAdmission(projectColumns, ` FROM users u, projects p, sessions l WHERE`+isAdmin+` AND p.id = $5`+liveLogin,
		` FOR SHARE OF u FOR KEY SHARE OF p, l`, maybeOpens, replacing)
	assistantByGrant = newAdmission(projectColumns, ` FROM projects p, grants g, sessions l WHERE`+isGranted+liveLogin,
		` FOR KEY SHARE OF p, g, l`, maybeOpens, replacing)

	// Without a login, as under a host's own authentication.
	assistantOfHostByRole = newAdmission(projectColumns, ` FROM projects p WHERE p.id = $5`,
		` FOR KEY SHARE`, maybeOpens, ``)
	assistantOfHostByGrant = newAdmission(projectColumns, ` FROM projects p, grants g WHERE`+isGranted,
		` FOR KEY SHARE OF p, g`, maybeOpens, ``)
)

func noSession() error {
	return &domain.Error{Kind: domain.NotFound, Public: "there is no such session"}
}

// OpenLogin implements ports.SessionStore.
func (s *Sessions) OpenLogin(ctx context.Context, session domain.Session, hash domain.Secret, rec domain.Record) error {
	allowed, err := open[userRow](ctx, s.store, "open a login", loginByPassword, session, rec, func(*userRow) error { return nil }, hash.Reveal())
	if err == nil && len(allowed) == 0 {
		return &domain.Error{Kind: domain.NotAllowed, Public: "the user has changed in the meantime"}
	}
	return err
}

// OpenAssistant implements ports.SessionStore.
func (s *Sessions) OpenAssistant(ctx context.Context, session domain.Session, rec domain.Record) (domain.Project, error) {
	now := micros(s.store.options.Now())
	way, decides := assistantByGrant, []any{now}
	switch {
	case session.Login != "" && session.ByRole:
		way = assistantByRole
	case session.Login == "" && session.ByRole:
		way, decides = assistantOfHostByRole, nil
	case session.Login == "":
		way, decides = assistantOfHostByGrant, nil
	}
	allowed, err := open(ctx, s.store, "open an assistant session", way, session, rec,
		func(p *projectRow) error { return p.project().MayBeSet() }, decides...)
	if err != nil {
		return domain.Project{}, err
	}
	if len(allowed) == 0 {
		return domain.Project{}, s.refusal(ctx, session, now)
	}
	return allowed[0].project(), nil
}

// open stores the session and its record if way lets it in, and only agrees, and returns
// what let it in. The error of only, which says what the way's own does, is returned as it is.
func open[T any](ctx context.Context, s *Store, what string, way admission, session domain.Session, rec domain.Record,
	only func(*T) error, decides ...any) ([]T, error) {
	args := []any{
		string(session.ID), string(session.Kind), string(session.User), nullable(string(session.Login)), nullable(string(session.Project)),
		session.ByRole, session.Remember, micros(session.Created), micros(session.LastUsed), micros(session.Idle), micros(session.Expires),
		session.Address, session.Agent, string(session.SealedBy),
	}
	args = append(append(args, recordValues(rec)...), decides...)
	var allowed []T
	err := s.write(ctx, what, func(ctx context.Context, on handle) error {
		if s.postgres {
			if err := s.query(ctx, on, &allowed, way.open, args...); err != nil || len(allowed) == 0 {
				return err
			}
			return only(&allowed[0])
		}
		if err := s.query(ctx, on, &allowed, way.find, args...); err != nil || len(allowed) == 0 {
			return err
		}
		if err := only(&allowed[0]); err != nil {
			return err
		}
		if _, err := s.exec(ctx, on, way.insert, args...); err != nil {
			return err
		}
		return s.audit(ctx, on, rec)
	})
	return allowed, err
}

// refusal is why nothing let the session in.
func (s *Sessions) refusal(ctx context.Context, session domain.Session, now int64) error {
	stands := session.ByRole
	if stands && session.Login != "" {
		var admins []userRow
		err := s.store.read(ctx, "look at a role", func(ctx context.Context) error {
			return s.store.lookUp(ctx, &admins, roleStands, string(session.User), string(session.Login), now)
		})
		if err != nil {
			return err
		}
		stands = len(admins) == 1
	}
	if stands {
		return noProject()
	}
	return &domain.Error{Kind: domain.NotAllowed, Public: "you are not allowed to use this assistant"}
}

// Find implements ports.SessionStore.
func (s *Sessions) Find(ctx context.Context, id domain.SessionID) (domain.Session, error) {
	var rows []sessionRow
	err := s.store.read(ctx, "find a session", func(ctx context.Context) error {
		return s.store.lookUp(ctx, &rows, selectSession, string(id), micros(s.store.options.Now()))
	})
	if err != nil {
		return domain.Session{}, err
	}
	if len(rows) == 0 {
		return domain.Session{}, noSession()
	}
	return rows[0].session(), nil
}

// Page implements ports.SessionStore.
func (s *Sessions) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.Session, error) {
	var rows []sessionRow
	err := s.store.read(ctx, "find sessions", func(ctx context.Context) error {
		return s.store.lookUp(ctx, &rows, pageOfSessions, after.ID, max(limit, 0), string(of), micros(s.store.options.Now()))
	})
	if err != nil {
		return nil, err
	}
	sessions := make([]domain.Session, len(rows))
	for i := range rows {
		sessions[i] = rows[i].session()
	}
	return sessions, nil
}

// Touch implements ports.SessionStore.
func (s *Sessions) Touch(ctx context.Context, id domain.SessionID, used, idle time.Time) error {
	return s.store.write(ctx, "touch a session", func(ctx context.Context, on handle) error {
		n, err := s.store.exec(ctx, on, touchSession, string(id), micros(used), micros(idle), micros(s.store.options.Now()))
		if err == nil && n == 0 {
			return noSession()
		}
		return err
	})
}

// MarkSealed implements ports.SessionStore.
func (s *Sessions) MarkSealed(ctx context.Context, id domain.SessionID, by domain.KeyID) error {
	return s.store.write(ctx, "mark the key of a cookie", func(ctx context.Context, on handle) error {
		_, err := s.store.exec(ctx, on, markSealed, string(id), string(by), micros(s.store.options.Now()))
		return err
	})
}

// End implements ports.SessionStore.
func (s *Sessions) End(ctx context.Context, id domain.SessionID, of domain.UserID, rec domain.Record) error {
	statement, args := endSession, []any{string(id), micros(s.store.options.Now())}
	if of != "" {
		statement, args = endSessionOfUser, append(args, string(of))
	}
	return s.store.change(ctx, "end a session", func(ctx context.Context, tx bun.Tx) error {
		// What is under it goes by the foreign key.
		n, err := s.store.exec(ctx, tx.Tx, statement, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return noSession()
		}
		return s.store.audit(ctx, tx.Tx, rec)
	})
}

// EndAll implements ports.SessionStore.
func (s *Sessions) EndAll(ctx context.Context, of domain.UserID, rec domain.Record) error {
	return s.store.change(ctx, "end the sessions of a user", func(ctx context.Context, tx bun.Tx) error {
		ended := int64(0)
		for _, statement := range []string{endLiveLogins, endLiveSessions} {
			n, err := s.store.exec(ctx, tx.Tx, statement, string(of), micros(s.store.options.Now()))
			if err != nil {
				return err
			}
			ended += n
		}
		if ended == 0 {
			return nil
		}
		return s.store.audit(ctx, tx.Tx, rec)
	})
}

// Sweep implements ports.SessionStore. A login stays while something is under it that
// is not over.
func (s *Sessions) Sweep(ctx context.Context, limit int) (int, error) {
	now := micros(s.store.options.Now())
	swept := 0
	err := s.store.change(ctx, "sweep sessions", func(ctx context.Context, tx bun.Tx) error {
		swept = 0
		for _, pass := range []string{
			`s.kind = 'assistant'`,
			`s.kind = 'login' AND NOT EXISTS (SELECT 1 FROM sessions a WHERE a.login_id = s.id)`,
		} {
			if swept >= limit {
				return nil
			}
			// One that somebody else has locked is in use or being swept already.
			over := s.store.lock(tx.NewSelect().TableExpr("sessions s").Column("s.id").Where("s.ends <= ?", now).Where(pass).
				Order("s.ends").Limit(int64(limit-swept)), "UPDATE OF s SKIP LOCKED")
			n, err := changed(tx.NewDelete().Model((*sessionRow)(nil)).Where("id IN (?)", over).Exec(ctx))
			if err != nil {
				return err
			}
			swept += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return swept, nil
}

// endGranted ends the assistant sessions that grants of the projects let the user in to.
func endGranted(ctx context.Context, tx bun.Tx, user domain.UserID, projects []domain.ProjectID) error {
	_, err := tx.NewDelete().Model((*sessionRow)(nil)).
		Where("user_id = ? AND project_id IN (?) AND NOT by_role", user, bun.List(projects)).Exec(ctx)
	return err
}
