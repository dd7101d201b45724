package ginhttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
)

const console = "https://console.example.com"

// from is a request of a page of that origin.
func from(t *testing.T, b *browser, origin, method, path, body string) *http.Request {
	r := b.request(t, method, path, body)
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return r
}

func TestCrossOriginRequests(t *testing.T) {
	for name, w := range map[string]*world{
		"where none is trusted": newWorld(t),
		"where another is":      newWorld(t, func(w *world) { w.options.TrustedOrigins = []string{console} }),
	} {
		t.Run(name, func(t *testing.T) {
			for _, origin := range []string{"https://evil.example", "null", console + ".evil.example", "https://evil.example/" + console, strings.ToUpper(console), "http://console.example.com"} {
				w.admin.send(t, from(t, w.admin, origin, "POST", "/set_project", `{}`)).want(t, 400, "cross_origin")
				w.admin.send(t, from(t, w.admin, origin, "POST", "/logout", ``)).want(t, 403, "cross_origin")
				got := w.admin.send(t, from(t, w.admin, origin, "GET", "/check_session", "")).want(t, 200, "")
				preflight := w.admin.send(t, from(t, w.admin, origin, "OPTIONS", "/set_project", "")).want(t, 405, "method_not_allowed")
				for _, a := range []*reply{got, preflight} {
					for name := range a.header {
						if strings.HasPrefix(name, "Access-Control-") {
							t.Errorf("%s: %s: got the header %s", origin, a.what, name)
						}
					}
				}
			}
		})
	}
}

func TestOwnPagesMayCall(t *testing.T) {
	w := newWorld(t)
	r := from(t, w.admin, w.server.URL, "POST", "/clear_project", "")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w.admin.send(t, r).want(t, 200, "")
	r = from(t, w.admin, w.server.URL, "POST", "/clear_project", "")
	r.Header.Del("Sec-Fetch-Site") // an old browser
	w.admin.send(t, r).want(t, 200, "")
}

func TestTrustedOrigins(t *testing.T) {
	w := newWorld(t, func(w *world) { w.options.TrustedOrigins = []string{"http://localhost:5173", console} })
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"a change", "POST", "/clear_project", "", 200, ""},
		{"a read", "GET", "/check_session", "", 200, ""},
		{"a failure", "POST", "/set_project", `{}`, 400, "invalid_request"},
		{"an unknown path", "GET", "/nothing", "", 404, "not_found"},
		{"a wrong method", "PUT", "/login", "", 405, "method_not_allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.admin.send(t, from(t, w.admin, console, tc.method, tc.path, tc.body)).want(t, tc.status, tc.code)
			for name, want := range map[string]string{
				"Access-Control-Allow-Origin": console, "Access-Control-Allow-Credentials": "true",
				"Access-Control-Expose-Headers": "X-Request-Id,Retry-After,Ratelimit-Limit,Ratelimit-Remaining,Ratelimit-Reset", "Vary": "Origin",
			} {
				if got := strings.Join(got.header.Values(name), ","); got != want {
					t.Errorf("got %s %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestPreflights(t *testing.T) {
	w := newWorld(t, func(w *world) { w.options.TrustedOrigins = []string{console} })
	host := gin.New()
	if err := ginhttp.Mount(host.Group("/assistants"), w.service, ginhttp.Options{TrustedOrigins: []string{console}}); err != nil {
		t.Fatal(err)
	}
	mounted := httptest.NewServer(host)
	defer mounted.Close()
	for prefix, url := range map[string]string{"": w.server.URL, "/assistants": mounted.URL} {
		w.server.URL = url
		for name := range matrix {
			method, path, _ := strings.Cut(name, " ")
			if strings.HasSuffix(path, "z") {
				continue // probes are for no page
			}
			r := from(t, w.nobody, console, "OPTIONS", prefix+path, "")
			r.Header.Set("Access-Control-Request-Method", method)
			r.Header.Set("Access-Control-Request-Headers", "content-type")
			got := w.nobody.send(t, r).want(t, 204, "")
			for name, want := range map[string]string{
				"Access-Control-Allow-Origin": console, "Access-Control-Allow-Credentials": "true",
				"Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE", "Access-Control-Max-Age": "600",
				"Access-Control-Allow-Headers": "Content-Type,Authorization,Accept,Last-Event-Id,Versionid,Projectid,Sessionid",
			} {
				if got := got.header.Get(name); got != want {
					t.Errorf("%s: got %s %q, want %q", path, name, got, want)
				}
			}
			plain := w.nobody.do(t, "OPTIONS", prefix+path, "").want(t, 405, "method_not_allowed")
			if allow := plain.header.Get("Allow"); allow != method+", OPTIONS" {
				t.Errorf("%s: got Allow %q", path, allow)
			}
		}
	}
}
