package browser

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The users of the identity provider.
const (
	gus = "test-user2"
	mia = "test-user@localhost"
)

// TestSignOn logs in with the identity provider, from the page that was wanted to the end of the session
// there.
func TestSignOn(t *testing.T) {
	t.Parallel()
	w := newSignOn(t)
	const wanted = "/console/usage?group_by=scope"
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		tab := w.someone(s)
		tab.Open("/console/login")
		tab.Check("main")
		pressLogin(tab, gus)
		tab.WaitURL("/console/")
		tab.WaitText("Your assistants", gus)
		tab.Check("main", "navigation")
		tab.Open("/console/sessions")
		tab.WaitText("Login with the identity provider")
		tab.Open("/console/account")
		tab.WaitText("linked", "Set a password")
		tab.Check("main", "navigation")
		tab.Open("/console/tokens/new")
		tab.WaitText("no password is needed")

		before := w.provider.ended.Load()
		tab.Submit("Log out")
		tab.WaitURL("/console/login?return=%2Fconsole%2F")
		tab.WaitText("You are logged out.")
		if w.provider.ended.Load() != before+1 {
			w.t.Error("the logout did not go on to the provider")
		}
		if problems := tab.PolicyProblems(); len(problems) > 0 {
			w.t.Errorf("the logout breaks the policy: %s", problems)
		}
		tab.Open(wanted)
		tab.WaitURL("/console/login?return=" + url.QueryEscape(wanted))
		pressLogin(tab, gus)
		tab.WaitURL(wanted)
		tab.Open("/oidc/login?return=%2Fchat") // who is logged in goes on at once
		tab.WaitURL("/chat")
	})
}

// TestFormsLeadToTheProvider shows that Chromium blocks the way from a form to the provider unless the
// policy of the page names it.
func TestFormsLeadToTheProvider(t *testing.T) {
	t.Parallel()
	w := newSignOn(t)
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		tab := w.someone(s)
		tab.Open("/console/login")
		pressLogin(tab, gus)
		tab.WaitURL("/console/")
		w.strict.Store(true)
		tab.Open("/console/sessions")
		tab.forget()
		before := w.provider.ended.Load()
		tab.Click("Log out")
		tab.until("the form is refused", func() (bool, error) { return len(tab.PolicyProblems()) > 0, nil })
		if problems := tab.PolicyProblems(); !strings.Contains(problems[0], "form-action") || w.provider.ended.Load() != before {
			w.t.Errorf("got these problems: %s", problems)
		}

		ben := w.ben(s)
		ben.Open("/console/account")
		ben.Fill("Current password, to link", memberPassword)
		ben.forget()
		ben.Click("Link to Contoso")
		ben.until("the form is refused", func() (bool, error) { return len(ben.PolicyProblems()) > 0, nil })
		w.strict.Store(false)
		ben.Open("/console/account")
		ben.Fill("Current password, to link", memberPassword)
		ben.Submit("Link to Contoso")
		ben.WaitText("Login")
		if at := ben.URL(); !strings.HasPrefix(at, w.provider.url+"/login/") {
			w.t.Errorf("the form leads to %s", at)
		}
	})
}

// TestLinkFromTheAccount links ben, who then logs in with the identity provider.
func TestLinkFromTheAccount(t *testing.T) {
	t.Parallel()
	w := newSignOn(t, "FLOWLATCH_OIDC_CREATE_USERS=false")
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		stranger := w.someone(s)
		stranger.Open("/console/login")
		pressLogin(stranger, mia)
		wantRefused(stranger, http.StatusUnauthorized, "There is no user here for you")
		stranger.Check("main")

		tab := w.ben(s)
		tab.Follow("Account")
		tab.WaitText("not linked")
		tab.Check("main", "navigation")
		tab.Fill("Current password, to link", "wrong horse 11 battery")
		tab.Submit("Link to Contoso")
		wantRefused(tab, http.StatusBadRequest, "password")
		tab.Fill("Current password, to link", memberPassword)
		tab.Submit("Link to Contoso")
		fillProvider(tab, mia)
		tab.WaitURL("/console/account")
		wantNotice(tab, "You can log in with Contoso from now on.")
		tab.WaitText("linked, last login never")

		stranger.Follow("Try again")
		fillProvider(stranger, mia)
		stranger.WaitURL("/console/")
		stranger.WaitText("ben")

		admin := w.ada(s)
		admin.Open("/console/users?username=ben")
		admin.WaitText("Last login by it", w.provider.url)
		admin.Check("main", "navigation")
		admin.Follow("Unlink ben…")
		admin.Check("main", "navigation")
		admin.Submit("Unlink ben")
		wantNotice(admin, "All sessions of ben were ended.")
		admin.WaitText("ben is not linked")
		admin.Check("main", "navigation")
		wantLoggedOut(tab)
		wantLoggedOut(stranger)
		admin.Fill("subject", "id1")
		admin.Submit("Link ben")
		wantNotice(admin, "ben can log in with Contoso from now on.")
		admin.Follow("Unlink ben…")
		admin.Submit("Unlink ben")
		wantNotice(admin, "All sessions of ben were ended.")
	})
}

// TestAnswersOfTheProviderThatAreRefused opens answers that belong to no login of the browser.
func TestAnswersOfTheProviderThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newSignOn(t)
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		tab := w.someone(s)
		tab.Open("/oidc/callback?code=canary&state=canary")
		wantRefused(tab, http.StatusUnauthorized, "was not started in this browser")
		tab.WaitGone("canary")
		tab.Check("main")
		tab.Open("/console/login")
		tab.Follow("Log in with Contoso")
		tab.Open("/oidc/callback?code=canary&state=canary")
		wantRefused(tab, http.StatusUnauthorized, "does not belong to this login")
		tab.Check("main")
		tab.Follow("Try again")
		fillProvider(tab, gus)
		tab.WaitURL("/console/")
	})
}

// TestTheProviderIsDown presses the button while the provider is down, and logs in with a password.
func TestTheProviderIsDown(t *testing.T) {
	t.Parallel()
	w := newSignOn(t, "FLOWLATCH_PASSWORD_LOGIN=admins")
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		w.provider.broken.Store(true)
		tab := w.someone(s)
		tab.Open("/console/login?return=%2Fchat")
		tab.WaitText("For admins")
		tab.Check("main")
		if s == (Settings{}) { // the addresses of the provider are known in the second run
			tab.Follow("Log in with Contoso")
			wantRefused(tab, http.StatusServiceUnavailable, "request id")
			tab.back()
			tab.Check("main")
			tab.Follow("Log in with a password")
		}
		tab.Fill("username", "ben")
		tab.Fill("password", memberPassword)
		tab.Submit("Log in with a password")
		wantRefused(tab, http.StatusForbidden, "Only admins can log in with a password here")
		tab.Fill("username", "ada")
		tab.Fill("password", adminPassword)
		tab.Submit("Log in with a password")
		tab.WaitText("Administration")
		tab.Submit("Log out")
		tab.WaitURL("/console/login")
		w.provider.broken.Store(false)
		pressLogin(tab, gus)
		tab.WaitURL("/console/")
	})
}

// TestStrictCookies logs in where the cookie of the login is for this site only.
func TestStrictCookies(t *testing.T) {
	t.Parallel()
	w := newSignOn(t, "FLOWLATCH_COOKIE_SAMESITE=strict")
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		tab := w.someone(s)
		tab.Open("/console/login?return=%2Fconsole%2Fsessions")
		pressLogin(tab, gus)
		tab.WaitURL("/console/sessions")
		tab.WaitText("Login with the identity provider")
	})
}

// TestGroups sets a rule for a group after a look at who would change, and deletes it.
func TestGroups(t *testing.T) {
	t.Parallel()
	w := newSignOn(t)
	pizza := dialog("Pizza")
	if err := w.voiceflow.Add(pizza); err != nil {
		t.Fatal(err)
	}
	w.program().add(pizza)
	w.provider.setGroups("staff")
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		user := w.someone(s)
		user.Open("/console/login")
		pressLogin(user, gus)
		user.WaitText("You can't talk to an assistant yet.")

		tab := w.ada(s)
		tab.Follow("Groups")
		tab.WaitText("There are no rules.")
		tab.Check("main", "navigation")
		tab.Follow("Add a rule")
		tab.Check("main", "navigation")
		tab.Fill("group", "staff")
		tab.Submit("Show who changes")
		wantRefused(tab, http.StatusBadRequest, "A rule has either")
		wantValue(tab, "group", "staff")
		tab.Fill("project_id", "Pizza")
		tab.Submit("Show who changes")
		tab.WaitText("Set this rule?", gus, "Has Pizza with converse.", "at the next login")
		tab.Check("main", "navigation")
		tab.Submit("Set the rule")
		tab.WaitURL("/console/groups")
		wantNotice(tab, "The rule for staff is set.")
		tab.Check("main", "navigation")
		reload(user)
		user.WaitText("You can't talk to an assistant yet.")
		user.Submit("Log out")
		user.WaitURL("/console/login?return=%2Fconsole%2F")
		pressLogin(user, gus)
		user.WaitText("Pizza")

		tab.Open("/console/users?username=" + gus)
		tab.WaitText("group staff: converse")
		tab.Check("main", "navigation")
		tab.Open("/console/groups")
		tab.Follow("Delete the rule for staff and Pizza…")
		tab.WaitText("Delete this rule?", gus, "Loses Pizza.", "at once")
		tab.Check("main", "navigation")
		tab.Submit("Delete the rule")
		wantNotice(tab, "The rule was deleted.")
		reload(user)
		user.WaitGone("Pizza")
	})
}

// TestLoginLink opens a login link twice, as a program does that shows a preview, and uses it once.
func TestLoginLink(t *testing.T) {
	t.Parallel()
	w := newSignOn(t, "FLOWLATCH_PASSWORD_LOGIN=admins")
	w.provider.broken.Store(true)
	w.bothWays(func(w *signOnWorld, s Settings, _ string) {
		said, err := w.command(w.service.Cmd.Path, "login-link", "ada").Output()
		if err != nil {
			w.t.Fatal(err)
		}
		_, path, found := strings.Cut(string(said), "/console/login-link/")
		if !found {
			w.t.Fatalf("the command prints %s", said)
		}
		path = "/console/login-link/" + strings.Fields(path)[0]
		w.someone(s).Open(path)
		tab := w.someone(s)
		tab.Open(path)
		tab.WaitText("The link logs you in as ada.")
		tab.Check("main")
		tab.Submit("Log in as ada")
		tab.WaitURL("/console/")
		wantNotice(tab, "You are logged in as ada.")

		late := w.someone(s)
		late.Open(path)
		late.Submit("Log in as ada")
		wantRefused(late, http.StatusConflict, "This link does not work")
		late.Check("main")
		late.Follow("Go to the login")
		late.WaitURL("/console/login")
	})
}
