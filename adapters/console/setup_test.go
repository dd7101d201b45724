package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// setupLink returns the path of a new set-up link, and its token.
func (w *world) setupLink(t testing.TB) (path, token string) {
	t.Helper()
	link, err := w.service.NewSetupLink(t.Context(), w.operator(t))
	if err != nil {
		t.Fatal(err)
	}
	token = link.Token.Reveal()
	return "/console/setup/" + token, token
}

func TestSetUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.bare = true })
	path, token := w.setupLink(t)
	second, _ := w.setupLink(t)
	b := w.browser(t)
	for range 2 { // opening the page does not use the link up
		got := b.get(t, path).want(t, http.StatusOK, "Create the first admin", `action="`+path+`"`)
		if strings.Count(got.text, token) != 1 {
			t.Error("the page has the token elsewhere than in the address of the form")
		}
		if policy := got.header.Get("Referrer-Policy"); policy != "no-referrer" {
			t.Errorf("got Referrer-Policy %q, want no-referrer", policy)
		}
	}
	for _, tc := range []struct{ name, username, password, text string }{
		{"a short password", "ada", "canary", "shorter than 8"},
		{"a common password", "ada", "12345678", "too easy to guess"},
		{"no password", "ada", "", "Password is missing."},
		{"no name", "", "canary tulip", "Username is missing."},
		{"a name of other characters", "<b>", "canary tulip", "&lt;b&gt;"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := b.post(t, path, "username", tc.username, "password", tc.password).
				want(t, http.StatusBadRequest, tc.text, `action="`+path+`"`).wantNo(t, "canary", "12345678", "<b>")
			if policy := got.header.Get("Referrer-Policy"); policy != "no-referrer" {
				t.Errorf("got Referrer-Policy %q, want no-referrer", policy)
			}
		})
	}
	for _, at := range []string{"/console/setup/x", path[:len(path)-1], path + "x"} {
		b.get(t, at).want(t, http.StatusNotFound, "This link does not work", "flowlatch setup-link").wantNo(t, "<form", token)
		b.post(t, at, "username", "ada", "password", "canary tulip").want(t, http.StatusNotFound, "This link does not work").wantNo(t, "<form", "canary")
	}

	made := b.post(t, path, "username", "Ada", "password", "canary tulip")
	made.wantTo(t, "/console/")
	if policy := made.header.Get("Referrer-Policy"); policy != "no-referrer" {
		t.Errorf("got Referrer-Policy %q, want no-referrer", policy)
	}
	b.get(t, "/console/").want(t, http.StatusOK, "You are the first admin", "admin").wantNo(t, token)
	for _, at := range []string{path, second} {
		w.browser(t).get(t, at).want(t, http.StatusConflict, "Go to the login").wantNo(t, "<form")
		w.browser(t).post(t, at, "username", "eve", "password", "canary tulip").want(t, http.StatusConflict).wantNo(t, "<form")
	}
	if text := w.log.String(); strings.Contains(text, token) || strings.Contains(text, "canary") || !strings.Contains(text, "/console/setup/:token") {
		t.Errorf("the log has the token or a password, or no line of the page:\n%s", text)
	}
}

func TestAnExpiredSetupLinkSaysHowToGetAnother(t *testing.T) {
	t.Parallel()
	var clock shiftedClock
	w := newWorld(t, func(w *world) {
		w.bare = true
		clock.of(w)
	})
	path, _ := w.setupLink(t)
	clock.add(30 * time.Minute)
	w.nobody.get(t, path).want(t, http.StatusNotFound, "has expired", "run flowlatch setup-link")
	w.nobody.post(t, path, "username", "ada", "password", "canary tulip").want(t, http.StatusNotFound, "has expired")
	again, _ := w.setupLink(t)
	w.nobody.get(t, again).want(t, http.StatusOK)
}

// TestTheFormOfASetupLinkHasNoOrigin checks what a browser sends from a page without referrers: Origin
// is null. Only pages of the same origin may send the form, and no other route accepts it.
func TestTheFormOfASetupLinkHasNoOrigin(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "http://flowlatch.test/bots"} {
		t.Run("base URL "+base, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { w.bare, w.base = true, base })
			path, _ := w.setupLink(t)
			b := w.browser(t)
			b.header.Set("Origin", "null")
			for _, site := range []string{"cross-site", "same-site", ""} {
				b.header["Sec-Fetch-Site"] = []string{site}
				b.post(t, path, "username", "ada", "password", "short").want(t, http.StatusForbidden)
			}
			b.header.Set("Sec-Fetch-Site", "same-origin")
			if base != "" {
				b.post(t, "/console/login", "username", "ada", "password", password).want(t, http.StatusForbidden)
			}
			home := "/console/"
			if base != "" {
				u, err := url.Parse(base)
				if err != nil {
					t.Fatal(err)
				}
				home = u.Path + home
			}
			b.post(t, path, "username", "ada", "password", "canary tulip").wantTo(t, home)
		})
	}
}

// TestANoticeIsShownOnceToWhomItIsFor checks that a notice is bound to its user and does not last.
func TestANoticeIsShownOnceToWhomItIsFor(t *testing.T) {
	t.Parallel()
	var clock shiftedClock
	w := newWorld(t, func(w *world) { clock.of(w) })
	pizza := w.add(t, 0)
	const said = "Pizza is granted to member."
	grant := func() *page {
		return w.admin.post(t, "/console/users/"+w.id(t, "member")+"/grant", "project_id", string(pizza.ID), "scopes", "converse").want(t, http.StatusSeeOther)
	}
	notice := func(p *page) *http.Cookie {
		for _, line := range p.header["Set-Cookie"] {
			if c, err := http.ParseSetCookie(line); err == nil && c.Name == "notice" {
				return c
			}
		}
		t.Fatal("there is no cookie for a notice")
		return nil
	}
	left := notice(grant())
	if left.MaxAge != 60 || !left.HttpOnly || strings.Contains(left.Value, "Pizza") {
		t.Errorf("got %v, want a sealed cookie for a minute that no script reads", left)
	}
	shown := w.admin.get(t, "/console/users").want(t, http.StatusOK, said)
	if cleared := notice(shown); cleared.MaxAge >= 0 {
		t.Errorf("got %v, want the cookie cleared", cleared)
	}
	w.admin.get(t, "/console/users").wantNo(t, said)

	planted := &http.Cookie{Name: "notice", Value: left.Value, Path: "/"}
	at, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.member.client.Jar.SetCookies(at, []*http.Cookie{planted})
	w.member.get(t, "/console/").want(t, http.StatusOK).wantNo(t, said)

	grant()
	clock.add(time.Minute)
	w.admin.get(t, "/console/users").want(t, http.StatusOK).wantNo(t, said)
}

// TestALongNoticeIsCut checks that a long name does not lose the notice.
func TestALongNoticeIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := strings.Repeat("ü", domain.MaxProjectName/2)
	p := w.addOne(t, name)
	at := "/console/users/" + w.id(t, "member")
	w.admin.post(t, at+"/grant", "project_id", string(p.ID), "scopes", "converse").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, `role="status">`+strings.Repeat("ü", 248)+"…<")
}
