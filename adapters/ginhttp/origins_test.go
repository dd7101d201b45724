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
				"Access-Control-Expose-Headers": "X-Request-Id, Retry-After, Flowlatch-Environment, Flowlatch-Environment-Version, Flowlatch-Token-Expires, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy, " +
					"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Policy, Content-Disposition, ETag",
				"Vary": "Origin", "Access-Control-Allow-Headers": "", "Access-Control-Allow-Methods": "",
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
				"Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE", "Access-Control-Max-Age": "600",
				"Access-Control-Allow-Headers": "content-type",
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

// TestPreflightsAllowWhatIsAskedFor asks as the tools for traces and errors of a page do.
func TestPreflightsAllowWhatIsAskedFor(t *testing.T) {
	w := newWorld(t, func(w *world) { w.options.TrustedOrigins = []string{console} })
	many := strings.Repeat("x-a,", 150)
	for _, tc := range []struct {
		name  string
		asked []string
		want  string
	}{
		{"traces and errors", []string{"baggage,cache-control,content-type,sentry-trace,traceparent,x-requested-with"}, "baggage, cache-control, content-type, sentry-trace, traceparent, x-requested-with"},
		{"what clients of Voiceflow send", []string{"authorization, versionID , projectID,sessionID,last-event-id"}, "authorization, versionid, projectid, sessionid, last-event-id"},
		{"a header that nobody knows", []string{"X-Anything.At_All"}, "x-anything.at_all"},
		{"several lines", []string{"baggage", "tracestate"}, "baggage, tracestate"},
		{"nothing", nil, ""},
		{"an empty list", []string{" , ,"}, ""},
		{"what is no name is left out", []string{"baggage, a b, ü, a:b, *, a\tb, traceparent"}, "baggage, traceparent"},
		{"more than 100", []string{many}, strings.TrimSuffix(strings.Repeat("x-a, ", 100), ", ")},
		{"more than 4 KiB", []string{"baggage," + strings.Repeat("x", 4090)}, "baggage"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := from(t, w.nobody, console, "OPTIONS", "/voiceflow/general-runtime/state/user/x/interact", "")
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header["Access-Control-Request-Headers"] = tc.asked
			out, _ := w.logged(t, r)
			if got := out.Header().Get("Access-Control-Allow-Headers"); out.Code != 204 || got != tc.want {
				t.Errorf("got %d and %q, want 204 and %q", out.Code, got, tc.want)
			}
			r = from(t, w.nobody, "https://evil.example", "OPTIONS", "/login", "")
			r.Header["Access-Control-Request-Headers"] = tc.asked
			out, _ = w.logged(t, r)
			for name := range out.Header() {
				if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
					t.Errorf("an origin that is not trusted got %s", name)
				}
			}
		})
	}
}

func FuzzRequestedHeaders(f *testing.F) {
	w := newWorld(f, bare, func(w *world) { w.options.TrustedOrigins = []string{console} })
	for _, seed := range []string{"baggage, sentry-trace", "a\r\nb", ",,*,", "x\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		r := httptest.NewRequest("OPTIONS", "/login", nil)
		r.Header.Set("Origin", console)
		r.Header["Access-Control-Request-Headers"] = []string{asked}
		out := httptest.NewRecorder()
		w.engine.ServeHTTP(out, r)
		allowed := out.Header().Get("Access-Control-Allow-Headers")
		if out.Code != 204 || len(allowed) > 4<<10 || strings.ContainsFunc(allowed, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("got %d and %q for %q", out.Code, allowed, asked)
		}
	})
}

// TestOwnOrigin says which pages may change something, with and without a base URL.
func TestOwnOrigin(t *testing.T) {
	const base, evil = "https://flowlatch.example.com", "https://evil.example"
	for _, tc := range []struct {
		name, base         string
		origin, site, host string // headers; "" for none
		allowed            bool
	}{
		{"a page of the base URL", base, base, "same-origin", "", true},
		{"a page of the base URL, though the proxy drops Host", base, base, "", "127.0.0.1:8080", true},
		{"a page of the base URL that calls another name of this service", base, base, "cross-site", "", true},
		{"a base URL with a path", base + "/flowlatch", base, "", "internal", true},
		{"a base URL with a default port", base + ":443", base, "", "internal", true},
		{"a base URL in capitals", "HTTPS://Flowlatch.Example.COM", base, "", "internal", true},
		{"an origin with a default port", base, base + ":443", "", "", true},
		{"an origin in capitals", base, "https://FLOWLATCH.example.com", "", "", true},
		{"a base URL in punycode", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "", "", true},
		{"a trusted origin", base, console, "cross-site", "", true},
		{"no browser", base, "", "", "", true},
		{"a page of this service, without Origin", base, "", "same-origin", "", true},
		{"what the user typed", base, "", "none", "", true},
		{"another page, without Origin", base, "", "cross-site", "", false},
		{"a neighbor, without Origin", base, "", "same-site", "", false},
		{"another page", base, evil, "cross-site", "", false},
		{"another page whose Host is its own", base, evil, "", "evil.example", false},
		{"a name that was made to lead here", base, evil, "same-origin", "evil.example", false},
		{"the name in Host is not the base URL's", base, "http://127.0.0.1:8080", "same-origin", "127.0.0.1:8080", false},
		{"a sandboxed page", base, "null", "cross-site", "", false},
		{"a page that hides its origin", base, "null", "same-origin", "", false},
		{"another scheme", base, "http://flowlatch.example.com", "", "flowlatch.example.com", false},
		{"another port", base, base + ":8443", "same-site", "", false},
		{"a name with a dot at its end", base, base + ".", "", "", false},
		{"a longer name", base, base + ".evil.example", "", "", false},
		{"a user in front", base, "https://flowlatch.example.com@evil.example", "", "", false},
		{"two origins", base, base + ", " + evil, "", "", false},

		{"without a base URL, Host decides", "", evil, "", "evil.example", true},
		{"without a base URL, a proxy that drops Host", "", base, "", "127.0.0.1:8080", false},
		{"without a base URL, the browser decides", "", base, "same-origin", "127.0.0.1:8080", true},
		{"without a base URL, another page", "", evil, "cross-site", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.options.BaseURL, w.options.TrustedOrigins = tc.base, []string{console} })
			r := w.member.request(t, "POST", "/clear_project", "")
			for name, value := range map[string]string{"Origin": tc.origin, "Sec-Fetch-Site": tc.site} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			r.Host = tc.host
			out, lines := w.logged(t, r)
			if tc.allowed {
				if out.Code != 200 || lines[0]["origin"] != nil {
					t.Errorf("got %d %s and the line %v, want 200", out.Code, out.Body, lines[0])
				}
				return
			}
			if out.Code != 403 || strings.Contains(out.Body.String(), "flowlatch.example.com") || !strings.Contains(out.Body.String(), "pages of another origin may not do this") {
				t.Errorf("got %d %s, want 403 and nothing about our origin", out.Code, out.Body)
			}
			own := tc.base
			if own == "" {
				own = tc.host
			}
			if line := lines[0]; line["origin"] != tc.origin || line["own_origin"] != own || line["fetch_site"] != tc.site {
				t.Errorf("got the line %v, want the origin %q, own %q and fetch_site %q", line, tc.origin, own, tc.site)
			}
		})
	}
}

// TestWhatAStrangerSendsIsBoundedInTheLog sends an origin and a host that would break the log.
func TestWhatAStrangerSendsIsBoundedInTheLog(t *testing.T) {
	w := newWorld(t)
	r := w.member.request(t, "POST", "/clear_project", "")
	r.Header["Origin"], r.Header["Sec-Fetch-Site"], r.Host = []string{"https://\x1b[2J\n\u2028" + strings.Repeat("a", 5000)}, []string{strings.Repeat("\x7f", 5000)}, strings.Repeat("h", 5000)
	_, lines := w.logged(t, r)
	for _, field := range []string{"origin", "own_origin", "fetch_site"} {
		if got := lines[0][field].(string); len(got) > 128 || strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%s: got %q", field, got)
		}
	}
}

// TestMountedOrigins has a base URL that leads to a host program's group.
func TestMountedOrigins(t *testing.T) {
	w := newWorld(t)
	host := gin.New()
	if err := ginhttp.Mount(host.Group("/assistants"), w.service, ginhttp.Options{BaseURL: "https://host.example/assistants"}); err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]int{"https://host.example": 200, "http://internal:8080": 403} {
		r := w.member.request(t, "POST", "/assistants/clear_project", "")
		r.Header.Set("Origin", origin)
		r.Host = "internal:8080"
		out := httptest.NewRecorder()
		if host.ServeHTTP(out, r); out.Code != want {
			t.Errorf("%s: got %d, want %d", origin, out.Code, want)
		}
	}
}

// A client that is set up wrong sends a key where the name of a host belongs.
func TestTheLogLeavesOutCredentialsInPlaceOfOrigins(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{
		"VF.DM.637b357793edc466ef2cd6da.RSTQ4MXNAX73YXKC", "vf.dm.637b357793edc466ef2cd6da.rstq4mxnax73yxkc",
		"VF.637b357793edc466ef2cd6da.RSTQ4MXNAX73YXKC", "flk_5qgzk4kwhbmsnbvcs6avwhuuhejavn7lmmogcu6wcvxdnl5a6qi4ityvzq",
		"vfp_OMSGN6YWSJLQ_YM22LUTHUS7VVJANEAFWCS337O", "vfp_omsgn6ywsjlq_ym22luthus7vvjaneafwcs337o",
	} {
		r := w.member.request(t, "POST", "/clear_project", "")
		r.Header["Origin"], r.Header["Sec-Fetch-Site"], r.Host = []string{"https://" + text}, []string{text}, text
		_, lines := w.logged(t, r)
		for _, field := range []string{"origin", "own_origin", "fetch_site"} {
			if got := lines[0][field].(string); strings.Contains(strings.ToLower(got), strings.ToLower(text[len(text)-8:])) {
				t.Errorf("%s: got %q", field, got)
			}
		}
	}
}
