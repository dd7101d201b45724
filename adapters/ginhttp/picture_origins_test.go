package ginhttp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shownOrigins returns the picture origins that an admin sees of the only assistant.
func shownOrigins(t *testing.T, w *world) any {
	t.Helper()
	list := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "").body["assistants"].([]any)
	if len(list) != 1 {
		t.Fatalf("got %d assistants", len(list))
	}
	return list[0].(map[string]any)["picture_origins"]
}

// TestPictureOriginsAreSet sends each body after those before it.
func TestPictureOriginsAreSet(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	id := `"project_id":"` + string(p.ID) + `"`
	rows := func() int { return len(w.asked(t, "action=set_picture_origins&outcome=ok")) }
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage:projects"]}`)
	want := []any{}
	for _, tc := range []struct {
		name, body string
		b          *browser
		status     int
		code       string
		want       []any // nil if nothing changes
	}{
		{"an origin", `{` + id + `,"origins":[" https://CDN.example.com:443"]}`, w.admin, 200, "", []any{"https://cdn.example.com"}},
		{"the same origin", `{` + id + `,"origins":["https://cdn.example.com"]}`, w.admin, 200, "", nil},
		{"by an access token", `{` + id + `,"origins":["https://a.example:8443","https://b.example"]}`, manages, 200, "", []any{"https://a.example:8443", "https://b.example"}},
		{"by a Voiceflow project id", `{"project_id":"` + strings.ToUpper(string(p.Voiceflow)) + `","origins":["https://c.example"]}`, w.admin, 200, "", []any{"https://c.example"}},
		{"without origins", `{` + id + `}`, w.admin, 400, "invalid_request", nil},
		{"to null", `{` + id + `,"origins":null}`, w.admin, 400, "invalid_request", nil},
		{"to a text", `{` + id + `,"origins":"https://cdn.example.com"}`, w.admin, 400, "invalid_request", nil},
		{"with a number", `{` + id + `,"origins":[1]}`, w.admin, 400, "invalid_request", nil},
		{"with a path", `{` + id + `,"origins":["https://cdn.example.com/"]}`, w.admin, 400, "invalid_request", nil},
		{"with more of a policy", `{` + id + `,"origins":["https://cdn.example.com; script-src *"]}`, w.admin, 400, "invalid_request", nil},
		{"with a key", `{` + id + `,"origins":["` + canary + `"]}`, w.admin, 400, "invalid_request", nil},
		{"of no assistant", `{"project_id":"01890000-0000-7000-8000-000000000404","origins":[]}`, w.admin, 404, "not_found", nil},
		{"by a member", `{` + id + `,"origins":[]}`, w.member, 403, "not_allowed", nil},
		{"by nobody", `{` + id + `,"origins":[]}`, w.nobody, 401, "not_authenticated", nil},
		{"an empty list", `{` + id + `,"origins":[]}`, w.admin, 200, "", []any{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, changes := rows(), 0
			if tc.want != nil {
				want, changes = tc.want, 1
			}
			got := tc.b.do(t, "POST", "/set_picture_origins", tc.body).want(t, tc.status, tc.code)
			if tc.status == 200 {
				if a := got.assistant(t); a["Id"] != string(p.ID) || !cmp.Equal(a["picture_origins"], any(want)) {
					t.Errorf("got %v, want %v", a, want)
				}
			}
			wantMessage(t, got, "")
			if d := cmp.Diff(any(want), shownOrigins(t, w)); d != "" {
				t.Errorf("shown, -want +got:\n%s", d)
			}
			if n := rows() - before; n != changes {
				t.Errorf("got %d rows in the audit, want %d", n, changes)
			}
		})
	}
	if got := w.member.do(t, "GET", "/get_projects", "").want(t, 200, ""); strings.Contains(string(got.raw), "picture") {
		t.Errorf("a member sees %s", got.raw)
	}
}
