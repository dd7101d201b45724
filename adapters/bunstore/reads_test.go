package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

const (
	manyProjects = 20_000
	manyUsers    = 2_000 // with five grants, a login, an assistant session, a token and two conversations each
	manyTokens   = 5_000 // of one user
	manyUses     = 20_000
	manyRows     = 10_000 // of the audit, of which all but manyLeft are in the chain, and settled
	manyLeft     = 100
	// greedy is a user to whom half of the projects are granted.
	greedy = domain.UserID("greedy")
	// hosted is a user of a host program who has many sessions.
	hosted = domain.UserID("hosted")
)

// tokenHash is the hash of token n.
func tokenHash(n int) (h domain.TokenHash) {
	copy(h[:], fmt.Sprintf("this hash of some token t%d", 1_000_000+n))
	return h
}

// fill makes a large database. Project 7 is p1000007, and so on.
func fill(t *testing.T, s *Store) {
	t.Helper()
	count := func(n int) string {
		return fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, n)
	}
	text := func(letter, i string) string { return `'` + letter + `' || CAST(1000000 + ` + i + ` AS text)` }
	for _, statement := range []string{
		// Five have one name, and ten are of one Voiceflow project.
		`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created) ` + count(manyProjects) +
			`SELECT ` + text("p", "i") + `, ` + text("name ", "i / 5") + `, ` + text("v", "i / 10") + `, ` + text("", "i") + `, 'webchat', i, i FROM n`,
		`INSERT INTO project_keys (project_id, slot, key_id, sealed) SELECT id, 'primary', '1', CAST('sealed' AS ` + blob(s) + `) FROM projects`,
		`INSERT INTO users (id, name, role, disabled, password_hash, created) ` + count(manyUsers) +
			`SELECT ` + text("u", "i") + `, ` + text("name", "i") + `, CASE WHEN i % 10 = 0 THEN 'admin' ELSE 'member' END, i < 0, 'hash', i FROM n`,
		`INSERT INTO grants (user_id, project_id, name, created) SELECT '` + string(greedy) + `', id, name, 1 FROM projects WHERE created % 2 = 0`,
		`INSERT INTO grants (user_id, project_id, name, created) ` + count(5*manyUsers) +
			`SELECT ` + text("u", fmt.Sprintf("i %% %d", manyUsers)) + `, p.id, p.name, 1 FROM n JOIN projects p ON p.id = ` + text("p", "i"),
		`INSERT INTO sessions (id, kind, user_id, by_role, remember, created, last_used, idle, expires, address, agent) ` + count(manyUsers) +
			`SELECT ` + text("l", "i") + `, 'login', ` + text("u", "i") + `, i < 0, i < 0, 1, 1, 1000000 * i, 1000000000000, '', '' FROM n`,
		`INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent) ` + count(manyUsers) +
			`SELECT ` + text("a", "i") + `, 'assistant', ` + text("u", "i") + `, ` + text("l", "i") + `, ` + text("p", "i") +
			`, i < 0, i < 0, 1, 1, 1000000 * i, 1000000000000, '', '' FROM n`,
		`INSERT INTO sessions (id, kind, user_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent) ` + count(manyUsers) +
			`SELECT ` + text("h", "i") + `, 'assistant', '` + string(hosted) + `', ` + text("p", "5000 + i") +
			`, i > 0, i < 0, 1, 1, 1000000000000, 1000000000000, '', '' FROM n`,
		`INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used) ` + count(manyUsers+manyTokens) +
			`SELECT ` + text("t", "i") + `, CAST(` + text("this hash of some token t", "i") + ` AS ` + blob(s) + `), '', '', CASE WHEN i > ` +
			fmt.Sprint(manyUsers) + ` THEN 'u1000001' ELSE ` + text("u", "i") + ` END, ` + text("p", "i") + `, 'converse', i < 0, 1, 1000000000000, 0 FROM n`,
		`INSERT INTO conversations (id, project_id, user_id, session_id, key_id, sealed, created, expires) ` + count(manyUsers) +
			`SELECT ` + text("c", "i") + `, ` + text("p", "i") + `, ` + text("v", "i") + `, ` + text("a", "i") + `, '1', CAST('sealed' AS ` + blob(s) + `), 1, 1000000 * i FROM n`,
		`INSERT INTO conversations (id, project_id, user_id, token_id, key_id, sealed, created, expires) ` + count(manyUsers) +
			`SELECT ` + text("d", "i") + `, ` + text("p", "i") + `, ` + text("w", "i") + `, ` + text("t", "i") + `, '1', CAST('sealed' AS ` + blob(s) + `), 1, 1000000 * i FROM n`,
		`INSERT INTO usage (day, project_id, user_id, token_id, scope, calls, errors, milliseconds) ` + count(manyUses) +
			`SELECT '2026-01-' || CAST(10 + i % 20 AS text), ` + text("p", "i") + `, ` + text("u", "i") + `, '', 'converse', 1, 0, 5 FROM n`,
		`INSERT INTO audit (at, actor, action, object, outcome, request_id, address, count) ` + count(manyRows) +
			`SELECT i, 'operator', 'forward', '', 'ok', '', '', 1 FROM n`,
		`INSERT INTO audit_chain (seq, audit_id, hash) SELECT id, id, CAST('hash' AS ` + blob(s) + `) FROM audit WHERE id <= ` + fmt.Sprint(manyRows-manyLeft),
		`INSERT INTO audit_head (id, seq, hash, settled, key_id, sealed) SELECT 1, id, CAST('hash' AS ` + blob(s) + `), id, '1', CAST('sealed' AS ` +
			blob(s) + `) FROM audit WHERE id = ` + fmt.Sprint(manyRows-manyLeft),
	} {
		if _, err := s.writes.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v in %s", err, statement)
		}
	}
}

func blob(s *Store) string {
	if s.postgres {
		return "bytea"
	}
	return "blob"
}

// large opens a large database at url in which half of the logins are over.
func large(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), domain.NewSecret(url), Options{
		MaxConns: 1, Timeout: time.Minute, Now: func() time.Time { return time.Unix(manyUsers/2, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	return s
}

// call is a call of a port on a large database, and how many rows it may read: those
// that it returns, in each table that they come from, and a few where it also writes.
type call struct {
	name string
	rows int
	do   func(ctx context.Context, s *Store) error
}

func calls() []call {
	everything, granted := domain.Operator().Sees(), domain.GrantedTo(greedy)
	page := func(in domain.Visible, after domain.Cursor) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Projects().Page(ctx, in, after, 50)
			return want(len(got), 50, err)
		}
	}
	find := func(in domain.Visible, ref domain.ProjectRef, n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Projects().Find(ctx, in, ref)
			return want(len(got), n, err)
		}
	}
	later := time.Unix(1_000_000, 0)
	use := func(c domain.Credential) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			a, err := s.Access().ForUse(ctx, c)
			if err == nil && (a.Project.ID == "" || a.Key.IsZero()) {
				err = errors.New("got no project, or no key")
			}
			return err
		}
	}
	standing := func(n int, uses ...domain.OpenUse) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Access().Standing(ctx, uses)
			return want(len(got), n, err)
		}
	}
	grants := func(filter domain.GrantFilter, after domain.Cursor, n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Projects().Grants(ctx, filter, after, 50)
			return want(len(got), n, err)
		}
	}
	tokens := func(of domain.UserID, after domain.Cursor) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.AccessTokens().Page(ctx, of, after, 50)
			return want(len(got), 50, err)
		}
	}
	events := func(f domain.AuditFilter, before *domain.AuditPlace, n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.AuditLog().Page(ctx, f, before, 50)
			return want(len(got), n, err)
		}
	}
	session := func(id domain.SessionID, kind domain.SessionKind, user domain.UserID) domain.Session {
		return domain.Session{ID: id, Kind: kind, User: user, Idle: later, Expires: later}
	}
	assistant := func(id domain.SessionID, user domain.UserID, login domain.SessionID, project domain.ProjectID, byRole bool) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			a := session(id, domain.AssistantSession, user)
			a.Login, a.Project, a.ByRole = login, project, byRole
			_, err := s.Sessions().OpenAssistant(ctx, a, domain.Record{})
			return err
		}
	}
	return []call{
		{"the first page of all projects", 50, page(everything, domain.Cursor{})},
		{"a page of all projects far down", 50, page(everything, domain.Cursor{Name: "name 1003000", ID: "p1015002"})},
		{"the first page of many granted projects", 100, page(granted, domain.Cursor{})},
		{"a page of many granted projects far down", 100, page(granted, domain.Cursor{Name: "name 1003000", ID: "p1015002"})},
		{"a project by id", 1, find(everything, domain.ProjectRef{ID: "p1000008"}, 1)},
		{"projects by name", 5, find(everything, domain.ProjectRef{Name: "name 1000005"}, 5)},
		{"projects by Voiceflow id", 10, find(everything, domain.ProjectRef{Voiceflow: "v1000005"}, 10)},
		{"a granted project by id", 2, find(granted, domain.ProjectRef{ID: "p1000008"}, 1)},
		{"a project that is not granted, by id", 0, find(granted, domain.ProjectRef{ID: "p1000007"}, 0)},
		{"granted projects by name", 6, find(granted, domain.ProjectRef{Name: "name 1000005"}, 2)},
		{"granted projects by Voiceflow id", 15, find(granted, domain.ProjectRef{Voiceflow: "v1000005"}, 5)},
		{"the keys of a project", 1, func(ctx context.Context, s *Store) error {
			keys, err := s.Projects().Keys(ctx, "p1000008")
			return want(len(keys), 1, err)
		}},
		{"the caller of a session", 2, func(ctx context.Context, s *Store) error {
			_, err := s.Callers().BySession(ctx, "l1001500")
			return err
		}},
		{"the caller of an access token", 2, func(ctx context.Context, s *Store) error {
			_, err := s.Callers().ByToken(ctx, tokenHash(1500))
			return err
		}},
		{"a use by login", 6, use(domain.Credential{Login: "l1001500", Assistant: "a1001500"})},
		{"a use by a host's user with many sessions", 3, use(domain.Credential{User: hosted, Assistant: "h1001500"})},
		{"a use by access token", 5, use(domain.Credential{Token: tokenHash(1500)})},
		{"a use of a conversation that a session made", 7, use(domain.Credential{Conversation: "c1001500"})},
		{"a use of a conversation that an access token made", 6, use(domain.Credential{Conversation: "d1001500"})},
		{"open uses of sessions", 3*3 + 1, standing(4, domain.OpenUse{Session: "a1001500"}, domain.OpenUse{Session: "a1001700"},
			domain.OpenUse{Session: "a1001800"}, domain.OpenUse{Session: "h1000007"}, domain.OpenUse{Session: "unknown"})},
		{"open uses of access tokens", 2 * 3, standing(2, domain.OpenUse{Token: "t1001500"}, domain.OpenUse{Token: "t1001700"}, domain.OpenUse{Token: "unknown"})},
		{"the first page of all grants", 50, grants(domain.GrantFilter{}, domain.Cursor{}, 50)},
		{"a page of all grants far down", 50, grants(domain.GrantFilter{}, domain.Cursor{Name: "u1001000", ID: "p1000001"}, 50)},
		{"the first page of the many grants of a user", 50, grants(domain.GrantFilter{User: greedy}, domain.Cursor{}, 50)},
		{"a page of the many grants of a user far down", 50, grants(domain.GrantFilter{User: greedy}, domain.Cursor{Name: string(greedy), ID: "p1015002"}, 50)},
		{"the grants on a project", 2, grants(domain.GrantFilter{Project: "p1000500"}, domain.Cursor{}, 2)},
		{"the grants on a project behind one of them", 1, grants(domain.GrantFilter{Project: "p1000500"}, domain.Cursor{Name: string(greedy), ID: "p1000500"}, 1)},
		{"the grant of a user on a project", 1, grants(domain.GrantFilter{User: greedy, Project: "p1000500"}, domain.Cursor{}, 1)},
		{"a page of all access tokens far down", 50, tokens("", domain.Cursor{ID: "t1005000"})},
		{"a page of the many access tokens of a user far down", 50, tokens("u1000001", domain.Cursor{ID: "t1005000"})},
		{"a page of a report far down", 51, func(ctx context.Context, s *Store) error {
			q := domain.UsageQuery{From: "2026-01-01", To: "2026-01-31", GroupBy: domain.UsageFields()}
			got, err := s.Usage().Report(ctx, q, &domain.UsageKey{Day: "2026-01-20", Project: "p1010000"}, 50)
			return want(len(got), 50, err)
		}},
		{"a page of the audit far down", 50, events(domain.AuditFilter{}, &domain.AuditPlace{At: time.UnixMicro(5000), ID: 5000}, 50)},
		{"a page of the audit of a time", 50, events(domain.AuditFilter{Since: time.UnixMicro(100), Until: time.UnixMicro(9000)}, nil, 50)},
		{"a page of the audit of a time and more", 50, events(domain.AuditFilter{Actor: "operator", Until: time.UnixMicro(9000)}, nil, 50)},
		{"a page of the chain far down", 2 * 50, func(ctx context.Context, s *Store) error {
			got, err := s.AuditLog().Chained(ctx, 5000, 50)
			return want(len(got), 50, err)
		}},
		{"the head of the chain", 1, func(ctx context.Context, s *Store) error {
			_, err := s.AuditLog().Head(ctx)
			return err
		}},
		// And what the calls here have left themselves, the time before.
		{"chaining what is left", 2*manyLeft + 50, func(ctx context.Context, s *Store) error {
			_, err := s.AuditLog().Chain(ctx, 2*manyLeft, extendBlindly)
			return err
		}},
		{"chaining when nothing is left", 3 * manyLeft, func(ctx context.Context, s *Store) error {
			_, err := s.AuditLog().Chain(ctx, 2*manyLeft, extendBlindly)
			return err
		}},
		{"a session", 1, func(ctx context.Context, s *Store) error {
			_, err := s.Sessions().Find(ctx, "l1001500")
			return err
		}},
		{"a user", 6, func(ctx context.Context, s *Store) error {
			u, err := s.Users().Find(ctx, "u1000100")
			return want(len(u.Assistants), 5, err)
		}},
		{"a user by name", 6, func(ctx context.Context, s *Store) error {
			u, err := s.Users().FindByName(ctx, "name1000100")
			return want(len(u.Assistants), 5, err)
		}},
		{"a page of users", 10 + 50, func(ctx context.Context, s *Store) error {
			got, err := s.Users().Page(ctx, domain.Cursor{Name: "name1000100"}, 10)
			return want(len(got), 10, err)
		}},
		{"opening a login", 10, func(ctx context.Context, s *Store) error {
			return s.Sessions().OpenLogin(ctx, session("new", domain.LoginSession, "u1000100"), domain.NewSecret("hash"), domain.Record{})
		}},
		{"opening an assistant by a grant", 20, assistant("a1", "u1001500", "l1001500", "p1001500", false)},
		{"opening another in its place", 20, assistant("a2", "u1001500", "l1001500", "p1003500", false)},
		{"opening an assistant by role", 20, assistant("a3", "u1001510", "l1001510", "p1000500", true)},
		{"opening an assistant without a login", 20, assistant("a4", greedy, "", "p1000500", false)},
		{"touching a session", 2, func(ctx context.Context, s *Store) error {
			return s.Sessions().Touch(ctx, "l1001600", later, later)
		}},
		{"a page of the many sessions of a user far down", 50, func(ctx context.Context, s *Store) error {
			got, err := s.Sessions().Page(ctx, hosted, domain.Cursor{ID: "h1001000"}, 50)
			return want(len(got), 50, err)
		}},
		{"marking the key of a cookie", 2, func(ctx context.Context, s *Store) error {
			return s.Sessions().MarkSealed(ctx, "l1001600", "2")
		}},
		{"ending all sessions of a user", 20, func(ctx context.Context, s *Store) error {
			return s.Sessions().EndAll(ctx, "u1001700", domain.Record{})
		}},
		{"ending a session", 10, func(ctx context.Context, s *Store) error {
			return s.Sessions().End(ctx, "l1001600", "", domain.Record{})
		}},
		{"sweeping ten of many sessions", 60, func(ctx context.Context, s *Store) error {
			n, err := s.Sessions().Sweep(ctx, 10)
			return want(n, 10, err)
		}},
		{"opening a conversation in the place of another", 10, func(ctx context.Context, s *Store) error {
			return s.Conversations().Open(ctx, domain.Conversation{
				ID: "new", Project: "p1001500", UserID: "w1001500", Token: "t1001500", Key: domain.Sealed{Key: "1", Bytes: []byte("x")}, Expires: later,
			})
		}},
		{"renewing a conversation", 5, func(ctx context.Context, s *Store) error {
			_, err := s.Conversations().Renew(ctx, "c1001500", domain.Sealed{Key: "1", Bytes: []byte("sealed")}, domain.Sealed{Key: "1", Bytes: []byte("y")})
			return err
		}},
		{"sweeping ten of many conversations", 60, func(ctx context.Context, s *Store) error {
			n, err := s.Conversations().Sweep(ctx, 10)
			return want(n, 10, err)
		}},
		{"creating an access token", 10, func(ctx context.Context, s *Store) error {
			t := domain.AccessToken{ID: "new", User: "u1001500", Project: "p1001500", Expires: later}
			return s.AccessTokens().Create(ctx, t, domain.TokenHash{1}, domain.Record{})
		}},
		{"using two access tokens", 5, func(ctx context.Context, s *Store) error {
			return s.AccessTokens().Used(ctx, map[domain.TokenID]time.Time{"t1001500": later, "t1001501": later})
		}},
		{"removing an access token", 10, func(ctx context.Context, s *Store) error {
			return s.AccessTokens().Remove(ctx, "t1001600", "u1001600", domain.Record{})
		}},
		{"adding usage", 10, func(ctx context.Context, s *Store) error {
			key := domain.UsageKey{Day: "2026-01-11", Project: "p1000001", User: "u1000001", Scope: domain.ScopeConverse}
			return s.Usage().Add(ctx, []domain.Usage{{UsageKey: key, Calls: 1}, {UsageKey: domain.UsageKey{Day: "new"}, Calls: 1}})
		}},
		{"marking the key of a project", 5, func(ctx context.Context, s *Store) error {
			return s.Projects().MarkKey(ctx, "p1001500", domain.SlotPrimary, domain.KeyRejected, later, domain.Record{})
		}},
		{"putting a key into the secondary slot", 5, func(ctx context.Context, s *Store) error {
			_, err := s.Projects().PutKey(ctx, "p1001500", domain.SlotSecondary, domain.Sealed{Key: "1", Bytes: []byte("x")},
				domain.Description{Name: "name 1000300"}, later, domain.Record{})
			return err
		}},
		{"refreshing the name of a project", 12, func(ctx context.Context, s *Store) error {
			return s.Projects().Refresh(ctx, "p1001501", domain.Description{Name: "renamed"}, domain.Record{})
		}},
		{"marking the credits of a project", 5, func(ctx context.Context, s *Store) error {
			return s.Projects().MarkCredits(ctx, "p1001500", domain.CreditsUsedUp, domain.Record{})
		}},
		{"a page of everything that is sealed", 50, func(ctx context.Context, s *Store) error {
			got, err := s.Sealings().Page(ctx, "", domain.SealedRef{Kind: domain.SealedConversation, ID: "d1001500"}, 50)
			return want(len(got), 50, err)
		}},
		{"a page of projects' keys far down", 100, func(ctx context.Context, s *Store) error {
			got, err := s.Sealings().Page(ctx, "", domain.SealedRef{Kind: domain.SealedProjectKey, ID: "p1015000", Slot: "primary"}, 50)
			return want(len(got), 50, err)
		}},
		{"replacing what is sealed", 5, func(ctx context.Context, s *Store) error {
			from, to := domain.Sealed{Key: "1", Bytes: []byte("sealed")}, domain.Sealed{Key: "1", Bytes: []byte("anew")}
			n, err := s.Sealings().Replace(ctx, []domain.Resealed{
				{Ref: domain.SealedRef{Kind: domain.SealedProjectKey, ID: "p1001500", Slot: "primary"}, From: from, To: to},
				{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: "c1001600"}, From: from, To: to},
			})
			return want(n, 2, err)
		}},
		{"marking a key that does not open", 10, func(ctx context.Context, s *Store) error {
			return s.Sealings().Mark(ctx, domain.SealedRow{
				Ref:    domain.SealedRef{Kind: domain.SealedProjectKey, ID: "p1001600", Slot: "primary"},
				Sealed: domain.Sealed{Key: "1", Bytes: []byte("sealed")},
			}, false, domain.Record{})
		}},
		{"counting what is to be entered again", 2, func(ctx context.Context, s *Store) error {
			n, err := s.Sealings().ToReenter(ctx)
			return want(n, 1, err)
		}},
		{"changing the scopes of a grant", 10, func(ctx context.Context, s *Store) error {
			return s.Projects().Grant(ctx, greedy, "p1000600", domain.AllScopes(), later, domain.Record{})
		}},
		{"adding a project", 10, func(ctx context.Context, s *Store) error {
			return s.Projects().Add(ctx, domain.Project{ID: "new", Name: "new", Voiceflow: "new", Version: "new"},
				domain.Sealed{Key: "1", Bytes: []byte("x")}, domain.Record{})
		}},
		{"granting a project", 10, func(ctx context.Context, s *Store) error {
			return s.Projects().Grant(ctx, greedy, "p1000007", 0, later, domain.Record{})
		}},
		{"revoking a project", 10, func(ctx context.Context, s *Store) error {
			return s.Projects().Revoke(ctx, greedy, "p1000500", domain.Record{})
		}},
		{"removing a project", 30, func(ctx context.Context, s *Store) error {
			return s.Projects().Remove(ctx, "p1000009", domain.Record{})
		}},
		{"updating a user", 60, func(ctx context.Context, s *Store) error {
			_, err := s.Users().Update(ctx, "u1000100", func(u *domain.User, _ bool) error {
				u.Assistants, u.Disabled, u.PasswordHash = u.Assistants[1:], true, domain.NewSecret("other")
				return nil
			}, "", domain.Record{})
			return err
		}},
		{"removing a user", 60, func(ctx context.Context, s *Store) error {
			return s.Users().Remove(ctx, "u1000110", func(*domain.User, bool) error { return nil }, domain.Record{})
		}},
	}
}

// extendBlindly is a ports.Extend that checks nothing and seals nothing.
func extendBlindly(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
	links := last.Extend(rows)
	if len(links) > 0 {
		last = links[len(links)-1].ChainPoint
	}
	head.ChainPoint, head.Settled = last, settled
	return links, head, nil
}

func want(got, want int, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	return err
}

func TestNoCallReadsMoreThanItReturnsOnPostgres(t *testing.T) {
	t.Parallel()
	// Entries of the two users and their grants that the calls before changed or removed:
	// they stay in the indexes until no transaction of the server may still see them.
	const dead = 12
	s := large(t, postgrestest.DSN(t))
	for _, statistics := range []string{"", "ANALYZE"} {
		t.Run("statistics "+statistics, func(t *testing.T) {
			if _, err := s.writes.DB.ExecContext(t.Context(), statistics); err != nil {
				t.Fatal(err)
			}
			for _, c := range calls() {
				before := rowsRead(t, s)
				if err := c.do(t.Context(), s); err != nil && statistics == "" {
					t.Errorf("%s: %v", c.name, err)
				}
				if got := rowsRead(t, s) - before; got > c.rows+dead {
					t.Errorf("%s: read %d rows, want at most %d", c.name, got, c.rows)
				}
			}
		})
	}
}

// rowsRead is how many rows and index entries statements have read so far. The one
// connection of s reports what it has read before it asks.
func rowsRead(t *testing.T, s *Store) int {
	t.Helper()
	const read = `SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()`
	if _, err := s.writes.DB.ExecContext(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	var n int
	err := s.writes.DB.QueryRowContext(t.Context(), `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) +
		(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEveryStatementUsesAnIndexOnSQLite(t *testing.T) {
	t.Parallel()
	s := large(t, "sqlite://"+filepath.Join(t.TempDir(), "large.db"))
	built := &builtStatements{}
	s.reads, s.writes = s.reads.WithQueryHook(built), s.writes.WithQueryHook(built)
	for _, c := range calls() {
		if err := c.do(t.Context(), s); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ways := []admission{loginByPassword, assistantByRole, assistantByGrant, assistantOfHostByRole, assistantOfHostByGrant}
	bound := []string{
		pageOfAll, pageOfGranted, findByID, findByName, findByVoiceflow, findGrantedByID, findGrantedByName, findGrantedByVoiceflow,
		selectPair, selectKeys, selectCaller, selectSession, touchSession, markSealed,
		endSession, endSessionOfUser, endLogins, endSessions, endLiveLogins, endLiveSessions, pageOfSessions, roleStands,
		userByID, userByName, pageOfUsers, updateUser,
		selectTokenCaller, useByLogin, useOfHost, useByToken, useByConversation, standingSessions, standingTokens,
		pageOfTokens, pageOfTokensOfUser, tokenUsed, renewConversation, selectConversationKey,
		pageOfSealedConversations, pageOfSealedKeys, selectAuditHead, selectKnownValue, selectPseudonymKey,
		selectHead, lastLink, topLink, unchained, strays, chained, resealInstallation,
		resealAuditHead, resealKnownValue, resealPseudonymKey, resealConversation, resealKey, forgetConversation, countToReenter, endSealedBy, countSealedBy,
	}
	for _, way := range ways {
		bound = append(bound, way.find)
	}
	// What is scanned may be a part of the statement itself, its value, or an index that
	// holds what is looked for and nothing else.
	small := regexp.MustCompile(`^SCAN (g|CONSTANT ROW|i VIRTUAL TABLE INDEX 1:|\d+-ROW VALUES CLAUSE|\w+ USING INDEX (users_admins|projects_to_reenter))$`)
	for _, statement := range append(bound, built.texts...) {
		for _, step := range explain(t, s, statement) {
			sorts := strings.Contains(step, "TEMP B-TREE") && !strings.Contains(step, "string_agg")
			if sorts || strings.HasPrefix(step, "SCAN ") && !small.MatchString(step) {
				t.Errorf("%s\n%s", step, statement)
			}
		}
	}
}

// TestASnapshotSortsNothing: all rows are read, in the order of an index.
func TestASnapshotSortsNothing(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), domain.NewSecret("sqlite://"+filepath.Join(t.TempDir(), "empty.db")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range domain.ArchiveTables() {
		for _, step := range explain(t, s, selectArchived(table)) {
			if strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\n%s", step, selectArchived(table))
			}
		}
	}
}

// builtStatements are the statements that bun has built.
type builtStatements struct{ texts []string }

func (b *builtStatements) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return ctx
}

func (b *builtStatements) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	switch e.Operation() {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		b.texts = append(b.texts, e.Query)
	}
}

// explain returns the steps of SQLite's plan.
func explain(t *testing.T, s *Store, statement string) []string {
	t.Helper()
	const parameters = 23 // no statement has more
	rows, err := s.reads.DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, parameters)...)
	if err != nil {
		t.Fatalf("%v in %s", err, statement)
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused sql.NullInt64
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
