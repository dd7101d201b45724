package ginhttp_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/domain"
)

// logged sends a request past the listener, so that its line is written by the time
// that it is answered, and returns the lines.
func (w *world) logged(t *testing.T, r *http.Request) (*httptest.ResponseRecorder, []map[string]any) {
	t.Helper()
	before := len(w.log.String())
	out := httptest.NewRecorder()
	if r.RemoteAddr == "" {
		r.RemoteAddr = "192.0.2.7:5000"
	}
	w.engine.ServeHTTP(out, r)
	var lines []map[string]any
	for line := range strings.Lines(w.log.String()[before:]) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("a broken line: %q", line)
		}
		lines = append(lines, fields)
	}
	return out, lines
}

func TestOneLinePerRequest(t *testing.T) {
	w := newWorld(t)
	first := w.nobody.request(t, "GET", "/healthz", "")
	first.Header.Set("X-Forwarded-For", "203.0.113.9") // a warning is logged once
	w.logged(t, first)
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	for _, tc := range []struct {
		name, method, path string
		b                  *browser
		body               string
		edit               func(*http.Request)
		level, route, code string
		status             float64
	}{
		{"a success", "GET", "/check_session?token=canary", w.member, "", nil, "INFO", "/check_session", "", 200},
		{"bad input", "POST", "/set_project", w.member, `{"project_id":"canary"}`, nil, "INFO", "/set_project", "invalid_request", 400},
		{"nobody", "GET", "/get_projects", w.nobody, "", nil, "WARN", "/get_projects", "not_authenticated", 401},
		{"a member at an admin's route", "POST", "/add_project", w.member, "", nil, "WARN", "/add_project", "not_allowed", 401},
		{"another origin", "POST", "/set_project", w.member, "", foreign, "WARN", "/set_project", "cross_origin", 400},
		{"a login that fails", "POST", "/login", w.nobody, `{"username":"canary","password":"canary"}`, nil, "WARN", "/login", "not_authenticated", 401},
		{"a login", "POST", "/login", w.nobody, `{"username":"member","password":"` + password + `"}`, nil, "INFO", "/login", "", 200},
		{"an unknown path", "GET", "/canary\n\u2028{\"level\":\"ERROR\"}", w.nobody, "", nil, "INFO", "", "not_found", 404},
		{"a method that somebody made up", "CANARY", "/login", w.nobody, "", nil, "INFO", "", "method_not_allowed", 405},
		{"a probe", "GET", "/healthz", w.nobody, "", nil, "DEBUG", "/healthz", "", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.b.request(t, tc.method, "", tc.body)
			path, query, _ := strings.Cut(tc.path, "?")
			r.URL.Path, r.URL.RawQuery = path, query
			r.Header.Set("User-Agent", "canary")
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			if tc.edit != nil {
				tc.edit(r)
			}
			out, lines := w.logged(t, r)
			if len(lines) != 1 {
				t.Fatalf("got %d lines %v, want 1", len(lines), lines)
			}
			line := lines[0]
			want := map[string]any{
				"level": tc.level, "msg": "request", "route": tc.route, "status": tc.status, "address": "192.0.2.7",
				"bytes": float64(out.Body.Len()), "request_id": out.Header().Get("X-Request-Id"),
			}
			want["method"] = tc.method
			if tc.method == "CANARY" {
				want["method"] = "other"
			}
			if tc.code != "" {
				want["code"] = tc.code
			}
			for field, value := range want {
				if line[field] != value {
					t.Errorf("%s: got %v, want %v", field, line[field], value)
				}
			}
			allowed := []string{"time", "level", "msg", "request_id", "method", "route", "status", "duration_ms", "bytes", "address", "user", "code"}
			if tc.code == "cross_origin" {
				allowed = append(allowed, "origin", "own_origin", "fetch_site")
			}
			for field := range maps.Keys(line) {
				if !slices.Contains(allowed, field) {
					t.Errorf("the line has the field %s", field)
				}
			}
			if user, there := line["user"]; there != (tc.b == w.member || tc.code == "" && tc.route == "/login") && tc.code != "cross_origin" {
				t.Errorf("got the user %v", user)
			}
		})
	}
}

func TestOutagesAreLoggedWithTheirCause(t *testing.T) {
	w := newWorld(t, func(w *world) { w.ports.Store.Projects = down{w.ports.Store.Projects} })
	_, lines := w.logged(t, w.member.request(t, "GET", "/get_projects", ""))
	if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["code"] != "unavailable" || !strings.Contains(lines[0]["err"].(string), "connection refused") {
		t.Errorf("got %v", lines)
	}
}

func TestPanics(t *testing.T) {
	w := newWorld(t, func(w *world) { w.voiceflow.panics = true })
	out, lines := w.logged(t, w.admin.request(t, "POST", "/add_project", addA))
	if out.Code != 400 || !strings.Contains(out.Body.String(), `"code":"internal"`) {
		t.Errorf("got %d %s, want 400 internal", out.Code, out.Body)
	}
	if len(lines) != 2 || lines[0]["msg"] != "panic" || lines[1]["msg"] != "request" {
		t.Fatalf("got the lines %v, want the panic and the request", lines)
	}
	if stack := lines[0]["stack"].(string); !strings.Contains(stack, "Export") || lines[0]["level"] != "ERROR" || lines[0]["err"] != "no such luck" {
		t.Errorf("got %v", lines[0])
	}
	if lines[1]["level"] != "ERROR" || lines[1]["code"] != "internal" {
		t.Errorf("got %v", lines[1])
	}
}

// A panic outside of the four is a 500, and one that means to cut the answer is passed on.
func TestPanicsOfAHostsLogin(t *testing.T) {
	var panics any = "who?"
	w := newWorld(t, hosted(func(*http.Request) (domain.Caller, error) { panic(panics) }))
	w.nobody.do(t, "GET", "/check_session", "").want(t, 500, "internal")
	w.nobody.do(t, "GET", "/get_projects", "").want(t, 400, "internal")
	panics = http.ErrAbortHandler
	if response, err := w.server.Client().Get(w.server.URL + "/get_projects"); err == nil {
		response.Body.Close()
		t.Errorf("got %d, want a connection that is cut", response.StatusCode)
	}
}

func TestNothingIsLoggedWithoutALog(t *testing.T) {
	w := newWorld(t, func(w *world) { w.options.Log = nil })
	w.nobody.do(t, "GET", "/get_projects", "").want(t, 401, "not_authenticated")
	if w.log.String() != "" {
		t.Errorf("got %s", w.log)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		w.nobody.do(t, "GET", path, "").want(t, 200, "")
		w.nobody.do(t, "HEAD", path, "").want(t, 200, "")
	}
	known := w.ports.Store.Installation
	sick := newWorld(t, bare, func(s *world) { s.ports = w.ports; s.ports.Store.Installation = &installation{known} })
	sick.nobody.do(t, "GET", "/healthz", "").want(t, 200, "")
	got := sick.nobody.do(t, "GET", "/readyz", "").want(t, 503, "unavailable")
	if got.body["message"] != "not ready" || got.header.Get("Retry-After") == "" {
		t.Errorf("got %s with Retry-After %q", got.raw, got.header.Get("Retry-After"))
	}
	sick.nobody.do(t, "HEAD", "/readyz", "").want(t, 503, "")
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]ginhttp.Options{
		"SameSite=None without Secure":     {SameSite: http.SameSiteNoneMode, InsecureCookies: true},
		"an invalid SameSite":              {SameSite: http.SameSiteDefaultMode},
		"a SameSite beyond":                {SameSite: 77},
		"an origin with a path":            {TrustedOrigins: []string{console + "/"}},
		"an origin with a default port":    {TrustedOrigins: []string{console + ":443"}},
		"an origin in capitals":            {TrustedOrigins: []string{"https://Console.example.com"}},
		"an origin without a scheme":       {TrustedOrigins: []string{"console.example.com"}},
		"an origin with a user":            {TrustedOrigins: []string{"https://me@console.example.com"}},
		"any origin":                       {TrustedOrigins: []string{"*"}},
		"a pattern":                        {TrustedOrigins: []string{"https://*.example.com"}},
		"null":                             {TrustedOrigins: []string{"null"}},
		"an empty origin":                  {TrustedOrigins: []string{""}},
		"a base URL with a query":          {BaseURL: "https://example.com/?"},
		"a base URL without a scheme":      {BaseURL: "example.com"},
		"a proxy that is no address":       {TrustedProxies: []string{"proxy.example.com"}},
		"a proxy with a range that is bad": {TrustedProxies: []string{"10.0.0.0/33"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ginhttp.New(w.service, o); err == nil {
				t.Error("got no error")
			}
		})
	}
}
