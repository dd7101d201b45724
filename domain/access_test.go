package domain_test

import (
	"bytes"
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
