package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// TestBehindProxies logs in and works behind each proxy, from a page of the base URL and from an
// address of its own.
func TestBehindProxies(t *testing.T) {
	behind(t, func(t *testing.T, p proxy, s *server) {
		admin := s.admin().elsewhere()
		at, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		name := "user_session"
		if p.https && p.path == "" {
			name = "__Host-user_session"
		}
		at.Path += "/"
		if cookies := admin.client.Jar.Cookies(at); len(cookies) != 1 || cookies[0].Name != name {
			t.Errorf("got the cookies %v, want %s", cookies, name)
		}
		own := at.Scheme + "://" + at.Host
		for origin, want := range map[string]string{own: "200", "https://evil.example": "403 cross_origin", "http://" + at.Hostname() + ":8080": "403 cross_origin"} {
			got, err := admin.tryRaw("POST", "/clear_project", "", http.Header{"Origin": {origin}})
			if err != nil || got.String() != want {
				t.Errorf("from a page of %s: got %s, %v, want %s", origin, got, err, want)
			}
		}
		eventually(t, "the log names both origins", func() bool {
			return strings.Contains(s.stderr.String(), `"origin":"https://evil.example","own_origin":"`+own+`"`)
		})
		for range 3 { // on connections that are kept, where the proxy keeps them
			admin.want(admin.get("/get_all_users"), "200")
		}
		got, err := admin.tryRaw("POST", "/login", `{"username":"ada","password":"wrong"}`, http.Header{
			"Content-Type": {"application/json"}, "X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"},
		})
		if err != nil || got.code != "not_authenticated" {
			t.Fatalf("a wrong password: got %s, %v", got, err)
		}
		want := clientAddress
		if p.small { // nginx adds nothing by itself, so the client's own list arrives
			want = "6.6.6.6"
		}
		audit := admin.want(admin.get("/get_audit_events?action=login&limit=1"), "200")
		if !strings.Contains(audit.text, `"Address":"`+want+`"`) {
			t.Errorf("the audit has %s, want the address %s", audit.text, want)
		}
		admin.want(admin.post("/logout", nil), "200")
		admin.want(admin.get("/check_session"), "401 not_authenticated")
		if cookies := admin.client.Jar.Cookies(at); len(cookies) != 0 {
			t.Errorf("after the logout: got the cookies %v, want none", cookies)
		}
	})
}

// turnBehind adds an assistant, sets it, and returns the path of a turn.
func turnBehind(t *testing.T, admin *browser, v *voiceflowtest.Server) string {
	t.Helper()
	a := newAssistant("Pizza Palace")
	if err := v.Add(a); err != nil {
		t.Fatal(err)
	}
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	admin.want(admin.post("/set_project", body{"project_id": id}), "200")
	return runtimeAt + "/v2/project/" + a.ProjectID + "/user/ben/interact/stream"
}

// TestStreamsBehindProxies reads each event of a stream before the next one is sent. Then
// Voiceflow breaks the stream, which must not look like its end.
func TestStreamsBehindProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			v := startVoiceflow(t)
			s, _ := p.front(t, newMachine(t, v))
			admin := s.admin()
			path := turnBehind(t, admin, v)
			next := make(chan string)
			v.FailNext(func(w http.ResponseWriter, r *http.Request, good http.Handler) {
				voiceflowtest.Events(next)(w, r, good)
				panic(http.ErrAbortHandler)
			})
			r, err := http.NewRequest("POST", s.url+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			response, err := admin.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			events := bufio.NewReader(response.Body)
			for i := range 3 {
				want := fmt.Sprintf("data: %d\n", i)
				next <- strings.TrimSpace(want)
				if got, err := events.ReadString('\n'); got != want {
					t.Fatalf("got %q, %v, want %q before the next event is sent", got, err, want)
				}
				if blank, err := events.ReadString('\n'); blank != "\n" {
					t.Fatalf("got %q, %v, want a blank line", blank, err)
				}
			}
			close(next)
			if rest, err := io.ReadAll(events); err == nil {
				t.Errorf("a stream that broke off came to a good end, with %q", rest)
			}
		})
	}
}

// TestBodiesBehindProxies sends bodies that are large, chunked, announced, or refused early.
func TestBodiesBehindProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			v := startVoiceflow(t)
			s, _ := p.front(t, newMachine(t, v))
			admin, nobody := s.admin(), newBrowser(t, s.url)
			turnBehind(t, admin, v)
			const path = "/voiceflow/api/v1/knowledge-base/docs/upload"
			v.Fail(voiceflowtest.Answer(200, "application/json", `[]`))
			of := func(size int) string {
				const open, end = "--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n", "\r\n--b0undary--\r\n"
				return open + strings.Repeat("x", size-len(open)-len(end)) + end
			}
			const mib = 1 << 20
			large := 25 * mib
			if p.small {
				large = mib
			}
			for _, tc := range []struct {
				name    string
				b       *browser
				path    string
				size    int
				chunked bool
				expect  bool
				want    string
			}{
				{"the largest body", admin, path, large, false, false, "200"},
				{"the largest body, chunked", admin, path, large, true, false, "200"},
				{"a body after 100 Continue", admin, path, large, false, true, "200"},
				{"a body that is too large", admin, path, 25*mib + 1, false, false, "413 too_large"},
				{"a body that is too large, chunked", admin, path, 26 * mib, true, false, "413 too_large"},
				{"a body that is too large, after 100 Continue", admin, path, 26 * mib, false, true, "413 too_large"},
				{"a body of nobody", nobody, path, min(large, 10*mib), false, false, "401 not_authenticated"},
				{"a body of nobody, chunked", nobody, path, min(large, 10*mib), true, false, "401 not_authenticated"},
				{"a body of nobody, after 100 Continue", nobody, path, min(large, 10*mib), false, true, "401 not_authenticated"},
				{"a login that is too large", nobody, "/login", 10 * mib, false, false, "413 too_large"},
				{"a login that is too large, chunked", nobody, "/login", 10 * mib, true, false, "413 too_large"},
				{"a path that is not there", nobody, "/nothing", 10 * mib, false, false, "404 not_found"},
			} {
				if p.small && tc.size > mib {
					continue
				}
				t.Run(tc.name, func(t *testing.T) {
					text, times := of(tc.size), 1
					if tc.want != "200" { // the answer comes while the body is sent: who is first differs
						times = 3
					}
					for range times {
						got, err := tc.b.upload(tc.path, text, tc.chunked, tc.expect)
						if err != nil || got.String() != tc.want {
							t.Errorf("got %s, %v, want %s\n%.300s", got, err, tc.want, got.text)
						}
					}
				})
			}
		})
	}
}

// upload sends a body, and reads the answer while it does. Go's own client may report that it
// could not send everything instead of an answer that came early.
func (b *browser) upload(path, text string, chunked, expect bool) (answer, error) {
	at, err := url.Parse(b.url + path)
	if err != nil {
		return answer{}, err
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	if at.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	var head strings.Builder
	contentType := "application/json" // of the routes
	if strings.HasPrefix(path, "/voiceflow/") {
		contentType = "multipart/form-data; boundary=b0undary"
	}
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n", at.RequestURI(), at.Host, contentType)
	for _, c := range b.client.Jar.Cookies(at) {
		fmt.Fprintf(&head, "Cookie: %s=%s\r\n", c.Name, c.Value)
	}
	if chunked {
		text = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text)
		head.WriteString("Transfer-Encoding: chunked\r\n")
	} else {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(text))
	}
	if expect {
		head.WriteString("Expect: 100-continue\r\n")
	}
	if _, err := io.WriteString(conn, head.String()+"\r\n"); err != nil {
		return answer{}, err
	}
	from := bufio.NewReader(conn)
	response := new(http.Response)
	if expect {
		if response, err = http.ReadResponse(from, nil); err != nil {
			return answer{}, err
		}
	}
	if response.StatusCode < http.StatusOK {
		go func() { _, _ = io.WriteString(conn, text) }()
		if response, err = http.ReadResponse(from, nil); err != nil {
			return answer{}, err
		}
	}
	said, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, text: string(said)}
	if _, rest, found := strings.Cut(a.text, `"code":"`); found {
		a.code, _, _ = strings.Cut(rest, `"`)
	}
	return a, err
}

// TestPathsBehindProxies compares odd paths with those that are sent to the program itself.
func TestPathsBehindProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			v := startVoiceflow(t)
			s, direct := p.front(t, newMachine(t, v))
			admin := s.admin()
			turnBehind(t, admin, v)
			made := admin.want(admin.post("/create_access_token", body{"name": "paths", "scopes": []string{"manage"}, "password": adminPassword}), "200")
			program := admin.program(made.member(t, "token"))
			for _, path := range []string{
				"/get_projects", "/get_projects?limit=1&cursor=a%2Fb", "/nothing", "/get%5Fprojects", "//get_projects", "/get_projects/",
				runtimeAt + "/state/user/a%2Fb/interact", runtimeAt + "/state/user/a%20b", runtimeAt + "/state/user/%C3%BC", runtimeAt + "//state/user/a",
				"/voiceflow/api/v2/..%2Fx", "/healthz",
			} {
				through, throughErr := program.at(s.url).tryRaw("GET", path, "", nil)
				self, selfErr := program.at(direct).tryRaw("GET", path, "", nil)
				if throughErr != nil || selfErr != nil || through.String() != self.String() {
					t.Errorf("%s: got %s (%v) through the proxy, and %s (%v) without it", path, through, throughErr, self, selfErr)
				}
			}
		})
	}
}

// TestTwoInstallationsBehindOneProxy has one browser, and two installations below paths of one
// nginx, or on two ports of one host.
func TestTwoInstallationsBehindOneProxy(t *testing.T) {
	for _, tc := range []struct {
		name  string
		start func(t *testing.T) (one, two *server)
	}{
		{"by paths of one nginx", func(t *testing.T) (*server, *server) {
			addr := testtools.FreeAddr(t)
			var servers []*server
			var locations strings.Builder
			for _, path := range []string{"/one", "/two"} {
				m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_BASE_URL", "http://"+addr+path)
				s := serving(t, m)
				fmt.Fprintf(&locations, "location %s/ { proxy_pass %s/; }\n", path, s.url)
				s.url = "http://" + addr + path
				servers = append(servers, s)
			}
			runNginx(t, addr, "server { listen "+addr+";\n"+locations.String()+"}")
			return servers[0], servers[1]
		}},
		{"by ports", func(t *testing.T) (*server, *server) {
			one := serving(t, newMachine(t, startVoiceflow(t)))
			two := serving(t, newMachine(t, startVoiceflow(t)).with("FLOWLATCH_COOKIE_PREFIX", "two_"))
			return one, two
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			one, two := tc.start(t)
			first := one.admin()
			second := first.at(two.url).login("ben", memberPassword)
			for range 2 {
				if got := first.want(first.get("/check_session"), "200"); !strings.Contains(got.text, `"Username":"ada"`) {
					t.Errorf("at the first: got %s, want ada", got.text)
				}
				if got := second.want(second.get("/check_session"), "200"); !strings.Contains(got.text, `"Username":"ben"`) {
					t.Errorf("at the second: got %s, want ben", got.text)
				}
			}
			second.want(second.post("/logout", nil), "200")
			second.want(second.get("/check_session"), "401 not_authenticated")
			first.want(first.get("/check_session"), "200")
		})
	}
}

// TestLimitsInFront adds the documented limits to the documented configurations: who asks for many
// logins is held off by the proxy, and everything else works as before.
func TestLimitsInFront(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, addr, upstream string){
		"nginx": startNginx("", true), "HAProxy": startHAProxy("", true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := proxy{https: true, start: start}.front(t, newMachine(t, startVoiceflow(t)))
			admin := s.admin()
			refused := 0
			for range 40 {
				// The 415 is Flowlatch's own and needs no password. The 429 is the proxy's own page.
				switch got, err := admin.tryRaw("POST", "/login", "x", http.Header{"Content-Type": {"text/plain"}}); got.status {
				case http.StatusTooManyRequests:
					refused++
				case http.StatusUnsupportedMediaType:
				default:
					t.Fatalf("a login: got %s, %v, want 415 or 429", got, err)
				}
			}
			if refused == 0 {
				t.Error("of 40 logins at once, the proxy refused none")
			}
			for range 40 {
				admin.want(admin.get("/get_all_users"), "200")
			}
		})
	}
}

// TestProbesOfOldProxies asks as HAProxy and other load balancers do, without Host and over
// HTTP/1.0, and begins a connection with the PROXY protocol, which is not supported.
func TestProbesOfOldProxies(t *testing.T) {
	s := newMachine(t, startVoiceflow(t)).start("serve")
	for request, want := range map[string]string{
		"GET /healthz HTTP/1.0\r\n\r\n":                                       "HTTP/1.0 200",
		"HEAD /readyz HTTP/1.0\r\n\r\n":                                       "HTTP/1.0 200",
		"OPTIONS / HTTP/1.0\r\n\r\n":                                          "HTTP/1.0 404",
		"GET /readyz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n":          "HTTP/1.1 200",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /healthz HTTP/1.0\r\n\r\n": "HTTP/1.1 400",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request)
		got, err := io.ReadAll(conn)
		if err != nil && !errors.Is(err, io.EOF) || !strings.HasPrefix(string(got), want) {
			t.Errorf("%q: got %q, %v, want %s", request, got, err, want)
		}
		_ = conn.Close()
	}
}
