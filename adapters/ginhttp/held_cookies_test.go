package ginhttp_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
)

// person has one browser for several installations on one host.
type person struct {
	t      *testing.T
	client *http.Client
}

func newPerson(t *testing.T, server *httptest.Server) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *server.Client()
	client.Jar = jar
	return &person{t, &client}
}

// call sends a request with the browser's cookies, and returns the body and the cookies that were
// set, as NAME=PATH; one that was cleared as -NAME=PATH.
func (p *person) call(status int, method, target, body string) (string, []string) {
	p.t.Helper()
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		p.t.Fatalf("%s %s: got %d %s, %v, want %d", method, target, response.StatusCode, text, err, status)
	}
	var set []string
	for _, c := range response.Cookies() {
		sign := ""
		if c.MaxAge < 0 {
			sign = "-"
		}
		set = append(set, sign+c.Name+"="+c.Path)
	}
	slices.Sort(set)
	return string(text), set
}

func (p *person) login(base, name string) []string {
	p.t.Helper()
	_, set := p.call(200, "POST", base+"/login", `{"username":"`+name+`","password":"`+password+`"}`)
	return set
}

func (p *person) want(status int, base string) string {
	p.t.Helper()
	text, _ := p.call(status, "GET", base+"/check_session", "")
	return text
}

// under serves the routes of a world with other options, as a proxy serves them that removes the
// path of the base URL.
func (w *world) under(t *testing.T, change func(*ginhttp.Options)) http.Handler {
	t.Helper()
	o := w.options
	change(&o)
	engine, err := ginhttp.New(w.service, o)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func serveAll(t *testing.T, tls bool, at map[string]http.Handler) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for path, handler := range at {
		mux.Handle(path+"/", http.StripPrefix(path, handler))
	}
	server := httptest.NewUnstartedServer(mux)
	if tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

func TestCookieNamesAndPaths(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	for _, tc := range []struct {
		name   string
		change ginhttp.Options
		before string // what stands before the names
		path   string
	}{
		{"without settings, the names of the contract", ginhttp.Options{}, "", "/"},
		{"a prefix", ginhttp.Options{CookiePrefix: "staging_"}, "staging_", "/"},
		{"a base URL over plain HTTP", ginhttp.Options{BaseURL: "http://localhost:8080"}, "", "/"},
		{"a base URL over TLS", ginhttp.Options{BaseURL: "https://example.com/"}, "__Host-", "/"},
		{"a base URL over TLS, and a prefix", ginhttp.Options{BaseURL: "https://example.com", CookiePrefix: "b-"}, "__Host-b-", "/"},
		{"TLS of the service's own", ginhttp.Options{ServesTLS: true}, "__Host-", "/"},
		{"TLS, but cookies that are not Secure", ginhttp.Options{ServesTLS: true, BaseURL: "https://example.com", InsecureCookies: true}, "", "/"},
		{"a path", ginhttp.Options{BaseURL: "https://example.com/flowlatch/", ServesTLS: true}, "", "/flowlatch"},
		{"a path and a prefix", ginhttp.Options{BaseURL: "https://example.com/a/b", CookiePrefix: "c_"}, "c_", "/a/b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			engine := w.under(t, func(o *ginhttp.Options) {
				o.BaseURL, o.CookiePrefix, o.ServesTLS, o.InsecureCookies = tc.change.BaseURL, tc.change.CookiePrefix, tc.change.ServesTLS, tc.change.InsecureCookies
			})
			send := func(path, body string, cookies ...*http.Cookie) []*http.Cookie {
				r := httptest.NewRequest("POST", path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				for _, c := range cookies {
					r.AddCookie(c)
				}
				out := httptest.NewRecorder()
				if engine.ServeHTTP(out, r); out.Code != 200 {
					t.Fatalf("%s: got %d %s", path, out.Code, out.Body)
				}
				return out.Result().Cookies()
			}
			check := func(c *http.Cookie, name string) {
				t.Helper()
				if c.Name != tc.before+name || c.Path != tc.path || c.Secure == tc.change.InsecureCookies || !c.HttpOnly || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
					t.Errorf("got the cookie %v, want %s at %s", c, tc.before+name, tc.path)
				}
			}
			login := send("/login", `{"username":"admin","password":"`+password+`"}`)
			check(login[0], "user_session")
			assistant := send("/set_project", `{"project_id":"`+string(p.ID)+`"}`, login[0])
			check(assistant[0], "assistant_session")
			cleared := send("/logout", "", login[0], assistant[0])
			for _, c := range cleared {
				if c.Path != tc.path && c.Path != "/" || c.MaxAge >= 0 || !strings.HasPrefix(c.Name, tc.before) {
					t.Errorf("logout: got the cookie %v", c)
				}
			}
		})
	}
	for name, o := range map[string]ginhttp.Options{"a prefix with a space": {CookiePrefix: "a b"}, "a prefix of browsers": {CookiePrefix: "__Secure-"}} {
		if _, err := ginhttp.New(w.service, o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestInstallationsOfOneHost has one browser and several installations on one host name.
func TestInstallationsOfOneHost(t *testing.T) {
	plain := func(*ginhttp.Options) {}
	prefixed := func(prefix string) func(*ginhttp.Options) {
		return func(o *ginhttp.Options) { o.CookiePrefix = prefix }
	}
	below := func(path string) func(*ginhttp.Options) {
		return func(o *ginhttp.Options) { o.BaseURL = "https://example.com" + path }
	}
	for _, tc := range []struct {
		name string
		all  map[string]func(*ginhttp.Options) // by path
	}{
		{"by prefixes, as on two ports", map[string]func(*ginhttp.Options){"": prefixed("a_"), "/b": prefixed("b_")}},
		{"by a prefix of one of them", map[string]func(*ginhttp.Options){"": plain, "/b": prefixed("b_")}},
		{"by paths", map[string]func(*ginhttp.Options){"/a": below("/a"), "/b": below("/b")}},
		{"by the path of one of them", map[string]func(*ginhttp.Options){"": plain, "/b": below("/b")}},
		{"by paths of which one holds the other", map[string]func(*ginhttp.Options){"/a": below("/a"), "/a/b": below("/a/b"), "": plain}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, projects := map[string]http.Handler{}, map[string]string{}
			for path, change := range tc.all {
				w := newWorld(t)
				projects[path] = string(w.addProject(t, "Bot "+path+".").ID)
				at[path] = w.under(t, change)
			}
			server := serveAll(t, true, at)
			for _, order := range [][]string{{"", "/a", "/b", "/a/b"}, {"/a/b", "/b", "/a", ""}} {
				p := newPerson(t, server)
				var in []string
				for _, path := range order {
					if at[path] == nil {
						continue
					}
					p.want(401, server.URL+path)
					p.login(server.URL+path, "admin")
					p.call(200, "POST", server.URL+path+"/set_project", `{"project_id":"`+projects[path]+`"}`)
					in = append(in, path)
					for _, path := range in {
						if got := p.want(200, server.URL+path); !strings.Contains(got, `"Name":"Bot `+path+`."`) {
							t.Errorf("%q: got %s, want its own assistant", path, got)
						}
					}
				}
				for i, path := range in {
					p.call(200, "POST", server.URL+path+"/clear_project", "")
					p.call(200, "POST", server.URL+path+"/logout", "")
					p.want(401, server.URL+path)
					for _, other := range in[i+1:] {
						if got := p.want(200, server.URL+other); !strings.Contains(got, `"Name":"Bot `+other+`."`) {
							t.Errorf("a logout of %q: %q has %s, want its own assistant", path, other, got)
						}
					}
				}
			}
		})
	}
}

// TestACopyOfAnInstallation has the keyset of the installation at the root, and another database.
func TestACopyOfAnInstallation(t *testing.T) {
	w := newWorld(t)
	twin := newWorld(t, func(twin *world) { twin.ports.Cipher, twin.ports.Keyring = w.ports.Cipher, w.ports.Keyring })
	for name, change := range map[string]func(*ginhttp.Options){
		"by its path":   func(o *ginhttp.Options) { o.BaseURL = "https://example.com/copy" },
		"by its prefix": func(o *ginhttp.Options) { o.CookiePrefix = "copy_" },
	} {
		t.Run(name, func(t *testing.T) {
			server := serveAll(t, true, map[string]http.Handler{"": w.engine, "/copy": twin.under(t, change)})
			p := newPerson(t, server)
			p.login(server.URL, "admin")
			p.want(401, server.URL+"/copy")
			p.login(server.URL+"/copy", "member")
			for base, name := range map[string]string{server.URL: "admin", server.URL + "/copy": "member"} {
				if got := p.want(200, base); !strings.Contains(got, `"Username":"`+name+`"`) {
					t.Errorf("%s: got %s, want %s", base, got, name)
				}
			}
			p.call(200, "POST", server.URL+"/copy/logout", "")
			p.want(401, server.URL+"/copy")
			p.want(200, server.URL)
		})
	}
}

// TestTheNameOfNowWins has cookies of two names in one browser.
func TestTheNameOfNowWins(t *testing.T) {
	w := newWorld(t)
	engine := w.under(t, func(o *ginhttp.Options) { o.CookiePrefix, o.ServesTLS = "b_", true })
	admin, member := w.admin.cookies["user_session"], w.member.cookies["user_session"]
	for _, tc := range []struct {
		name, cookies, user string // user is "" if nobody is logged in
	}{
		{"the name of now, beside one of before", "user_session=" + member + "; __Host-b_user_session=" + admin, "admin"},
		{"the name without __Host-, beside one without prefix", "user_session=" + member + "; b_user_session=" + admin, "admin"},
		{"a name of before alone", "user_session=" + member, "member"},
		{"a name of before, twice and of two users", "user_session=" + member + "; user_session=" + admin, ""},
		{"the name of now is wrong, so no other is tried", "user_session=" + member + "; __Host-b_user_session=x", ""},
		{"the name of now twice and wrong, beside one of before", "__Host-b_user_session=y; user_session=" + member + "; __Host-b_user_session=x", "member"},
		{"a name of before that nobody sealed", "user_session=x", ""},
		{"a name that differs in case", "User_session=" + member, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/check_session", nil)
			r.Header.Set("Cookie", tc.cookies)
			out := httptest.NewRecorder()
			engine.ServeHTTP(out, r)
			if got := out.Body.String(); (out.Code == 200) != (tc.user != "") || tc.user != "" && !strings.Contains(got, `"Username":"`+tc.user+`"`) {
				t.Errorf("got %d %s, want the user %q", out.Code, got, tc.user)
			}
		})
	}
}

// TestARotationRenamesCookies reseals a cookie of before. It comes back by the name of now.
func TestARotationRenamesCookies(t *testing.T) {
	w := newWorld(t)
	insecure := func(change func(*ginhttp.Options)) http.Handler {
		return w.under(t, func(o *ginhttp.Options) { o.InsecureCookies = true; change(o) })
	}
	server := serveAll(t, false, map[string]http.Handler{
		"":        insecure(func(*ginhttp.Options) {}),
		"/prefix": insecure(func(o *ginhttp.Options) { o.CookiePrefix = "b_" }),
		"/path":   insecure(func(o *ginhttp.Options) { o.BaseURL = "http://example.com/path" }),
	})
	for path, want := range map[string][]string{
		"/prefix": {"-user_session=/", "b_user_session=/"},
		"/path":   {"-user_session=/", "user_session=/path"},
	} {
		p := newPerson(t, server)
		p.login(server.URL, "admin")
		w.rotate(t)
		_, set := p.call(200, "GET", server.URL+path+"/check_session", "")
		if !slices.Equal(set, want) {
			t.Errorf("%s: got the cookies %v, want %v", path, set, want)
		}
		if _, set := p.call(200, "GET", server.URL+path+"/check_session", ""); len(set) > 0 {
			t.Errorf("%s: with the new cookie: got the cookies %v, want none", path, set)
		}
	}
}

// TestCookiesOfBefore changes the settings while a browser is logged in.
func TestCookiesOfBefore(t *testing.T) {
	for _, tc := range []struct {
		name   string
		path   string // below which it is served after the change; the cookies of before are at "/"
		change func(*ginhttp.Options)
		login  []string // the cookies that a new login sets
		logout []string // the cookies that a logout by the cookie of before clears
	}{
		{"a prefix is set", "", func(o *ginhttp.Options) { o.CookiePrefix = "b_" },
			[]string{"-user_session=/", "b_user_session=/"}, []string{"-assistant_session=/", "-user_session=/"}},
		{"TLS is set up", "", func(o *ginhttp.Options) { o.BaseURL = "https://example.com" },
			[]string{"-user_session=/", "__Host-user_session=/"}, []string{"-assistant_session=/", "-user_session=/"}},
		{"a path is set", "/flowlatch", func(o *ginhttp.Options) { o.BaseURL = "https://example.com/flowlatch" },
			[]string{"-user_session=/", "user_session=/flowlatch"},
			[]string{"-assistant_session=/", "-assistant_session=/flowlatch", "-user_session=/", "-user_session=/flowlatch"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			project := string(w.addProject(t, "Support bot").ID)
			before := serveAll(t, true, map[string]http.Handler{"": w.engine})
			after := serveAll(t, true, map[string]http.Handler{tc.path: w.under(t, tc.change)}).URL + tc.path
			loggedIn := func(name string) *person {
				p := newPerson(t, before)
				p.login(before.URL, name)
				return p
			}
			p := loggedIn("admin")
			p.call(200, "POST", before.URL+"/set_project", `{"project_id":"`+project+`"}`)
			if got := p.want(200, after); !strings.Contains(got, "Support bot") {
				t.Errorf("after the change: got %s, want the user and the assistant of before", got)
			}
			p.call(200, "POST", after+"/set_project", `{"project_id":"`+project+`"}`)
			if got := p.want(200, after); !strings.Contains(got, "Support bot") {
				t.Errorf("after the assistant was set again: got %s", got)
			}

			p = loggedIn("admin")
			p.call(200, "POST", before.URL+"/set_project", `{"project_id":"`+project+`"}`)
			if _, set := p.call(200, "POST", after+"/logout", ""); !slices.Equal(set, tc.logout) {
				t.Errorf("logout by a cookie of before: got %v, want %v", set, tc.logout)
			}
			p.want(401, after)

			p = loggedIn("admin")
			if set := p.login(after, "member"); !slices.Equal(set, tc.login) {
				t.Errorf("a new login: got %v, want %v", set, tc.login)
			}
			if got := p.want(200, after); !strings.Contains(got, `"Username":"member"`) {
				t.Errorf("after a new login: got %s", got)
			}
			p.call(200, "POST", after+"/logout", "")
			p.want(401, after)

			// Both logins are held, as if the answer of the new one had not cleared the other.
			p = loggedIn("admin")
			old := p.client.Jar
			p.client.Jar = newPerson(t, before).client.Jar
			p.login(after, "admin")
			root, err := url.Parse(before.URL)
			if err != nil {
				t.Fatal(err)
			}
			cookies := old.Cookies(root)
			for _, c := range cookies {
				c.Path = "/"
			}
			p.client.Jar.SetCookies(root, cookies)
			p.want(200, after)
			p.call(200, "POST", after+"/logout", "")
			p.want(401, after)
		})
	}
}
