package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestLogIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct {
		name, username, password string
	}{
		{"a wrong password", "member", "wrong horse battery"},
		{"an unknown user", "nobody", password},
		{"a disabled user", "disabled", password},
		{"nothing typed", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			b.post(t, "/console/login", "username", tc.username, "password", tc.password).
				want(t, http.StatusUnauthorized, "The user name or the password is wrong.").wantNo(t, "canary", "wrong horse")
		})
	}
	b := w.browser(t)
	b.post(t, "/console/login", "username", "member", "password", password).wantTo(t, "/console/")
	b.get(t, "/console/").want(t, http.StatusOK, "member")
	b.get(t, "/console/login").wantTo(t, "/console/")
	b.post(t, "/console/logout").wantTo(t, "/console/login")
	b.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
}

// TestTheLoginKeepsThePageOneWanted checks that only pages of this service are kept.
func TestTheLoginKeepsThePageOneWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct{ wanted, to string }{
		{"/console/assistants?q=a", "/console/assistants?q=a"},
		{"/chat", "/chat"},
		{"https://evil.example/", "/console/"},
		{"//evil.example/", "/console/"},
		{`/\evil.example/`, "/console/"},
		{"/get_projects", "/console/"},
	} {
		t.Run(tc.wanted, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			shown := b.get(t, "/console/login?return="+url.QueryEscape(tc.wanted)).want(t, http.StatusOK)
			if strings.Contains(tc.wanted, "evil") {
				shown.wantNo(t, "evil")
			}
			b.post(t, "/console/login", "username", "member", "password", password, "return", tc.wanted).wantTo(t, tc.to)
		})
	}
}

// TestABaseURLWithAPath checks that the pages' addresses carry the path, and that the service
// answers with it and without it.
func TestABaseURLWithAPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.base, w.bare = "http://flowlatch.test/bots", true })
	w.createUser(t, "member", "member")
	b := w.browser(t)
	b.get(t, "/bots/").wantTo(t, "/bots/console/")
	b.get(t, "/").wantTo(t, "/bots/console/")
	b.get(t, "/bots/console/assistants").wantTo(t, "/bots/console/login?return=%2Fconsole%2Fassistants")
	for _, at := range []string{"", "/bots"} {
		b := w.browser(t)
		b.get(t, at+"/console/login").want(t, http.StatusOK, `action="/bots/console/login"`, `href="/bots/console/static/console.`)
		b.post(t, at+"/console/login", "username", "member", "password", password, "return", "/bots/console/assistants").
			wantTo(t, "/bots/console/assistants")
		b.get(t, at+"/healthz").want(t, http.StatusOK)
		b.get(t, "/bots"+at+"/healthz").want(t, map[string]int{"": http.StatusOK, "/bots": http.StatusNotFound}[at])
	}
}

// TestTheRoot checks that "/" leads a browser to the console, and that JSON clients see no
// difference.
func TestTheRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nobody.get(t, "/").wantTo(t, "/console/")
	w.nobody.get(t, "/nothing").want(t, http.StatusNotFound, "<h1>Not found</h1>")
	program := w.browser(t)
	for _, accept := range []string{"*/*", "application/json", ""} {
		program.header.Set("Accept", accept)
		program.get(t, "/").want(t, http.StatusNotFound, `"code":"not_found"`)
		program.get(t, "/nothing").want(t, http.StatusNotFound, `"code":"not_found"`)
	}
}
