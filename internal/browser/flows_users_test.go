package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestUsers takes a user from the form that creates them to their end.
func TestUsers(t *testing.T) {
	t.Parallel()
	trains := voiceflowtest.NewProject("Trains", "main")
	w := newFlows(t, dialog("Pizza"), trains)
	p := w.program()
	p.add(w.assistants[0])
	p.add(trains)
	w.bothWays(func(w *world, s Settings, tag string) {
		name := "cleo-" + tag
		tab := w.ada(s)
		tab.Follow("Users")
		tab.Follow("Add a user")
		tab.Fill("username", name)
		tab.Fill("password", "short")
		tab.Submit("Add the user")
		wantRefused(tab, http.StatusBadRequest, "password")
		wantValue(tab, "username", name)
		wantValue(tab, "password", "")
		tab.Check("main", "navigation")
		tab.Fill("password", memberPassword)
		tab.Click("Pizza")
		tab.Submit("Add the user")
		wantNotice(tab, name+" was created.")
		own := tab.URL()
		tab.WaitText("Pizza")
		cleo := w.login(s, name, memberPassword)
		cleo.WaitText("Your assistants", "Pizza")

		userGrants(tab, cleo)
		userSessions(w, tab, cleo, name, s)
		userRole(tab, name)

		tab.Open("/console/users")
		tab.Fill("username", "no.such.user")
		tab.Submit("Find")
		wantRefused(tab, http.StatusNotFound, "user")
		tab.Fill("username", name)
		tab.Submit("Find")
		tab.WaitURL(own)
		tab.Follow("Delete " + name + "…")
		tab.Follow("Cancel")
		tab.WaitURL(own)
		tab.Follow("Delete " + name + "…")
		tab.WaitText("This can't be undone.")
		tab.Submit("Delete " + name)
		tab.WaitURL("/console/users")
		wantNotice(tab, name+" was deleted.")
		tab.WaitGone(name)
	})
}

// userGrants grants an assistant on the page of a user, changes the scopes, and revokes the grant.
func userGrants(tab, user *Tab) {
	tab.t.Helper()
	tab.Follow("Grant an assistant")
	tab.Submit("Grant the assistant")
	if tab.Status() < 400 {
		tab.t.Error("no assistant can be granted")
	}
	tab.Fill("project_id", "Trains")
	tab.Submit("Grant the assistant")
	wantNotice(tab, "Trains is granted to ")
	tab.Follow("Change the scopes of Trains")
	tab.Click("analytics")
	tab.Submit("Change the grant")
	wantNotice(tab, "Trains is granted to ")
	tab.WaitText("converse, analytics")
	reload(user)
	user.WaitText("Trains")
	tab.Submit("Revoke Trains")
	wantNotice(tab, "The grant was revoked.")
	reload(user)
	user.WaitGone("Trains")
}

// userSessions ends sessions and access tokens of a user, disables and enables them, and sets a new
// password.
func userSessions(w *world, tab, user *Tab, name string, s Settings) {
	tab.t.Helper()
	user.Open("/console/tokens/new")
	user.Fill("name", "nightly")
	user.Fill("project_id", "Pizza")
	user.Fill("password", memberPassword)
	user.Submit("Create the access token")
	user.WaitText("flk_")
	reload(tab)
	tab.Submit("End nightly")
	wantNotice(tab, "The access token was ended.")

	tab.Submit("End this login from 127.0.0.1")
	wantNotice(tab, "The session was ended.")
	wantLoggedOut(user)
	user = w.login(s, name, memberPassword)
	reload(tab)
	tab.Submit("End all sessions of " + name)
	wantNotice(tab, "All sessions of "+name+" were ended.")
	wantLoggedOut(user)

	user = w.login(s, name, memberPassword)
	tab.Submit("Disable " + name)
	wantNotice(tab, name+" is disabled.")
	tab.WaitText("can't log in")
	wantLoggedOut(user)
	tab.Submit("Enable " + name)
	wantNotice(tab, name+" is enabled.")

	tab.Fill("password", "short")
	tab.Submit("Set the password")
	wantRefused(tab, http.StatusBadRequest, "password")
	const next = "another 33 horse battery"
	tab.Fill("password", next)
	tab.Submit("Set the password")
	wantNotice(tab, name+" has a new password.")
	w.login(s, name, next).WaitText("Your assistants")
}

// wantLoggedOut checks that the login of a tab has ended.
func wantLoggedOut(tab *Tab) {
	tab.t.Helper()
	tab.Open("/console/sessions")
	tab.WaitURL("/console/login?return=%2Fconsole%2Fsessions")
}

// userRole makes a user an admin, which asks once more, and a member again.
func userRole(tab *Tab, name string) {
	tab.t.Helper()
	tab.Follow("Make " + name + " an admin…")
	tab.WaitText("An admin can also make you a member")
	tab.Submit("Make " + name + " an admin")
	wantNotice(tab, name+" is an admin now.")
	tab.Submit("Make " + name + " a member")
	wantNotice(tab, name+" is a member now.")
}

// TestNewAdmin creates a user as an admin. The question comes on a page of its own.
func TestNewAdmin(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	w.bothWays(func(w *world, s Settings, tag string) {
		tab := w.ada(s)
		for _, answer := range []struct{ name, role string }{{"yes-" + tag, "admin"}, {"no-" + tag, "member"}} {
			tab.Open("/console/users/new")
			tab.Fill("username", answer.name)
			tab.Fill("password", memberPassword)
			tab.Fill("role", "admin")
			tab.Submit("Add the user")
			tab.WaitText(answer.name + " was created as a member.")
			if answer.role == "admin" {
				tab.Submit("Make " + answer.name + " an admin")
			} else {
				tab.Follow("Cancel")
			}
			got := must[string](tab, `document.querySelector("main dl").innerText`)
			if !strings.Contains(folded(got), "role "+answer.role) {
				w.t.Errorf("%s is not %s: %s", answer.name, answer.role, got)
			}
			tab.Follow("Delete " + answer.name + "…")
			tab.Submit("Delete " + answer.name)
			tab.WaitURL("/console/users")
		}
		tab.Follow("ada") // the last admin
		tab.WaitText("You are the only admin who can log in, so you can't become a member.", "Nobody can delete themselves.")
		tab.Check("main", "navigation")
	})
}
