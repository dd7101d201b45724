package bunstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
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

// credential looks up what may be used with it.
type credential func(ctx context.Context, in ports.Access) (domain.Access, error)

func byLogin(login, assistant domain.SessionID) credential {
	return func(ctx context.Context, in ports.Access) (domain.Access, error) {
		return in.ByLogin(ctx, login, domain.UseSession(assistant))
	}
}

func byHostUser(user domain.UserID, assistant domain.SessionID) credential {
	return func(ctx context.Context, in ports.Access) (domain.Access, error) {
		return in.ByHostUser(ctx, domain.Caller{ID: user}, domain.UseSession(assistant))
	}
}

func byLoginNaming(login domain.SessionID, project domain.ProjectID) credential {
	return func(ctx context.Context, in ports.Access) (domain.Access, error) {
		return in.ByLogin(ctx, login, domain.UseProject(project))
	}
}

func byHostUserNaming(user domain.UserID, project domain.ProjectID) credential {
	return func(ctx context.Context, in ports.Access) (domain.Access, error) {
		return in.ByHostUser(ctx, domain.Caller{ID: user}, domain.UseProject(project))
	}
}

func byToken(hash domain.TokenHash) credential {
	return func(ctx context.Context, in ports.Access) (domain.Access, error) { return in.ByToken(ctx, hash) }
}

func byConversation(id domain.ConversationID, user domain.UserID) credential {
	return func(ctx context.Context, in ports.Access) (domain.Access, error) {
		return in.ByConversation(ctx, id, domain.Caller{ID: user})
	}
}

// uses are credentials of all kinds, by name.
var uses = map[string]credential{
	"a login":                      byLogin("l", "a"),
	"an admin's login":             byLogin("admin's", "by role"),
	"a host's user":                byHostUser("hosted", "h"),
	"an access token":              byToken(someHash),
	"a login's conversation":       byConversation("by login", ""),
	"an access token's":            byConversation("by token", ""),
	"a host's user's conversation": byConversation("by host", "hosted"),
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
	ofLogin, ofToken, ofHost := conversations()
	for _, err := range []error{
		s.Ports().Users.Create(ctx, act("create"), admin),
		s.Ports().Sessions.OpenLogin(ctx, login("admin's", "admin"), admin.PasswordHash, record("login")),
		second(s.Ports().Sessions.OpenAssistant(ctx, setting(byRole, "set"), byRole)),
		second(s.Ports().Sessions.OpenAssistant(ctx, setting(assistant("a", 1), "set"), assistant("a", 1))),
		s.Ports().Grants.Put(ctx, act("grant"), "hosted", "project-1", 0, time.Unix(1, 0)),
		second(s.Ports().Sessions.OpenAssistant(ctx, setting(hostedAssistant("h"), "set"), hostedAssistant("h"))),
		s.Ports().Tokens.Create(ctx, act("create"), someToken("u"), someHash),
		s.Ports().Conversations.Open(ctx, ofLogin), s.Ports().Conversations.Open(ctx, ofToken), s.Ports().Conversations.Open(ctx, ofHost),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// conversations are those of the login's and the host's assistant session, and of the access
// token.
func conversations() (ofLogin, ofToken, ofHost domain.Conversation) {
	ofLogin, ofToken, ofHost = someConversation("by login", 1900), someConversation("by token", 1400), someConversation("by host", 1900)
	ofLogin.Session, ofToken.Token, ofHost.Session = "a", "token", "h"
	return ofLogin, ofToken, ofHost
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
		withText := program
		withText.Secret = someHash
		ofLogin, ofToken, ofHost := conversations()
		for name, want := range map[string]domain.Access{
			"a login": {Caller: member, Session: session(assistant("a", 1)), Granted: converse, Manual: converse},
			"an admin's login": {
				Caller: domain.Caller{ID: "admin", Admin: true, Login: session(login("admin's", "admin"))}, Session: session(byRole),
			},
			"a host's user":                {Caller: domain.Caller{ID: "hosted"}, Session: session(hostedAssistant("h")), Granted: converse, Manual: converse},
			"an access token":              {Caller: withText, Token: token, SecretEnds: token.Expires, Granted: converse, Manual: converse},
			"a login's conversation":       {Caller: member, Session: session(assistant("a", 1)), Conversation: ofLogin, Granted: converse, Manual: converse},
			"an access token's":            {Caller: program, Token: token, Conversation: ofToken, Granted: converse, Manual: converse},
			"a host's user's conversation": {Caller: domain.Caller{ID: "hosted"}, Session: session(hostedAssistant("h")), Conversation: ofHost, Granted: converse, Manual: converse},
		} {
			want.Project = p
			got, err := uses[name](t.Context(), s.Ports().Access)
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
			_, err := s.Ports().Users.Update(ctx, act("update"), id, func(u *domain.User, _ bool) error {
				change(u)
				return nil
			}, domain.Kept{})
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
				return s.Ports().Grants.Remove(ctx, act("revoke"), "u", "project-1")
			},
			bare: []string{"a login"}, lost: []string{"a login's conversation"}, ungranted: []string{"an access token", "an access token's"},
		},
		{
			name: "the grant of the host's user is revoked",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Ports().Grants.Remove(ctx, act("revoke"), "hosted", "project-1")
			},
			bare: []string{"a host's user"}, lost: []string{"a host's user's conversation"},
		},
		{
			name: "the login is ended",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return second(s.Ports().Sessions.End(ctx, act("end"), domain.OneSession("l")))
			},
			lost: []string{"a login", "a login's conversation"},
		},
		{
			name: "the assistant session is ended",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return second(s.Ports().Sessions.End(ctx, act("end"), domain.OneSession("a")))
			},
			bare: []string{"a login"}, lost: []string{"a login's conversation"},
		},
		{
			name: "another assistant session takes its place",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return second(s.Ports().Sessions.OpenAssistant(ctx, setting(assistant("another", 1), "set"), assistant("another", 1)))
			},
			bare: []string{"a login"}, lost: []string{"a login's conversation"},
		},
		{name: "the user is disabled", take: update("u", func(u *domain.User) { u.Disabled = true }), lost: ofUser},
		{
			name: "the user is removed",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Ports().Users.Remove(ctx, act("remove"), "u", leave)
			},
			lost: ofUser,
		},
		{name: "the role is taken away", take: update("admin", func(u *domain.User) { u.Role = domain.RoleMember }), bare: []string{"an admin's login"}},
		{
			name: "the access token is removed",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Ports().Tokens.Remove(ctx, act("remove"), "token")
			},
			lost: []string{"an access token", "an access token's"},
		},
		{
			name: "the project is removed",
			take: func(ctx context.Context, s *bunstore.Store) error {
				return s.Ports().Projects.Remove(ctx, act("remove"), "project-1")
			},
			bare: []string{"a login", "an admin's login", "a host's user"},
			lost: []string{"an access token", "a login's conversation", "an access token's", "a host's user's conversation"},
		},
		{
			name: "another conversation takes the place of the login's",
			take: func(ctx context.Context, s *bunstore.Store) error {
				c := someConversation("by login", 1900)
				c.ID, c.Session = "another", "a"
				return s.Ports().Conversations.Open(ctx, c)
			},
			lost: []string{"a login's conversation"},
		},
		{name: "time has not come to the end of anything", at: 1399},
		{name: "time comes to the end that the access token's conversation began with", at: 1400},
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
					got, err := uses[name](t.Context(), s.Ports().Access)
					if slices.Contains(c.lost, name) {
						wantKind(t, name, err, domain.NotFound)
						continue
					}
					if err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					bare := slices.Contains(c.bare, name)
					none := got.Session.ID == "" && got.Token.ID == "" && got.Project.Equal(domain.Project{})
					if bare && !none || !bare && (got.Project.ID == "" || got.Project.Primary.Sealed.IsZero() || got.OpenUse() == (domain.OpenUse{})) {
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
				asked := []domain.OpenUse{{Session: "a"}, {Session: "by role"}, {Session: "h"}, {Token: "token"}, {Token: "token", Secret: someHash}, {Session: "l"}, {Session: "unknown"}, {Token: "unknown"}}
				allowed, err := s.Ports().Access.StillAllowed(t.Context(), append(asked, asked...))
				if err != nil {
					t.Fatal(err)
				}
				got := map[domain.OpenUse]bool{}
				for _, a := range allowed {
					got[a.OpenUse()] = true
				}
				if d := cmp.Diff(stands, got); d != "" || len(allowed) != len(got) {
					t.Errorf("StillAllowed: got %d of them, -look-ups +StillAllowed\n%s", len(allowed), d)
				}
			})
		}
	})
}

func TestCredentialsThatDoNotBelongTogether(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := used(t, database(t))
		if err := s.Ports().Sessions.OpenLogin(t.Context(), login("another", "u"), domain.NewSecret("hash"), record("login")); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			shown credential
			lost  bool // not found; otherwise there is no assistant
		}{
			{"nothing", byLogin("", ""), true},
			{"an assistant session without a login", byLogin("", "a"), true},
			{"an unknown login", byLogin("unknown", "a"), true},
			{"an assistant session as a login", byLogin("a", "a"), true},
			{"an unknown access token", byToken(domain.TokenHash{9}), true},
			{"an unknown conversation", byConversation("unknown", ""), true},
			{"a login without an assistant session", byLogin("l", ""), false},
			{"a login with the assistant session of the user's other login", byLogin("another", "a"), false},
			{"a login with another's assistant session", byLogin("l", "by role"), false},
			{"a login with a host's user's assistant session", byLogin("l", "h"), false},
			{"a login as its own assistant session", byLogin("l", "l"), false},
			{"a host's user without an assistant session", byHostUser("hosted", ""), false},
			{"a host's user with another's assistant session", byHostUser("another", "h"), false},
			{"a host's user with an assistant session under a login", byHostUser("u", "a"), false},
			{"a host's conversation with nobody", byConversation("by host", ""), true},
			{"a host's conversation with another user", byConversation("by host", "u"), true},
		} {
			got, err := c.shown(t.Context(), s.Ports().Access)
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

func TestStillAllowedSaysTheRightsOfNow(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := used(t, database(t))
		wider := domain.ScopesOf(domain.ScopeConverse, domain.ScopeKnowledge)
		if err := s.Ports().Grants.Put(t.Context(), act("grant"), "u", "project-1", wider, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		ofHostByRole := hostedAssistant("by the host's role")
		ofHostByRole.ByRole = true
		if _, err := s.Ports().Sessions.OpenAssistant(t.Context(), setting(ofHostByRole, "set"), ofHostByRole); err != nil {
			t.Fatal(err)
		}
		allowed, err := s.Ports().Access.StillAllowed(t.Context(), []domain.OpenUse{
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
		for _, a := range allowed {
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
			t.Errorf("StillAllowed: -want +got\n%s", d)
		}
	})
}
