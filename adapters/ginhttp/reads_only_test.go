package ginhttp_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// While the database can only be read, whatever needs no change is answered: a session whose use
// is due to be stored is used all the same. Probes say so in two words.
func TestADatabaseThatCanOnlyBeRead(t *testing.T) {
	var store *memory.Store
	w, p := talking(t, signsOn, func(w *world) {
		store = memory.New(w.clock.Now)
		w.ports.Store = store.Ports()
	})
	cleo := w.signOn(t, testworld.Person("cleo"))
	logout := url.Values{"logout_token": {w.provider.LogoutToken(testworld.Person("cleo").Identity, "").Reveal()}}
	id := string(p.ID)
	opens := w.token(t, w.member, `{"name":"x","project_id":"`+id+`"}`)
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	w.clock.move(2 * time.Minute) // so that the use of each session is due to be stored
	store.StopWrites()

	for _, tc := range []struct {
		name         string
		by           *browser
		method, path string
		body         string
		status       int
		code         string
	}{
		{"a list", w.member, "GET", "/get_projects", "", 200, ""},
		{"who calls", w.member, "GET", "/check_session", "", 200, ""},
		{"users", w.admin, "GET", "/get_all_users", "", 200, ""},
		{"users, by an access token", manages, "GET", "/get_all_users", "", 200, ""},
		{"the audit", w.admin, "GET", "/get_audit_events", "", 200, ""},
		{"usage", w.admin, "GET", "/get_usage", "", 200, ""},
		{"sessions", w.member, "GET", "/get_sessions", "", 200, ""},
		{"access tokens", w.member, "GET", "/get_access_tokens", "", 200, ""},
		{"a forwarded call", w.member, "POST", turn, `{}`, 200, ""},
		{"a forwarded call, by an access token", opens, "POST", turn, `{}`, 200, ""},
		{"a stranger is refused, though no row says so", w.nobody, "GET", "/get_projects", "", 401, "not_authenticated"},
		{"a login", w.nobody, "POST", "/login", `{"username":"member","password":"` + password + `"}`, 503, "unavailable"},
		{"an assistant is set", w.member, "POST", "/set_project", `{"project_id":"` + id + `"}`, 400, "unavailable"},
		{"picture origins are set", w.admin, "POST", "/set_picture_origins", `{"project_id":"` + id + `","origins":["https://cdn.example.com"]}`, 503, "unavailable"},
		{"environments are set", w.admin, "POST", "/set_environments", `{"project_id":"` + id + `","environments":{"allowed":"all"}}`, 503, "unavailable"},
		{"a key is set", w.admin, "POST", "/set_token", `{"project_id":"` + id + `","token":"` + canary + `"}`, 503, "unavailable"},
		{"rules of groups", w.admin, "GET", "/get_group_rules", "", 200, ""},
		{"webhooks", w.admin, "GET", "/get_webhooks", "", 200, ""},
		{"a webhook is set", w.admin, "POST", "/set_webhook", `{"url":"https://alerts.example/","events":["admin.made"]}`, 503, "unavailable"},
		{"who calls, logged in by the provider", cleo, "GET", "/check_session", "", 200, ""},
		{"an identity is linked", w.admin, "POST", "/link_identity", `{"user_id":"` + w.userID(t, "member") + `","subject":"s"}`, 503, "unavailable"},
		{"a rule is set", w.admin, "POST", "/set_group_rule", `{"group":"g","role":"admin"}`, 503, "unavailable"},
		{"a logout", w.member, "POST", "/logout", "", 503, "unavailable"},
		{"a probe", w.nobody, "GET", "/readyz", "", 503, "unavailable"},
		{"a probe of an admin", w.admin, "GET", "/readyz", "", 503, "unavailable"},
		{"a probe of the process", w.nobody, "GET", "/healthz", "", 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.by.do(t, tc.method, tc.path, tc.body).want(t, tc.status, tc.code)
			if tc.path == "/readyz" && got.body["message"] != "reads only" {
				t.Errorf("got %s, want the message: reads only", got.raw)
			}
		})
	}

	w.nobody.sendForm(t, "/oidc/backchannel-logout", logout).want(t, 503, "unavailable")

	store.AllowWrites()
	w.nobody.sendForm(t, "/oidc/backchannel-logout", logout).want(t, 200, "")
	cleo.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	w.clock.move(2 * time.Second)
	w.nobody.do(t, "GET", "/readyz", "").want(t, http.StatusOK, "")
	w.member.do(t, "POST", "/set_project", `{"project_id":"`+id+`"}`).want(t, http.StatusOK, "")
	store.Break()
	w.clock.move(2 * time.Second)
	if got := w.nobody.do(t, "GET", "/readyz", "").want(t, 503, "unavailable"); got.body["message"] != "not ready" {
		t.Errorf("without a database: got %s, want the message: not ready", got.raw)
	}
}
