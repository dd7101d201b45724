package ginhttp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shownEnvironments returns what an admin sees of the environments of the only assistant.
func shownEnvironments(t *testing.T, w *world) (mode, environments any) {
	t.Helper()
	list := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "").body["assistants"].([]any)
	if len(list) != 1 {
		t.Fatalf("got %d assistants", len(list))
	}
	shown := list[0].(map[string]any)
	return shown["environment_mode"], shown["environments"]
}

func form(def string, allowed any, drafts ...any) map[string]any {
	return map[string]any{"default": def, "allowed": allowed, "allow_draft": append([]any{}, drafts...)}
}

// environmentBodies are values of the parameter environments for an assistant of versionA, and what
// an admin sees then; nil for what is refused.
var environmentBodies = []struct {
	name, value string
	want        any
	says        string
}{
	{"nothing is the version", `{}`, form(versionA, []any{versionA}), ""},
	{"a default", `{"default":" main "}`, form("main", []any{"main"}), ""},
	{"a list", `{"default":"main","allowed":["main","development"]}`, form("main", []any{"main", "development"}, "development"), ""},
	{"all", `{"default":"main","allowed":"all","allow_draft":[]}`, form("main", "all"), ""},
	{"drafts", `{"default":"main","allowed":"all","allow_draft":["main","dev"]}`, form("main", "all", "main", "dev"), ""},
	{"an id in capitals", `{"allowed":["` + strings.ToUpper(versionA) + `"]}`, form(versionA, []any{versionA}), ""},
	{"null members", `{"default":null,"allowed":null,"allow_draft":null}`, form(versionA, []any{versionA}), ""},
	{"an unknown member is ignored", `{"default":"main","Allowed":"all","deny":["x"]}`, form("main", []any{"main"}), ""},
	{"a list without the default", `{"default":"main","allowed":["dev"]}`, nil, "environments.allowed must contain the default"},
	{"an empty list", `{"allowed":[]}`, nil, "environments.allowed must contain the default"},
	{"a name for a list", `{"allowed":"main"}`, nil, "environments.allowed must be a list of names, or the text all"},
	{"true for all", `{"allowed":true}`, nil, "environments.allowed must be a list of names, or the text all"},
	{"an object for a list", `{"allowed":{"all":true}}`, nil, "environments.allowed must be a list of names, or the text all"},
	{"an object with a member twice for a list", `{"allowed":{"all":true,"all":true}}`, nil, ""},
	{"a list with a number", `{"allowed":["main",1]}`, nil, "environments.allowed must be a list of names, or the text all"},
	{"a name twice", `{"allowed":["` + versionA + `","main","main"]}`, nil, "environments.allowed has a name twice"},
	{"a name that is a path", `{"default":"../main"}`, nil, "environments.default can only contain"},
	{"a draft that is not allowed", `{"allow_draft":["main"]}`, nil, "add it to environments.allowed"},
	{"all among the drafts", `{"allowed":"all","allow_draft":"all"}`, nil, "environments has the wrong type"},
	{"a number for the default", `{"default":1}`, nil, "environments has the wrong type"},
	{"a member twice", `{"default":"main","default":"dev"}`, nil, "the body names a member twice"},
	{"a text for the object", `"all"`, nil, "environments has the wrong type"},
	{"a list for the object", `["main"]`, nil, "environments has the wrong type"},
	{"NUL", `{"default":"ma\u0000in"}`, nil, "NUL"},
	{"half of a character", `{"default":"\ud800"}`, nil, ""},
	{"too many names", `{"allowed":["` + versionA + `"` + strings.Repeat(`,"x"`, 100) + `]}`, nil, "more than 100 names"},
	{"a key in place of a name", `{"default":"` + canary + `"}`, nil, "environments.default can only contain"},
}

func TestAnAssistantIsAddedWithEnvironments(t *testing.T) {
	for _, tc := range environmentBodies {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			body := strings.TrimSuffix(addA, "}") + `,"environments":` + tc.value + `}`
			if tc.want == nil {
				got := w.admin.do(t, "POST", "/add_project", body).want(t, 400, "invalid_request")
				wantMessage(t, got, tc.says)
				if n := w.voiceflow.requests(); n != 0 {
					t.Errorf("Voiceflow was asked %d times", n)
				}
				return
			}
			added := w.admin.do(t, "POST", "/add_project", body).want(t, 200, "").assistant(t)
			if len(added) != 3 {
				t.Errorf("got %v, want the three members of the documentation", added)
			}
			wantEnvironments(t, w, "per_call", tc.want)
		})
	}
	w := newWorld(t)
	w.admin.do(t, "POST", "/add_project", strings.TrimSuffix(addA, "}")+`,"environments":null}`).want(t, 200, "")
	wantEnvironments(t, w, "pinned", form(versionA, []any{versionA}))
}

func wantMessage(t *testing.T, got *reply, says string) {
	t.Helper()
	if message, _ := got.body["message"].(string); !strings.Contains(message, says) || strings.Contains(string(got.raw), "canary") {
		t.Errorf("got %s, want a message that says %q", got.raw, says)
	}
}

func wantEnvironments(t *testing.T, w *world, mode string, want any) {
	t.Helper()
	gotMode, got := shownEnvironments(t, w)
	if d := cmp.Diff(want, got); d != "" || gotMode != mode {
		t.Errorf("got the mode %v, want %s; environments -want +got\n%s", gotMode, mode, d)
	}
}

// TestEnvironmentsAreSet sets environments after others, and sends each body that is taken twice. The
// second time changes nothing.
func TestEnvironmentsAreSet(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage:projects"]}`)
	wantEnvironments(t, w, "pinned", form(p.Version, []any{p.Version}))
	rows := func() int { return len(w.asked(t, "action=set_environments&outcome=ok")) }
	asked := w.voiceflow.requests()
	body := func(value string) string {
		return `{"project_id":"` + string(p.ID) + `","environments":` + strings.ReplaceAll(value, versionA, p.Version) + `}`
	}
	last, lastMode := any(form(p.Version, []any{p.Version})), "pinned"
	for _, tc := range environmentBodies {
		if tc.want == nil || strings.Contains(tc.name, "capitals") {
			continue
		}
		want := tc.want
		if f := want.(map[string]any); f["default"] == versionA {
			want = form(p.Version, []any{p.Version})
		}
		for _, b := range []*browser{w.admin, manages} {
			before, changes := rows(), 1
			if lastMode == "per_call" && cmp.Equal(last, want) {
				changes = 0
			}
			got := b.do(t, "POST", "/set_environments", body(tc.value)).want(t, 200, "").assistant(t)
			if got["Id"] != string(p.ID) || got["environment_mode"] != "per_call" || got["key_status"] != "ok" || !cmp.Equal(got["environments"], want) {
				t.Errorf("%s: got %v", tc.name, got)
			}
			wantEnvironments(t, w, "per_call", want)
			if n := rows() - before; n != changes {
				t.Errorf("%s: got %d rows in the audit, want %d", tc.name, n, changes)
			}
			last, lastMode = want, "per_call"
		}
	}
	for _, tc := range environmentBodies {
		if tc.want != nil {
			continue
		}
		got := w.admin.do(t, "POST", "/set_environments", body(tc.value)).want(t, 400, "invalid_request")
		wantMessage(t, got, tc.says)
		wantEnvironments(t, w, "per_call", last)
	}
	if n := w.voiceflow.requests(); n != asked {
		t.Errorf("Voiceflow was asked %d times", n-asked)
	}
	if got := w.member.do(t, "GET", "/get_projects", "").want(t, 200, ""); strings.Contains(string(got.raw), "environment") {
		t.Errorf("a member sees %s", got.raw)
	}
}

func TestEnvironmentsThatAreNotSet(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	id := string(p.ID)
	const all = `,"environments":{"allowed":"all"}}`
	for _, tc := range []struct {
		name   string
		b      *browser
		body   string
		status int
		code   string
	}{
		{"by nobody", w.nobody, `{"project_id":"` + id + `"` + all, 401, "not_authenticated"},
		{"by a member", w.member, `{"project_id":"` + id + `"` + all, 403, "not_allowed"},
		{"by a token that manages other parts", w.token(t, w.admin, `{"name":"x","scopes":["manage:users","manage:grants","manage:audit"]}`), `{"project_id":"` + id + `"` + all, 403, "not_allowed"},
		{"by an admin's token for the assistant", w.token(t, w.admin, `{"name":"x","project_id":"`+id+`"}`), `{"project_id":"` + id + `"` + all, 401, "not_authenticated"},
		{"of no assistant", w.admin, `{"project_id":"01890000-0000-7000-8000-000000000404"` + all, 404, "not_found"},
		{"of a name", w.admin, `{"project_id":"Support bot"` + all, 400, "invalid_request"},
		{"of no id", w.admin, `{"environments":{"allowed":"all"}}`, 400, "invalid_request"},
		{"without environments", w.admin, `{"project_id":"` + id + `"}`, 400, "invalid_request"},
		{"to null", w.admin, `{"project_id":"` + id + `","environments":null}`, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(w.asked(t, "action=set_environments&outcome="+tc.code))
			tc.b.do(t, "POST", "/set_environments", tc.body).want(t, tc.status, tc.code)
			wantEnvironments(t, w, "pinned", form(p.Version, []any{p.Version}))
			if n := len(w.asked(t, "action=set_environments&outcome="+tc.code)) - before; n != 1 && tc.code == "not_allowed" {
				t.Errorf("got %d rows of the refusal in the audit", n)
			}
		})
	}
	w.admin.do(t, "POST", "/set_environments", `{"project_id":" `+strings.ToUpper(string(p.Voiceflow))+`"`+all).want(t, 200, "")
	wantEnvironments(t, w, "per_call", form(p.Version, "all", "development"))
	checked := w.admin.do(t, "POST", "/check_project", `{"project_id":"`+id+`"}`).want(t, 200, "").assistant(t)
	set := w.admin.do(t, "POST", "/set_token", `{"project_id":"`+id+`","token":"`+canary+`"}`).want(t, 200, "").assistant(t)
	for _, got := range []map[string]any{checked, set} {
		if got["environment_mode"] != "per_call" || !cmp.Equal(got["environments"], any(form(p.Version, "all", "development"))) {
			t.Errorf("got %v", got)
		}
	}
}

// TestAccessTokensAreLimitedToEnvironments also changes the environments of the assistant.
func TestAccessTokensAreLimitedToEnvironments(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	create := func(t *testing.T, b *browser, more string, status int, says string) {
		t.Helper()
		w.clock.move(time.Second) // lists are in the order of time
		got := b.do(t, "POST", "/create_access_token", withPassword(`{"name":"x","project_id":"`+string(p.ID)+`"`+more+`}`))
		if status == 200 {
			got.want(t, 200, "")
			return
		}
		wantMessage(t, got.want(t, status, "invalid_request"), says)
	}
	for _, tc := range []struct {
		name, environments, more string
		status                   int
		says                     string
	}{
		{"the version of a pinned assistant", ``, `,"environments":["` + strings.ToUpper(p.Version) + `"]`, 200, ""},
		{"another environment of a pinned assistant", ``, `,"environments":["main"]`, 400, "it allows " + p.Version},
		{"another id of a pinned assistant", ``, `,"environments":["0123456789abcdef0123dead"]`, 400, "name its alias"},
		{"what is listed", `{"default":"main","allowed":["main","dev"]}`, `,"environments":["dev"]`, 200, ""},
		{"all that is listed", ``, `,"environments":["dev"," main"]`, 200, ""},
		{"what was the version", ``, `,"environments":["` + p.Version + `"]`, 400, "name its alias"},
		{"what is not listed", ``, `,"environments":["main","staging"]`, 400, "it allows main, dev"},
		{"anything, where all are allowed", `{"allowed":"all"}`, `,"environments":["staging","` + versionB + `"]`, 200, ""},
		{"no list", ``, `,"environments":null`, 200, ""},
		{"an empty list", ``, `,"environments":[]`, 400, "environments must not be empty"},
		{"all as a name", ``, `,"environments":["all"]`, 400, "can't be all"},
		{"a text", ``, `,"environments":"all"`, 400, "environments has the wrong type"},
		{"the form of the assistant", ``, `,"environments":{"allowed":["main"]}`, 400, "environments has the wrong type"},
		{"a name twice", ``, `,"environments":["main","main"]`, 400, "has a name twice"},
		{"a key in place of a name", ``, `,"environments":["` + canary + `"]`, 400, "can only contain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.environments != "" {
				w.admin.do(t, "POST", "/set_environments", `{"project_id":"`+string(p.ID)+`","environments":`+tc.environments+`}`).want(t, 200, "")
			}
			create(t, w.member, tc.more, tc.status, tc.says)
		})
	}
	wantMessage(t, w.admin.do(t, "POST", "/create_access_token", withPassword(`{"name":"x","scopes":["manage"],"environments":["main"]}`)).want(t, 400, "invalid_request"), "forwards no calls")
	wantMessage(t, w.admin.do(t, "POST", "/create_access_token", withPassword(`{"name":"x","environments":["main"]}`)).want(t, 400, "invalid_request"), "project_id is missing")
	var got []any
	for _, token := range w.member.do(t, "GET", "/get_access_tokens", "").want(t, 200, "").body["access_tokens"].([]any) {
		shown, there := token.(map[string]any)["Environments"]
		if !there {
			t.Errorf("got %v", token)
		}
		got = append(got, shown)
	}
	want := []any{[]any{p.Version}, []any{"dev"}, []any{"dev", "main"}, []any{"staging", versionB}, nil}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the list: -want +got\n%s", d)
	}
}
