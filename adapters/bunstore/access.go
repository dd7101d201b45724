package bunstore

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Access = (*Access)(nil)

// Access is a ports.Access on a Store.
type Access struct{ store *Store }

// useRow is a use with all that it stands on. A part that a statement does not select or
// does not find is zero.
type useRow struct {
	Role         domain.Role     // the user has it now
	Login        sessionRow      `bun:"embed:l_"`
	Session      sessionRow      `bun:"embed:a_"`
	Token        tokenRow        `bun:"embed:t_"`
	Conversation conversationRow `bun:"embed:c_"`
	Project      projectRow      `bun:"embed:p_"`
	Granted      string          // the scopes of the grant
	Sources      string          // who grants

	sealedKeys
}

// namingRow is an open use of who names a project.
type namingRow struct {
	Key     string // the place of the use among those that were asked about
	Role    domain.Role
	Login   sessionRow       `bun:"embed:l_"`
	Seen    domain.ProjectID // the project, if the user sees it
	Granted string           // the scopes of the grant
	Sources string           // who grants
}

// callerRow is a login with the role that its user has now.
type callerRow struct {
	sessionRow

	Role domain.Role
}

// sealedRow is the sealed part of a row.
type sealedRow struct {
	KeyID  domain.KeyID
	Sealed []byte
}

func (r sealedRow) sealed() domain.Sealed { return domain.Sealed{Key: r.KeyID, Bytes: r.Sealed} }

// access returns the use. host is the caller if no part of the row names one.
func (r *useRow) access(host domain.Caller) domain.Access {
	a := granted(domain.Access{Caller: host}, r.Granted, r.Sources)
	if r.Session.ID != "" {
		a.Session = r.Session.session()
	}
	if r.Conversation.ID != "" {
		a.Conversation = r.Conversation.conversation()
	}
	if r.Project.ID != "" {
		a.Project = r.in(r.Project.project())
	}
	switch {
	case r.Token.ID != "":
		a.Token = r.Token.token()
		a.Caller = domain.CallerByToken(a.Token, r.Role)
	case r.Login.ID != "":
		a.Caller = domain.CallerByLogin(r.Login.session(), r.Role)
	}
	return a
}

// granted returns a with the scopes of the grant and who grants it. Without a grant, both are "".
func granted(a domain.Access, scopes, sources string) domain.Access {
	g := domain.Grant{Scopes: domain.ScopesFromText(scopes)}.WithSources(sources)
	a.Granted, a.Manual, a.Groups = g.Scopes, g.Manual, g.Groups
	return a
}

// named gives the columns of one table names of their own, so that several tables fit into
// one row. For the alias l, it makes l.id AS l_id of s.id.
func named(columns, alias string) string {
	var all []string
	for column := range strings.SplitSeq(columns, ",") {
		_, name, _ := strings.Cut(strings.TrimSpace(column), ".")
		all = append(all, alias+"."+name+" AS "+alias+"_"+name)
	}
	return strings.Join(all, ", ")
}

// forUse selects the columns, the project with its keys, and the scopes of the grant on it.
// id and user are expressions for the ids of the project and of the user.
func forUse(columns, from, id, user, where string) string {
	return `SELECT ` + columns + `, ` + named(projectColumns, "p") + `,
	` + sealedColumns + `, g.scopes AS granted, g.sources
FROM ` + from + `
LEFT JOIN projects p ON p.id = ` + id + joinKeys(id) + `
LEFT JOIN grants g ON g.user_id = ` + user + ` AND g.project_id = ` + id + `
WHERE ` + where
}

// forNamed is forUse for the project $3 that a call names. It looks at the grant before the
// project, as itsProject does. user and role are expressions for the id of the user and their role.
func forNamed(columns, from, user, role string) string {
	return `SELECT ` + columns + named(projectColumns, "p") + `,
	` + sealedColumns + `, g.scopes AS granted, g.sources
FROM ` + from + `
LEFT JOIN grants g ON g.user_id = ` + user + ` AND g.project_id = $3
LEFT JOIN projects p ON p.id = CASE ` + role + ` WHEN 'admin' THEN $3 ELSE g.project_id END` + joinKeys(`p.id`)
}

// In each of them, $2 is the time. The planners must find a session by its id. Appending
// nothing to the kind keeps them from using an index on the kind.
const (
	assistantLives = ` AND a.kind || '' = 'assistant' AND a.idle > $2 AND a.expires > $2`
	loginLives     = ` AND l.kind || '' = 'login' AND l.idle > $2 AND l.expires > $2`
	tokenLives     = ` AND t.expires > $2`
)

var (
	loginColumns     = named(sessionColumns, "l")
	assistantColumns = named(sessionColumns, "a")
	useTokenColumns  = named(tokenAndHashes, "t")

	// Most requests use no assistant. They look up the login alone, into a small row.
	selectCaller = `SELECT u.role, ` + sessionColumns + ` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = $1 AND s.kind || '' = 'login' AND s.idle > $2 AND s.expires > $2 AND NOT u.disabled`

	useByLogin = forUse(`u.role, `+loginColumns+`, `+assistantColumns,
		`sessions l JOIN users u ON u.id = l.user_id
LEFT JOIN sessions a ON a.id = $3 AND a.login_id = l.id AND a.user_id = l.user_id`+assistantLives,
		`a.project_id`, `a.user_id`, `l.id = $1 AND NOT u.disabled`+loginLives)

	useOfHost = forUse(assistantColumns, `sessions a`,
		`a.project_id`, `a.user_id`, `a.id = $1 AND a.user_id || '' = $3 AND a.login_id IS NULL`+assistantLives)

	// A host program says the role $2 of its users.
	useNamedByLogin = forNamed(`u.role, `+loginColumns+`, `, `sessions l JOIN users u ON u.id = l.user_id`, `l.user_id`, `u.role`) +
		` WHERE l.id = $1 AND NOT u.disabled` + loginLives
	useNamedOfHost = forNamed(``, `(SELECT 1) one`, `$1`, `$2`)

	// Postgres would read all tokens to find one by either hash in one condition.
	useByToken = forUse(`u.role, `+useTokenColumns, `access_tokens t JOIN users u ON u.id = t.user_id`,
		`t.project_id`, `t.user_id`, `t.id = COALESCE((SELECT n.id FROM access_tokens n WHERE n.hash = $1),
	(SELECT b.id FROM access_tokens b WHERE b.previous_hash = $1 AND b.previous_expires > $2)) AND NOT u.disabled`+tokenLives)

	// A conversation was opened by an access token, by the assistant session of a login, or
	// by the assistant session of a host's user. $3 is the host's user who calls.
	useByConversation = forUse(`u.role, `+named(conversationColumns, "c")+`, `+loginColumns+`, `+assistantColumns+`, `+useTokenColumns,
		`conversations c
LEFT JOIN access_tokens t ON t.id = c.token_id`+tokenLives+`
LEFT JOIN sessions a ON a.id = c.session_id`+assistantLives+`
LEFT JOIN sessions l ON l.id = a.login_id`+loginLives+`
LEFT JOIN users u ON u.id = COALESCE(t.user_id, l.user_id)`,
		`c.project_id`, `COALESCE(t.user_id, a.user_id)`,
		`c.id = $1 AND (c.token_id IS NOT NULL OR c.expires > $2) AND (NOT u.disabled OR a.login_id IS NULL AND a.user_id = $3)`)

	// $1 is a JSON object whose keys are the ids. Both dialects read the keys of an object in
	// the same words. The outer joins make the planners begin with the ids. COALESCE hides
	// from them that the joins could be inner ones. A session without a login is that of a
	// host's user, and nothing is stored about such a user.
	openSessions = `SELECT u.role, ` + assistantColumns + `, g.scopes AS granted, g.sources FROM json_each($1) i
LEFT JOIN sessions a ON a.id = i.key` + assistantLives + `
LEFT JOIN users u ON u.id = a.user_id AND NOT u.disabled
LEFT JOIN grants g ON g.user_id = a.user_id AND g.project_id = a.project_id
WHERE COALESCE(a.id, '') <> '' AND (a.login_id IS NULL OR COALESCE(u.role, '') <> '')`

	openTokens = `SELECT u.role, ` + useTokenColumns + `, g.scopes AS granted, g.sources FROM json_each($1) i
LEFT JOIN access_tokens t ON t.id = i.key` + tokenLives + `
LEFT JOIN users u ON u.id = t.user_id AND NOT u.disabled
LEFT JOIN grants g ON g.user_id = t.user_id AND g.project_id = t.project_id
WHERE COALESCE(u.role, '') <> ''`

	// $1 is a JSON object of lists: the login, the host's user, the project that the call names,
	// and the role of the host's user.
	openNamed = `SELECT i.key, u.role, ` + loginColumns + `, p.id AS seen, g.scopes AS granted, g.sources FROM json_each($1) i
LEFT JOIN sessions l ON l.id = (i.value ->> 0)` + loginLives + `
LEFT JOIN users u ON u.id = l.user_id AND NOT u.disabled
LEFT JOIN grants g ON g.user_id = COALESCE(l.user_id, i.value ->> 1) AND g.project_id = (i.value ->> 2)
LEFT JOIN projects p ON p.id = CASE COALESCE(u.role, i.value ->> 3) WHEN 'admin' THEN i.value ->> 2 ELSE g.project_id END
WHERE (i.value ->> 0) = '' OR COALESCE(u.role, '') <> ''`
)

// ByLogin implements ports.Access.
func (a *Access) ByLogin(ctx context.Context, login domain.SessionID, use domain.Use) (domain.Access, error) {
	now := micros(a.store.options.Now())
	if use.Project() != "" {
		return a.named(ctx, use.Project(), domain.Caller{}, useNamedByLogin, string(login), now, string(use.Project()))
	}
	if use.Session() == "" {
		rows, err := lookUpUses[callerRow](ctx, a.store, selectCaller, string(login), now)
		if err != nil {
			return domain.Access{}, err
		}
		if len(rows) == 0 {
			return domain.Access{}, noSession()
		}
		return domain.Access{Caller: domain.CallerByLogin(rows[0].session(), rows[0].Role)}, nil
	}
	return a.only(ctx, noSession(), domain.Caller{}, useByLogin, string(login), now, string(use.Session()))
}

// ByHostUser implements ports.Access.
func (a *Access) ByHostUser(ctx context.Context, caller domain.Caller, use domain.Use) (domain.Access, error) {
	if use.Project() != "" {
		return a.named(ctx, use.Project(), caller, useNamedOfHost, string(caller.ID), string(roleOf(caller)), string(use.Project()))
	}
	none := noSession()
	access, err := a.only(ctx, none, caller, useOfHost, string(use.Session()), micros(a.store.options.Now()), string(caller.ID))
	if errors.Is(err, none) {
		return domain.Access{Caller: caller}, nil
	}
	return access, err
}

// named returns the use of the project that a call names. Returns NotFound if the statement finds
// no login.
func (a *Access) named(ctx context.Context, project domain.ProjectID, host domain.Caller, statement string, args ...any) (domain.Access, error) {
	access, err := a.only(ctx, noSession(), host, statement, args...)
	if err == nil {
		access.Named = project
	}
	return access, err
}

// roleOf returns the role that a host program gave its user.
func roleOf(host domain.Caller) domain.Role {
	if host.Admin {
		return domain.RoleAdmin
	}
	return domain.RoleMember
}

// ByToken implements ports.Access.
func (a *Access) ByToken(ctx context.Context, hash domain.TokenHash) (domain.Access, error) {
	rows, err := lookUpUses[useRow](ctx, a.store, useByToken, hash[:], micros(a.store.options.Now()))
	if err != nil {
		return domain.Access{}, err
	}
	if len(rows) == 0 {
		return domain.Access{}, noToken()
	}
	access := rows[0].access(domain.Caller{})
	access.Caller = access.Caller.Showing(hash)
	access.SecretEnds = access.Token.SecretEnds(rows[0].Token.secrets(), hash)
	return access, nil
}

// ByConversation implements ports.Access.
func (a *Access) ByConversation(ctx context.Context, id domain.ConversationID, caller domain.Caller) (domain.Access, error) {
	return a.only(ctx, noConversation(), caller, useByConversation, string(id), micros(a.store.options.Now()), string(caller.ID))
}

// only returns the use that the statement finds. Returns none if it finds nothing.
func (a *Access) only(ctx context.Context, none error, host domain.Caller, statement string, args ...any) (domain.Access, error) {
	rows, err := lookUpUses[useRow](ctx, a.store, statement, args...)
	if err != nil {
		return domain.Access{}, err
	}
	if len(rows) == 0 {
		return domain.Access{}, none
	}
	return rows[0].access(host), nil
}

// lookUpUses returns the rows that the statement finds.
func lookUpUses[Row any](ctx context.Context, s *Store, statement string, args ...any) (rows []Row, err error) {
	err = s.read(ctx, "find what may be used", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, args...)
	})
	return rows, err
}

// StillAllowed implements ports.Access. It does not look at the login of an assistant
// session, because the session ends no later than its login.
func (a *Access) StillAllowed(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error) {
	sessions, tokens := map[domain.SessionID]bool{}, map[domain.TokenID]map[domain.TokenHash]bool{}
	var naming []domain.OpenUse
	once := map[domain.OpenUse]bool{}
	for _, use := range uses {
		if err := domain.Storable(string(use.Session), string(use.Token), string(use.Project), string(use.Login), string(use.User)); err != nil {
			return nil, err
		}
		if use.Session != "" {
			sessions[use.Session] = true
		}
		if use.Token != "" {
			if tokens[use.Token] == nil {
				tokens[use.Token] = map[domain.TokenHash]bool{}
			}
			tokens[use.Token][use.Secret] = true
		}
		if use.Names() && !once[use] {
			once[use] = true
			naming = append(naming, use)
		}
	}
	var allowed []domain.Access
	for _, look := range []func() ([]domain.Access, error){
		func() ([]domain.Access, error) { return a.sessionsStillAllowed(ctx, sessions) },
		func() ([]domain.Access, error) { return a.tokensStillAllowed(ctx, tokens) },
		func() ([]domain.Access, error) { return a.namingStillAllowed(ctx, naming) },
	} {
		found, err := look()
		if err != nil {
			return nil, err
		}
		allowed = append(allowed, found...)
	}
	return allowed, nil
}

func (a *Access) sessionsStillAllowed(ctx context.Context, sessions map[domain.SessionID]bool) ([]domain.Access, error) {
	if len(sessions) == 0 {
		return nil, nil
	}
	rows, err := stillThere[useRow](ctx, a.store, openSessions, sessions)
	allowed := make([]domain.Access, len(rows))
	for i := range rows {
		allowed[i] = rows[i].access(domain.Caller{})
		allowed[i].Caller = domain.CallerBySession(allowed[i].Session, rows[i].Role)
	}
	return allowed, err
}

func (a *Access) tokensStillAllowed(ctx context.Context, tokens map[domain.TokenID]map[domain.TokenHash]bool) ([]domain.Access, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	ids := make(map[domain.TokenID]bool, len(tokens))
	for id := range tokens {
		ids[id] = true
	}
	rows, err := stillThere[useRow](ctx, a.store, openTokens, ids)
	now := domain.Instant(a.store.options.Now())
	var allowed []domain.Access
	for i := range rows {
		access := rows[i].access(domain.Caller{})
		for secret := range tokens[access.Token.ID] {
			if access.Token.Opens(rows[i].Token.secrets(), secret, now) {
				access.Caller = access.Caller.Showing(secret)
				allowed = append(allowed, access)
			}
		}
	}
	return allowed, err
}

func (a *Access) namingStillAllowed(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error) {
	if len(uses) == 0 {
		return nil, nil
	}
	asked, byKey := make(map[string][4]string, len(uses)), make(map[string]domain.OpenUse, len(uses))
	for i, use := range uses {
		key := strconv.Itoa(i)
		asked[key] = [4]string{string(use.Login), string(use.User), string(use.Project), string(roleOf(domain.Caller{Admin: use.Admin}))}
		byKey[key] = use
	}
	rows, err := stillThere[namingRow](ctx, a.store, openNamed, asked)
	allowed := make([]domain.Access, len(rows))
	for i, r := range rows {
		use := byKey[r.Key]
		access := granted(domain.Access{Caller: domain.Caller{ID: use.User, Admin: use.Admin}, Named: use.Project}, r.Granted, r.Sources)
		access.Project.ID = r.Seen
		if use.Login != "" {
			access.Caller = domain.CallerByLogin(r.Login.session(), r.Role)
		}
		allowed[i] = access
	}
	return allowed, err
}

// stillThere returns the uses that the statement finds, at most one for each key of asked. asked is
// a map with keys of text.
func stillThere[Row any](ctx context.Context, s *Store, statement string, asked any) ([]Row, error) {
	list, err := json.Marshal(asked)
	if err != nil {
		return nil, failure("list open uses", err)
	}
	var rows []Row
	err = s.read(ctx, "look at open uses", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, string(list), micros(s.options.Now()))
	})
	return rows, err
}
