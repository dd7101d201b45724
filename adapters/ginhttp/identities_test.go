package ginhttp_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// sendForm sends a form as a program does, without an Origin.
func (b *browser) sendForm(t testing.TB, path string, form url.Values) *reply {
	t.Helper()
	r := b.request(t, http.MethodPost, path, form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(t, r)
}

// outcomes returns the outcomes of the audit rows about an action.
func (w *world) outcomes(t testing.TB, action domain.Action) []string {
	t.Helper()
	if err := w.service.Audit().FlushRefusals(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	rows, err := w.ports.Store.Audit.Page(t.Context(), domain.AuditFilter{Action: action}, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range rows {
		all = append(all, r.Outcome)
	}
	return all
}

func TestAnIdentityIsLinkedAndUnlinked(t *testing.T) {
	w := newWorld(t, signsOn)
	id := w.userID(t, "member")
	user := func(r *reply) map[string]any { return r.body["user"].(map[string]any) }
	if got := user(w.member.do(t, "GET", "/check_session", "")); got["Identity"] != nil {
		t.Errorf("a user who is not linked has the Identity %v", got["Identity"])
	}
	w.admin.do(t, "POST", "/link_identity", `{"user_id":"`+id+`"}`).want(t, 400, "invalid_request")
	w.admin.do(t, "POST", "/link_identity", `{"user_id":"`+id+`","subject":"\u0007"}`).want(t, 400, "invalid_request")
	w.admin.do(t, "POST", "/link_identity", `{"user_id":"0190c5a4-0000-7000-8000-000000000000","subject":"s"}`).want(t, 404, "not_found")
	got := w.admin.do(t, "POST", "/link_identity", `{"user_id":"`+id+`","subject":" ben-1 "}`).want(t, 200, "")
	want := map[string]any{"Issuer": testworld.Issuer, "Subject": "ben-1"}
	if diff := cmp.Diff(want, user(got)["Identity"]); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, user(w.member.do(t, "GET", "/check_session", ""))["Identity"]); diff != "" {
		t.Errorf("identity of check_session (-want +got):\n%s", diff)
	}
	w.admin.do(t, "POST", "/link_identity", `{"user_id":"`+w.userID(t, "admin")+`","subject":"ben-1"}`).want(t, 409, "conflict")

	signedOn := w.signOn(t, testworld.Person("ben-1"))
	if got := user(signedOn.do(t, "GET", "/check_session", "").want(t, 200, "")); got["Username"] != "member" {
		t.Errorf("the person is logged in as %v", got)
	}
	var byProvider []any
	for _, s := range signedOn.do(t, "GET", "/get_sessions", "").want(t, 200, "").body["sessions"].([]any) {
		byProvider = append(byProvider, s.(map[string]any)["ByProvider"])
	}
	if len(byProvider) != 2 || (byProvider[0] == true) == (byProvider[1] == true) {
		t.Errorf("the sessions have ByProvider %v, want it for one of two", byProvider)
	}

	got = w.admin.do(t, "POST", "/unlink_identity", `{"user_id":"`+id+`"}`).want(t, 200, "")
	if user(got)["Identity"] != nil {
		t.Errorf("got %s", got.raw)
	}
	signedOn.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
}

func TestAnAccessTokenLinksNoAdminAndMakesNone(t *testing.T) {
	w := newWorld(t, signsOn)
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	manages.do(t, "POST", "/link_identity", `{"user_id":"`+w.userID(t, "admin")+`","subject":"s"}`).want(t, 403, "not_allowed")
	manages.do(t, "POST", "/set_group_rule", `{"group":"g","role":"admin"}`).want(t, 403, "not_allowed")
	manages.do(t, "POST", "/link_identity", `{"user_id":"`+w.userID(t, "member")+`","subject":"s"}`).want(t, 200, "")
}

func TestRulesOfGroupsGrant(t *testing.T) {
	w := newWorld(t, signsOn)
	p := w.addProject(t, "Support bot")
	id := string(p.ID)
	w.admin.do(t, "POST", "/set_environments", `{"project_id":"`+id+`","environments":{"default":"main","allowed":["main","staging"]}}`).want(t, 200, "")
	if got := w.admin.do(t, "GET", "/get_group_rules", "").want(t, 200, ""); !strings.Contains(string(got.raw), `"rules":[]`) {
		t.Errorf("without rules: got %s", got.raw)
	}
	made := w.admin.do(t, "POST", "/set_group_rule", `{"group":"support","project_id":"`+id+`","scopes":["export"],"environments":["staging"]}`).want(t, 200, "")
	rule := made.body["rule"].(map[string]any)
	want := map[string]any{
		"Id": rule["Id"], "Group": "support", "ProjectId": id, "Scopes": []any{"export"}, "Environments": []any{"staging"}, "Created": rule["Created"],
	}
	if diff := cmp.Diff(want, rule); diff != "" || rule["Id"] == "" || rule["Created"] == nil {
		t.Errorf("rule (-want +got):\n%s", diff)
	}
	admins := w.admin.do(t, "POST", "/set_group_rule", `{"group":"ops","role":"admin"}`).want(t, 200, "").body["rule"].(map[string]any)
	want = map[string]any{"Id": admins["Id"], "Group": "ops", "Role": "admin", "Created": admins["Created"]}
	if diff := cmp.Diff(want, admins); diff != "" {
		t.Errorf("rule that makes admins (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{admins, rule}, w.admin.do(t, "GET", "/get_group_rules", "").body["rules"]); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}

	w.signOn(t, testworld.Person("cleo", "support"))
	cleo := w.userID(t, "cleo")
	grants := func() map[string]any {
		t.Helper()
		list := w.admin.do(t, "GET", "/get_grants?user_id="+cleo, "").want(t, 200, "").body["grants"].([]any)
		if len(list) != 1 {
			t.Fatalf("got the grants %v, want one", list)
		}
		grant := list[0].(map[string]any)
		delete(grant, "Created")
		return grant
	}
	byGroup := map[string]any{"Source": "group:support", "Scopes": []any{"export"}, "Environments": []any{"staging"}}
	want = map[string]any{
		"User": cleo, "Project": id, "Scopes": []any{"export"}, "Environments": []any{"staging"}, "Source": "group:support", "Sources": []any{byGroup},
	}
	if diff := cmp.Diff(want, grants()); diff != "" {
		t.Errorf("grant of a group (-want +got):\n%s", diff)
	}
	revoke := `{"user_id":"` + cleo + `","project_id":"` + id + `"}`
	if got := w.admin.do(t, "POST", "/revoke_project", revoke).want(t, 409, "conflict"); !strings.Contains(string(got.raw), "support") {
		t.Errorf("the refusal does not name the group: %s", got.raw)
	}
	w.admin.do(t, "POST", "/grant_project", strings.TrimSuffix(revoke, "}")+`,"scopes":["converse"]}`).want(t, 200, "")
	want = map[string]any{
		"User": cleo, "Project": id, "Scopes": []any{"converse", "export"}, "Source": "manual",
		"Sources": []any{map[string]any{"Source": "manual", "Scopes": []any{"converse"}}, byGroup},
	}
	if diff := cmp.Diff(want, grants()); diff != "" {
		t.Errorf("grant of a group and an admin (-want +got):\n%s", diff)
	}
	w.admin.do(t, "POST", "/delete_group_rule", `{"rule_id":"`+rule["Id"].(string)+`"}`).want(t, 200, "")
	w.admin.do(t, "POST", "/delete_group_rule", `{"rule_id":"`+rule["Id"].(string)+`"}`).want(t, 404, "not_found")
	if got := grants(); got["Source"] != "manual" || len(got["Sources"].([]any)) != 1 {
		t.Errorf("after the rule was deleted: got %v", got)
	}
}

func TestTheProviderEndsLogins(t *testing.T) {
	const path = "/oidc/backchannel-logout"
	w := newWorld(t, signsOn)
	one, two := w.signOn(t, testworld.Person("cleo")), w.signOn(t, testworld.Person("dan"))
	form := func(subject string) url.Values {
		return url.Values{"logout_token": {w.provider.LogoutToken(domain.Identity{Issuer: testworld.Issuer, Subject: subject}, "").Reveal()}}
	}
	for name, tc := range map[string]struct {
		form url.Values
		code string
	}{
		"no token":               {url.Values{}, "invalid_request"},
		"two tokens":             {url.Values{"logout_token": {"a", "b"}}, "invalid_request"},
		"a token of a stranger":  {url.Values{"logout_token": {"canary"}}, "not_authenticated"},
		"a token that is binary": {url.Values{"logout_token": {"\xff"}}, "invalid_request"},
	} {
		if got := w.nobody.sendForm(t, path, tc.form); got.status != 400 || got.code() != tc.code {
			t.Errorf("%s: got %d %s, want 400 %s", name, got.status, got.raw, tc.code)
		}
	}
	w.nobody.sendForm(t, path, url.Values{"logout_token": {strings.Repeat("x", 4<<10)}}).want(t, 413, "too_large")
	if got := w.outcomes(t, domain.ActionProviderLogout); !cmp.Equal(got, []string{"not_authenticated"}) {
		t.Errorf("the audit has %q, want the one refusal", got)
	}
	w.nobody.sendForm(t, path, form("somebody else")).want(t, 200, "")
	one.do(t, "GET", "/check_session", "").want(t, 200, "")

	token := form("cleo")
	w.nobody.sendForm(t, path, token).want(t, 200, "")
	one.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	two.do(t, "GET", "/check_session", "").want(t, 200, "")
	w.nobody.sendForm(t, path, token).want(t, 400, "not_authenticated")

	w.provider.Break()
	w.nobody.sendForm(t, path, form("dan")).want(t, 503, "unavailable")
	two.do(t, "GET", "/check_session", "").want(t, 200, "")
}

func TestTheLogSaysWhatIsWrongWithATokenOfTheProvider(t *testing.T) {
	w := newWorld(t, signsOn)
	r := w.nobody.request(t, "POST", "/oidc/backchannel-logout", url.Values{"logout_token": {"canary"}}.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, lines := w.logged(t, r)
	if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["err"]), domain.ErrProviderAnswer.Error()+": ") {
		t.Errorf("the log has %v, want a line with the cause", lines)
	}
	if told := answer.Body.String() + fmt.Sprint(lines); strings.Contains(told, "canary") {
		t.Errorf("the token is in the answer or in the log: %s", told)
	}
}

func TestWithoutAProviderNothingIsLinkedOrEnded(t *testing.T) {
	w := newWorld(t)
	w.nobody.sendForm(t, "/oidc/backchannel-logout", url.Values{"logout_token": {"x"}}).want(t, 404, "not_found")
	w.admin.do(t, "POST", "/link_identity", `{"user_id":"`+w.userID(t, "member")+`","subject":"s"}`).want(t, 404, "not_found")
	w.admin.do(t, "POST", "/create_user", `{"username":"eve"}`).want(t, 400, "invalid_request")
}

func TestAUserWithoutAPasswordIsForTheProvider(t *testing.T) {
	w := newWorld(t, signsOn)
	w.admin.do(t, "POST", "/create_user", `{"username":"eve"}`).want(t, 200, "")
	w.nobody.do(t, "POST", "/login", `{"username":"eve","password":"canary"}`).want(t, 401, "not_authenticated")
}

func TestALogoutGoesOnAtTheProvider(t *testing.T) {
	w := newWorld(t, signsOn)
	b := w.signOn(t, testworld.Person("cleo"))
	out, lines := w.logged(t, b.request(t, "POST", "/logout", ""))
	if !strings.Contains(out.Body.String(), `"logout_url":"`+testworld.Issuer+"/logout?") || !strings.Contains(out.Body.String(), "id_token_hint=id.") {
		t.Errorf("got %s, want the address at the provider with the ID token", out.Body)
	}
	if text := w.log.String(); len(lines) != 1 || strings.Contains(text, "id_token_hint") || strings.Contains(text, "id.") {
		t.Errorf("the log has the ID token: %s", text)
	}
	b.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	if got := w.member.do(t, "POST", "/logout", "").want(t, 200, ""); got.body["logout_url"] != nil {
		t.Errorf("a login by a password: got %s, want no logout_url", got.raw)
	}
}

// A logout ends the login here, whether the provider answers or not.
func TestALogoutWhileTheProviderIsSilent(t *testing.T) {
	w := newWorld(t, signsOn)
	b := w.signOn(t, testworld.Person("cleo"))
	held := b.clone()
	w.provider.Break()
	if got := b.do(t, "POST", "/logout", "").want(t, 200, ""); got.body["logout_url"] != nil {
		t.Errorf("got %s, want no logout_url", got.raw)
	}
	held.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	w.member.do(t, "GET", "/check_session", "").want(t, 200, "")
}

func TestWhoLogsInWithAPassword(t *testing.T) {
	const right, wrong = `","password":"` + password + `"}`, `","password":"canary wrong"}`
	for _, tc := range []struct {
		name   string
		policy domain.PasswordLogin
		body   string
		status int
		code   string
	}{
		{"admins only: an admin", domain.PasswordLoginAdmins, `{"username":"admin` + right, 200, ""},
		{"admins only: a member", domain.PasswordLoginAdmins, `{"username":"member` + right, 403, "not_allowed"},
		{"admins only: a member with a wrong password", domain.PasswordLoginAdmins, `{"username":"member` + wrong, 401, "not_authenticated"},
		{"off: an admin", domain.PasswordLoginOff, `{"username":"admin` + right, 403, "not_allowed"},
		{"off: nobody", domain.PasswordLoginOff, `{"username":"nobody` + wrong, 403, "not_allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// The first world has an admin who has signed on, without whom nobody may turn passwords off.
			first := newWorld(t, signsOn)
			first.admin.do(t, "POST", "/link_identity", `{"user_id":"`+first.userID(t, "admin")+`","subject":"ada"}`).want(t, 200, "")
			first.signOn(t, testworld.Person("ada"))
			w := newWorld(t, bare, func(w *world) {
				w.ports, w.app = first.ports, first.app
				w.app.PasswordLogin = tc.policy
			})
			w.nobody.do(t, "POST", "/login", tc.body).want(t, tc.status, tc.code)
		})
	}
}

// TestACookieThatComesBack has pages whose cookies are strict, and that lead to another site and back.
func TestACookieThatComesBack(t *testing.T) {
	var said, note string
	var strict bool
	shown := &pages.Pages{Fail: func(x pages.Exchange, f pages.Failure) { x.Writer().WriteHeader(f.Status) }, Routes: []pages.Route{
		{Method: "GET", Path: "/out", Who: pages.Anyone, Serve: func(x pages.Exchange) error {
			x.SetReturnCookie("sign_on", "sealed", 10*time.Minute)
			x.SetCookie("note", "n", time.Minute)
			return nil
		}},
		{Method: "GET", Path: "/oidc/callback", Who: pages.Anyone, Serve: func(x pages.Exchange) error {
			said, note, strict = x.Cookie("sign_on"), x.Cookie("note"), x.StrictCookies()
			x.SetReturnCookie("sign_on", "", 0)
			return nil
		}},
	}}
	w := newWorld(t, func(w *world) {
		w.options = ginhttp.Options{Log: w.options.Log, BaseURL: "https://example.com/flowlatch", SameSite: http.SameSiteStrictMode, CookiePrefix: "our_", Pages: shown}
	})
	serve := func(path string, cookies ...*http.Cookie) []*http.Cookie {
		t.Helper()
		r := w.nobody.request(t, "GET", "", "")
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		// What a browser sends when the provider leads it back.
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		out, lines := w.logged(t, r)
		if out.Code != 200 || len(lines) != 1 {
			t.Fatalf("%s: got %d and the lines %v", path, out.Code, lines)
		}
		return out.Result().Cookies()
	}
	set := serve("/out")
	got := map[string]*http.Cookie{}
	for _, c := range set {
		got[c.Name] = c
	}
	c := got["our_sign_on"]
	if c == nil || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 || c.Path != "/flowlatch" || !c.HttpOnly || !c.Secure {
		t.Fatalf("got %v, want a cookie with SameSite=Lax for 10 minutes below the base URL", c)
	}
	if note := got["our_note"]; note == nil || note.SameSite != http.SameSiteStrictMode {
		t.Errorf("got %v, want the setting to count for other cookies", note)
	}
	// The query has the code and the state. The log must not have them.
	back := serve("/oidc/callback?code=canary&state=canary", c)
	if said != "sealed" || note != "" || !strict {
		t.Errorf("the page got the cookies %q and %q, and strict is %t", said, note, strict)
	}
	if len(back) != 1 || back[0].Name != "our_sign_on" || back[0].MaxAge >= 0 {
		t.Errorf("got %v, want the cookie to be cleared", back)
	}
}
