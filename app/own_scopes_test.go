package app_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestOwnScopes(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Support bot", versionID)
	ben := w.user(t, w.admin, "ben", "member")
	member, _ := w.login(t, "ben", false)
	w.user(t, w.admin, "eve", "member")
	other, _ := w.login(t, "eve", false)
	if err := w.GrantProject(t.Context(), w.admin, string(ben), string(p.ID), []string{"converse", "state"}); err != nil {
		t.Fatal(err)
	}
	byToken := func(call domain.Call, scopes ...domain.Scope) domain.Call {
		call.Caller.Token, call.Caller.Scopes = "a token", domain.ScopesOf(scopes...)
		return call
	}
	for _, tc := range []struct {
		name string
		call domain.Call
		id   domain.ProjectID
		want domain.Scopes
	}{
		{"an admin may do everything", w.admin, p.ID, domain.AllScopes()},
		{"a member may do what is granted", member, p.ID, domain.ScopesOf(domain.ScopeConverse, domain.ScopeState)},
		{"a member without a grant may do nothing", other, p.ID, 0},
		{"a member may do nothing with an assistant that does not exist", member, "01890000-0000-7000-8000-000000000404", 0},
		{"no id stands for no assistant", member, "", 0},
		{"nobody may do anything", domain.Call{}, p.ID, 0},
		{"an access token narrows what is granted", byToken(member, domain.ScopeState, domain.ScopeExport), p.ID, domain.ScopesOf(domain.ScopeState)},
		{"an access token narrows what an admin may do", byToken(w.admin, domain.ScopeState), p.ID, domain.ScopesOf(domain.ScopeState)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := w.OwnScopes(t.Context(), tc.call, tc.id)
			if err != nil || got != tc.want {
				t.Errorf("got %q and %v, want %q", got.Text(), err, tc.want.Text())
			}
		})
	}
}
