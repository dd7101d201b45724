package ginhttp_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
)

// outcome is a status and a code; the code of a success is "".
type outcome struct {
	status int
	code   string
}

var (
	fine            = outcome{200, ""}
	badRequest      = outcome{400, "invalid_request"}
	unauthenticated = outcome{401, "not_authenticated"}
	refusedOnFour   = outcome{401, "not_allowed"}
	refused         = outcome{403, "not_allowed"}
	noAssistant     = outcome{409, "no_assistant"}
	noForm          = outcome{400, "unsupported_media_type"}
)

// row is what a route answers to nobody, to a member and to an admin who are logged in,
// and to an access token for an assistant and one that manages.
type row struct{ nobody, member, admin, opens, manages outcome }

// matrix says what each route answers to whom, for an empty object as body: who gets
// past the door is told that parameters are missing. A login that is disabled and an
// access token that is no good, beside a good cookie, are answered as nobody is.
var matrix = map[string]row{
	"POST /add_project":          {unauthenticated, refusedOnFour, badRequest, unauthenticated, badRequest},
	"POST /delete_project":       {unauthenticated, refusedOnFour, badRequest, unauthenticated, badRequest},
	"GET /get_projects":          {unauthenticated, fine, fine, unauthenticated, fine},
	"POST /set_project":          {unauthenticated, badRequest, badRequest, unauthenticated, unauthenticated},
	"GET /check_session":         {unauthenticated, fine, fine, fine, fine},
	"POST /clear_project":        {unauthenticated, fine, fine, unauthenticated, unauthenticated},
	"POST /grant_project":        {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /revoke_project":       {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"GET /get_grants":            {unauthenticated, refused, fine, unauthenticated, fine},
	"GET /get_usage":             {unauthenticated, refused, fine, unauthenticated, fine},
	"GET /get_sessions":          {unauthenticated, fine, fine, unauthenticated, fine},
	"POST /delete_session":       {unauthenticated, badRequest, badRequest, unauthenticated, badRequest},
	"POST /delete_user_sessions": {unauthenticated, badRequest, badRequest, unauthenticated, badRequest},
	"POST /login":                {badRequest, badRequest, badRequest, badRequest, badRequest},
	"POST /logout":               {unauthenticated, fine, fine, unauthenticated, unauthenticated},
	"POST /change_password":      {unauthenticated, badRequest, badRequest, unauthenticated, unauthenticated},
	"POST /create_user":          {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"PATCH /update_user":         {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /delete_user":          {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"GET /get_all_users":         {unauthenticated, refused, fine, unauthenticated, fine},
	"POST /create_access_token":  {unauthenticated, badRequest, badRequest, unauthenticated, unauthenticated},
	"GET /get_access_tokens":     {unauthenticated, fine, fine, unauthenticated, unauthenticated},
	"POST /rotate_access_token":  {unauthenticated, badRequest, badRequest, unauthenticated, unauthenticated},
	"POST /delete_access_token":  {unauthenticated, badRequest, badRequest, unauthenticated, unauthenticated},
	"POST /link_identity":        {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /unlink_identity":      {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /set_group_rule":       {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"GET /get_group_rules":       {unauthenticated, refused, fine, unauthenticated, fine},
	"POST /delete_group_rule":    {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	// It takes no JSON, from anybody.
	"POST /oidc/backchannel-logout": {noForm, noForm, noForm, noForm, noForm},

	"GET /healthz":              {fine, fine, fine, fine, fine},
	"HEAD /healthz":             {fine, fine, fine, fine, fine},
	"GET /readyz":               {fine, fine, fine, fine, fine},
	"HEAD /readyz":              {fine, fine, fine, fine, fine},
	"POST /set_token":           {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /set_environments":    {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /set_picture_origins": {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /delete_token":        {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"POST /check_project":       {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"GET /get_audit_events":     {unauthenticated, refused, fine, unauthenticated, fine},
	"POST /set_webhook":         {unauthenticated, refused, badRequest, unauthenticated, badRequest},
	"GET /get_webhooks":         {unauthenticated, refused, fine, unauthenticated, fine},
	"POST /test_webhook":        {unauthenticated, refused, badRequest, unauthenticated, badRequest},
}

func TestEveryRouteLetsInWhomItShould(t *testing.T) {
	w := newWorld(t, signsOn)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	opens := w.token(t, w.member, `{"name":"x","project_id":"`+string(p.ID)+`"}`)
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	short := []*browser{
		w.token(t, w.member, `{"name":"x","project_id":"`+string(p.ID)+`","expires_in_days":1}`),
		w.token(t, w.admin, `{"name":"x","scopes":["manage"],"expires_in_days":1}`),
	}
	gone := w.addProject(t, "Gone bot")
	ofGone := w.login(t, "admin")
	ofGone.do(t, "POST", "/set_project", `{"project_id":"`+string(gone.ID)+`"}`).want(t, 200, "")
	tokenOfGone := w.token(t, w.admin, `{"name":"x","project_id":"`+string(gone.ID)+`"}`)
	w.admin.do(t, "POST", "/delete_project", `{"project_id":"`+string(gone.ID)+`"}`).want(t, 200, "")
	var names []string
	for _, route := range w.engine.Routes() {
		if route.Path != "/voiceflow/:service/*path" { // which has a matrix of its own
			names = append(names, route.Method+" "+route.Path)
		}
	}
	if len(names) != len(matrix) {
		t.Errorf("got %d routes, want the %d of the matrix", len(names), len(matrix))
	}
	for _, name := range names {
		method, path, _ := strings.Cut(name, " ")
		row, there := matrix[name]
		if !there {
			t.Errorf("%s is in no row of the matrix", name)
			continue
		}
		body := ""
		if method == http.MethodPost || method == http.MethodPatch {
			body = `{}`
		}
		t.Run(name, func(t *testing.T) {
			for _, tc := range []struct {
				who  string
				b    *browser
				want outcome
			}{
				{"nobody", w.nobody, row.nobody},
				{"the disabled", w.disabled, row.nobody},
				{"a member", w.login(t, "member"), row.member},
				{"an admin", w.login(t, "admin"), row.admin},
				{"an access token for an assistant", opens, row.opens},
				{"an access token that manages", manages, row.manages},
				{"an access token for an assistant that was deleted", tokenOfGone, row.nobody},
			} {
				if got := tc.b.do(t, method, path, body); got.status != tc.want.status || got.code() != tc.want.code {
					t.Errorf("%s: got %d %s, want %v", tc.who, got.status, got.raw, tc.want)
				}
				if tc.want == unauthenticated || tc.want == refused || tc.want == refusedOnFour {
					if got := tc.b.do(t, method, path+"?limit=x", `{{{`); got.status != tc.want.status || got.code() != tc.want.code {
						t.Errorf("%s, with a body and a query that nobody may look at: got %d %s, want %v", tc.who, got.status, got.raw, tc.want)
					}
				}
			}
			if path != "/logout" {
				// A session of a deleted assistant is a login without an assistant.
				if got := ofGone.do(t, method, path, body); got.status != row.admin.status || got.code() != row.admin.code {
					t.Errorf("a session of an assistant that was deleted: got %d %s, want %v", got.status, got.raw, row.admin)
				}
			}
			for _, token := range []string{"Bearer flk_x", "bearer x", "flk_x", "Bearer", opens.authorization + "x"} {
				r := w.admin.request(t, method, path, body)
				r.Header.Set("Authorization", token)
				if got := w.admin.send(t, r); got.status != row.nobody.status || got.code() != row.nobody.code {
					t.Errorf("an admin with a bad access token: got %d %s, want %v", got.status, got.raw, row.nobody)
				}
			}
		})
	}
	w.clock.move(24 * time.Hour)
	for name, row := range matrix {
		method, path, _ := strings.Cut(name, " ")
		body := ""
		if method == http.MethodPost || method == http.MethodPatch {
			body = `{}`
		}
		for _, b := range short {
			if got := b.do(t, method, path, body); got.status != row.nobody.status || got.code() != row.nobody.code {
				t.Errorf("%s: an access token that is over: got %d %s, want %v", name, got.status, got.raw, row.nobody)
			}
		}
	}
}

// TestATokenOpensTheRoutesOfItsPart has an access token for each part of managing, and one for all
// others together, on every route.
func TestATokenOpensTheRoutesOfItsPart(t *testing.T) {
	w := newWorld(t, signsOn)
	w.addProject(t, "Support bot")
	parts := []string{"manage:projects", "manage:users", "manage:grants", "manage:audit"}
	only, others := map[string]*browser{}, map[string]*browser{}
	for i, part := range parts {
		rest := append(slices.Clone(parts[:i]), parts[i+1:]...)
		only[part] = w.token(t, w.admin, `{"name":"x","scopes":["`+part+`"]}`)
		others[part] = w.token(t, w.admin, `{"name":"x","scopes":["`+strings.Join(rest, `","`)+`"]}`)
	}
	seen := map[string]int{}
	for _, route := range ginhttp.Routes() {
		name := route.Method + " " + route.Path
		row, there := matrix[name]
		if !there {
			continue // the forwarded calls, which have a matrix of their own
		}
		body := ""
		if route.ReadsBody {
			body = `{}`
		}
		t.Run(name, func(t *testing.T) {
			for part, b := range only {
				for _, tc := range []struct {
					b    *browser
					has  bool
					what string
				}{{b, route.Tokens == part, part}, {others[part], route.Tokens != part && route.Tokens != "manage", "all but " + part}} {
					want := row.manages
					if partial := slices.Contains(parts, route.Tokens) || route.Tokens == "manage"; partial && !tc.has {
						want = refused
						if row.member == refusedOnFour || route.Path == "/get_projects" {
							want = refusedOnFour
						}
					}
					if got := tc.b.do(t, route.Method, route.Path, body); got.status != want.status || got.code() != want.code {
						t.Errorf("a token with %s: got %d %s, want %v", tc.what, got.status, got.raw, want)
					}
				}
			}
		})
		seen[route.Tokens]++
	}
	for _, part := range parts {
		if seen[part] < 2 {
			t.Errorf("%d routes need %s", seen[part], part)
		}
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name, method, path string
		status             int
		code, allow        string
	}{
		{"an unknown path", "GET", "/nothing", 404, "not_found", ""},
		{"the root", "GET", "/", 404, "not_found", ""},
		{"a slash behind a route is no redirect", "GET", "/get_projects/", 404, "not_found", ""},
		{"nor is it for a POST", "POST", "/login/", 404, "not_found", ""},
		{"another case is another path", "GET", "/GET_projects", 404, "not_found", ""},
		{"a doubled slash is another path", "GET", "//get_projects", 404, "not_found", ""},
		{"dots are another path", "GET", "/x/../get_projects", 404, "not_found", ""},
		{"an escaped path is the path", "GET", "/get%5Fprojects", 401, "not_authenticated", ""},
		{"a wrong method", "GET", "/add_project", 405, "method_not_allowed", "POST"},
		{"PUT", "PUT", "/update_user", 405, "method_not_allowed", "PATCH"},
		{"HEAD where only GET is", "HEAD", "/get_projects", 405, "", "GET"},
		{"OPTIONS where no origin is trusted", "OPTIONS", "/set_project", 405, "method_not_allowed", "POST"},
		{"what is not forwarded", "GET", "/voiceflow/api/v2/projects", 404, "not_found", ""},
		{"by a method that is not", "DELETE", "/voiceflow/general-runtime/state/user/x/interact", 404, "not_found", ""},
		{"or that nobody knows", "BREW", "/voiceflow/general-runtime/state/user/x", 404, "not_found", ""},
		{"or that asks what there is", "OPTIONS", "/voiceflow/general-runtime/state/user/x", 404, "not_found", ""},
		{"an invalid service", "GET", "/voiceflow/runtime-api/state/user/x", 404, "not_found", ""},
		{"a service alone", "GET", "/voiceflow/api", 404, "not_found", ""},
		{"a method that nobody knows", "BREW", "/healthz", 405, "method_not_allowed", "GET, HEAD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.nobody.do(t, tc.method, tc.path, "").want(t, tc.status, tc.code)
			if allow := got.header.Get("Allow"); allow != tc.allow {
				t.Errorf("got Allow %q, want %q", allow, tc.allow)
			}
			if at := got.header.Get("Location"); at != "" {
				t.Errorf("got a redirect to %q", at)
			}
		})
	}
}
