package ginhttp_test

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestLogin(t *testing.T) {
	w := newWorld(t)
	b := &browser{w: w, cookies: map[string]string{}}
	got := b.do(t, "POST", "/login", `{"username":" Admin ","password":"`+password+`"}`).want(t, 200, "")
	user := got.body["user"].(map[string]any)
	if got := slices.Sorted(maps.Keys(user)); !slices.Equal(got, []string{"Assistants", "Created", "Disabled", "Id", "Role", "Username"}) {
		t.Errorf("got the members %q", got)
	}
	want := map[string]any{
		"Id": w.userID(t, "admin"), "Username": "admin", "Role": "admin", "Disabled": false, "Assistants": []any{}, "Created": "2026-11-22T06:00:00.123456Z",
	}
	if d := cmp.Diff(want, user); d != "" {
		t.Errorf("user, -want +got:\n%s", d)
	}
	if d := cmp.Diff(any(want), b.do(t, "GET", "/check_session", "").want(t, 200, "").body["user"]); d != "" {
		t.Errorf("check_session, -want +got:\n%s", d)
	}

	var refusals []string
	for _, body := range []string{
		`{"username":"admin","password":"wrong canary"}`,
		`{"username":"admin","password":" ` + password + ` "}`,
		`{"username":"nobody","password":"` + password + `"}`,
		`{"username":"no name at all!","password":"` + password + `"}`,
		`{"username":"disabled","password":"` + password + `"}`,
	} {
		got := w.nobody.do(t, "POST", "/login", body).want(t, 401, "not_authenticated")
		if len(got.set) != 0 {
			t.Errorf("%s: a cookie came with the refusal", body)
		}
		refusals = append(refusals, got.body["message"].(string))
	}
	if len(slices.Compact(refusals)) != 1 {
		t.Errorf("the refusals differ: %q", refusals)
	}
	for _, body := range []string{`{}`, `{"username":"admin"}`, `{"password":"x"}`, `{"username":" ","password":"x"}`, `{"username":"admin","password":5}`} {
		w.nobody.do(t, "POST", "/login", body).want(t, 400, "invalid_request")
	}
}

func TestTooManyLogins(t *testing.T) {
	w := newWorld(t, func(w *world) { w.ports.Logins.Attempts = exhausted{} }, bare)
	got := w.nobody.do(t, "POST", "/login", `{"username":"admin","password":"`+password+`"}`).want(t, 429, "too_many_requests")
	if retry := got.header.Get("Retry-After"); retry != "42" {
		t.Errorf("got Retry-After %q, want 42", retry)
	}
}

// exhausted lets nobody try.
type exhausted struct{}

func (exhausted) Begin(domain.Username, string) (func(), error) {
	return nil, &domain.Error{Kind: domain.TooManyRequests, RetryAfter: 41*time.Second + 1}
}

func TestLogoutEndsBothSessions(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	before := &browser{w: w, cookies: maps.Clone(w.admin.cookies)}
	w.admin.do(t, "POST", "/logout", "").want(t, 200, "")
	if len(w.admin.cookies) != 0 {
		t.Errorf("%d cookies are left", len(w.admin.cookies))
	}
	before.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")

	again := w.login(t, "admin").with("assistant_session", before.cookies["assistant_session"])
	if got := again.do(t, "GET", "/check_session", "").want(t, 200, ""); got.body["assistant"] != nil {
		t.Errorf("the assistant session outlived its login: %s", got.raw)
	}
}

func TestRoutesWithoutABodyReadNone(t *testing.T) {
	w := newWorld(t)
	w.member.do(t, "POST", "/clear_project", `{{{`).want(t, 200, "")
	w.member.do(t, "POST", "/logout", "\xff\x00").want(t, 200, "")
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	other := w.login(t, "member")
	w.member.do(t, "POST", "/change_password", `{"password":"wrong","new_password":"another canary"}`).want(t, 400, "invalid_request")
	w.member.do(t, "POST", "/change_password", `{"password":"`+password+`","new_password":"canary"}`).want(t, 400, "invalid_request")
	w.member.do(t, "POST", "/change_password", `{"password":"`+password+`","new_password":" another canary "}`).want(t, 200, "")
	w.member.do(t, "GET", "/check_session", "").want(t, 200, "")
	other.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	w.nobody.do(t, "POST", "/login", `{"username":"member","password":"another canary"}`).want(t, 401, "not_authenticated")
	w.nobody.do(t, "POST", "/login", `{"username":"member","password":" another canary "}`).want(t, 200, "")
}

func TestCreateUser(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	got := w.admin.do(t, "POST", "/create_user", `{"username":" Erika ","password":"`+password+`","assistants":["`+string(p.Voiceflow)+`","`+string(p.ID)+`"]}`).want(t, 200, "")
	user := got.body["user"].(map[string]any)
	if user["Username"] != "erika" || user["Role"] != "member" || !cmp.Equal(user["Assistants"], any([]any{string(p.ID)})) {
		t.Errorf("got %v", user)
	}
	q := w.addProject(t, "Sales bot")
	both := w.admin.do(t, "POST", "/create_user", `{"username":"both","password":"`+password+`","assistants":["`+string(q.ID)+`","`+string(p.ID)+`"]}`).want(t, 200, "")
	if ids := both.body["user"].(map[string]any)["Assistants"].([]any); len(ids) != 2 {
		t.Errorf("got %v granted, want both", ids)
	}
	w.admin.do(t, "POST", "/create_user", `{"username":"erika","password":"`+password+`"}`).want(t, 409, "conflict")
	w.admin.do(t, "POST", "/create_user", `{"username":"boss","password":"`+password+`","role":"admin"}`).want(t, 200, "")
	for name, body := range map[string]string{
		"a short password":            `{"username":"x","password":"canary"}`,
		"an invalid role":             `{"username":"x","password":"` + password + `","role":"king"}`,
		"an invalid name":             `{"username":"x y","password":"` + password + `"}`,
		"invalid assistants":          `{"username":"x","password":"` + password + `","assistants":["y"]}`,
		"assistants that are no list": `{"username":"x","password":"` + password + `","assistants":"y"}`,
		"a null among the assistants": `{"username":"x","password":"` + password + `","assistants":[null]}`,
	} {
		t.Run(name, func(t *testing.T) { w.admin.do(t, "POST", "/create_user", body).want(t, 400, "invalid_request") })
	}
	w.admin.do(t, "POST", "/create_user",
		`{"username":"x","password":"`+password+`","assistants":["01900000-0000-7000-8000-000000000000"]}`).want(t, 404, "not_found")
}

func TestUpdateUserChangesOnlyWhatIsGiven(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	id := w.userID(t, "member")
	update := func(members string) *reply {
		t.Helper()
		return w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+id+`"`+members+`}`)
	}
	state := func(a *reply) []any {
		u := a.want(t, 200, "").body["user"].(map[string]any)
		return []any{u["Role"], u["Disabled"], len(u["Assistants"].([]any))}
	}
	for _, tc := range []struct {
		members string
		want    []any
	}{
		{`,"assistants":["` + string(p.ID) + `"]`, []any{"member", false, 1}},
		{`,"role":"admin","assistants":null,"disabled":null,"password":null`, []any{"admin", false, 1}},
		{`,"disabled":true`, []any{"admin", true, 1}},
		{`,"disabled":false,"role":null`, []any{"admin", false, 1}},
		{`,"role":" member "`, []any{"member", false, 1}},
		{`,"assistants":[]`, []any{"member", false, 0}},
		{`,"password":"another canary"`, []any{"member", false, 0}},
	} {
		if d := cmp.Diff(tc.want, state(update(tc.members))); d != "" {
			t.Errorf("%s: -want +got:\n%s", tc.members, d)
		}
	}
	w.nobody.do(t, "POST", "/login", `{"username":"member","password":"another canary"}`).want(t, 200, "")
	update(``).want(t, 400, "invalid_request")
	update(`,"role":null`).want(t, 400, "invalid_request")
	update(`,"disabled":"yes"`).want(t, 400, "invalid_request")
	update(`,"password":""`).want(t, 400, "invalid_request")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"nobody","disabled":true}`).want(t, 404, "not_found")
}

func TestTheLastAdminStays(t *testing.T) {
	w := newWorld(t)
	id := w.userID(t, "admin")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+id+`","role":"member"}`).want(t, 409, "conflict")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+id+`","disabled":true}`).want(t, 409, "conflict")
	w.admin.do(t, "POST", "/delete_user", `{"user_id":"`+id+`"}`).want(t, 409, "conflict")
}

func TestWhatIsTakenAwayIsGoneAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.userID(t, "member")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+id+`","role":"admin"}`).want(t, 200, "")
	w.member.do(t, "GET", "/get_all_users", "").want(t, 200, "")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+id+`","role":"member"}`).want(t, 200, "")
	w.member.do(t, "GET", "/get_all_users", "").want(t, 403, "not_allowed")
	w.admin.do(t, "POST", "/delete_user", `{"user_id":" `+id+` "}`).want(t, 200, "")
	w.member.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	w.admin.do(t, "POST", "/delete_user", `{"user_id":"`+id+`"}`).want(t, 404, "not_found")
}

func TestGetAllUsersByThePage(t *testing.T) {
	w := newWorld(t)
	var names []string
	for next := ""; ; {
		got := w.admin.do(t, "GET", "/get_all_users?limit=2&cursor="+next, "").want(t, 200, "")
		for _, u := range got.body["users"].([]any) {
			names = append(names, u.(map[string]any)["Username"].(string))
		}
		more, there := got.body["next_cursor"].(string)
		if !there {
			break
		}
		next = more
	}
	if !slices.Equal(names, []string{"admin", "disabled", "member"}) {
		t.Errorf("got %q", names)
	}
}

func TestCookies(t *testing.T) {
	for _, tc := range []struct {
		name     string
		change   func(*world)
		secure   bool
		sameSite http.SameSite
	}{
		{"by default", func(*world) {}, true, http.SameSiteLaxMode},
		{"for development", func(w *world) { w.options.InsecureCookies = true }, false, http.SameSiteLaxMode},
		{"strict", func(w *world) { w.options.SameSite = http.SameSiteStrictMode }, true, http.SameSiteStrictMode},
		{"for a console elsewhere", func(w *world) { w.options.SameSite = http.SameSiteNoneMode }, true, http.SameSiteNoneMode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.change)
			p := w.addProject(t, "Support bot")
			body := `{"username":"admin","password":"` + password + `"`
			session := w.nobody.do(t, "POST", "/login", body+`,"remember":false}`).want(t, 200, "").cookie(t, "user_session")
			b := &browser{w: w, cookies: map[string]string{}}
			remembered := b.do(t, "POST", "/login", body+`,"remember":true}`).want(t, 200, "").cookie(t, "user_session")
			set := `{"project_id":"` + string(p.ID) + `"}`
			assistant := w.admin.do(t, "POST", "/set_project", set).want(t, 200, "").cookie(t, "assistant_session")
			kept := b.do(t, "POST", "/set_project", set).want(t, 200, "").cookie(t, "assistant_session")
			cleared := w.admin.do(t, "POST", "/clear_project", "").want(t, 200, "").cookie(t, "assistant_session")
			out := w.admin.do(t, "POST", "/logout", "").want(t, 200, "")
			for _, c := range []struct {
				what   string
				cookie *http.Cookie
				maxAge int
			}{
				{"login", session, 0},
				{"remembered login", remembered, 720 * 3600},
				{"set", assistant, 0},
				{"set under a remembered login", kept, 720 * 3600},
				{"clear", cleared, -1},
				{"logout, user", out.cookie(t, "user_session"), -1},
				{"logout, assistant", out.cookie(t, "assistant_session"), -1},
			} {
				got := *c.cookie
				if len(got.Raw) > 4096 {
					t.Errorf("%s: the cookie has %d bytes", c.what, len(got.Raw))
				}
				if (got.Value == "") != (c.maxAge < 0) {
					t.Errorf("%s: got the value %q", c.what, got.Value)
				}
				want := http.Cookie{Name: got.Name, Value: got.Value, Path: "/", MaxAge: c.maxAge, HttpOnly: true, Secure: tc.secure, SameSite: tc.sameSite, Raw: got.Raw}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: -want +got:\n%s", c.what, d)
				}
			}
		})
	}
}

func TestAnAlteredLoginIsNone(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	good, assistant := w.admin.cookies["user_session"], w.admin.cookies["assistant_session"]
	wrong := map[string]string{
		"nothing": "", "cut": good[:len(good)-1], "longer": good + "A", "the other cookie": assistant,
		"another instance's": newWorld(t).admin.cookies["user_session"],
	}
	for i := range len(good) {
		altered := []byte(good)
		altered[i] = 'A'
		if altered[i] == good[i] {
			altered[i] = 'B'
		}
		wrong["altered at "+strconv.Itoa(i)] = string(altered)
	}
	for what, value := range wrong {
		if got := w.admin.with("user_session", value).do(t, "GET", "/get_projects", ""); got.status != 401 || got.code() != "not_authenticated" {
			t.Errorf("%s: got %d %s, want 401", what, got.status, got.raw)
		}
	}
	for i := range len(assistant) {
		altered := []byte(assistant)
		altered[i] = 'A'
		if altered[i] == assistant[i] {
			altered[i] = 'B'
		}
		got := w.admin.with("assistant_session", string(altered)).do(t, "GET", "/check_session", "").want(t, 200, "")
		if got.body["assistant"] != nil {
			t.Errorf("altered at %d: got %s, want no assistant", i, got.raw)
		}
	}
}

func TestOfSeveralCookiesOfOneName(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	good, assistant := "user_session="+w.admin.cookies["user_session"], "assistant_session="+w.admin.cookies["assistant_session"]
	second := "user_session=" + w.login(t, "admin").cookies["user_session"]
	others := "user_session=" + w.member.cookies["user_session"]
	foreign := "user_session=" + newWorld(t).admin.cookies["user_session"]
	gone := w.login(t, "member")
	over := "user_session=" + gone.cookies["user_session"]
	gone.do(t, "POST", "/logout", "").want(t, 200, "")
	many := good
	for range 5 {
		many += "; user_session=" + w.login(t, "admin").cookies["user_session"]
	}
	for _, tc := range []struct {
		name, cookies string
		status        int
	}{
		{"a login that a neighbor planted in front", others + "; " + good, 401},
		{"a login that a neighbor planted behind", good + "; " + others, 401},
		{"the same twice", good + "; " + good, 200},
		{"one of another installation", foreign + "; " + good, 200},
		{"one that nobody sealed", good + "; user_session=x", 200},
		{"one that is over", over + "; " + good, 200},
		{"two logins of one user", second + "; " + good, 200},
		{"more than a browser holds", many, 401},
		{"none that counts", foreign + "; user_session=x", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := w.nobody.request(t, "GET", "/check_session", "")
			r.Header.Set("Cookie", tc.cookies)
			if got := w.nobody.send(t, r); got.status != tc.status || got.status == 200 && !strings.Contains(string(got.raw), `"Username":"admin"`) {
				t.Errorf("got %d %s, want %d", got.status, got.raw, tc.status)
			}
		})
	}
	r := w.nobody.request(t, "GET", "/check_session", "")
	r.Header.Set("Cookie", good+"; assistant_session=x; "+assistant)
	if got := w.nobody.send(t, r).want(t, 200, ""); got.assistant(t)["Id"] != string(p.ID) {
		t.Errorf("beside a planted assistant session: got %s, want the one of the login", got.raw)
	}
}

func TestOtherAuthorizationIsAProxysAffair(t *testing.T) {
	w := newWorld(t)
	for _, value := range []string{"Basic dXNlcjpwYXNz", "Digest username=x", "Negotiate YII"} {
		r := w.member.request(t, "GET", "/check_session", "")
		r.Header.Set("Authorization", value)
		w.member.send(t, r).want(t, 200, "")
		r = w.member.request(t, "GET", "/check_session", "")
		r.Header["Authorization"] = []string{value, "Bearer x"}
		w.member.send(t, r).want(t, 401, "not_authenticated")
	}
}
