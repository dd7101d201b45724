package domain_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhatAUseIsGoodFor(t *testing.T) {
	of := domain.ScopesOf
	all := domain.AllScopes()
	byGrant := domain.Session{ID: "s", Kind: domain.AssistantSession}
	byRole := domain.Session{ID: "s", Kind: domain.AssistantSession, ByRole: true}
	token := func(scopes ...domain.Scope) domain.AccessToken {
		return domain.AccessToken{ID: "t", Project: uuid, Scopes: of(scopes...)}
	}
	own := func(t domain.AccessToken) domain.AccessToken { t.OwnUsers = true; return t }
	member, admin := domain.Caller{ID: "u"}, domain.Caller{ID: "u", Admin: true}
	p := domain.Project{ID: uuid}
	for _, tc := range []struct {
		name   string
		access domain.Access
		want   domain.Scopes
	}{
		{"an admin may do everything by the role", domain.Access{Caller: admin, Session: byRole}, all},
		{"a grant takes nothing from an admin", domain.Access{Caller: admin, Session: byGrant, Granted: of("converse")}, all},
		{"a member may do what is granted", domain.Access{Caller: member, Session: byGrant, Granted: of("converse", "export")}, of("converse", "export")},
		{"a member without a grant may do nothing", domain.Access{Caller: member, Session: byGrant}, 0},
		{"an admin who was demoted may do nothing in a session that the role let in", domain.Access{Caller: member, Session: byRole}, 0},
		{"not even what is granted to them", domain.Access{Caller: member, Session: byRole, Granted: of("converse")}, 0},
		{"an access token of an admin may do what its scopes say", domain.Access{Caller: admin, Token: token("analytics")}, of("analytics")},
		{"an access token of a member may do what its scopes say and its maker may",
			domain.Access{Caller: member, Token: token("converse", "export"), Granted: of("converse", "analytics")}, of("converse")},
		{"an access token has no more scopes than it was made with", domain.Access{Caller: member, Token: token("converse"), Granted: all}, of("converse")},
		{"an access token without a right that its maker has left may do nothing", domain.Access{Caller: member, Token: token("export"), Granted: of("converse")}, 0},
		{"an access token whose maker lost the grant may do nothing", domain.Access{Caller: member, Token: token("converse")}, 0},
		{"an access token of an admin who was demoted may do what is granted to them",
			domain.Access{Caller: member, Token: token("converse", "export"), Granted: of("export")}, of("export")},
		{"an access token with user ids of its own may do what its scopes say", domain.Access{Caller: admin, Token: own(token("converse"))}, of("converse")},
		{"with user ids of its own it may do nothing once its maker was demoted",
			domain.Access{Caller: member, Token: own(token("converse")), Granted: of("converse")}, 0},
		{"an access token with manage may do nothing with an assistant", domain.Access{Caller: admin, Token: token("manage")}, 0},
		{"an access token without scopes may do nothing", domain.Access{Caller: admin, Token: token()}, 0},
		{"nobody may do nothing", domain.Access{}, 0},
		{"a member may do what is granted with a project that the call names", domain.Access{Caller: member, Named: uuid, Project: p, Granted: of("export")}, of("export")},
		{"a member without a grant may do nothing with it", domain.Access{Caller: member, Named: uuid, Project: p}, 0},
		{"an admin may do everything with it", domain.Access{Caller: admin, Named: uuid, Project: p}, all},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.access.Scopes()
			if got != tc.want {
				t.Errorf("scopes: got %v, want %v", got.List(), tc.want.List())
			}
			for _, scope := range every {
				kind := domain.NotAllowed
				if tc.want.Has(scope) {
					kind = ""
				}
				err := tc.access.May(scope)
				wantKind(t, err, kind)
				if err != nil && !strings.Contains(err.Error(), string(scope)) {
					t.Errorf("May(%s): got the error %q, want it to name the scope", scope, err)
				}
			}
			wantKind(t, tc.access.May("build"), domain.NotAllowed)
			wantKind(t, tc.access.May(""), domain.NotAllowed)
		})
	}
}

func TestAUseIsKnownByItsActorAndWhatItStandsOn(t *testing.T) {
	for _, tc := range []struct {
		name   string
		access domain.Access
		actor  domain.Actor
		use    domain.OpenUse
	}{
		{"a user in a session", domain.Access{Caller: domain.Caller{ID: "u"}, Session: domain.Session{ID: "s"}}, "user:u", domain.OpenUse{Session: "s"}},
		{"an access token of any user",
			domain.Access{Caller: domain.Caller{ID: "u", Token: "t"}, Token: domain.AccessToken{ID: "t", User: "u"}}, "token:t", domain.OpenUse{Token: "t"}},
		{"a user with a login who names a project", domain.Access{Caller: domain.CallerByLogin(domain.Session{ID: "l", User: "u"}, domain.RoleAdmin), Named: "p"},
			"user:u", domain.OpenUse{Project: "p", Login: "l"}},
		{"a host's user who names a project", domain.Access{Caller: domain.Caller{ID: "u"}, Named: "p"}, "user:u", domain.OpenUse{Project: "p", User: "u"}},
		{"a host's admin who names a project", domain.Access{Caller: domain.Caller{ID: "u", Admin: true}, Named: "p"},
			"user:u", domain.OpenUse{Project: "p", User: "u", Admin: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.access.Actor(); got != tc.actor {
				t.Errorf("actor: got %s, want %s", got, tc.actor)
			}
			if got := tc.access.OpenUse(); got != tc.use {
				t.Errorf("open use: got %+v, want %+v", got, tc.use)
			}
		})
	}
}

func TestAProjectThatIsNotThereForTheCaller(t *testing.T) {
	member, admin := domain.Caller{ID: "u"}, domain.Caller{ID: "u", Admin: true}
	converse := domain.DefaultScopes()
	seen := domain.Project{ID: uuid}
	for _, tc := range []struct {
		name   string
		access domain.Access
		begins domain.Kind // of a call that needs converse
		goesOn domain.Kind // of such a call that is open
		says   string      // to the open call
	}{
		{"a member who may use it", domain.Access{Caller: member, Named: uuid, Project: seen, Granted: converse}, "", "", ""},
		{"a member who lacks the scope", domain.Access{Caller: member, Named: uuid, Project: seen, Granted: domain.ScopesOf("export")},
			domain.NotAllowed, domain.NotAllowed, "the right that this call needs was removed"},
		{"a member who does not see it", domain.Access{Caller: member, Named: uuid},
			domain.NotAllowed, domain.NotAllowed, "you are no longer allowed to use this assistant; an admin can grant it"},
		{"not even with scopes", domain.Access{Caller: member, Named: uuid, Granted: converse},
			domain.NotAllowed, domain.NotAllowed, "you are no longer allowed to use this assistant; an admin can grant it"},
		{"an admin who may use it", domain.Access{Caller: admin, Named: uuid, Project: seen}, "", "", ""},
		{"an admin after it was deleted", domain.Access{Caller: admin, Named: uuid}, domain.NotFound, domain.NotFound, "the assistant was deleted"},
		{"a session whose project was not asked for", domain.Access{Caller: member, Session: domain.Session{ID: "s"}, Granted: converse}, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantKind(t, tc.access.May("converse"), tc.begins)
			err := tc.access.StillMay(converse)
			wantKind(t, err, tc.goesOn)
			if e, is := errors.AsType[*domain.Error](err); is && e.Public != tc.says {
				t.Errorf("got the message %q, want %q", e.Public, tc.says)
			}
		})
	}
	missing := domain.Access{Caller: member, Named: uuid}.May("converse")
	if missing.Error() != domain.MayNotUse().Error() {
		t.Errorf("a member is told %q of a project that they do not see, want %q", missing, domain.MayNotUse())
	}
}

func TestAUseIsOfASessionOrOfAProject(t *testing.T) {
	if domain.UseSession("") != (domain.Use{}) || domain.UseProject("") != (domain.Use{}) {
		t.Error("a use of nothing is not the zero Use")
	}
	if s, p := domain.UseSession("s"), domain.UseProject("p"); s.Session() != "s" || s.Project() != "" || p.Session() != "" || p.Project() != "p" {
		t.Errorf("got %+v and %+v", s, p)
	}
}

func TestAConversationEndsWithWhatMadeIt(t *testing.T) {
	ends := start.Add(time.Hour)
	for _, tc := range []struct {
		name   string
		access domain.Access
		want   domain.Conversation
	}{
		{"with the assistant session, used or not",
			domain.Access{Project: domain.Project{ID: uuid}, Session: domain.Session{ID: "s", Idle: start.Add(time.Minute), Expires: ends}},
			domain.Conversation{ID: "c", Project: uuid, Session: "s", Created: start, Expires: ends}},
		{"with the access token",
			domain.Access{Project: domain.Project{ID: uuid}, Token: domain.AccessToken{ID: "t", Expires: ends}},
			domain.Conversation{ID: "c", Project: uuid, Token: "t", Created: start, Expires: ends}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := domain.NewConversation("c", tc.access, start.Add(999).In(time.FixedZone("", 3600)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("conversation (-want +got):\n%s", diff)
			}
			claims := domain.Claims{Kind: "conversation", Session: "c", User: "u", Project: uuid, Expires: ends}
			if diff := cmp.Diff(claims, got.Claims("u")); diff != "" {
				t.Errorf("what its handle says (-want +got):\n%s", diff)
			}
		})
	}
	id, err := domain.NewConversationID(start, bytes.NewReader(make([]byte, 10)))
	if want := domain.ConversationID("01b8e094-9b2e-7000-8000-000000000000"); err != nil || id != want {
		t.Errorf("a new id: got %q and error %v, want %q", id, err, want)
	}
	if id, err := domain.NewConversationID(start, strings.NewReader("short")); err == nil || id != "" {
		t.Errorf("an id without randomness: got %q, want an error", id)
	}
}
