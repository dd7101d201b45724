package ginhttp_test

import (
	"net/http"
	"testing"
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
	nothingThere    = outcome{404, "not_found"}
)

// matrix says what each route answers to whom, for an empty object as body: who gets
// past the door is told that parameters are missing. A login that is disabled and an
// access token beside a good cookie are answered as nobody is.
var matrix = map[string]struct{ nobody, member, admin outcome }{
	"POST /add_project":     {unauthenticated, refusedOnFour, badRequest},
	"POST /delete_project":  {unauthenticated, refusedOnFour, badRequest},
	"GET /get_projects":     {unauthenticated, nothingThere, nothingThere},
	"POST /set_project":     {unauthenticated, badRequest, badRequest},
	"GET /check_session":    {unauthenticated, fine, fine},
	"POST /clear_project":   {unauthenticated, fine, fine},
	"POST /grant_project":   {unauthenticated, refused, badRequest},
	"POST /revoke_project":  {unauthenticated, refused, badRequest},
	"POST /login":           {badRequest, badRequest, badRequest},
	"POST /logout":          {unauthenticated, fine, fine},
	"POST /change_password": {unauthenticated, badRequest, badRequest},
	"POST /create_user":     {unauthenticated, refused, badRequest},
	"PATCH /update_user":    {unauthenticated, refused, badRequest},
	"POST /delete_user":     {unauthenticated, refused, badRequest},
	"GET /get_all_users":    {unauthenticated, refused, fine},
	"GET /healthz":          {fine, fine, fine},
	"HEAD /healthz":         {fine, fine, fine},
	"GET /readyz":           {fine, fine, fine},
	"HEAD /readyz":          {fine, fine, fine},
}

func TestEveryRouteLetsInWhomItShould(t *testing.T) {
	w := newWorld(t)
	routes := w.engine.Routes()
	if len(routes) != len(matrix) {
		t.Errorf("got %d routes, want the %d of the matrix", len(routes), len(matrix))
	}
	for _, route := range routes {
		name := route.Method + " " + route.Path
		row, there := matrix[name]
		if !there {
			t.Errorf("%s is in no row of the matrix", name)
			continue
		}
		body := ""
		if route.Method == http.MethodPost || route.Method == http.MethodPatch {
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
			} {
				if got := tc.b.do(t, route.Method, route.Path, body); got.status != tc.want.status || got.code() != tc.want.code {
					t.Errorf("%s: got %d %s, want %v", tc.who, got.status, got.raw, tc.want)
				}
				if tc.want == unauthenticated || tc.want == refused || tc.want == refusedOnFour {
					if got := tc.b.do(t, route.Method, route.Path+"?limit=x", `{{{`); got.status != tc.want.status || got.code() != tc.want.code {
						t.Errorf("%s, with a body and a query that nobody may look at: got %d %s, want %v", tc.who, got.status, got.raw, tc.want)
					}
				}
			}
			for _, token := range []string{"Bearer flk_x", "bearer x", "flk_x", "Bearer"} {
				r := w.admin.request(t, route.Method, route.Path, body)
				r.Header.Set("Authorization", token)
				if got := w.admin.send(t, r); got.status != row.nobody.status || got.code() != row.nobody.code {
					t.Errorf("an admin with Authorization %q: got %d %s, want %v", token, got.status, got.raw, row.nobody)
				}
			}
		})
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
