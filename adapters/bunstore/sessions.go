package bunstore

import (
	"context"
	"hash/fnv"
	"slices"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.SessionStore = (*Sessions)(nil)

// Sessions is a ports.SessionStore on a Store.
type Sessions struct{ store *Store }

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

	ByProvider bool
	Recheck    int64 // 0 if never
}

func (r *sessionRow) session() domain.Session {
	return domain.Session{
		ID: r.ID, Kind: r.Kind, User: r.UserID, Login: r.LoginID, Project: r.ProjectID, ByRole: r.ByRole, Remember: r.Remember,
		Created: instant(r.Created), LastUsed: instant(r.LastUsed), Idle: instant(r.Idle), Expires: instant(r.Expires),
		Address: r.Address, Agent: r.Agent, SealedBy: r.SealedBy, ByProvider: r.ByProvider, Recheck: instantOrNever(r.Recheck),
	}
}

const sessionColumns = `s.id, s.kind, s.user_id, s.login_id, s.project_id, s.by_role, s.remember,
	s.created, s.last_used, s.idle, s.expires, s.address, s.agent, s.sealed_by, s.by_provider, s.recheck`

// A session is over at the earlier of its two ends. The column ends is that instant and has
// an index. Only statements about all sessions use it, so that the planners do not take it
// for a way to one session.
const (
	// touchSession does what domain.Session.UsedBy says.
	touchSession = `UPDATE sessions SET last_used = CASE WHEN last_used < $2 THEN $2 ELSE last_used END,
	idle = CASE WHEN idle < $3 THEN $3 ELSE idle END, sealed_by = CASE WHEN $5 = '' THEN sealed_by ELSE $5 END
WHERE id = $1 AND idle > $4 AND expires > $4`

	pageOfSessions = `SELECT ` + sessionColumns + ` FROM sessions s
WHERE s.user_id = $3 AND s.id > $1 AND s.idle > $4 AND s.expires > $4 ORDER BY s.id LIMIT $2`

	selectOwner = `SELECT s.user_id FROM sessions s WHERE s.id = $1 AND s.idle > $2 AND s.expires > $2`
	endSession  = `DELETE FROM sessions WHERE id = $1 AND user_id = $3 AND idle > $2 AND expires > $2`

	// Logins are ended first, and the foreign key ends their assistant sessions. Whoever opens
	// an assistant session locks the login first too.
	endLogins   = `DELETE FROM sessions WHERE user_id = $1 AND id <> $2 AND kind = 'login'`
	endSessions = `DELETE FROM sessions WHERE user_id = $1 AND id <> $2 AND (login_id IS NULL OR login_id <> $2)`

	// These are for sessions that are not over. They are counted and locked first, since the
	// end of a login ends its assistant session too. Appending nothing to the kind keeps the
	// planner from using an index on the kind.
	liveSessions    = `SELECT s.id FROM sessions s WHERE s.user_id = $1 AND s.idle > $2 AND s.expires > $2`
	lockSessions    = liveSessions + ` ORDER BY s.kind || '' DESC, s.id FOR UPDATE`
	endLiveSessions = `DELETE FROM sessions WHERE user_id = $1 AND idle > $2 AND expires > $2`

	// sessionsOfKind are those that a new session may displace.
	sessionsOfKind = `SELECT s.id, s.created FROM sessions s
WHERE s.user_id = $1 AND s.kind = $2 AND s.idle > $3 AND s.expires > $3`

	endSealedBy   = `DELETE FROM sessions WHERE kind = $3 AND sealed_by = $1 AND ends > $2`
	countSealedBy = `SELECT sealed_by AS key_id, count(*) AS n FROM sessions
WHERE kind = $3 AND sealed_by = $1 AND ends > $2 GROUP BY sealed_by`
)

// forgetHandles reads all conversations. An index for it would not be worth its writes.
var forgetHandles = `DELETE FROM conversations WHERE handle_sealed_by = $1 AND ` + conversationLives("conversations", "$2")

// The values of a session are $1 to $16, and those of its audit row $17 to $24. $25 is another
// value that decides.
const (
	insertSession = `INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember,
	created, last_used, idle, expires, address, agent, sealed_by, by_provider, recheck) `
	sessionValues = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16`
	recordOpened  = insertAudit + `SELECT $17, $18, $19, $20, $21, $22, $23, $24`

	// replacing replaces the assistant session that the login has.
	replacing = ` ON CONFLICT (login_id) WHERE login_id IS NOT NULL DO UPDATE SET
	id = excluded.id, user_id = excluded.user_id, project_id = excluded.project_id, by_role = excluded.by_role, remember = excluded.remember,
	created = excluded.created, last_used = excluded.last_used, idle = excluded.idle, expires = excluded.expires,
	address = excluded.address, agent = excluded.agent, sealed_by = excluded.sealed_by`
)

// admission is one way in which a session can be allowed. If nothing allows the session, its
// statements find no row.
type admission struct {
	find string // reads what allows the session
	open string // on Postgres, locks that and stores the session with its record
	// insert stores a session that find has allowed, on SQLite, where nothing has to be locked.
	insert string
}

// newAdmission makes an admission that reads the columns with the clause from. locks is the
// locking clause on Postgres. only is the condition on the columns under which the session is
// stored. onConflict says what becomes of a session that is there.
//
// The statement takes its snapshot before it gets the locks. That is safe: Postgres reads a
// row again that changed meanwhile, and leaves it out if it no longer matches (PostgreSQL
// documentation, 13.2.1).
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
	liveLogin = ` AND l.id = $4 AND l.kind = 'login' AND l.user_id = $3 AND l.idle > $25 AND l.expires > $25`
	isAdmin   = ` u.id = $3 AND u.role = 'admin' AND NOT u.disabled`
	isGranted = ` g.user_id = $3 AND g.project_id = $5 AND ` + itsProject
	// maybeOpens is true if domain.Project.MayBeSet returns no error.
	maybeOpens = `(key_status NOT IN ('', 'none', 'needs_reentry') OR secondary_status NOT IN ('', 'none', 'needs_reentry'))`
	// A user without a password has an empty hash, which no password has.
	mayLogIn = ` FROM users u WHERE u.id = $3 AND NOT u.disabled AND u.password_hash = $25 AND u.password_hash <> ''`
)

var (
	// The user is locked so that their logins are opened in turns, which bounds their number.
	loginByPassword = newAdmission(`u.id`, mayLogIn, ` FOR NO KEY UPDATE`, `true`, ``)

	// The login is locked so that sessions of one login are opened in turns, and whoever ends
	// the login gets a turn among them.
	assistantByRole = newAdmission(projectColumns, ` FROM users u, projects p, sessions l WHERE`+isAdmin+` AND p.id = $5`+liveLogin,
		` FOR SHARE OF u FOR KEY SHARE OF p FOR NO KEY UPDATE OF l`, maybeOpens, replacing)
	assistantByGrant = newAdmission(projectColumns, ` FROM projects p, grants g, sessions l WHERE`+isGranted+liveLogin,
		` FOR KEY SHARE OF p, g FOR NO KEY UPDATE OF l`, maybeOpens, replacing)

	// A host program's user has no login.
	assistantOfHostByRole = newAdmission(projectColumns, ` FROM projects p WHERE p.id = $5`,
		` FOR KEY SHARE`, maybeOpens, ``)
	assistantOfHostByGrant = newAdmission(projectColumns, ` FROM projects p, grants g WHERE`+isGranted,
		` FOR KEY SHARE OF p, g`, maybeOpens, ``)
)

func noSession() error { return domain.NoSuch("session") }

// OpenLogin implements ports.SessionStore.
func (s *Sessions) OpenLogin(ctx context.Context, session domain.Session, hash domain.Secret, rec domain.Record) error {
	allowed, err := open[userRow](ctx, s.store, "open a login", loginByPassword, session, rec, func(*userRow) error { return nil }, hash.Reveal())
	if err == nil && len(allowed) == 0 {
		return domain.User{}.MayOpenLogin(hash)
	}
	return err
}

// OpenLoginByLink implements ports.SessionStore.
func (s *Sessions) OpenLoginByLink(ctx context.Context, login domain.Session, link domain.Once, rec domain.Record) error {
	return s.store.change(ctx, "open a login by a link", func(ctx context.Context, tx bun.Tx) error {
		user, err := s.store.lockUserToLogIn(ctx, tx, domain.UserRef{ID: login.User})
		if err != nil {
			return err
		}
		if err := user.MayUseLoginLink(); err != nil {
			return err
		}
		if err := s.store.useOnce(ctx, tx, link, "this login link"); err != nil {
			return err
		}
		return s.store.insertLogin(ctx, tx, login, rec)
	})
}

// lockUserToLogIn finds the user and locks them, so that their logins are opened in turns, which
// bounds their number. It returns the zero User if there is none.
func (s *Store) lockUserToLogIn(ctx context.Context, tx bun.Tx, ref domain.UserRef) (domain.User, error) {
	statement, values := toFindUser(ref)
	if s.postgres {
		statement += ` FOR NO KEY UPDATE OF u`
	}
	var rows []userRow
	if err := s.query(ctx, tx.Tx, &rows, statement, values...); err != nil || len(rows) == 0 {
		return domain.User{}, err
	}
	return rows[0].user(), nil
}

// OpenAssistant implements ports.SessionStore. The right is checked and locked in the one
// statement that stores the session. Its conditions are those of domain.Session.Admit
// (docs/decisions/storage.md says why they stand in SQL too).
func (s *Sessions) OpenAssistant(ctx context.Context, act domain.Act, session domain.Session) (domain.Project, error) {
	if act.Opens(session) != nil {
		return domain.Project{}, s.refusal(ctx, act, session)
	}
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
	allowed, err := open(ctx, s.store, "open an assistant session", way, session, act.Record,
		func(p *projectRow) error { return p.project().MayBeSet() }, decides...)
	if err != nil {
		return domain.Project{}, err
	}
	if len(allowed) == 0 {
		return domain.Project{}, s.refusal(ctx, act, session)
	}
	return allowed[0].project(), nil
}

// open stores the session and its record if way allows the session, and returns what allowed
// it. only decides the same as the condition of way, and its error is returned as it is.
func open[T any](ctx context.Context, s *Store, what string, way admission, session domain.Session, rec domain.Record,
	only func(*T) error, decides ...any) ([]T, error) {
	args := append(append(sessionValuesOf(session), recordValues(rec)...), decides...)
	var allowed []T
	store := func(ctx context.Context, on handle) error {
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
	}
	if session.Login != "" { // it displaces none
		err := s.write(ctx, what, store)
		return allowed, err
	}
	err := s.change(ctx, what, func(ctx context.Context, tx bun.Tx) error {
		if err := s.takeSessionsTurn(ctx, tx, session); err != nil {
			return err
		}
		if err := store(ctx, tx.Tx); err != nil || len(allowed) == 0 {
			return err
		}
		return s.displace(ctx, tx, session)
	})
	return allowed, err
}

// sessionValuesOf returns the values of sessionValues.
func sessionValuesOf(s domain.Session) []any {
	return []any{
		string(s.ID), string(s.Kind), string(s.User), nullable(string(s.Login)), nullable(string(s.Project)),
		s.ByRole, s.Remember, micros(s.Created), micros(s.LastUsed), micros(s.Idle), micros(s.Expires),
		s.Address, s.Agent, string(s.SealedBy), s.ByProvider, microsOrNever(s.Recheck),
	}
}

// insertLogin stores a login whose right was checked, with its record, and ends the logins that it
// displaces. Its user is locked.
func (s *Store) insertLogin(ctx context.Context, tx bun.Tx, login domain.Session, rec domain.Record) error {
	if _, err := s.exec(ctx, tx.Tx, insertSession+`VALUES (`+sessionValues+`)`, sessionValuesOf(login)...); err != nil {
		return err
	}
	if err := s.displace(ctx, tx, login); err != nil {
		return err
	}
	return s.audit(ctx, tx.Tx, rec)
}

// takeSessionsTurn makes transactions by which a host's user opens assistant sessions come one
// after the other. There is no row of such a user to lock. Users whose ids have the same hash
// share a turn.
func (s *Store) takeSessionsTurn(ctx context.Context, tx bun.Tx, session domain.Session) error {
	if !s.postgres || session.Kind == domain.LoginSession { // whoever opens a login locks the user
		return nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(session.User))
	_, err := s.exec(ctx, tx.Tx, takeLock, sessionsLockClass, int32(hash.Sum32())) //nolint:gosec // any number will do
	return err
}

// displace ends the sessions that the new session displaces. It is a statement of its own, so
// that it also sees the sessions that were opened before this transaction got its turn.
func (s *Store) displace(ctx context.Context, tx bun.Tx, session domain.Session) error {
	var rows []sessionRow
	if err := s.query(ctx, tx.Tx, &rows, sessionsOfKind, string(session.User), string(session.Kind), micros(s.options.Now())); err != nil {
		return err
	}
	live := make([]domain.Session, len(rows))
	for i := range rows {
		live[i] = rows[i].session()
	}
	// A user of an earlier version may have any number of sessions.
	for chunk := range slices.Chunk(session.Displaces(live), maxList) {
		if _, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("id IN (?)", bun.List(chunk)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// refusal is why nothing allowed the session.
func (s *Sessions) refusal(ctx context.Context, act domain.Act, session domain.Session) error {
	var caller domain.Caller
	err := s.store.change(ctx, "look at a right", func(ctx context.Context, tx bun.Tx) (err error) {
		caller, err = s.store.allowed(ctx, tx, act, shared)
		return err
	})
	if err == nil {
		err = act.Opens(session)
	}
	if err == nil { // the role is there and the project is not, or the role or the grant is not
		err = session.Admit(caller, 0, domain.Project{})
	}
	return err
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
func (s *Sessions) Touch(ctx context.Context, id domain.SessionID, use domain.SessionUse) error {
	return s.store.write(ctx, "touch a session", func(ctx context.Context, on handle) error {
		n, err := s.store.exec(ctx, on, touchSession, string(id), microsOrNever(use.At), microsOrNever(use.Idle),
			micros(s.store.options.Now()), string(use.SealedBy))
		if err == nil && n == 0 {
			return noSession()
		}
		return err
	})
}

// End implements ports.SessionStore. Acts on the sessions of others take turns with changes of
// users: two users who act on each other would wait for each other.
func (s *Sessions) End(ctx context.Context, act domain.Act, which domain.SessionsToEnd) (domain.SessionsEnded, error) {
	var ended domain.SessionsEnded
	own := which.ID() != "" && which.ID() == act.By.Login.ID || which.User() != "" && which.User() == act.By.ID
	err := s.store.change(ctx, "end sessions", func(ctx context.Context, tx bun.Tx) error {
		if !own && act.By.Admin {
			if err := s.store.takeTurn(ctx, tx); err != nil {
				return err
			}
		}
		caller, err := s.store.allowed(ctx, tx, act, alone)
		if err != nil {
			return err
		}
		key, handles, byKey := which.SealedBy()
		switch {
		case which.ID() != "":
			ended, err = s.store.endOne(ctx, tx, caller, which.ID())
		case which.User() != "":
			ended, err = s.store.endAllLive(ctx, tx, caller, which.User())
		case byKey:
			ended, err = s.store.endSealedBy(ctx, tx, caller, key, handles)
		}
		if err != nil || ended == (domain.SessionsEnded{}) {
			return err
		}
		return s.store.audit(ctx, tx.Tx, act.Record)
	})
	if err != nil {
		return domain.SessionsEnded{}, err
	}
	return ended, nil
}

// ownerRow is the user who owns a session or an access token.
type ownerRow struct{ UserID domain.UserID }

// endOne ends the session if the caller may. The foreign key ends the assistant session of a
// login.
func (s *Store) endOne(ctx context.Context, tx bun.Tx, caller domain.Caller, id domain.SessionID) (domain.SessionsEnded, error) {
	now := micros(s.options.Now())
	var owners []ownerRow
	if err := s.query(ctx, tx.Tx, &owners, selectOwner, string(id), now); err != nil {
		return domain.SessionsEnded{}, err
	}
	if len(owners) == 0 || !caller.MayEnd(owners[0].UserID) {
		return domain.SessionsEnded{}, nil
	}
	n, err := s.exec(ctx, tx.Tx, endSession, string(id), now, string(owners[0].UserID))
	return domain.SessionsEnded{Sessions: int(n)}, err
}

// endAllLive ends the sessions of the user that are not over, if the caller may.
func (s *Store) endAllLive(ctx context.Context, tx bun.Tx, caller domain.Caller, user domain.UserID) (domain.SessionsEnded, error) {
	if !caller.MayEnd(user) {
		return domain.SessionsEnded{}, nil
	}
	statement := liveSessions
	if s.postgres {
		statement = lockSessions
	}
	now := micros(s.options.Now())
	var live []struct{ ID domain.SessionID }
	if err := s.query(ctx, tx.Tx, &live, statement, string(user), now); err != nil {
		return domain.SessionsEnded{}, err
	}
	gone, err := s.exec(ctx, tx.Tx, endLiveSessions, string(user), now)
	return domain.SessionsEnded{Sessions: max(len(live), int(gone))}, err // somebody may have opened one meanwhile
}

// endSealedBy ends the live sessions whose cookie the key sealed, and with handles forgets the
// conversations whose handle it sealed, if the caller may end them.
func (s *Store) endSealedBy(ctx context.Context, tx bun.Tx, caller domain.Caller, key domain.KeyID, handles bool) (domain.SessionsEnded, error) {
	if !caller.MayEndByKey() {
		return domain.SessionsEnded{}, nil
	}
	now := micros(s.options.Now())
	var ended domain.SessionsEnded
	if handles {
		n, err := s.exec(ctx, tx.Tx, forgetHandles, string(key), now)
		if err != nil {
			return domain.SessionsEnded{}, err
		}
		ended.Handles = int(n)
	}
	// They are counted first, since the end of a login ends its assistant session too.
	kinds := []domain.SessionKind{domain.LoginSession, domain.AssistantSession}
	for _, kind := range kinds {
		var rows []keyUseRow
		if err := s.query(ctx, tx.Tx, &rows, countSealedBy, string(key), now, string(kind)); err != nil {
			return domain.SessionsEnded{}, err
		}
		for _, r := range rows {
			ended.Sessions += r.N
		}
	}
	gone := 0
	for _, kind := range kinds {
		n, err := s.exec(ctx, tx.Tx, endSealedBy, string(key), now, string(kind))
		if err != nil {
			return domain.SessionsEnded{}, err
		}
		gone += int(n)
	}
	ended.Sessions = max(ended.Sessions, gone) // somebody may have opened one meanwhile
	return ended, nil
}

// endAll ends all sessions of the user except keep and its assistant session.
func (s *Store) endAll(ctx context.Context, tx bun.Tx, user domain.UserID, keep domain.SessionID) error {
	for _, statement := range []string{endLogins, endSessions} {
		if _, err := s.exec(ctx, tx.Tx, statement, string(user), string(keep)); err != nil {
			return err
		}
	}
	return nil
}
