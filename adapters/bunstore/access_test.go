package bunstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

var someHash = domain.TokenHash{1, 2, 3}

func someToken(user domain.UserID) domain.AccessToken {
	return domain.AccessToken{
		ID: "token", Name: "a name", Prefix: "flk_abcdef", User: user, Project: "project-1",
		Scopes: domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport), Created: time.Unix(1000, 0).UTC(), Expires: time.Unix(1500, 0).UTC(),
	}
}

// someConversation is one of project 1 that lasts until then.
func someConversation(id domain.ConversationID, until int64) domain.Conversation {
	return domain.Conversation{
		ID: id, Project: "project-1", UserID: "pseudonym of " + string(id), Key: domain.Sealed{Key: "2", Bytes: []byte("session key of " + id)},
		Created: time.Unix(1000, 0).UTC(), Expires: time.Unix(until, 0).UTC(),
	}
}

// uses are credentials of all kinds, by name.
var uses = map[string]domain.Credential{
	"a login":                      {Login: "l", Assistant: "a"},
	"an admin's login":             {Login: "admin's", Assistant: "by role"},
	"a host's user":                {User: "hosted", Assistant: "h"},
	"an access token":              {Token: someHash},
	"a login's conversation":       {Conversation: "by login"},
	"an access token's":            {Conversation: "by token"},
	"a host's user's conversation": {Conversation: "by host", User: "hosted"},
}

// used is furnished with what uses stand on. Sessions last until 2000, the conversations
// of sessions until 1900, the access token until 1500, and its conversation until 1400.
func used(t *testing.T, address string) *bunstore.Store {
	t.Helper()
	s := furnished(t, address, bunstore.Options{})
	ctx := t.Context()
	admin := domain.NewUser("admin", "admin", domain.RoleAdmin, domain.NewSecret("hash"), nil, time.Unix(1, 0))
	byRole := assistant("by role", 1)
	byRole.User, byRole.Login, byRole.ByRole = "admin", "admin's", true
	byLogin, byToken, byHost := someConversation("by login", 1900), someConversation("by token", 1400), someConversation("by host", 1900)
	byLogin.Session, byToken.Token, byHost.Session = "a", "token", "h"
	for _, err := range []error{
		s.Users().Create(ctx, admin, record("create")),
		s.Sessions().OpenLogin(ctx, login("admin's", "admin"), admin.PasswordHash, record("login")),
		second(s.Sessions().OpenAssistant(ctx, byRole, record("set"))),
		second(s.Sessions().OpenAssistant(ctx, assistant("a", 1), record("set"))),
		s.Projects().Grant(ctx, "hosted", "project-1", 0, time.Unix(1, 0), record("grant")),
		second(s.Sessions().OpenAssistant(ctx, hostedAssistant("h"), record("set"))),
		s.AccessTokens().Create(ctx, someToken("u"), someHash, record("create")),
		s.Conversations().Open(ctx, byLogin), s.Conversations().Open(ctx, byToken), s.Conversations().Open(ctx, byHost),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// hostedAssistant is a session of a host's user in project 1.
func hostedAssistant(id domain.SessionID) domain.Session {
	h := assistant(id, 1)
	h.User, h.Login = "hosted", ""
	return h
}

func TestAUseIsAllThatItStandsOn(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := used(t, address)
		// A key in another slot is not the one that is used.
		run(t, beside(t, address), `INSERT INTO project_keys (project_id, slot, key_id, sealed) SELECT project_id, 'another', '9', sealed FROM project_keys`)
		inUTC := func(all ...*time.Time) {
			for _, at := range all {
				*at = at.UTC()
			}
		}
		session := func(s domain.Session) domain.Session {
			inUTC(&s.Created, &s.LastUsed, &s.Idle, &s.Expires)
			return s
		}
		p := project(1)
		p.Created, p.VoiceflowCreated = instantOf(p.Created), instantOf(p.VoiceflowCreated)
		converse := domain.DefaultScopes()
		member := domain.Caller{ID: "u", Login: session(login("l", "u"))}
		byRole := assistant("by role", 1)
		byRole.User, byRole.Login, byRole.ByRole = "admin", "admin's", true
		token := someToken("u")
		program := domain.Caller{ID: "u", Token: "token", Only: "project-1", Scopes: token.Scopes}
		byLogin, byToken, byHost := someConversation("by login", 1900), someConversation("by token", 1400), someConversation("by host", 1900)
		byLogin.Session, byToken.Token, byHost.Session = "a", "token", "h"
		for name, want := range map[string]domain.Access{
			"a login": {Caller: member, Session: session(assistant("a", 1)), Granted: converse},
			"an admin's login": {
				Caller: domain.Caller{ID: "admin", Admin: true, Login: session(login("admin's", "admin"))}, Session: session(byRole),
			},
			"a host's user":                {Caller: domain.Caller{ID: "hosted"}, Session: session(hostedAssistant("h")), Granted: converse},
			"an access token":              {Caller: program, Token: token, Granted: converse},
			"a login's conversation":       {Caller: member, Session: session(assistant("a", 1)), Conversation: byLogin, Granted: converse},
			"an access token's":            {Caller: program, Token: token, Conversation: byToken, Granted: converse},
			"a host's user's conversation": {Caller: domain.Caller{ID: "hosted"}, Session: session(hostedAssistant("h")), Conversation: byHost, Granted: converse},
		} {
			want.Project, want.Key = p, someKey
			got, err := s.Access().ForUse(t.Context(), uses[name])
			if d := cmp.Diff(want, got, cmp.AllowUnexported(domain.Caller{})); d != "" || err != nil {
				t.Errorf("%s: error %v, -want +got\n%s", name, err, d)
			}
		}
	})
}

// instantOf is t as it comes back from a database.
func instantOf(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

func TestAUseEndsWithWhatItStandsOn(t *testing.T) {
	all := []string{"a login", "an admin's login", "a host's user", "an access token", "a login's conversation", "an access token's", "a host's user's conversation"}
	ofUser := []string{"a login", "an access token", "a login's conversation", "an access token's"}
	update := func(id domain.UserID, change func(*domain.User)) func(context.Context, *bunstore.Store) error {
		return func(ctx context.Context, s *bunstore.Store) error {
			_, err := s.Users().Update(ctx, id, func(u *domain.User, _ bool) error {
				change(u)
				return nil
			}, "", record("update"))
			return err
		}
	}
	cases := []struct {
		name string
		take func(ctx context.Context, s *bunstore.Store) error
		at   int64    // when it is looked, 1000 if zero
		lost []string // what is not found then
		bare []string // what has no assistant then
		// what has an assistant and no grant on it then
		ungranted []string
	}{
		{name: "nothing is taken away"},
		{
			name: "the grant is revoked",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Projects().Revoke(ctx, "u", "project-1", record("revoke"))
			},
			bare: []string{"a login"}, lost: []string{"a login's conversation"}, ungranted: []string{"an access token", "an access token's"},
		},
		{
			name: "the grant of the host's user is revoked",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Projects().Revoke(ctx, "hosted", "project-1", record("revoke"))
			},
			bare: []string{"a host's user"}, lost: []string{"a host's user's conversation"},
		},
		{
			name: "the login is ended",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Sessions().End(ctx, "l", "", record("end"))
			},
			lost: []string{"a login", "a login's conversation"},
		},
		{
			name: "the assistant session is ended",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Sessions().End(ctx, "a", "", record("end"))
			},
			bare: []string{"a login"}, lost: []string{"a login's conversation"},
		},
		{
			name: "another assistant session takes its place",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return second(s.Sessions().OpenAssistant(ctx, assistant("another", 1), record("set")))
			},
			bare: []string{"a login"}, lost: []string{"a login's conversation"},
		},
		{name: "the user is disabled", take: update("u", func(u *domain.User) { u.Disabled = true }), lost: ofUser},
		{
			name: "the user is removed",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Users().Remove(ctx, "u", leave, record("remove"))
			},
			lost: ofUser,
		},
		{name: "the role is taken away", take: update("admin", func(u *domain.User) { u.Role = domain.RoleMember }), bare: []string{"an admin's login"}},
		{
			name: "the access token is removed",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.AccessTokens().Remove(ctx, "token", "u", record("remove"))
			},
			lost: []string{"an access token", "an access token's"},
		},
		{
			name: "the project is removed",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Projects().Remove(ctx, "project-1", record("remove"))
			},
			bare: []string{"a login", "an admin's login", "a host's user"},
			lost: []string{"an access token", "a login's conversation", "an access token's", "a host's user's conversation"},
		},
		{
			name: "another conversation takes the place of the login's",
			take: func(ctx context.Context, s *bunstore.Store) error {
				c := someConversation("by login", 1900)
				c.ID, c.Session = "another", "a"
				return s.Conversations().Open(ctx, c)
			},
			lost: []string{"a login's conversation"},
		},
		{name: "time has not come to the end of anything", at: 1399},
		{name: "time comes to the end of the access token's conversation", at: 1400, lost: []string{"an access token's"}},
		{name: "time comes to the end of the access token", at: 1500, lost: []string{"an access token", "an access token's"}},
		{
			name: "time comes to the end of all conversations", at: 1900,
			lost: []string{"an access token", "a login's conversation", "an access token's", "a host's user's conversation"},
		},
		{
			name: "time comes to the end of all sessions", at: 2000, bare: []string{"a host's user"},
			lost: slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == "a host's user" }),
		},
	}
	eachDialect(t, func(t *testing.T, database newDatabase) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				address := database(t)
				s := used(t, address)
				if c.take != nil {
					if err := c.take(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
				if c.at != 0 {
					s = open(t, address, bunstore.Options{Now: clockAt(c.at)})
				}
				stands := map[domain.OpenUse]bool{}
				for _, name := range all {
					got, err := s.Access().ForUse(t.Context(), uses[name])
					if slices.Contains(c.lost, name) {
						wantKind(t, name, err, domain.NotFound)
						continue
					}
					if err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					bare := slices.Contains(c.bare, name)
					none := got.Session.ID == "" && got.Token.ID == "" && got.Project == (domain.Project{}) && got.Key.IsZero()
					if bare && !none || !bare && (got.Project.ID == "" || got.Key.IsZero() || got.OpenUse() == (domain.OpenUse{})) {
						t.Errorf("%s: got %+v, without an assistant: want %v", name, got, bare)
					}
					granted := !bare && !slices.Contains(c.ungranted, name) && !got.Caller.Admin && got.Caller.ID != "admin"
					if (got.Granted != 0) != granted {
						t.Errorf("%s: got the scopes %q of a grant, want some: %v", name, got.Granted.Text(), granted)
					}
					if !bare {
						stands[got.OpenUse()] = true
					}
				}
				// What open calls stand on, stands as long as new ones may be made on it.
				asked := []domain.OpenUse{{Session: "a"}, {Session: "by role"}, {Session: "h"}, {Token: "token"}, {Session: "l"}, {Session: "unknown"}, {Token: "unknown"}}
				standing, err := s.Access().Standing(t.Context(), append(asked, asked...))
				if err != nil {
					t.Fatal(err)
				}
				got := map[domain.OpenUse]bool{}
				for _, a := range standing {
					got[a.OpenUse()] = true
				}
				if d := cmp.Diff(stands, got); d != "" || len(standing) != len(got) {
					t.Errorf("Standing: got %d of them, -ForUse +Standing\n%s", len(standing), d)
				}
			})
		}
	})
}

func TestCredentialsThatDoNotBelongTogether(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := used(t, database(t))
		if err := s.Sessions().OpenLogin(t.Context(), login("another", "u"), domain.NewSecret("hash"), record("login")); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			shown domain.Credential
			lost  bool // not found; otherwise there is no assistant
		}{
			{"nothing", domain.Credential{}, true},
			{"an unknown login", domain.Credential{Login: "unknown", Assistant: "a"}, true},
			{"an assistant session as a login", domain.Credential{Login: "a", Assistant: "a"}, true},
			{"an unknown access token", domain.Credential{Token: domain.TokenHash{9}}, true},
			{"an unknown conversation", domain.Credential{Conversation: "unknown"}, true},
			{"a login without an assistant session", domain.Credential{Login: "l"}, false},
			{"a login with the assistant session of the user's other login", domain.Credential{Login: "another", Assistant: "a"}, false},
			{"a login with another's assistant session", domain.Credential{Login: "l", Assistant: "by role"}, false},
			{"a login with a host's user's assistant session", domain.Credential{Login: "l", Assistant: "h"}, false},
			{"a login as its own assistant session", domain.Credential{Login: "l", Assistant: "l"}, false},
			{"a host's user without an assistant session", domain.Credential{User: "hosted"}, false},
			{"a host's user with another's assistant session", domain.Credential{User: "another", Assistant: "h"}, false},
			{"a host's user with an assistant session under a login", domain.Credential{User: "u", Assistant: "a"}, false},
			{"a host's conversation with nobody", domain.Credential{Conversation: "by host"}, true},
			{"a host's conversation with another user", domain.Credential{Conversation: "by host", User: "u"}, true},
		} {
			got, err := s.Access().ForUse(t.Context(), c.shown)
			if c.lost {
				wantKind(t, c.name, err, domain.NotFound)
				continue
			}
			want := domain.Access{Caller: got.Caller}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(domain.Caller{})); d != "" || err != nil || got.Caller.ID == "" {
				t.Errorf("%s: error %v, caller %+v, -want +got\n%s", c.name, err, got.Caller, d)
			}
		}
	})
}

func TestStandingSaysTheRightsOfNow(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := used(t, database(t))
		wider := domain.ScopesOf(domain.ScopeConverse, domain.ScopeKnowledge)
		if err := s.Projects().Grant(t.Context(), "u", "project-1", wider, time.Unix(1, 0), record("grant")); err != nil {
			t.Fatal(err)
		}
		ofHostByRole := hostedAssistant("by the host's role")
		ofHostByRole.ByRole = true
		if _, err := s.Sessions().OpenAssistant(t.Context(), ofHostByRole, record("set")); err != nil {
			t.Fatal(err)
		}
		standing, err := s.Access().Standing(t.Context(), []domain.OpenUse{
			{Session: "a"}, {Session: "by role"}, {Session: "h"}, {Session: ofHostByRole.ID}, {Token: "token"},
		})
		if err != nil {
			t.Fatal(err)
		}
		type rights struct {
			User    domain.UserID
			Admin   bool
			Granted domain.Scopes
		}
		got := map[domain.OpenUse]rights{}
		for _, a := range standing {
			got[a.OpenUse()] = rights{a.Caller.ID, a.Caller.Admin, a.Granted}
		}
		want := map[domain.OpenUse]rights{
			{Session: "a"}:             {"u", false, wider},
			{Session: "by role"}:       {"admin", true, 0},
			{Session: "h"}:             {"hosted", false, domain.DefaultScopes()},
			{Session: ofHostByRole.ID}: {"hosted", true, domain.DefaultScopes()},
			{Token: "token"}:           {"u", false, wider},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Standing: -want +got\n%s", d)
		}
	})
}
