package ginhttp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzRoutes throws requests at the whole router, with the cookies of an admin or of
// nobody: the answer is always one of ours and never a failure of ours, and the secret
// that the world knows is in no answer and no log.
func FuzzRoutes(f *testing.F) {
	w := newWorld(f, signsOn)
	w.addProject(f, "Support bot")
	good := w.admin.cookies
	known := map[string]bool{}
	for _, route := range w.engine.Routes() {
		f.Add(route.Method, route.Path, "", "application/json", "", "", []byte(`{}`), true)
		known[route.Method+" "+route.Path] = true
	}
	f.Add("POST", "/add_project", "", "application/json", "", "", []byte(addA), true)
	f.Add("POST", "/set_project", "", "application/json; charset=utf-8", "https://evil.example", "", []byte(`{"project_id":"`+projectA+`"}`), true)
	f.Add("POST", "/login", "", "application/json", "", "Basic eDp5", []byte(`{"username":"member","password":"x"}`), false)
	f.Add("GET", "/get_projects", "limit=1&cursor=cA", "", "", "Bearer flk_x", []byte(``), true)
	f.Add("PATCH", "/update_user", "", "application/json", "null", "", []byte(`{"user_id":"a","assistants":[null],"role":"\u0000"}`), true)
	f.Add("POST", "/oidc/backchannel-logout", "", "application/x-www-form-urlencoded", "", "", []byte(`logout_token=eyJhbGciOiJub25lIn0.e30.`), false)
	f.Add("POST", "/oidc/backchannel-logout", "", "application/x-www-form-urlencoded", "", "", []byte("logout_token=%zz&\xff=%00"), true)
	f.Add("POST", "/set_group_rule", "", "application/json", "", "", []byte(`{"group":"g","project_id":"`+projectA+`","scopes":[null],"environments":["\u0000"]}`), true)
	f.Add("POST", "/link_identity", "", "application/json", "", "", []byte(`{"user_id":"a","subject":"\ud800"}`), true)
	f.Add("OPTIONS", "/login/", "%zz", "text/plain", "", "", []byte("\xff"), false)
	f.Add("POST", "/create_user", "", "application/json", "", "", []byte(`{"username":"x","password":"12345678","assistants":[]}`), true)

	f.Fuzz(func(t *testing.T, method, path, query, contentType, origin, authorization string, body []byte, loggedIn bool) {
		r, err := http.NewRequest(method, "http://flowlatch.example/", strings.NewReader(string(body)))
		if err != nil {
			return // no method that net/http would take
		}
		r.URL.Path, r.URL.RawQuery = path, query
		if _, err := url.Parse(r.URL.String()); err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		r.RemoteAddr = "192.0.2.7:5000"
		for name, value := range map[string]string{"Content-Type": contentType, "Origin": origin, "Authorization": authorization} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if loggedIn {
			for name, value := range good {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		}
		if path == "/logout" || path == "/delete_user" || path == "/update_user" || path == "/change_password" {
			r.Header.Del("Cookie") // what would lock the admin out is tried as nobody
		}
		out := httptest.NewRecorder()
		before := len(w.log.String())
		w.engine.ServeHTTP(out, r)

		if out.Code >= 500 || out.Code < 200 || out.Code >= 300 && out.Code < 400 {
			t.Fatalf("%s %s: got %d %s", method, path, out.Code, out.Body)
		}
		if !known[method+" "+path] && out.Code != 404 && out.Code != 405 {
			t.Fatalf("%s %q: got %d where no route is", method, path, out.Code)
		}
		a := &reply{what: method + " " + path, status: out.Code, header: out.Header(), raw: out.Body.Bytes()}
		if method == http.MethodHead {
			a.raw = nil // the recorder keeps what a server would drop
		}
		if strings.Contains(path, "canary") || strings.Contains(authorization, "canary") {
			return
		}
		a.check(t, w)
		line := w.log.String()[before:]
		w.wantNoCanary(t, "the log", line)
		if strings.Count(line, "\n") != 1 || !json.Valid([]byte(line)) {
			t.Fatalf("%s %s: got the log %q, want one line", method, path, line)
		}
		w.log.reset()
	})
}
