package console_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// user returns a user as stored.
func (w *world) user(t testing.TB, id string) domain.User {
	t.Helper()
	u, err := w.service.GetUser(t.Context(), w.operator(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// scopes returns the scopes of a user's grant, "" for none.
func (w *world) scopes(t testing.TB, user string, p domain.Project) string {
	t.Helper()
	grants, err := w.service.GetGrants(t.Context(), w.operator(t), user, string(p.ID), domain.Cursor{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(grants.Items) == 0 {
		return ""
	}
	return grants.Items[0].Scopes.Text()
}

// makeToken creates an access token of the user who is logged in, and returns its text.
func (b *browser) makeToken(t testing.TB, fields ...string) string {
	t.Helper()
	made := b.post(t, "/console/tokens/new", append([]string{"password", password}, fields...)...).want(t, http.StatusOK, domain.TokenPrefix)
	_, rest, _ := strings.Cut(made.text, `class="token">`)
	text, _, _ := strings.Cut(rest, "<")
	return text
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin.get(t, "/console/users").want(t, http.StatusOK, ">admin</a>", ">member</a>", ">disabled</span>", ">all</td>", ">0 granted</td>").wantNo(t, "Next page")
	w.admin.get(t, "/console/users?username=Member").wantTo(t, "/console/users/"+w.id(t, "member"))
	w.admin.get(t, "/console/users?username=nobody").want(t, http.StatusNotFound, "There is no such user.", `value="nobody"`)
	w.admin.get(t, "/console/users?username=%3Cscript%3E").want(t, http.StatusBadRequest, "&lt;script&gt;").wantNo(t, "<script>")
	w.admin.get(t, "/console/users?cursor=x").want(t, http.StatusBadRequest)
	for i := range 50 {
		w.createUser(t, "u"+string(rune('a'+i/10))+string(rune('0'+i%10)), "member")
	}
	first := w.admin.get(t, "/console/users").want(t, http.StatusOK, "Next page").wantNo(t, ">ue9</a>")
	_, rest, _ := strings.Cut(first.text, `quiet" href="`)
	next, _, _ := strings.Cut(rest, `"`)
	w.admin.get(t, next).want(t, http.StatusOK, ">ue9</a>").wantNo(t, ">admin</a>", "Next page")
}

func TestAddAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.admin.get(t, "/console/users/new?assistants="+string(pizza.ID)).
		want(t, http.StatusOK, `value="`+string(pizza.ID)+`" checked`, `value="`+string(trains.ID)+`"><label`)
	for _, tc := range []struct {
		name   string
		fields []string
		status int
		text   string
	}{
		{"a name that is taken", []string{"username", "member", "password", "canary tulip"}, http.StatusConflict, "The user name is taken; choose another one."},
		{"a name of other characters", []string{"username", `<b>"`, "password", "canary tulip"}, http.StatusBadRequest, "&lt;b&gt;&#34;"},
		{"a short password", []string{"username", "ada", "password", "canary"}, http.StatusBadRequest, "shorter than 8"},
		{"no password", []string{"username", "ada"}, http.StatusBadRequest, "Password is missing."},
		{"another role", []string{"username", "ada", "password", "canary tulip", "role", "boss"}, http.StatusBadRequest, "Role must be admin or member."},
		{"an unknown assistant", []string{"username", "ada", "password", "canary tulip", "assistants", "nothing"}, http.StatusNotFound, "There is no such assistant."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fields := append(tc.fields, "assistants", string(pizza.ID))
			w.admin.post(t, "/console/users/new", fields...).
				want(t, tc.status, tc.text, `value="`+string(pizza.ID)+`" checked`).wantNo(t, "canary", "<b>")
		})
	}
	ada := w.admin.post(t, "/console/users/new", "username", "Ada", "password", "canary tulip", "role", "member",
		"assistants", string(pizza.ID), "assistants", "Trains")
	at := "/console/users/" + w.id(t, "ada")
	ada.wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "ada was created.", "log in at", w.server.Listener.Addr().String()+"/console/login", "Pizza", "Trains").wantNo(t, "canary")
	w.admin.get(t, at).want(t, http.StatusOK).wantNo(t, "was created")
	if got := len(w.user(t, w.id(t, "ada")).Assistants); got != 2 {
		t.Errorf("got %d grants, want 2", got)
	}
}

// TestAnAdminIsMadeInTwoSteps checks that nobody is an admin before the second question.
func TestAnAdminIsMadeInTwoSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.admin.post(t, "/console/users/new", "username", "ada", "password", "canary tulip", "role", "admin")
	id := w.id(t, "ada")
	at := "/console/users/" + id
	made.wantTo(t, at+"/admin")
	if u := w.user(t, id); u.Role != domain.RoleMember {
		t.Errorf("got the role %s before the second question, want member", u.Role)
	}
	w.admin.get(t, at+"/admin").want(t, http.StatusOK, "Make ada an admin?", "ada was created as a member.", `name="role" value="admin"`).wantNo(t, "canary")
	w.admin.post(t, at+"/role", "role", "admin").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "ada is an admin now.", "Make ada a member")
	if u := w.user(t, id); u.Role != domain.RoleAdmin {
		t.Errorf("got the role %s, want admin", u.Role)
	}
	w.admin.get(t, at+"/admin").wantTo(t, at)
	w.admin.post(t, at+"/role", "role", "boss").want(t, http.StatusBadRequest, "Role must be admin or member.", ">ada</h1>")
	w.admin.post(t, at+"/role", "role", "member").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "ada is a member now.")
}

func TestManyAssistantsAreTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addNamed(t, 51)
	pizza, err := w.service.FindProject(t.Context(), w.operator(t), "Bot 007")
	if err != nil {
		t.Fatal(err)
	}
	w.admin.get(t, "/console/users/new?assistants="+string(pizza.ID)).
		want(t, http.StatusOK, `<datalist`, `value="`+string(pizza.ID)+`" checked`, `<option value="Bot 001">`).wantNo(t, `value="Bot 051"`)
	w.admin.post(t, "/console/users/new", "username", "ada", "password", "short", "assistants", string(pizza.ID), "assistants", "Bot").
		want(t, http.StatusNotFound, `value="`+string(pizza.ID)+`" checked`, `value="Bot"`)
	w.admin.post(t, "/console/users/new", "username", "ada", "password", "canary tulip", "assistants", string(pizza.ID), "assistants", "Bot 009").
		wantTo(t, "/console/users/"+w.id(t, "ada"))
	if got := len(w.user(t, w.id(t, "ada")).Assistants); got != 2 {
		t.Errorf("got %d grants, want 2", got)
	}
}

func TestOneUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.id(t, "member")
	at := "/console/users/" + id
	w.admin.get(t, "/console/users/0190a000-0000-7000-8000-000000000000").want(t, http.StatusNotFound, "There is no such user.")
	w.admin.get(t, at).want(t, http.StatusOK, ">member</h1>", "Disable member", "Delete member…").wantNo(t, "disabled>", "You are the only admin", "This is you")

	w.admin.post(t, at+"/disabled", "disabled", "true").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "member is disabled. All sessions of member were ended.", "Enable member")
	w.member.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	w.admin.post(t, at+"/disabled", "disabled", "perhaps").want(t, http.StatusBadRequest, "There is nothing to change.")
	w.admin.post(t, at+"/disabled", "disabled", "false").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "member is enabled.")

	member := w.login(t, "member")
	w.admin.post(t, at+"/password", "password", "short").want(t, http.StatusBadRequest, "shorter than 8", ">member</h1>").wantNo(t, `value="short"`)
	w.admin.post(t, at+"/password", "password", "canary tulip").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "All sessions and access tokens of member were ended.").wantNo(t, "canary")
	member.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	w.browser(t).post(t, "/console/login", "username", "member", "password", "canary tulip").wantTo(t, "/console/")
	w.admin.post(t, at+"/password", "password", "canary tulip", "keep_access_tokens", "true").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "The access tokens still work.")

	w.admin.get(t, at+"/delete").want(t, http.StatusOK, "Delete member?", "be undone")
	w.admin.post(t, at+"/delete").wantTo(t, "/console/users")
	w.admin.get(t, "/console/users").want(t, http.StatusOK, "member was deleted.").wantNo(t, ">member</a>")
	w.admin.get(t, at).want(t, http.StatusNotFound)
	w.admin.post(t, at+"/delete").want(t, http.StatusNotFound)
}

func TestTheLastAdminIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/console/users/" + w.id(t, "admin")
	const why = "You are the only admin who can log in"
	w.admin.get(t, at).want(t, http.StatusOK, why, `aria-describedby="role-why" disabled>`, `aria-describedby="disabled-why" disabled>`, "Nobody can delete themselves.")
	w.admin.post(t, at+"/role", "role", "member").want(t, http.StatusConflict, why)
	w.admin.post(t, at+"/disabled", "disabled", "true").want(t, http.StatusConflict, why)
	w.admin.post(t, at+"/delete").want(t, http.StatusConflict, "Nobody can delete themselves")
	w.admin.get(t, at+"/delete").want(t, http.StatusOK, "disabled>Delete admin")

	second := w.createUser(t, "second", "admin")
	w.admin.get(t, at).want(t, http.StatusOK, "This is you.", "Nobody can delete themselves.").wantNo(t, why, `role-why" disabled`)
	w.admin.post(t, at+"/role", "role", "member").wantTo(t, "/console/")
	w.admin.get(t, "/console/").want(t, http.StatusOK, "admin is a member now.")
	w.admin.get(t, at).want(t, http.StatusForbidden)

	b := w.login(t, "second")
	w.createUser(t, "third", "admin")
	b.post(t, "/console/users/"+second+"/disabled", "disabled", "true").wantTo(t, "/console/login")
	b.get(t, "/console/login").want(t, http.StatusOK, "second is disabled.", "So you are logged out.")
}

// TestOneselfIsLoggedOut checks what ends the login of who does it.
func TestOneselfIsLoggedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/console/users/" + w.id(t, "admin")
	for _, tc := range []struct {
		name, path string
		fields     []string
	}{
		{"a new password", at + "/password", []string{"password", password}},
		{"the end of all sessions", at + "/sessions/delete_all", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := w.login(t, "admin")
			got := b.post(t, tc.path, tc.fields...)
			got.wantTo(t, "/console/login")
			if !strings.Contains(strings.Join(got.header["Set-Cookie"], "\n"), "user_session=; Path=/; Max-Age=0") {
				t.Errorf("the cookie of the login is not cleared: %q", got.header["Set-Cookie"])
			}
			b.get(t, "/console/users").wantTo(t, "/console/login?return=%2Fconsole%2Fusers")
		})
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	id := w.id(t, "member")
	at := "/console/users/" + id
	w.admin.get(t, at).want(t, http.StatusOK, "No assistant is granted to member.")
	w.admin.get(t, at+"/grant").want(t, http.StatusOK, ">Pizza</option>", `value="converse" checked`)
	w.admin.get(t, at+"/grant?project_id="+string(pizza.ID)).want(t, http.StatusOK, `value="`+string(pizza.ID)+`" selected`)
	for _, tc := range []struct {
		name   string
		fields []string
		status int
		text   string
	}{
		{"no assistant", []string{"scopes", "debug"}, http.StatusBadRequest, `value="debug" checked`},
		{"an unknown assistant", []string{"project_id", "Cars", "scopes", "debug"}, http.StatusNotFound, "There is no such assistant."},
		{"no scope", []string{"project_id", string(pizza.ID)}, http.StatusBadRequest, "Scopes must name at least one scope."},
		{"a scope that manages", []string{"project_id", "Pizza", "scopes", "manage"}, http.StatusBadRequest, "make the user an admin instead"},
	} {
		t.Run(tc.name, func(t *testing.T) { w.admin.post(t, at+"/grant", tc.fields...).want(t, tc.status, tc.text) })
	}
	w.admin.post(t, at+"/grant", "project_id", "Pizza", "scopes", "converse", "scopes", "debug").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "Pizza is granted to member.", "converse, debug")
	w.admin.get(t, at+"/grant?project_id="+string(pizza.ID)).want(t, http.StatusOK, "Pizza is granted already.", `value="debug" checked`).wantNo(t, "<select")
	w.admin.post(t, at+"/grant", "project_id", string(pizza.ID), "scopes", "state").wantTo(t, at)
	if got := w.scopes(t, id, pizza); got != "state" {
		t.Errorf("got the scopes %q, want state", got)
	}
	w.admin.post(t, at+"/revoke", "project_id", "Cars").want(t, http.StatusBadRequest, ">member</h1>")
	w.admin.post(t, at+"/revoke", "project_id", string(pizza.ID)).wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "The grant was revoked.", "No assistant is granted to member.")
	w.admin.get(t, "/console/users/"+w.id(t, "admin")).want(t, http.StatusOK, "An admin can use every assistant.")
}

// addOne adds an assistant with the name. Nobody asks Voiceflow.
func (w *world) addOne(t testing.TB, name string) domain.Project {
	t.Helper()
	id, err := domain.NewProjectID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := domain.NewProject(id, domain.VersionRef{Version: string(id)},
		domain.Export{Project: domain.VoiceflowID(w.assistants[0].ProjectID), Name: name}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	act := w.operator(t).Act(time.Now(), domain.NeedsAdmin(), domain.ActionAddProject, domain.OnProject(id))
	if err := w.ports.Store.Projects.Add(t.Context(), act, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// addNamed adds n assistants with the names Bot 001, Bot 002 and so on.
func (w *world) addNamed(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		w.addOne(t, fmt.Sprintf("Bot %03d", i+1))
	}
}
