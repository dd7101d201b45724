package browser

import (
	"net/http"
	"regexp"
	"testing"
)

// TestTokens takes an access token from the form that creates it to its end.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newFlows(t, dialog("Pizza"))
	p := w.program()
	id := p.add(w.assistants[0])
	w.bothWays(func(w *world, s Settings, tag string) {
		name := "nightly-" + tag
		w.program().create("cleo-"+tag, id)
		tab := w.login(s, "cleo-"+tag, memberPassword)
		tab.Follow("Access tokens")
		tab.Follow("Create an access token")
		tab.Fill("name", name)
		tab.Fill("project_id", "Pizza")
		tab.Fill("expires_in_days", "30")
		tab.Fill("password", "wrong horse 11 battery")
		tab.Submit("Create the access token")
		wantRefused(tab, http.StatusBadRequest, "password")
		wantValue(tab, "name", name)
		wantValue(tab, "project_id", id)
		wantValue(tab, "expires_in_days", "30")
		wantValue(tab, "password", "")
		tab.Check("main", "navigation")

		tab.Fill("password", memberPassword)
		tab.Submit("Create the access token")
		first := shownToken(tab, s)
		tab.Check("main", "navigation")
		tab.Open("/console/tokens")
		tab.WaitText(name)
		tab.WaitGone(first)

		tab.Follow("Rotate " + name)
		tab.Fill("overlap_hours", "1")
		tab.Fill("password", memberPassword)
		tab.Submit("Rotate the access token")
		if second := shownToken(tab, s); second == first {
			w.t.Error("a rotated access token has its old text")
		}
		tab.Follow("I have copied it")
		tab.WaitURL("/console/tokens")
		tab.Submit("End " + name)
		wantNotice(tab, "The access token was ended.")
		tab.WaitText("There are no access tokens of yours.")
	})
}

// shownToken returns the new access token that the page shows. With scripts it is copied.
func shownToken(tab *Tab, s Settings) string {
	tab.t.Helper()
	tab.WaitText("It is not shown again")
	text := regexp.MustCompile(`flk_[A-Za-z0-9_-]{20,}`).FindString(tab.Text())
	if text == "" {
		tab.fail("the page shows no access token")
	}
	if s.NoScripts {
		tab.WaitFor("no button is shown that would do nothing", `![...document.querySelectorAll("button[data-copy]")].some((b) => b.checkVisibility())`)
		return text
	}
	wantCopied(tab, func() { tab.Click("Copy") })
	return text
}

// TestSessions ends logins.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	w.bothWays(func(w *world, s Settings, tag string) {
		name := "cleo-" + tag
		w.program().create(name)
		remembered := w.someone(s)
		remembered.Open("/console/login")
		remembered.Fill("username", name)
		remembered.Fill("password", memberPassword)
		remembered.Click("Remember me on this computer")
		remembered.Submit("Log in")
		remembered.WaitURL("/console/")
		third := w.login(s, name, memberPassword)
		tab := w.login(s, name, memberPassword)
		tab.Follow("Sessions")
		tab.WaitText("this one", "127.0.0.1")
		tab.Submit("End this login from 127.0.0.1", "Login, remembered")
		wantNotice(tab, "The session was ended.")
		wantLoggedOut(remembered)
		tab.Submit("End all other sessions")
		wantNotice(tab, "All other sessions were ended.")
		wantLoggedOut(third)
		tab.Submit("Log out here: end this login from 127.0.0.1")
		tab.WaitURL("/console/login")
		wantNotice(tab, "You have ended your session.")
	})
}

// TestAccount changes the password.
func TestAccount(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	const next = "another 33 horse battery"
	w.bothWays(func(w *world, s Settings, tag string) {
		name := "cleo-" + tag
		w.program().create(name)
		other := w.login(s, name, memberPassword)
		tab := w.login(s, name, memberPassword)
		tab.Follow("Account")
		for _, wrong := range [][2]string{{"wrong horse 11 battery", next}, {memberPassword, "short"}} {
			tab.Fill("password", wrong[0])
			tab.Fill("new_password", wrong[1])
			tab.Submit("Change the password")
			wantRefused(tab, http.StatusBadRequest, "password")
			wantValue(tab, "password", "")
			wantValue(tab, "new_password", "")
		}
		tab.Check("main", "navigation")
		tab.Fill("password", memberPassword)
		tab.Fill("new_password", next)
		tab.Submit("Change the password")
		wantNotice(tab, "Your password was changed.")
		wantLoggedOut(other)
		w.login(s, name, next).WaitURL("/console/")
	})
}
