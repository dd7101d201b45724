package console_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	issuer = "https://login.example"
	// formsOfProvider is in the policy of pages whose forms may lead to the identity provider.
	formsOfProvider = "form-action 'self' https://login.example;"
)

// signsOn gives the world an identity provider, Contoso, which creates users.
func signsOn(w *world) {
	w.provider = memory.NewIdentityProvider(issuer, time.Now)
	w.ports.Logins.Provider = w.provider
	w.app.SignOn = app.SignOnOptions{
		Label: "Contoso", BaseURL: "https://flowlatch.example", LogoutAtProvider: true,
		Policy: domain.SignOnPolicy{CreateUsers: true},
	}
}

// person returns somebody whom the identity provider knows.
func person(name string, groups ...string) domain.Person {
	return domain.Person{Identity: domain.Identity{Subject: "sub-" + name}, Name: name, Groups: domain.ListedGroups(groups)}
}

// answer presses the button at an address, and returns the path of the identity provider's answer.
func (b *browser) answer(t testing.TB, start string, p domain.Person) string {
	t.Helper()
	pressed := b.get(t, start).want(t, http.StatusSeeOther)
	return b.w.answered(t, pressed, p)
}

// answered returns the path of the identity provider's answer to where a page has sent the browser.
func (w *world) answered(t testing.TB, sent *page, p domain.Person) string {
	t.Helper()
	query, err := w.provider.LogIn(sent.header.Get("Location"), p)
	if err != nil {
		t.Fatalf("%s: %v", sent.of, err)
	}
	return "/oidc/callback?" + query.Encode()
}

// signOn returns a browser in which the person has logged in by the identity provider.
func (w *world) signOn(t testing.TB, p domain.Person) *browser {
	t.Helper()
	b := w.browser(t)
	b.get(t, b.answer(t, "/oidc/login", p)).wantTo(t, "/console/")
	return b
}

// rule returns the id of a rule that makes the members of the group admins.
func (w *world) rule(t testing.TB, group string) string {
	t.Helper()
	r, err := w.service.SetGroupRule(t.Context(), w.operator(t), app.SetGroupRule{Group: group, Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.ID)
}

// grantGroup grants an assistant to a group.
func (w *world) grantGroup(t testing.TB, group string, p domain.Project, environments ...string) {
	t.Helper()
	_, err := w.service.SetGroupRule(t.Context(), w.operator(t), app.SetGroupRule{
		Group: group, Project: string(p.ID), Environments: environments,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// plant gives the browser a cookie.
func (b *browser) plant(t testing.TB, name, value string) {
	t.Helper()
	at, err := url.Parse(b.w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// passwordsOff lets nobody log in with a password. The only user is the admin root, who has logged in by
// the identity provider.
func passwordsOff(w *world) {
	w.app.PasswordLogin, w.bare = domain.PasswordLoginOff, true
	now := time.Now()
	root := domain.NewUser("01890000-0000-7000-8000-000000000001", "root", domain.RoleAdmin, domain.Secret{}, nil, now)
	root.Identity, root.SignedOn = domain.Identity{Issuer: issuer, Subject: "sub-root"}, domain.Instant(now)
	act := domain.Call{Caller: domain.Operator()}.Act(now, domain.NeedsAdmin(), domain.ActionCreateUser, domain.OnUser(root.ID))
	if err := w.ports.Store.Users.Create(context.Background(), act, root); err != nil {
		panic(err)
	}
}
