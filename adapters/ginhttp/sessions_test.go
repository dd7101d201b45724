package ginhttp_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// rotate adds a key that seals from then on.
func (w *world) rotate(t *testing.T) {
	t.Helper()
	_, err := w.ports.Keyring.Rotate(t.Context(), func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// clone is another browser with the same cookies.
func (b *browser) clone() *browser {
	return &browser{w: b.w, cookies: maps.Clone(b.cookies), authorization: b.authorization}
}

// setNames are the names of the cookies that an answer sets or, with - in front, clears.
func (a *reply) setNames() []string {
	var names []string
	for _, c := range a.set {
		if c.MaxAge < 0 {
			names = append(names, "-"+c.Name)
		} else {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

// sessions are the sessions in an answer.
func (a *reply) sessions(t *testing.T) []map[string]any {
	t.Helper()
	list, ok := a.body["sessions"].([]any)
	if !ok {
		t.Fatalf("%s: %s has no sessions", a.what, a.raw)
	}
	all := make([]map[string]any, len(list))
	for i, s := range list {
		all[i] = s.(map[string]any)
	}
	return all
}

func TestGetSessions(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.clock.move(time.Hour)
	b := &browser{w: w, cookies: map[string]string{}}
	r := b.request(t, "POST", "/login", `{"username":"admin","password":"`+password+`","remember":true}`)
	r.Header.Set("User-Agent", "A <browser> \"of\" ours")
	b.send(t, r).want(t, 200, "")
	w.clock.move(2 * time.Minute)
	b.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	got := b.do(t, "GET", "/get_sessions", "").want(t, 200, "").sessions(t)
	if len(got) != 2 {
		t.Fatalf("got the sessions %v, want those of one login: the other one was idle for too long", got)
	}
	id := w.userID(t, "admin")
	for i, want := range []map[string]any{
		{"Kind": "login", "Project": nil, "Created": "2026-11-22T07:00:00.123456Z", "LastUsed": "2026-11-22T07:02:00.123456Z", "Agent": `A <browser> "of" ours`},
		{"Kind": "assistant", "Project": string(p.ID), "Created": "2026-11-22T07:02:00.123456Z", "LastUsed": "2026-11-22T07:02:00.123456Z", "Agent": "Go-http-client/1.1"},
	} {
		want["User"], want["Address"], want["Expires"] = id, "127.0.0.1", "2026-12-22T07:00:00.123456Z"
		want["Id"] = got[i]["Id"]
		if d := cmp.Diff(want, got[i]); d != "" || !uuid.MatchString(got[i]["Id"].(string)) {
			t.Errorf("session %d, -want +got:\n%s", i, d)
		}
	}
}

func TestSessionsByThePage(t *testing.T) {
	w := newWorld(t)
	var want []string
	for range 5 {
		w.clock.move(time.Second)
		w.login(t, "member")
	}
	for _, s := range w.member.do(t, "GET", "/get_sessions", "").want(t, 200, "").sessions(t) {
		want = append(want, s["Id"].(string))
	}
	if len(want) != 6 || !slices.IsSorted(want) {
		t.Fatalf("got the sessions %q, want six in the order of their ids", want)
	}
	var walked, cursors []string
	for next := ""; ; {
		page := w.admin.do(t, "GET", "/get_sessions?limit=2&user_id="+w.userID(t, "member")+"&cursor="+next, "").want(t, 200, "")
		for _, s := range page.sessions(t) {
			walked = append(walked, s["Id"].(string))
		}
		more, there := page.body["next_cursor"].(string)
		if !there {
			break
		}
		next = more
		cursors = append(cursors, next)
	}
	if !slices.Equal(walked, want) || len(cursors) != 2 {
		t.Errorf("by the page: got %q with %d cursors, want %q with 2", walked, len(cursors), want)
	}
	// A cursor is a place and no right: another user's shows one's own behind that place.
	if got := w.admin.do(t, "GET", "/get_sessions?cursor="+cursors[1], "").want(t, 200, "").sessions(t); len(got) != 0 {
		t.Errorf("behind another user's cursor: got %v, want nothing", got)
	}
	for _, bad := range []string{
		"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1&limit=1", "cursor=x", "cursor=%00", "cursor=" + cursors[0] + "A", "cursor=" + cursors[0][:8] + "%0A" + cursors[0][8:],
		"cursor=" + domain.Cursor{ID: want[0]}.Text(domain.TokenList), "cursor=" + domain.Cursor{ID: want[0]}.Text(domain.UserList),
		"cursor=" + strings.Repeat("A", 5000), "cursor=" + cursors[0] + "&cursor=" + cursors[0],
		"user_id=a&user_id=b", "user_id=" + strings.Repeat("a", 129), "user_id=a%00b", "user_id=%zz",
	} {
		w.admin.do(t, "GET", "/get_sessions?"+bad, "").want(t, 400, "invalid_request")
	}
	for _, unknown := range []string{"user_id=nobody", "user_id='%20OR%201=1%20--", "user_id=nobody&limit=1&cursor=" + cursors[0]} {
		w.admin.do(t, "GET", "/get_sessions?"+unknown, "").want(t, 404, "not_found")
	}
}

func TestBrowsersOfTwoUsersDoNotReachEachOther(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.createUser(t, "eve", "member")
	eve := w.login(t, "eve")
	w.grant(t, "member", p)
	w.clock.move(time.Second) // ids are in the order of time
	w.member.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	member := w.userID(t, "member")
	body := func(id any) string { return `{"session_id":"` + id.(string) + `"}` }

	theirs := w.member.do(t, "GET", "/get_sessions", "").want(t, 200, "").sessions(t)
	if len(theirs) != 2 {
		t.Fatalf("got %v, want a login and an assistant session", theirs)
	}
	eve.do(t, "GET", "/get_sessions?user_id="+member, "").want(t, 403, "not_allowed")
	eve.do(t, "POST", "/delete_user_sessions", `{"user_id":"`+member+`"}`).want(t, 403, "not_allowed")
	for _, s := range append(theirs, map[string]any{"Id": "01890000-0000-7000-8000-000000000404"}) {
		eve.do(t, "POST", "/delete_session", body(s["Id"])).want(t, 404, "not_found")
	}
	for _, s := range eve.do(t, "GET", "/get_sessions", "").want(t, 200, "").sessions(t) {
		if s["User"] != w.userID(t, "eve") {
			t.Errorf("eve sees %v", s)
		}
	}
	for _, bad := range []string{`{}`, `{"session_id":""}`, `{"session_id":"x"}`, `{"session_id":5}`, `{"session_id":"x","session_id":"x"}`} {
		w.member.do(t, "POST", "/delete_session", bad).want(t, 400, "invalid_request")
	}
	w.member.do(t, "POST", "/delete_user_sessions", `{"user_id":" "}`).want(t, 400, "invalid_request")
	if w.member.do(t, "GET", "/check_session", "").want(t, 200, "").assistant(t)["Id"] != string(p.ID) {
		t.Fatal("the assistant is no longer set")
	}

	// Of one's own one can end each, and an admin anybody's.
	w.clock.move(time.Second)
	phone := w.login(t, "member")
	mine := w.member.do(t, "GET", "/get_sessions", "").want(t, 200, "").sessions(t)
	last := mine[len(mine)-1]
	if got := w.member.do(t, "POST", "/delete_session", body(last["Id"])).want(t, 200, ""); len(got.set) != 0 {
		t.Errorf("ending another session set the cookies %q", got.setNames())
	}
	phone.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	before := w.member.clone()
	got := w.member.do(t, "POST", "/delete_session", body(theirs[0]["Id"])).want(t, 200, "")
	if names := got.setNames(); !slices.Equal(names, []string{"-assistant_session", "-user_session"}) {
		t.Errorf("ending the session that one calls under: got the cookies %q, want both cleared", names)
	}
	before.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	before.do(t, "POST", turn, `{}`).want(t, 401, "not_authenticated")

	evesBefore := eve.clone()
	evesID := eve.do(t, "GET", "/get_sessions", "").want(t, 200, "").sessions(t)[0]["Id"]
	if got := w.admin.do(t, "POST", "/delete_session", body(evesID)).want(t, 200, ""); len(got.set) != 0 {
		t.Errorf("an admin who ended another's session got the cookies %q", got.setNames())
	}
	evesBefore.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	w.admin.do(t, "POST", "/delete_session", body(evesID)).want(t, 404, "not_found")

	one, two := w.login(t, "member"), w.login(t, "member")
	if got := one.do(t, "POST", "/delete_user_sessions", `{"user_id":"`+member+`"}`).want(t, 200, ""); len(got.set) != 2 || len(one.cookies) != 0 {
		t.Errorf("ending all of one's sessions: got the cookies %q, want both cleared", got.setNames())
	}
	two.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	three := w.login(t, "member")
	if got := w.admin.do(t, "POST", "/delete_user_sessions", `{"user_id":"`+member+`"}`).want(t, 200, ""); len(got.set) != 0 {
		t.Errorf("an admin who ended another's sessions got the cookies %q", got.setNames())
	}
	three.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	if got := manages.do(t, "POST", "/delete_user_sessions", `{"user_id":"`+w.userID(t, "admin")+`"}`).want(t, 200, ""); len(got.set) != 0 {
		t.Errorf("an access token that ended its maker's sessions got the cookies %q", got.setNames())
	}
	w.admin.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	w.admin = w.login(t, "admin")
	w.admin.do(t, "GET", "/check_session", "").want(t, 200, "")
}

// TestEveryRouteResealsCookiesOfAnOlderKey asks each route with the cookies from before a
// rotation.
func TestEveryRouteResealsCookiesOfAnOlderKey(t *testing.T) {
	both, none, cleared := []string{"assistant_session", "user_session"}, []string(nil), []string{"-assistant_session", "-user_session"}
	others := map[string][]string{
		"POST /logout": cleared, "POST /clear_project": {"-assistant_session"},
		"POST /login": none, "GET /healthz": none, "HEAD /healthz": none, "GET /readyz": none, "HEAD /readyz": none,
		// They may end the sessions of who calls.
		"PATCH /update_user": none, "POST /delete_user": none, "POST /delete_project": none, "POST /revoke_project": none,
		"POST /delete_session": none, "POST /delete_user_sessions": none,
		"POST /unlink_identity": none, "POST /set_group_rule": none, "POST /delete_group_rule": none, "POST /oidc/backchannel-logout": none,
	}
	w := newWorld(t, signsOn)
	p := w.addProject(t, "Support bot")
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		return response(200, "application/json", `[]`), nil
	})
	token := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	for name := range maps.Keys(matrix) {
		method, path, _ := strings.Cut(name, " ")
		body := ""
		if method == http.MethodPost || method == http.MethodPatch {
			body = `{}`
		}
		b := w.login(t, "admin")
		b.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
		if got := b.clone().do(t, method, path, body).setNames(); len(got) > 0 && name != "POST /logout" && name != "POST /clear_project" {
			t.Errorf("%s before a rotation: got the cookies %q, want none", name, got)
		}
		b = w.login(t, "admin")
		b.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
		w.rotate(t)
		// With an access token the cookies beside it are nobody's.
		withToken := b.clone()
		withToken.authorization = token.authorization
		if got := withToken.do(t, method, path, body).setNames(); len(got) > 0 {
			t.Errorf("%s with an access token: got the cookies %q, want none", name, got)
		}
		want, another := others[name]
		if !another {
			want = both
		}
		r := b.request(t, method, path, body)
		foreign := b.request(t, method, path, body)
		if got := b.clone().send(t, r).setNames(); !slices.Equal(got, want) {
			t.Errorf("%s: got the cookies %q, want %q", name, got, want)
		}
		foreign.Header.Set("Origin", "https://elsewhere.example")
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		if method == http.MethodPost || method == http.MethodPatch {
			if got := b.clone().send(t, foreign).setNames(); len(got) > 0 {
				t.Errorf("%s from another origin: got the cookies %q, want none", name, got)
			}
		}
	}
}

func TestANewCookieIsAsAtLogin(t *testing.T) {
	for name, change := range map[string]func(*world){
		"by default":      func(*world) {},
		"for development": func(w *world) { w.options.InsecureCookies = true },
		"strict":          func(w *world) { w.options.SameSite = http.SameSiteStrictMode },
	} {
		for _, remember := range []string{"false", "true"} {
			t.Run(name+", remember "+remember, func(t *testing.T) {
				w := newWorld(t, change)
				p := w.addProject(t, "Support bot")
				b := &browser{w: w, cookies: map[string]string{}}
				first := b.do(t, "POST", "/login", `{"username":"admin","password":"`+password+`","remember":`+remember+`}`).want(t, 200, "").cookie(t, "user_session")
				set := b.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "").cookie(t, "assistant_session")
				w.rotate(t)
				w.clock.move(10 * time.Minute)
				before := b.clone()
				got := b.do(t, "GET", "/get_projects", "").want(t, 200, "")
				for _, old := range []*http.Cookie{first, set} {
					anew, want := *got.cookie(t, old.Name), *old
					if anew.Value == old.Value {
						t.Errorf("%s is the old one", old.Name)
					}
					if remember == "true" {
						want.MaxAge -= 600
					}
					want.Value, want.Raw, anew.Value, anew.Raw = "", "", "", ""
					if d := cmp.Diff(want, anew); d != "" {
						t.Errorf("%s, -as it was first set +as it is set again:\n%s", old.Name, d)
					}
				}
				if got := b.do(t, "GET", "/check_session", "").want(t, 200, ""); got.assistant(t)["Id"] != string(p.ID) || len(got.set) != 0 {
					t.Errorf("with the new cookies: got %s and the cookies %q", got.raw, got.setNames())
				}
				if got := before.do(t, "GET", "/check_session", "").want(t, 200, ""); got.assistant(t)["Id"] != string(p.ID) {
					t.Errorf("with the old cookies, which a reply that was lost has left: got %s", got.raw)
				}
			})
		}
	}
}

// A route that sets or clears a cookie itself has the last word.
func TestNoCookieIsSetTwice(t *testing.T) {
	w := newWorld(t)
	p, q := w.addProject(t, "Support bot"), w.addProject(t, "Sales bot")
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	w.rotate(t)
	got := w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(q.ID)+`"}`).want(t, 200, "")
	if names := got.setNames(); !slices.Equal(names, []string{"assistant_session", "user_session"}) {
		t.Errorf("got the cookies %q, want each once", names)
	}
	if got := w.admin.do(t, "GET", "/check_session", "").want(t, 200, ""); got.assistant(t)["Id"] != string(q.ID) || len(got.set) != 0 {
		t.Errorf("got %s and the cookies %q, want the assistant that was set last", got.raw, got.setNames())
	}
}

func TestAForwardedAnswerSetsOurCookiesAndNoOthers(t *testing.T) {
	w, _ := talking(t)
	dropped := ""
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		a := response(200, "application/json", `[]`)
		a.Header.Add("Set-Cookie", "user_session=voiceflow; Path=/")
		a.Header.Add("Set-Cookie", "session=voiceflow; Path=/")
		if dropped != "" {
			a.Header.Set("Connection", dropped)
		}
		return a, nil
	})
	both := []string{"assistant_session", "user_session"}
	if got := w.member.do(t, "POST", turn, `{}`).want(t, 200, "").setNames(); len(got) > 0 {
		t.Errorf("before a rotation: got the cookies %q, want none", got)
	}
	w.rotate(t)
	before := w.member.clone()
	for _, dropped = range []string{"", "Set-Cookie, X-Request-Id"} {
		b := before.clone()
		got := b.do(t, "POST", turn, `{}`).want(t, 200, "")
		if names := got.setNames(); !slices.Equal(names, both) || strings.Contains(strings.Join(got.header.Values("Set-Cookie"), ""), "voiceflow") {
			t.Errorf("where Voiceflow drops %q: got the cookies %q, want ours and none of Voiceflow's", dropped, got.header.Values("Set-Cookie"))
		}
		w.member = b
	}
	if got := w.member.do(t, "POST", turn, `{}`).want(t, 200, "").setNames(); len(got) > 0 {
		t.Errorf("with the new cookies: got the cookies %q, want none", got)
	}
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
	})
	if got := before.clone().do(t, "POST", turn, `{}`).want(t, 503, "voiceflow_unavailable").setNames(); !slices.Equal(got, both) {
		t.Errorf("with a failure: got the cookies %q, want %q", got, both)
	}
	if got := before.do(t, "GET", "/voiceflow/api/v2/nothing", "").want(t, 404, "not_found").setNames(); len(got) > 0 {
		t.Errorf("for what is not forwarded: got the cookies %q, want none: nobody was asked who calls", got)
	}
}

func TestUnderAHostsLoginOnlyTheAssistantsCookieIsOurs(t *testing.T) {
	w := newWorld(t, hosted(byHeader))
	p := w.addProject(t, "Support bot")
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		return response(200, "application/json", `[]`), nil
	})
	b := w.nobody.with("user_session", "the host's own")
	b.as(t, "boss", "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	w.rotate(t)
	only := []string{"assistant_session"}
	for _, path := range []string{"/check_session", "/get_projects", "/get_sessions"} {
		if got := b.clone().as(t, "boss", "GET", path, "").want(t, 200, "").setNames(); !slices.Equal(got, only) {
			t.Errorf("%s: got the cookies %q, want %q", path, got, only)
		}
	}
	if got := b.clone().as(t, "boss", "POST", turn, `{}`).want(t, 200, "").setNames(); !slices.Equal(got, only) {
		t.Errorf("a forwarded call: got the cookies %q, want %q", got, only)
	}
	if got := b.clone().as(t, "erika", "GET", "/get_projects", "").want(t, 404, "not_found").setNames(); len(got) > 0 {
		t.Errorf("another user got the cookies %q", got)
	}
	sessions := b.as(t, "boss", "GET", "/get_sessions", "").want(t, 200, "").sessions(t)
	if len(sessions) != 1 || sessions[0]["Kind"] != "assistant" || sessions[0]["User"] != "boss" {
		t.Errorf("got the sessions %v, want the assistant's", sessions)
	}
	b.as(t, "erika", "GET", "/get_sessions?user_id=boss", "").want(t, 403, "not_allowed")
	b.as(t, "erika", "POST", "/delete_session", `{"session_id":"`+sessions[0]["Id"].(string)+`"}`).want(t, 404, "not_found")
	b.as(t, "erika", "POST", "/delete_user_sessions", `{"user_id":"boss"}`).want(t, 403, "not_allowed")
	got := b.as(t, "boss", "POST", "/delete_user_sessions", `{"user_id":"boss"}`).want(t, 200, "").setNames()
	if !slices.Equal(got, []string{"-assistant_session"}) || b.cookies["user_session"] != "the host's own" {
		t.Errorf("got the cookies %q, want only the assistant's to be cleared", got)
	}
}
