package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// refusals returns how many refused logins by the identity provider are in the audit.
func (w *world) refusals(t testing.TB) int {
	t.Helper()
	return strings.Count(w.admin.get(t, "/console/audit.csv?action=oidc%2Fcallback&outcome=not_authenticated").want(t, http.StatusOK).text, "oidc/callback")
}

func TestTheLoginPageByPasswordLogin(t *testing.T) {
	t.Parallel()
	const button, form, admins = `href="/oidc/login">Log in with Contoso</a>`, `name="password"`, "For admins"
	for _, tc := range []struct {
		who        domain.PasswordLogin
		has, lacks []string
	}{
		{domain.PasswordLoginAll, []string{button, form}, []string{admins}},
		{domain.PasswordLoginAdmins, []string{button, form, admins}, nil},
		{domain.PasswordLoginOff, []string{button}, []string{form, admins, "<form"}},
	} {
		t.Run(string(tc.who), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, signsOn, func(w *world) {
				passwordsOff(w)
				w.app.PasswordLogin = tc.who
			})
			w.nobody.get(t, "/console/login").want(t, http.StatusOK, tc.has...).wantNo(t, tc.lacks...)
			w.nobody.get(t, "/console/login?return=%2Fchat").want(t, http.StatusOK, `href="/oidc/login?return=%2Fchat"`)
			w.nobody.get(t, "/console/login?return=%2F%2Fevil.example").want(t, http.StatusOK, button).wantNo(t, "evil")
		})
	}
	newWorld(t).nobody.get(t, "/console/login").want(t, http.StatusOK, form).wantNo(t, "/oidc/", admins)
}

// TestSignOn takes people from the button to the page that they wanted.
func TestSignOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	for _, tc := range []struct{ start, to string }{
		{"/oidc/login", "/console/"},
		{"/oidc/login?return=%2Fconsole%2Fusage%3Fgroup_by%3Dscope", "/console/usage?group_by=scope"},
		{"/oidc/login?return=%2Fchat", "/chat"},
		{"/oidc/login?return=%2F%2Fevil.example%2F", "/console/"},
		{"/oidc/login?return=%2F%5Cevil.example%2F", "/console/"},
		{"/oidc/login?return=https%3A%2F%2Fevil.example%2F", "/console/"},
		{"/oidc/login?return=%2Fget_projects", "/console/"},
	} {
		t.Run(tc.start, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			pressed := b.get(t, tc.start)
			cookie := pressed.cookie(t, "sign_on")
			if cookie.MaxAge != 600 || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
				t.Errorf("got %v, want a cookie for 10 minutes that no script reads, with SameSite=Lax", cookie)
			}
			done := b.get(t, w.answered(t, pressed, person("gus")))
			done.wantTo(t, tc.to)
			if cleared := done.cookie(t, "sign_on"); cleared.MaxAge >= 0 {
				t.Errorf("got %v, want the cookie cleared", cleared)
			}
			if got := done.header.Get("Referrer-Policy"); got != "no-referrer" {
				t.Errorf("got Referrer-Policy %q, want no-referrer", got)
			}
			b.get(t, "/console/sessions").want(t, http.StatusOK, "Login with the identity provider", "<p>gus")
			b.get(t, tc.start).wantTo(t, tc.to) // who is logged in goes on at once
		})
	}
}

// cookie returns a cookie that the answer sets.
func (p *page) cookie(t testing.TB, name string) *http.Cookie {
	t.Helper()
	for _, line := range p.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == name {
			return c
		}
	}
	t.Fatalf("%s: the answer sets no cookie %s", p.of, name)
	return nil
}

// TestAnAnswerThatIsRefused checks that a page says why, that it has nothing of the answer, that nobody is
// logged in, and that the audit has a row.
func TestAnAnswerThatIsRefused(t *testing.T) {
	t.Parallel()
	with := func(change func(url.Values)) func(string) string {
		return func(answer string) string {
			path, query, _ := strings.Cut(answer, "?")
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			change(values)
			return path + "?" + values.Encode()
		}
	}
	for _, tc := range []struct {
		name   string
		change func(answer string) string
		text   string
	}{
		{"no state", with(func(v url.Values) { v.Del("state") }), "does not belong to this login"},
		{"another state", with(func(v url.Values) { v.Set("state", "canary-state") }), "does not belong to this login"},
		{"no code", with(func(v url.Values) { v.Del("code") }), "has no code"},
		{"another code", with(func(v url.Values) { v.Set("code", "canary-code") }), "was not accepted"},
		{"another issuer", with(func(v url.Values) { v.Set("iss", "https://evil.example") }), "another identity provider"},
		{"an error", with(func(v url.Values) {
			v.Del("code")
			v.Set("error", "access_denied")
			v.Set("error_description", "canary")
		}), "did not let you in"},
		{"two codes", with(func(v url.Values) { v.Add("code", "canary") }), "can&#39;t be read"},
		{"two states", with(func(v url.Values) { v.Add("state", "canary") }), "can&#39;t be read"},
		{"a huge code", with(func(v url.Values) { v.Set("code", strings.Repeat("c", 8<<10+1)) }), "can&#39;t be read"},
		{"a huge query", with(func(v url.Values) { v.Set("more", strings.Repeat("c", 40<<10)) }), "can&#39;t be read"},
		{"nothing", with(func(v url.Values) { clear(v) }), "does not belong to this login"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, signsOn)
			b := w.browser(t)
			answer := b.answer(t, "/oidc/login", person("gus"))
			got := b.get(t, tc.change(answer))
			got.want(t, http.StatusUnauthorized, signOnFailed, tc.text, `href="/oidc/login">Try again`, `href="/console/login">Log in with a password`)
			if logged := strings.Contains(got.text, "The operator finds the cause in the log"); logged != (tc.text == "was not accepted") {
				t.Errorf("the page leads to the log: %v, want so if the log has the cause", logged)
			}
			w.wantNothingOf(t, answer, got)
			got.wantNo(t, "canary", "evil", "<form")
			if c := got.cookie(t, "sign_on"); c.MaxAge >= 0 {
				t.Error("the cookie of the login that was under way is not cleared")
			}
			if w.refusals(t) == 0 {
				t.Error("the audit has no row of the refusal")
			}
			b.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
			b.get(t, answer).want(t, http.StatusUnauthorized, "not started in this browser")
		})
	}
}

const signOnFailed = "<h1>Login failed</h1>"

// wantNothingOf checks that a page has neither the code nor the state of an answer.
func (w *world) wantNothingOf(t testing.TB, answer string, p *page) {
	t.Helper()
	at, err := url.Parse(answer)
	if err != nil {
		t.Fatal(err)
	}
	p.wantNo(t, at.Query().Get("code"), at.Query().Get("state"))
	if got := p.header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("%s: got Referrer-Policy %q, want no-referrer", p.of, got)
	}
	if log := w.log.String(); strings.Contains(log, at.Query().Get("code")) || strings.Contains(log, at.Query().Get("state")) {
		t.Error("the log has the code or the state")
	}
}

// TestAnAnswerForAnotherBrowser delivers the answer of one browser to others.
func TestAnAnswerForAnotherBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	evil := w.browser(t).answer(t, "/oidc/login", person("eve"))
	w.browser(t).get(t, evil).want(t, http.StatusUnauthorized, signOnFailed, "not started in this browser")
	victim := w.browser(t)
	victim.answer(t, "/oidc/login", person("gus"))
	victim.get(t, evil).want(t, http.StatusUnauthorized, "does not belong to this login")
	got := w.member.get(t, evil)
	got.want(t, http.StatusUnauthorized, signOnFailed, `href="/console/account"`).wantNo(t, "Log out", "/console/logout")
	w.wantNothingOf(t, evil, got)
	w.member.get(t, "/console/").want(t, http.StatusOK, "<p>member")
}

// TestAnAnswerCountsOnce delivers the answer again, with the cookie that the browser had.
func TestAnAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	b := w.browser(t)
	pressed := b.get(t, "/oidc/login")
	answer := w.answered(t, pressed, person("gus"))
	b.get(t, answer).wantTo(t, "/console/")
	again := w.browser(t)
	again.plant(t, "sign_on", pressed.cookie(t, "sign_on").Value)
	got := again.get(t, answer)
	got.want(t, http.StatusUnauthorized, signOnFailed)
	again.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
}

func TestWhoMayNotSignOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn, func(w *world) {
		w.app.SignOn.Policy = domain.SignOnPolicy{CreateUsers: true, Required: []string{"staff"}}
	})
	gus := w.signOn(t, person("gus", "staff"))
	if _, err := w.service.UpdateUser(t.Context(), w.operator(t), app.UpdateUser{ID: w.id(t, "gus"), Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	gus.get(t, gus.answer(t, "/oidc/login", person("gus", "staff"))).want(t, http.StatusForbidden, signOnFailed, "is disabled")
	w.admin.get(t, "/console/audit?action=oidc%2Fcallback&outcome=not_allowed").want(t, http.StatusOK, "logged in with the identity provider", ">gus</a>")
	b := w.browser(t)
	b.get(t, b.answer(t, "/oidc/login", person("eve", "guests"))).want(t, http.StatusForbidden, signOnFailed, "in none of the groups")
}

func TestTheProviderIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	b := w.browser(t)
	answer := b.answer(t, "/oidc/login?return=%2Fchat", person("gus"))
	w.provider.Break()
	w.nobody.get(t, "/console/login").want(t, http.StatusOK, "Log in with Contoso")
	b.get(t, "/oidc/login?return=%2Fchat").want(t, http.StatusServiceUnavailable, signOnFailed, "The identity provider does not answer", "request id",
		`href="/oidc/login?return=%2Fchat">Try again`, `href="/console/login">Log in with a password`)
	got := b.get(t, answer).want(t, http.StatusServiceUnavailable, signOnFailed)
	w.wantNothingOf(t, answer, got)
	w.login(t, "member")
	w.provider.Mend()
	w.signOn(t, person("gus"))
}

func TestTheProviderIsDownAndPasswordsAreOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn, passwordsOff)
	w.provider.Break()
	w.nobody.get(t, "/oidc/login").want(t, http.StatusServiceUnavailable, "Try again", "flowlatch login-link NAME").wantNo(t, "with a password</a>")
}

// TestLogoutGoesOnToTheProvider also checks what the policy of pages lets forms do.
func TestLogoutGoesOnToTheProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	gus := w.signOn(t, person("gus"))
	for path, status := range map[string]int{"/console/": 200, "/console/sessions": 200, "/console/users": 403, "/console/assistants/none": 404} {
		if got := gus.get(t, path).want(t, status).header.Get("Content-Security-Policy"); got != strings.Replace(policy, "form-action 'self';", formsOfProvider, 1) {
			t.Errorf("%s has the policy %s", path, got)
		}
	}
	for _, path := range []string{"/console/", "/console/sessions"} {
		if got := w.member.get(t, path).header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s has the policy %s for a login with a password", path, got)
		}
	}
	out := gus.post(t, "/console/logout").want(t, http.StatusSeeOther)
	to := out.header.Get("Location")
	if !strings.HasPrefix(to, issuer+"/logout?") || !strings.Contains(to, "post_logout_redirect_uri=https%3A%2F%2Fflowlatch.example%2Fconsole%2F") {
		t.Errorf("the logout leads to %s", to)
	}
	if out.header.Get("Clear-Site-Data") != `"storage"` {
		t.Error("the logout leaves what the pages keep in the browser")
	}
	gus.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	gus.get(t, "/console/login").want(t, http.StatusOK, "You are logged out.")
	w.login(t, "member").post(t, "/console/logout").wantTo(t, "/console/login")

	gus = w.signOn(t, person("gus"))
	w.provider.Break()
	gus.post(t, "/console/logout").wantTo(t, "/console/login")
}

// TestStrictCookies checks that a browser that sends the login to this site only arrives with it: the page
// goes on by itself.
func TestStrictCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn, func(w *world) { w.options.SameSite = http.SameSiteStrictMode })
	b := w.browser(t)
	pressed := b.get(t, "/oidc/login?return=%2Fchat")
	if got := pressed.cookie(t, "sign_on").SameSite; got != http.SameSiteLaxMode {
		t.Errorf("the cookie of the login under way has SameSite %d, want Lax", got)
	}
	answer := w.answered(t, pressed, person("gus"))
	got := b.get(t, answer).want(t, http.StatusOK, `href="/chat">Go on`)
	w.wantNothingOf(t, answer, got)
	if to := got.header.Get("Refresh"); to != "0; url=/chat" {
		t.Errorf("the page goes on to %q", to)
	}
	b.get(t, "/chat").want(t, http.StatusOK)
}

func TestLinkFromTheAccount(t *testing.T) {
	t.Parallel()
	var clock shiftedClock
	w := newWorld(t, signsOn, func(w *world) { clock.of(w) })
	account := w.member.get(t, "/console/account").want(t, http.StatusOK, "not linked", `action="/console/account/link"`)
	if got := account.header.Get("Content-Security-Policy"); !strings.Contains(got, formsOfProvider) {
		t.Errorf("the page of the account has the policy %s", got)
	}
	w.member.post(t, "/console/account/link").want(t, http.StatusBadRequest, "Password is missing")
	wrong := w.member.post(t, "/console/account/link", "password", "wrong horse battery").want(t, http.StatusBadRequest, "password")
	if got := wrong.header.Get("Content-Security-Policy"); !strings.Contains(got, formsOfProvider) {
		t.Errorf("the page of the account has the policy %s after an error", got)
	}
	pressed := w.member.post(t, "/console/account/link", "password", password).want(t, http.StatusSeeOther)
	w.member.get(t, w.answered(t, pressed, person("mia"))).wantTo(t, "/console/account")
	linked := w.member.get(t, "/console/account").want(t, http.StatusOK, "You can log in with Contoso from now on.", "linked, last login never").
		wantNo(t, "/console/account/link", "not linked")
	if got := linked.header.Get("Content-Security-Policy"); got != policy {
		t.Errorf("the page of an account that is linked has the policy %s", got)
	}
	w.signOn(t, person("mia")).get(t, "/console/account").want(t, http.StatusOK, "<p>member")

	other := w.login(t, "admin") // an identity is of one user
	pressed = other.post(t, "/console/account/link", "password", password).want(t, http.StatusSeeOther)
	other.get(t, w.answered(t, pressed, person("mia"))).want(t, http.StatusConflict, signOnFailed, "Another user is linked", `href="/console/account"`)
}

// TestAFreshLoginNeedsNoPassword checks the forms that ask for the current password.
func TestAFreshLoginNeedsNoPassword(t *testing.T) {
	t.Parallel()
	var clock shiftedClock
	w := newWorld(t, signsOn, func(w *world) { clock.of(w) })
	pizza := w.add(t, 0)
	w.grantGroup(t, "staff", pizza)
	gus := w.signOn(t, person("gus", "staff"))
	const fresh = "You have just logged in with Contoso, so no password is needed."
	gus.get(t, "/console/tokens/new").want(t, http.StatusOK, fresh).wantNo(t, `type="password"`)
	gus.post(t, "/console/tokens/new", "name", "nightly", "project_id", string(pizza.ID), "scopes", "converse", "expires_in_days", "3").
		want(t, http.StatusOK, domain.TokenPrefix)
	gus.get(t, "/console/account").want(t, http.StatusOK, "Set a password", fresh).wantNo(t, `id="password"`)
	clock.add(domain.FreshSignOn)
	gus.get(t, "/console/tokens/new").want(t, http.StatusOK, `type="password"`, "log in with Contoso again").wantNo(t, fresh)
	gus.post(t, "/console/tokens/new", "name", "nightly", "project_id", string(pizza.ID), "scopes", "converse", "expires_in_days", "3").
		want(t, http.StatusBadRequest, "You have no password here")
	gus.get(t, "/console/account").want(t, http.StatusOK, "You have no password here.").wantNo(t, "<h2>Set a password", `name="new_password"`)
	w.member.get(t, "/console/tokens/new").want(t, http.StatusOK, `type="password"`).wantNo(t, "Contoso")

	gus = w.signOn(t, person("gus", "staff"))
	gus.post(t, "/console/account", "new_password", password).wantTo(t, "/console/account")
	gus.get(t, "/console/account").want(t, http.StatusOK, "Your password was changed")
	w.login(t, "gus")
}

func TestLoginLink(t *testing.T) {
	t.Parallel()
	var clock shiftedClock
	w := newWorld(t, signsOn, func(w *world) { clock.of(w) })
	make := func() string {
		link, err := w.service.NewLoginLink(t.Context(), w.operator(t), "admin")
		if err != nil {
			t.Fatal(err)
		}
		return "/console/login-link/" + link.Token.Reveal()
	}
	path := make()
	token := strings.TrimPrefix(path, "/console/login-link/")
	for range 2 { // a preview does not use the link up
		got := w.nobody.get(t, path).want(t, http.StatusOK, "Log in as admin", `action="`+path+`"`)
		if strings.Count(got.text, token) != 1 || got.header.Get("Referrer-Policy") != "no-referrer" || len(got.header["Set-Cookie"]) > 0 {
			t.Error("the page has the token elsewhere than in its form, sends a referrer, or sets a cookie")
		}
	}
	w.nobody.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	for _, bad := range []string{"/console/login-link/x", path[:len(path)-1], path + "x"} {
		w.nobody.get(t, bad).want(t, http.StatusNotFound, "This link does not work", "flowlatch login-link").wantNo(t, "<form")
		w.nobody.post(t, bad).want(t, http.StatusNotFound, "This link does not work").wantNo(t, "<form")
	}
	b := w.browser(t)
	b.post(t, path).wantTo(t, "/console/")
	b.get(t, "/console/").want(t, http.StatusOK, "You are logged in as admin.").wantNo(t, token)
	w.browser(t).post(t, path).want(t, http.StatusConflict, "This link does not work", "used").wantNo(t, "<form")

	late := make()
	clock.add(10 * time.Minute)
	w.nobody.get(t, late).want(t, http.StatusNotFound, "has expired")
	w.browser(t).post(t, late).want(t, http.StatusNotFound, "has expired")

	gone := make()
	w.createUser(t, "second", "admin")
	if _, err := w.service.UpdateUser(t.Context(), w.operator(t), app.UpdateUser{ID: w.id(t, "admin"), Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.browser(t).post(t, gone).want(t, http.StatusForbidden, "This link does not work")
	if text := w.log.String(); strings.Contains(text, token) || !strings.Contains(text, "/console/login-link/:token") {
		t.Error("the log has the token, or no line of the page")
	}
}
