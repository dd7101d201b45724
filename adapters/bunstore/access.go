package bunstore

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Access = (*Access)(nil)

// Access is a ports.Access on a Store.
type Access struct{ store *Store }

// NewAccess returns the Access of s.
func NewAccess(s *Store) *Access { return &Access{s} }

// useRow is a use with all that it stands on. What a statement does not select, and what
// it did not find, is zero.
type useRow struct {
	Role         domain.Role     // that the user has now
	Login        sessionRow      `bun:"embed:l_"`
	Session      sessionRow      `bun:"embed:a_"`
	Token        tokenRow        `bun:"embed:t_"`
	Conversation conversationRow `bun:"embed:c_"`
	Project      projectRow      `bun:"embed:p_"`
	Primary      sealedRow       `bun:"embed:k_"`
	Secondary    sealedRow       `bun:"embed:s_"`
	Granted      string          // the scopes
}

// sealedRow is what is sealed in a row.
type sealedRow struct {
	KeyID  domain.KeyID
	Sealed []byte
}

func (r sealedRow) sealed() domain.Sealed { return domain.Sealed{Key: r.KeyID, Bytes: r.Sealed} }

// access is the use of who shows c.
func (r *useRow) access(c domain.Credential) domain.Access {
	a := domain.Access{Key: r.Primary.sealed(), Secondary: r.Secondary.sealed(), Granted: domain.ScopesFromText(r.Granted)}
	if r.Session.ID != "" {
		a.Session = r.Session.session()
	}
	if r.Token.ID != "" {
		a.Token = r.Token.token()
	}
	if r.Conversation.ID != "" {
		a.Conversation = r.Conversation.conversation()
	}
	if r.Project.ID != "" {
		a.Project = r.Project.project()
	}
	admin := r.Role == domain.RoleAdmin
	switch {
	case r.Token.ID != "":
		a.Caller = tokenCaller(a.Token, admin)
	case r.Login.ID != "":
		a.Caller = domain.Caller{ID: r.Login.UserID, Admin: admin, Login: r.Login.session()}
	default:
		a.Caller = domain.Caller{ID: c.User, Admin: c.Admin}
	}
	return a
}

// tokenCaller is who calls with the token. admin is the role of who made it.
func tokenCaller(t domain.AccessToken, admin bool) domain.Caller {
	return domain.Caller{ID: t.User, Admin: admin, Token: t.ID, Only: t.Project, Scopes: t.Scopes}
}

// named gives columns, which stand behind their table's alias, names by which several
// tables can stand in one row: s.id is l_id for the alias l.
func named(columns, alias string) string {
	var all []string
	for column := range strings.SplitSeq(columns, ",") {
		_, name, _ := strings.Cut(strings.TrimSpace(column), ".")
		all = append(all, alias+"."+name+" AS "+alias+"_"+name)
	}
	return strings.Join(all, ", ")
}

// forUse selects the columns with the project, its keys, and the scopes of the grant on
// it. id and user are of the project and of who uses it.
func forUse(columns, from, id, user, where string) string {
	return `SELECT ` + columns + `, ` + named(projectColumns, "p") + `,
	` + named("k.key_id, k.sealed", "k") + `, ` + named("s.key_id, s.sealed", "s") + `, g.scopes AS granted
FROM ` + from + `
LEFT JOIN projects p ON p.id = ` + id + `
LEFT JOIN project_keys k ON k.project_id = ` + id + ` AND k.slot = 'primary'
LEFT JOIN project_keys s ON s.project_id = ` + id + ` AND s.slot = 'secondary'
LEFT JOIN grants g ON g.user_id = ` + user + ` AND g.project_id = ` + id + `
WHERE ` + where
}

// $2 is the time in each of them. Appending nothing to the kind keeps the planners from
// taking it for a way to the session: there is its id.
const (
	assistantLives = ` AND a.kind || '' = 'assistant' AND a.idle > $2 AND a.expires > $2`
	loginLives     = ` AND l.kind || '' = 'login' AND l.idle > $2 AND l.expires > $2`
	tokenLives     = ` AND t.expires > $2`
)

var (
	loginColumns     = named(sessionColumns, "l")
	assistantColumns = named(sessionColumns, "a")
	useTokenColumns  = named(tokenColumns, "t")

	useByLogin = forUse(`u.role, `+loginColumns+`, `+assistantColumns,
		`sessions l JOIN users u ON u.id = l.user_id
LEFT JOIN sessions a ON a.id = $3 AND a.login_id = l.id AND a.user_id = l.user_id`+assistantLives,
		`a.project_id`, `a.user_id`, `l.id = $1 AND NOT u.disabled`+loginLives)

	useOfHost = forUse(assistantColumns, `sessions a`,
		`a.project_id`, `a.user_id`, `a.id = $1 AND a.user_id || '' = $3 AND a.login_id IS NULL`+assistantLives)

	useByToken = forUse(`u.role, `+useTokenColumns, `access_tokens t JOIN users u ON u.id = t.user_id`,
		`t.project_id`, `t.user_id`, `t.hash = $1 AND NOT u.disabled`+tokenLives)

	// What made the conversation is an access token, a session under a login, or a session
	// of a host's user, who is $3.
	useByConversation = forUse(`u.role, `+named(conversationColumns, "c")+`, `+loginColumns+`, `+assistantColumns+`, `+useTokenColumns,
		`conversations c
LEFT JOIN access_tokens t ON t.id = c.token_id`+tokenLives+`
LEFT JOIN sessions a ON a.id = c.session_id`+assistantLives+`
LEFT JOIN sessions l ON l.id = a.login_id`+loginLives+`
LEFT JOIN users u ON u.id = COALESCE(t.user_id, l.user_id)`,
		`c.project_id`, `COALESCE(t.user_id, a.user_id)`,
		`c.id = $1 AND c.expires > $2 AND (NOT u.disabled OR a.login_id IS NULL AND a.user_id = $3)`)

	// $1 is a JSON object whose keys are the ids: its keys are what both dialects read in
	// the same words. The joins are outer ones so that the planners begin with the ids and
	// never go through all sessions; COALESCE keeps them from seeing that what is not found
	// is left out. Who has no login here is a host's user, of whom nothing is known here.
	standingSessions = `SELECT u.role, ` + assistantColumns + `, g.scopes AS granted FROM json_each($1) i
LEFT JOIN sessions a ON a.id = i.key` + assistantLives + `
LEFT JOIN users u ON u.id = a.user_id AND NOT u.disabled
LEFT JOIN grants g ON g.user_id = a.user_id AND g.project_id = a.project_id
WHERE COALESCE(a.id, '') <> '' AND (a.login_id IS NULL OR COALESCE(u.role, '') <> '')`

	standingTokens = `SELECT u.role, ` + useTokenColumns + `, g.scopes AS granted FROM json_each($1) i
LEFT JOIN access_tokens t ON t.id = i.key` + tokenLives + `
LEFT JOIN users u ON u.id = t.user_id AND NOT u.disabled
LEFT JOIN grants g ON g.user_id = t.user_id AND g.project_id = t.project_id
WHERE COALESCE(u.role, '') <> ''`
)

// ForUse implements ports.Access.
func (a *Access) ForUse(ctx context.Context, c domain.Credential) (domain.Access, error) {
	s := a.store
	now := micros(s.options.Now())
	statement, args := useByLogin, []any{string(c.Login), now, string(c.Assistant)}
	host := false
	switch {
	case c.Token != domain.TokenHash{}:
		statement, args = useByToken, []any{c.Token[:], now}
	case c.Conversation != "":
		statement, args = useByConversation, []any{string(c.Conversation), now, string(c.User)}
	case c.Login == "" && c.User != "":
		host = true
		statement, args = useOfHost, []any{string(c.Assistant), now, string(c.User)}
	}
	var rows []useRow
	err := s.read(ctx, "find what may be used", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, args...)
	})
	switch {
	case err != nil:
		return domain.Access{}, err
	case len(rows) == 1:
		return rows[0].access(c), nil
	case host: // known to the host, and without an assistant
		return (&useRow{}).access(c), nil
	}
	return domain.Access{}, &domain.Error{Kind: domain.NotFound, Public: "there is nothing that may be used"}
}

// Standing implements ports.Access. Whether the login that a session is under is over is
// not looked at: a session that is not over itself stands.
func (a *Access) Standing(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error) {
	sessions, tokens := map[domain.SessionID]bool{}, map[domain.TokenID]bool{}
	for _, use := range uses {
		if err := storable(string(use.Session), string(use.Token)); err != nil {
			return nil, err
		}
		if use.Session != "" {
			sessions[use.Session] = true
		}
		if use.Token != "" {
			tokens[use.Token] = true
		}
	}
	var standing []domain.Access
	if len(sessions) > 0 {
		rows, err := a.standing(ctx, standingSessions, sessions)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			session := rows[i].Session.session()
			admin := rows[i].Role == domain.RoleAdmin
			if session.Login == "" {
				admin = session.ByRole
			}
			standing = append(standing, domain.Access{
				Caller:  domain.Caller{ID: session.User, Admin: admin},
				Session: session, Granted: domain.ScopesFromText(rows[i].Granted),
			})
		}
	}
	if len(tokens) > 0 {
		rows, err := a.standing(ctx, standingTokens, tokens)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			standing = append(standing, rows[i].access(domain.Credential{}))
		}
	}
	return standing, nil
}

// standing are the uses that stand on one of the ids, the keys of a map, found by one of
// the statements for that.
func (a *Access) standing(ctx context.Context, statement string, ids any) ([]useRow, error) {
	s := a.store
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, failure("list open uses", err)
	}
	var rows []useRow
	err = s.read(ctx, "look at open uses", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, string(list), micros(s.options.Now()))
	})
	return rows, err
}
