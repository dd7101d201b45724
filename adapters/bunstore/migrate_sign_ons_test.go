package bunstore_test

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// storedV11 are what a program of version 11 stores: a user with a password, a grant, a login and an
// assistant session.
var storedV11 = []string{
	`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, search)
VALUES ('p', 'Bot', 'v', 'main', '', 1, 1, 'ok', 'bot')`,
	`INSERT INTO users (id, name, role, disabled, password_hash, created) VALUES ('u', 'ana', 'member', '0', '$test$', 1)`,
	`INSERT INTO sessions (id, kind, user_id, by_role, remember, created, last_used, idle, expires, address, agent, sealed_by)
VALUES ('l', 'login', 'u', '0', '0', 1, 1, 1000000000000000, 1000000000000000, '', '', '')`,
	`INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent, sealed_by)
VALUES ('a', 'assistant', 'u', 'l', 'p', '0', '0', 1, 1, 1000000000000000, 1000000000000000, '', '', '')`,
}

// grantV11 is how a program of version 11 grants.
const grantV11 = `INSERT INTO grants (user_id, project_id, name, created, scopes) VALUES ($1, 'p', 'Bot', 1, 'converse state')`

// TestWhatAnEarlierVersionStoredMeansTheSame migrates what a program of version 11 stored, and has such a
// program grant afterwards.
func TestWhatAnEarlierVersionStoredMeansTheSame(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := ofVersion(t, address, 11)
		for _, statement := range storedV11 {
			run(t, db, statement)
		}
		grant := func(user string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), grantV11, user); err != nil {
				t.Fatal(err)
			}
		}
		grant("u")
		now := time.Unix(1, 0)
		s := migrated(t, address, bunstore.Options{Now: func() time.Time { return now }})
		grant("a later one")

		u, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"})
		want := domain.NewUser("u", "ana", domain.RoleMember, domain.NewSecret("$test$"), []domain.ProjectID{"p"}, time.UnixMicro(1))
		if err != nil || !u.Equal(want) {
			t.Errorf("got the user %+v and error %v, want %+v", u, err, want)
		}
		scopes := domain.ScopesOf(domain.ScopeConverse, domain.ScopeState)
		grants, err := s.Ports().Grants.Page(t.Context(), domain.GrantFilter{}, domain.Cursor{}, 10)
		if err != nil || len(grants) != 2 {
			t.Fatalf("got the grants %+v and error %v, want two", grants, err)
		}
		for _, g := range grants {
			if !g.Equal(domain.NewGrant(g.User, "p", scopes, now)) {
				t.Errorf("got the grant %+v, want one that an admin granted", g)
			}
		}
		access, err := s.Ports().Access.ByLogin(t.Context(), "l", domain.UseSession("a"))
		login := access.Caller.Login
		if err != nil || access.Granted != scopes || access.Manual != scopes || access.Groups != nil || login.ByProvider || !login.Recheck.IsZero() {
			t.Errorf("got the access %+v and error %v, want that of a login with a password", access, err)
		}
		if _, err := s.Ports().SignOns.Find(t.Context(), "l"); domain.KindOf(err) != domain.NotFound {
			t.Errorf("what is kept of a login with a password: got error %v, want NotFound", err)
		}
		if err := s.Ports().Grants.Remove(t.Context(), act("revoke"), "u", "p"); err != nil {
			t.Error(err)
		}
		if n := count(t, db, `SELECT count(*) FROM grants`); n != 1 {
			t.Errorf("got %d grants after Remove, want 1", n)
		}
	})
}
