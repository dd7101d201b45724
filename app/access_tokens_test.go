package app_test

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

func TestNobodyHasAccessTokensWithoutNumber(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, _ := w.talker(t, "ben", p)
	in := app.CreateAccessToken{Name: "x", Project: string(p.ID), Password: domain.NewSecret(password)}
	for range domain.MaxTokens {
		w.token(t, call, in)
	}
	_, err := w.CreateAccessToken(t.Context(), call, in)
	wantKind(t, err, domain.Conflict)
	w.token(t, w.admin, in)
}

func TestAccessTokensThatAreRefused(t *testing.T) {
	w := newWorld(t)
	p, other := w.project(t, "Bot", versionID), w.project(t, "Other", "6371c9b4e1a5b2c3d4e5f6ab")
	ben, _ := w.talker(t, "ben", p, "converse", "analytics")
	project := string(p.ID)
	for _, tc := range []struct {
		name string
		call domain.Call
		in   app.CreateAccessToken
		kind domain.Kind
	}{
		{"a member may have what is granted", ben, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{"analytics", "converse"}}, ""},
		{"and not more", ben, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{"export"}}, domain.NotAllowed},
		{"a member may not manage", ben, app.CreateAccessToken{Name: "x", Scopes: []string{"manage"}}, domain.NotAllowed},
		{"nor have own user ids", ben, app.CreateAccessToken{Name: "x", Project: project, UserIDs: "own"}, domain.NotAllowed},
		{"nor a project that is not granted", ben, app.CreateAccessToken{Name: "x", Project: string(other.ID)}, domain.NotAllowed},
		{"nor one that does not exist, which is the same", ben, app.CreateAccessToken{Name: "x", Project: "01890000-0000-7000-8000-000000000404"}, domain.NotAllowed},
		{"an admin is told that it is not there", w.admin, app.CreateAccessToken{Name: "x", Project: "01890000-0000-7000-8000-000000000404"}, domain.NotFound},
		{"an admin may manage", w.admin, app.CreateAccessToken{Name: "x", Scopes: []string{"manage"}}, ""},
		{"but not with a project", w.admin, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{"manage"}}, domain.Invalid},
		{"a token without a project manages", w.admin, app.CreateAccessToken{Name: "x"}, domain.Invalid},
		{"no days are none", w.admin, app.CreateAccessToken{Name: "x", Project: project, Days: new(0)}, domain.Invalid},
		{"366 days are too many", w.admin, app.CreateAccessToken{Name: "x", Project: project, Days: new(366)}, domain.Invalid},
		{"no scopes are none", w.admin, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{}}, domain.Invalid},
		{"a token has a name", w.admin, app.CreateAccessToken{Project: project}, domain.Invalid},
		{"a token makes no token", domain.Call{Caller: domain.Caller{ID: w.admin.Caller.ID, Admin: true, Token: "t", Scopes: domain.ScopesOf(domain.ScopeManage)}},
			app.CreateAccessToken{Name: "x", Project: project}, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Password = domain.NewSecret(password)
			made, err := w.CreateAccessToken(t.Context(), tc.call, tc.in)
			wantKind(t, err, tc.kind)
			if (err == nil) == made.Text.IsZero() {
				t.Errorf("got a token: %v, with error %v", !made.Text.IsZero(), err)
			}
		})
	}
}

func TestAccessTokensEnd(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.Answer(testworld.Fine)
	_, ben := w.talker(t, "ben", p)
	call := w.call(t, ben.UserCookie)
	token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID), Days: new(1)})
	w.after(24*time.Hour - time.Second)
	_, err := w.use(t, turn("x", token), "POST", "{}")
	wantKind(t, err, "")
	c, err := w.IdentifyToken(t.Context(), token.Token)
	if err != nil || c.ID != call.Caller.ID || c.Only != p.ID || c.MayManage() == nil {
		t.Errorf("got the caller %+v and error %v", c, err)
	}
	w.after(time.Second)
	_, err = w.use(t, turn("x", token), "POST", "{}")
	wantKind(t, err, domain.NotAuthenticated)
	_, err = w.IdentifyToken(t.Context(), token.Token)
	wantKind(t, err, domain.NotAuthenticated)
}
