package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// hosted gives the world the login of a host program in place of users of its own: the header X-User
// names the user, and boss is an admin.
func hosted(w *world) {
	w.ports.Logins = nil
	w.options.Identify = func(r *http.Request) (domain.Caller, error) {
		user := r.Header.Get("X-User")
		if user == "" {
			return domain.Caller{}, &domain.Error{Kind: domain.NotAuthenticated, Public: "log in at the intranet"}
		}
		return domain.Caller{ID: domain.UserID(user), Admin: user == "boss"}, nil
	}
}

// as returns a browser of a user of the host program.
func (w *world) as(t testing.TB, user string) *browser {
	t.Helper()
	b := w.browser(t)
	b.header.Set("X-User", user)
	return b
}

func TestUsersOfAHostProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosted)
	boss, eva := w.as(t, "boss"), w.as(t, "eva <éva>")
	pizza := w.add(t, 0)
	boss.get(t, "/console/").want(t, http.StatusOK, "<p>boss", `class="role">admin`, "/console/usage", "/console/audit", "/console/sessions").
		wantNo(t, "Log out", "/console/login", "/console/users", "/console/tokens", "/console/account")
	eva.get(t, "/console/").want(t, http.StatusOK, "eva &lt;éva&gt;", "You can't talk to an assistant yet.").wantNo(t, "Pizza", "<éva>")
	eva.get(t, at(pizza)).want(t, http.StatusNotFound)
	eva.get(t, "/console/assistants/new").want(t, http.StatusForbidden)

	boss.post(t, at(pizza)+"/grant_project", "user_id", "eva <éva>", "scopes", "converse").wantTo(t, at(pizza))
	boss.get(t, at(pizza)).want(t, http.StatusOK, "Pizza is granted to eva &lt;éva&gt;.", "<bdi>eva &lt;éva&gt;</bdi>").
		wantNo(t, "/console/users/", "/console/tokens/new", "<datalist")
	eva.get(t, "/console/").want(t, http.StatusOK, `href="/chat/`+string(pizza.ID)+`"`)
	eva.get(t, at(pizza)).want(t, http.StatusOK, "converse").wantNo(t, "/console/tokens/new")
	eva.get(t, "/chat/"+string(pizza.ID)).want(t, http.StatusOK, "Pizza")
	eva.post(t, "/chat/"+string(pizza.ID)+"/turn", "conversation", conversation, "launch", "yes").want(t, http.StatusOK)

	for _, path := range []string{"/console/usage?group_by=user", "/console/audit?action=grant_project"} {
		boss.get(t, path).want(t, http.StatusOK, "eva &lt;éva&gt;").wantNo(t, "(deleted)", "/console/users/")
	}
	eva.get(t, "/console/usage").want(t, http.StatusOK, "Your calls").wantNo(t, "Access token")
	boss.post(t, at(pizza)+"/revoke_project", "user_id", "eva <éva>").wantTo(t, at(pizza))
	eva.get(t, at(pizza)).want(t, http.StatusNotFound)
}

// TestPagesOfAHostProgramHaveNoLogin also sends every form: nothing may lead to a login that is not
// there.
func TestPagesOfAHostProgramHaveNoLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosted)
	own := 0
	for _, route := range w.options.Pages.Routes {
		path := strings.ReplaceAll(strings.ReplaceAll(route.Path, ":id", "1"), ":token", "1")
		switch {
		case route.Static, path == "/console": // it only leads to the overview
		case route.OwnUsers:
			own++
			for _, b := range []*browser{w.nobody, w.as(t, "boss")} {
				if got := b.send(t, route.Method, path, nil).status; got != http.StatusNotFound && got != http.StatusMethodNotAllowed {
					t.Errorf("%s %s: got status %d, want none such", route.Method, path, got)
				}
			}
		default:
			w.nobody.send(t, route.Method, path, nil).want(t, http.StatusUnauthorized, "Not logged in", "Log in at the intranet.").wantNo(t, "/console/login")
		}
	}
	if own == 0 {
		t.Error("no route is for own users")
	}
	w.nobody.get(t, "/").wantTo(t, "/console/")
	w.as(t, "boss").get(t, "/console/").want(t, http.StatusOK).wantNo(t, "/console/groups", "/oidc/", "identity")
}
