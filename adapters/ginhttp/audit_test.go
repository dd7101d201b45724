package ginhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// events returns the member events.
func (a *reply) events(t testing.TB) []map[string]any {
	t.Helper()
	list, ok := a.body["events"].([]any)
	if !ok {
		t.Fatalf("%s: %s has no events", a.what, a.raw)
	}
	events := make([]map[string]any, len(list))
	for i, e := range list {
		events[i] = e.(map[string]any)
	}
	return events
}

// whats are the events as "Action Outcome Count".
func whats(events []map[string]any) []string {
	out := make([]string, len(events))
	for i, e := range events {
		count, _ := json.Marshal(e["Count"])
		out[i] = strings.Join([]string{e["Action"].(string), e["Outcome"].(string), string(count)}, " ")
	}
	return out
}

// asked is the answer to an admin who asks for events.
func (w *world) asked(t testing.TB, query string) []map[string]any {
	t.Helper()
	return w.admin.do(t, "GET", "/get_audit_events?"+query, "").want(t, 200, "").events(t)
}

func TestGetAuditEvents(t *testing.T) {
	w := newWorld(t)
	w.clock.move(time.Second)
	since := domain.Instant(w.clock.Now())
	added := w.admin.do(t, "POST", "/add_project", addA).want(t, 200, "")
	id := added.assistant(t)["Id"].(string)
	w.clock.move(time.Second)
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+id+`"}`).want(t, 200, "")
	w.clock.move(time.Second)
	w.admin.do(t, "POST", "/clear_project", "").want(t, 200, "")

	whole := w.admin.do(t, "GET", "/get_audit_events", "").want(t, 200, "")
	all := whole.events(t)
	if _, more := whole.body["next_cursor"]; more {
		t.Error("the whole list has a next_cursor")
	}
	if got := whats(all)[:3]; !slices.Equal(got, []string{"clear_project ok 1", "set_project ok 1", "add_project ok 1"}) {
		t.Errorf("got %v, want the newest first", got)
	}
	want := map[string]any{
		"Id": all[2]["Id"], "Time": since.Format("2006-01-02T15:04:05.000000Z"),
		"Actor": "user:" + w.userID(t, "admin"), "Action": "add_project", "Object": "project:" + id, "Outcome": "ok",
		"RequestId": added.header.Get("X-Request-Id"), "Address": "127.0.0.1", "Count": float64(1),
	}
	if got := all[2]; !mapsEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if id, ok := all[2]["Id"].(string); !ok || id == "" {
		t.Errorf("got the Id %v, want a string", all[2]["Id"])
	}

	at := func(d time.Duration) string { return url.QueryEscape(since.Add(d).Format(time.RFC3339Nano)) }
	for query, want := range map[string][]string{
		"action=set_project":                                     {"set_project ok 1"},
		"object=" + url.QueryEscape("project:"+id):               {"clear_project ok 1", "set_project ok 1", "add_project ok 1"},
		"request_id=" + added.header.Get("X-Request-Id"):         {"add_project ok 1"},
		"actor=operator&action=create_user&limit=1":              {"create_user ok 1"},
		"outcome=no_such":                                        {},
		"since=" + at(time.Second):                               {"clear_project ok 1", "set_project ok 1"},
		"since=" + at(0) + "&until=" + at(time.Second):           {"add_project ok 1"},
		"since=" + at(0) + "&until=" + at(0):                     {},
		"since=" + url.QueryEscape("2030-01-01T00:00:00+02:00"):  {},
		"action=%20set_project%20&unknown=1&unknown=2&outcome=":  {"set_project ok 1"},
		"action=set_project&actor=user:" + w.userID(t, "member"): {},
	} {
		if got := whats(w.asked(t, query)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}

	for limit := 1; limit <= 9; limit += 4 {
		var walked []map[string]any
		for next := ""; ; {
			page := w.admin.do(t, "GET", "/get_audit_events?limit="+strconv.Itoa(limit)+"&cursor="+next, "").want(t, 200, "")
			walked = append(walked, page.events(t)...)
			more, there := page.body["next_cursor"].(string)
			if !there {
				break
			}
			next = more
		}
		if !slices.Equal(whats(walked), whats(all)) {
			t.Errorf("by pages of %d: got %v, want %v", limit, whats(walked), whats(all))
		}
	}
}

func mapsEqual(got, want map[string]any) bool {
	for name, value := range want {
		if got[name] != value {
			return false
		}
	}
	return len(got) == len(want)
}

// The whole list comes page by page, as others do.
func TestManyAuditEvents(t *testing.T) {
	w := newWorld(t)
	before := len(w.asked(t, ""))
	var recs []domain.Record
	for range 1100 {
		recs = append(recs, domain.Record{At: domain.Instant(w.clock.Now()), Actor: domain.ActorOperator, Action: "x", Outcome: "ok", Count: 1})
	}
	if err := w.ports.Store.Audit.Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	got := w.asked(t, "")
	seen := map[any]bool{}
	for _, e := range got {
		seen[e["Id"]] = true
	}
	if len(got) != before+1100 || len(seen) != len(got) {
		t.Errorf("got %d events, %d of them different, want %d", len(got), len(seen), before+1100)
	}
}

func TestAuditEventsRefuseWhatIsBad(t *testing.T) {
	w := newWorld(t)
	cursor := func(name string) string {
		return "cursor=" + domain.Cursor{ID: "00000000-0000-0000-0000-000000000000", Name: name}.Text(domain.AuditList)
	}
	w.admin.do(t, "GET", "/get_audit_events?"+cursor("1 1"), "").want(t, 200, "")
	for _, query := range []string{
		"since=yesterday", "until=2026-11-25", "since=2026-11-25T06:00:00", "since=2026-13-01T00:00:00Z", "until=1",
		"since=2026-11-25T06:00:00Z&since=2026-11-25T06:00:00Z", "actor=a&actor=b", "actor=%00", "object=%ff", "action=%1b",
		"object=" + strings.Repeat("x", 2049), "limit=0", "limit=1001", "%zz",
		cursor(""), cursor("1"), cursor("1 "), cursor(" 1"), cursor("01 1"), cursor("1  1"), cursor("1 1 1"), cursor("1 x"), cursor("+1 1"),
		cursor("99999999999999999999 1"), "cursor=" + domain.Cursor{Name: "1 1", ID: "01900000-0000-7000-8000-000000000000"}.Text(domain.AuditList),
		"cursor=" + domain.Cursor{Name: "1 1", ID: "00000000-0000-0000-0000-000000000000"}.Text(domain.UserList), "cursor=x",
	} {
		w.admin.do(t, "GET", "/get_audit_events?"+query, "").want(t, 400, "invalid_request")
	}
}

// Each sort of refusal leaves a row, and what is no refusal leaves none.
func TestRefusalsLeaveRows(t *testing.T) {
	bounded := &bounded{}
	w := newWorld(t, func(w *world) { w.ports.Logins.Attempts = bounded })
	p := w.addProject(t, "Support bot")
	sales := w.granted(t, "member", "Sales bot")
	token := w.token(t, w.member, `{"name":"x","project_id":"`+string(sales.ID)+`"}`)
	member := "user:" + w.userID(t, "member")
	tokenActor := w.asked(t, "action=create_access_token")[0]["Object"].(string)
	cross := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	for _, tc := range []struct {
		name         string
		b            *browser
		method, path string
		body         string
		edit         func(*http.Request)
		before       func()
		// What the row says; no action is no row.
		actor, action, object, outcome string
	}{
		{name: "nobody is logged in", b: w.nobody, method: "GET", path: "/get_projects", actor: "nobody", action: "get_projects", outcome: "not_authenticated"},
		{name: "no admin, on the four", b: w.member, method: "POST", path: "/add_project", body: addA, actor: member, action: "add_project", outcome: "not_allowed"},
		{name: "no admin, elsewhere", b: w.member, method: "GET", path: "/get_audit_events", actor: member, action: "get_audit_events", outcome: "not_allowed"},
		{name: "not granted", b: w.member, method: "POST", path: "/set_project", body: `{"project_id":"` + string(p.ID) + `"}`, actor: member, action: "set_project",
			object: "project:" + string(p.ID), outcome: "not_allowed"},
		{name: "a token that opens nothing", b: token, method: "POST", path: "/logout", actor: tokenActor, action: "logout", outcome: "not_authenticated"},
		{name: "a wrong password", b: w.nobody, method: "POST", path: "/login", body: `{"username":"member","password":"wrong wrong"}`, actor: "nobody", action: "login",
			object: member, outcome: "not_authenticated"},
		{name: "nobody's password", b: w.nobody, method: "POST", path: "/login", body: `{"username":"wrong","password":"wrong wrong"}`, actor: "nobody", action: "login",
			object: "-", outcome: "not_authenticated"},
		{name: "from another origin", b: w.admin, method: "POST", path: "/clear_project", edit: cross, actor: "nobody", action: "clear_project", outcome: "cross_origin"},
		{name: "forwarded, by nobody", b: w.nobody, method: "GET", path: "/voiceflow/general-runtime/state/user/x", actor: "nobody", action: "forward", object: "GET /state/user/{userID}", outcome: "not_authenticated"},
		{name: "forwarded, without the scope", b: token, method: "GET", path: "/voiceflow/api/v3alpha/knowledge-base/docs", actor: tokenActor, action: "forward", outcome: "not_allowed"},
		{name: "a wrong current password, to change it", b: w.member, method: "POST", path: "/change_password",
			body: `{"password":"wrong wrong","new_password":"another canary"}`, actor: member, action: "change_password", object: member, outcome: "invalid_request"},
		{name: "a wrong current password, for an access token", b: w.member, method: "POST", path: "/create_access_token",
			body: `{"name":"x","project_id":"` + string(p.ID) + `","password":"wrong wrong"}`, actor: member, action: "create_access_token", object: member, outcome: "not_allowed"},
		{name: "a wrong current password, for an access token of one's own", b: w.member, method: "POST", path: "/create_access_token",
			body: `{"name":"x","project_id":"` + string(sales.ID) + `","password":"wrong wrong"}`, actor: member, action: "create_access_token", object: member, outcome: "invalid_request"},
		{name: "a wrong current password, to rotate an access token", b: w.member, method: "POST", path: "/rotate_access_token",
			body: `{"token_id":"01890000-0000-7000-8000-000000000404","password":"wrong wrong"}`, actor: member, action: "rotate_access_token", object: member, outcome: "invalid_request"},
		{name: "no current password", b: w.member, method: "POST", path: "/create_access_token",
			body: `{"name":"x","project_id":"` + string(sales.ID) + `"}`, actor: member, action: "create_access_token", object: member, outcome: "invalid_request"},
		{name: "a new password that is too short", b: w.member, method: "POST", path: "/change_password", body: `{"password":"` + password + `","new_password":"x"}`},
		{name: "too often", b: w.nobody, method: "POST", path: "/login", body: `{"username":"member","password":"wrong wrong"}`,
			before: func() { bounded.full = true }, actor: "nobody", action: "login", outcome: "too_many_requests"},

		{name: "what is missing", b: w.admin, method: "POST", path: "/set_project", body: `{}`},
		{name: "what does not exist", b: w.admin, method: "POST", path: "/revoke_project", body: `{"user_id":"x","project_id":"01900000-0000-7000-8000-000000000000"}`},
		{name: "an unknown path", b: w.nobody, method: "GET", path: "/nothing"},
		{name: "a wrong method", b: w.nobody, method: "GET", path: "/login"},
		{name: "what succeeds and changes nothing", b: w.admin, method: "GET", path: "/get_all_users"},
		{name: "what has no assistant", b: w.admin, method: "GET", path: "/voiceflow/general-runtime/state/user/x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.clock.move(time.Minute)
			if tc.before != nil {
				tc.before()
			}
			before := len(w.asked(t, ""))
			r := tc.b.request(t, tc.method, tc.path, tc.body)
			if tc.edit != nil {
				tc.edit(r)
			}
			got := tc.b.send(t, r)
			events := w.asked(t, "")
			if tc.action == "" {
				if len(events) != before {
					t.Errorf("got %d %s, and the row %v, want none", got.status, got.raw, events[0])
				}
				return
			}
			if len(events) != before+1 {
				t.Fatalf("got %d rows more, want 1; the answer was %d %s", len(events)-before, got.status, got.raw)
			}
			e := events[0]
			switch tc.object {
			case "":
				tc.object = e["Object"].(string)
			case "-":
				tc.object = ""
			}
			want := map[string]any{
				"Id": e["Id"], "Time": e["Time"], "Actor": tc.actor, "Action": tc.action, "Object": tc.object, "Outcome": tc.outcome,
				"RequestId": got.header.Get("X-Request-Id"), "Address": "127.0.0.1", "Count": float64(1),
			}
			if got.code() != tc.outcome || !mapsEqual(e, want) {
				t.Errorf("got %d %s and the row %v, want %v", got.status, got.raw, e, want)
			}
		})
	}
}

// granted adds a project and grants it to the user of that name.
func (w *world) granted(t testing.TB, name, project string) domain.Project {
	t.Helper()
	p := w.addProject(t, project)
	w.grant(t, name, p)
	return p
}

// bounded lets everybody try until it is full.
type bounded struct{ full bool }

func (b *bounded) Begin(domain.Username, string) (func(), error) {
	if b.full {
		return nil, &domain.Error{Kind: domain.TooManyRequests, RetryAfter: time.Minute}
	}
	return func() {}, nil
}

// auditDown is an audit that takes no rows.
type auditDown struct{ ports.AuditLog }

func (auditDown) Append(context.Context, ...domain.Record) error {
	return &domain.Error{Kind: domain.Unavailable, Cause: errors.New("connection refused")}
}

// A refusal that can't be put into the audit is the same refusal.
func TestARefusalNeedsNoAudit(t *testing.T) {
	w := newWorld(t, func(w *world) { w.ports.Store.Audit = auditDown{w.ports.Store.Audit} })
	w.log.reset()
	w.nobody.do(t, "GET", "/get_projects", "").want(t, 401, "not_authenticated")
	w.nobody.do(t, "GET", "/get_projects", "").want(t, 401, "not_authenticated")
	w.server.Close()
	if n := strings.Count(w.log.String(), "a refusal could not be written to the audit yet"); n != 1 || !strings.Contains(w.log.String(), "connection refused") {
		t.Errorf("got %d lines of refusals that are not in the audit, want 1, with its cause: %s", n, w.log.String())
	}
}

// FuzzAuditEvents asks with parameters of any sort: the answer is 200 or 400.
func FuzzAuditEvents(f *testing.F) {
	w := newWorld(f)
	cursor := domain.AuditPlace{At: time.UnixMicro(1), ID: 1}.Cursor().Text(domain.AuditList)
	f.Add("operator", "x", "2026-11-25T06:00:00Z", cursor, "10")
	f.Add("user:x", "", "2026-11-25T06:00:00.123456789+14:00", "", "")
	f.Add("\x00", "'; DROP TABLE audit", "0000-01-01T00:00:00Z", cursor+"A", "0")
	f.Add("", "", "9999-12-31T23:59:59.9999999Z", "YQ", "1001")
	f.Fuzz(func(t *testing.T, actor, object, since, cursor, limit string) {
		query := url.Values{}
		for name, value := range map[string]string{"actor": actor, "object": object, "since": since, "until": since, "cursor": cursor, "limit": limit} {
			if value != "" {
				query.Set(name, value)
			}
		}
		r := httptest.NewRequest("GET", "/get_audit_events?"+query.Encode(), nil)
		for name, value := range w.admin.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		out := httptest.NewRecorder()
		w.engine.ServeHTTP(out, r)
		if out.Code != 200 && out.Code != 400 || !json.Valid(out.Body.Bytes()) {
			t.Fatalf("%s: got %d %s", query.Encode(), out.Code, out.Body)
		}
	})
}
