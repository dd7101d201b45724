package ginhttp_test

import (
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

const addA = `{"version_id":"` + versionA + `","token":"` + canary + `"}`

func TestAddProject(t *testing.T) {
	w := newWorld(t)
	added := w.admin.do(t, "POST", "/add_project", addA).want(t, 200, "").assistant(t)
	if got := slices.Sorted(maps.Keys(added)); !slices.Equal(got, []string{"Created", "Id", "Name"}) {
		t.Errorf("got the members %q", got)
	}
	if added["Name"] != "Support bot" || added["Created"] != "2026-11-22T06:00:00.123456Z" || !uuid.MatchString(added["Id"].(string)) {
		t.Errorf("got %v", added)
	}

	again := w.admin.do(t, "POST", "/add_project", addA).want(t, 400, "already_added")
	if d := cmp.Diff(added, again.assistant(t)); d != "" {
		t.Errorf("the one that is there, -added +told:\n%s", d)
	}
	set := w.admin.do(t, "POST", "/set_project", `{"project_id":"`+added["Id"].(string)+`"}`).want(t, 200, "")
	checked := w.admin.do(t, "GET", "/check_session", "").want(t, 200, "")
	listed := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "")
	first := listed.body["assistants"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"secondary_set": nil, "secondary_checked": nil, "personal_status": "none", "personal_set": nil, "personal_checked": nil,
		"key_status": "ok", "secondary_status": "none", "key_checked": "2026-11-22T06:00:00.123456Z", "key_set": "2026-11-22T06:00:00.123456Z", "credits": "ok",
		"environment_mode": "pinned",
		"environments":     map[string]any{"default": versionA, "allowed": []any{versionA}, "allow_draft": []any{}},
		"picture_origins":  []any{},
	} {
		if !cmp.Equal(first[name], want) {
			t.Errorf("an admin is shown %s %v, want %v", name, first[name], want)
		}
		if _, shown := first[name]; !shown {
			t.Errorf("an admin is not shown %s", name)
		}
		delete(first, name)
	}
	for what, got := range map[string]any{
		"set_project": set.assistant(t), "check_session": checked.assistant(t), "get_projects": any(first),
	} {
		if d := cmp.Diff(any(added), got); d != "" {
			t.Errorf("%s tells another assistant, -added +told:\n%s", what, d)
		}
	}
}

func TestAddProjectTrimsWhatIsPasted(t *testing.T) {
	w := newWorld(t)
	w.admin.do(t, "POST", "/add_project", `{"version_id":" `+strings.ToUpper(versionA)+`\n","token":"\t`+canary+` "}`).want(t, 200, "")
	w.admin.do(t, "POST", "/add_project", addA).want(t, 400, "already_added")
}

func TestAddProjectSendsNothingForBadInput(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ name, body string }{
		{"nothing", `{}`},
		{"no token", `{"version_id":"` + versionA + `"}`},
		{"a null token", `{"version_id":"` + versionA + `","token":null}`},
		{"an empty token", `{"version_id":"` + versionA + `","token":"  "}`},
		{"a token with a line break", `{"version_id":"` + versionA + `","token":"canary\r\nX-Evil: 1"}`},
		{"a token in another script", `{"version_id":"` + versionA + `","token":"canary é"}`},
		{"a token that is too long", `{"version_id":"` + versionA + `","token":"` + strings.Repeat("canary", 86) + `"}`},
		{"a token that is a number", `{"version_id":"` + versionA + `","token":5}`},
		{"no version", `{"token":"` + canary + `"}`},
		{"a version that leaves the path", `{"version_id":"../x","token":"` + canary + `"}`},
		{"a version that is too long", `{"version_id":"` + strings.Repeat("a", 65) + `","token":"` + canary + `"}`},
		{"an alias without a project", `{"version_id":"production","token":"` + canary + `"}`},
		{"an alias with an invalid project", `{"version_id":"production","voiceflow_project_id":"x","token":"` + canary + `"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.admin.do(t, "POST", "/add_project", tc.body).want(t, 400, "invalid_request")
		})
	}
	if n := w.voiceflow.requests(); n != 0 {
		t.Errorf("%d requests were sent to Voiceflow", n)
	}
}

func TestAddProjectTellsWhatWentWrongBehindIt(t *testing.T) {
	long := domain.Export{Project: projectA, Name: strings.Repeat("n", 513)}
	for _, tc := range []struct {
		name, body string
		change     func(*world)
		code       string
		retry      string
	}{
		{"Voiceflow knows no such version", `{"version_id":"` + projectB + `","token":"` + canary + `"}`, nil, "voiceflow_rejected", ""},
		{"Voiceflow is down", addA, func(w *world) {
			w.voiceflow.err = &domain.Error{Kind: domain.VoiceflowUnavailable}
		}, "voiceflow_unavailable", "1"},
		{"Voiceflow says when again", addA, func(w *world) {
			w.voiceflow.err = &domain.Error{Kind: domain.VoiceflowUnavailable, RetryAfter: 7001 * time.Millisecond}
		}, "voiceflow_unavailable", "8"},
		{"the assistant's name is too long", addA, func(w *world) { w.voiceflow.exports[versionA] = long }, "name_too_long", ""},
		{"the version is another project's", `{"version_id":"` + versionA + `","voiceflow_project_id":"` + projectB + `","token":"` + canary + `"}`,
			nil, "invalid_request", ""},
		{"the database is down", addA, func(w *world) { w.ports.Store.Projects = down{w.ports.Store.Projects} }, "unavailable", "1"},
		{"the stored bytes can't be decrypted", addA, func(w *world) {
			w.voiceflow.err = &domain.Error{Kind: domain.Corrupt, Public: "which keyset it was"}
		}, "internal", ""},
		{"a failure that nobody foresaw", addA, func(w *world) { w.voiceflow.err = errors.New("SELECT * FROM") }, "internal", ""},
		{"a panic", addA, func(w *world) { w.voiceflow.panics = true }, "internal", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.change != nil {
				w = newWorld(t, tc.change)
			}
			got := w.admin.do(t, "POST", "/add_project", tc.body).want(t, 400, tc.code)
			if retry := got.header.Get("Retry-After"); retry != tc.retry {
				t.Errorf("got Retry-After %q, want %q", retry, tc.retry)
			}
			for _, inner := range []string{"SELECT", "no such luck", "goroutine", "keyset", "connection refused"} {
				if strings.Contains(string(got.raw), inner) {
					t.Errorf("%s tells the inside", got.raw)
				}
			}
		})
	}
}

func TestDeleteProject(t *testing.T) {
	w := newWorld(t)
	one, two, three := w.addProject(t, "Twin"), w.addProject(t, "Twin"), w.addProject(t, "Only")

	w.admin.do(t, "POST", "/delete_project", `{"project_name":" Only ","project_id":" "}`).want(t, 200, "")
	w.admin.do(t, "POST", "/delete_project", `{"project_name":"Only"}`).want(t, 400, "not_found")
	w.admin.do(t, "POST", "/delete_project", `{"project_id":"`+string(three.ID)+`"}`).want(t, 400, "not_found")
	w.admin.do(t, "POST", "/delete_project", `{"project_name":"twin"}`).want(t, 400, "not_found")

	several := w.admin.do(t, "POST", "/delete_project", `{"project_name":"Twin"}`).want(t, 400, "ambiguous_name")
	var ids []string
	for _, p := range several.body["assistants"].([]any) {
		ids = append(ids, p.(map[string]any)["Id"].(string))
	}
	want := []string{string(one.ID), string(two.ID)}
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("got the ids %q, want %q", ids, want)
	}
	w.admin.do(t, "POST", "/delete_project", `{"project_name":"Other","project_id":"`+ids[0]+`"}`).want(t, 400, "not_found")
	w.admin.do(t, "POST", "/delete_project", `{"project_name":"Twin","project_id":"`+ids[0]+`"}`).want(t, 200, "")
	w.admin.do(t, "POST", "/delete_project", `{"project_name":"Twin"}`).want(t, 200, "")
	w.admin.do(t, "GET", "/get_projects", "").want(t, 404, "not_found")
}

func TestSetProject(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	for _, id := range []string{string(p.ID), strings.ToUpper(string(p.ID)), string(p.Voiceflow)} {
		got := w.member.do(t, "POST", "/set_project", `{"project_id":" `+id+` "}`).want(t, 200, "")
		if got.assistant(t)["Id"] != string(p.ID) {
			t.Errorf("%s: got %s", id, got.raw)
		}
	}
	if got := w.member.do(t, "GET", "/check_session", "").want(t, 200, "").assistant(t)["Name"]; got != "Support bot" {
		t.Errorf("got %v set", got)
	}

	w.member.do(t, "POST", "/clear_project", "").want(t, 200, "")
	if w.member.cookies["assistant_session"] != "" {
		t.Error("the cookie is still there")
	}
	if got := w.member.do(t, "GET", "/check_session", "").want(t, 200, ""); got.body["assistant"] != nil {
		t.Errorf("got %s, want no assistant", got.raw)
	}
}

func TestClearProjectEndsTheSessionWhateverStandsBesideIt(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	ours := w.admin.cookies["assistant_session"]
	r := w.admin.request(t, "POST", "/clear_project", "")
	r.Header.Set("Cookie", "assistant_session=planted; "+r.Header.Get("Cookie"))
	w.admin.send(t, r).want(t, 200, "")
	if got := w.admin.with("assistant_session", ours).do(t, "GET", "/check_session", "").want(t, 200, ""); got.body["assistant"] != nil {
		t.Errorf("got %s, want no assistant", got.raw)
	}
}

// The refusal of a project that exists must be that of one that does not, to the byte
// but for the request id, headers too.
func TestExistenceIsNotTold(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Secret project")
	const nowhere = "01900000-0000-7000-8000-000000000000"
	plain := func(id string) (int, string, http.Header) {
		got := w.member.do(t, "POST", "/set_project", `{"project_id":"`+id+`"}`).want(t, 401, "not_allowed")
		header := got.header.Clone()
		header.Del("Date")
		request := header.Get("X-Request-Id")
		header.Del("X-Request-Id")
		return got.status, strings.ReplaceAll(string(got.raw), request, "ID"), header
	}
	wantStatus, wantBody, wantHeader := plain(nowhere)
	for _, id := range []string{string(p.ID), string(p.Voiceflow), projectB} {
		status, body, header := plain(id)
		if d := cmp.Diff(wantHeader, header); status != wantStatus || body != wantBody || d != "" {
			t.Errorf("%s: got %d %s, want %d %s; headers:\n%s", id, status, body, wantStatus, wantBody, d)
		}
	}
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+nowhere+`"}`).want(t, 400, "not_found")
	for _, b := range []*browser{w.member, w.admin} {
		for _, id := range []string{"", "x", nowhere + "0", nowhere[1:], "Secret project"} {
			b.do(t, "POST", "/set_project", `{"project_id":"`+id+`"}`).want(t, 400, "invalid_request")
		}
	}
}

func TestSetProjectAsksWhichOfSeveral(t *testing.T) {
	w := newWorld(t)
	w.voiceflow.exports[versionB] = domain.Export{Project: projectA, Name: "Support bot, staging"}
	w.admin.do(t, "POST", "/add_project", addA).want(t, 200, "")
	w.admin.do(t, "POST", "/add_project", strings.Replace(addA, versionA, versionB, 1)).want(t, 200, "")
	got := w.admin.do(t, "POST", "/set_project", `{"project_id":"`+projectA+`"}`).want(t, 400, "ambiguous_name")
	if names := got.names(t); len(names) != 2 {
		t.Errorf("got %q, want both", names)
	}
}

func TestGrantAndRevoke(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	id := w.userID(t, "member")
	body := `{"user_id":"` + id + `","project_id":"` + string(p.ID) + `"}`
	set := `{"project_id":"` + string(p.ID) + `"}`

	w.member.do(t, "POST", "/set_project", set).want(t, 401, "not_allowed")
	w.admin.do(t, "POST", "/grant_project", body).want(t, 200, "")
	w.admin.do(t, "POST", "/grant_project", body).want(t, 200, "")
	w.member.do(t, "POST", "/set_project", set).want(t, 200, "")
	if got := w.member.do(t, "GET", "/check_session", "").body["user"].(map[string]any)["Assistants"]; !cmp.Equal(got, any([]any{string(p.ID)})) {
		t.Errorf("got %v granted", got)
	}
	w.admin.do(t, "POST", "/revoke_project", body).want(t, 200, "")
	w.admin.do(t, "POST", "/revoke_project", body).want(t, 200, "")
	w.admin.do(t, "POST", "/grant_project", body).want(t, 200, "")
	if got := w.member.do(t, "GET", "/check_session", "").want(t, 200, ""); got.body["assistant"] != nil {
		t.Errorf("a grant given again revived the session: %s", got.raw)
	}

	w.admin.do(t, "POST", "/grant_project", `{"user_id":"nobody","project_id":"`+string(p.ID)+`"}`).want(t, 404, "not_found")
	w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+id+`","project_id":"`+projectB+`"}`).want(t, 404, "not_found")
	w.admin.do(t, "POST", "/revoke_project", `{"user_id":"`+id+`","project_id":"x"}`).want(t, 400, "invalid_request")
}

func TestNamesOfAnyScriptComeOutRight(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{
		`quotes " ' and \ and </script>`, "line\nbreak and\ttab", "a\u2028b\u2029c", "助手", "\u202eתוסף", "🤖👩‍👩‍👧", strings.Repeat("ü", 256),
	} {
		p := w.addProject(t, name)
		got := w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "").assistant(t)["Name"]
		if got != name {
			t.Errorf("got %q, want %q", got, name)
		}
	}
}

var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

func TestCreatedHasSixDigitsAlways(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.clock.move(876544 * time.Microsecond)
		p := w.addProject(t, "Bot "+w.clock.Now().String())
		got := w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "").assistant(t)["Created"].(string)
		if parsed, err := time.Parse(time.RFC3339Nano, got); !instant.MatchString(got) || err != nil || !parsed.Equal(p.Created) {
			t.Errorf("got %q for %v", got, p.Created)
		}
	}
}
