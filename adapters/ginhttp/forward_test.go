package ginhttp_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// sample is a path of the endpoint that is of the project.
func sample(e domain.Endpoint, p domain.Project) string {
	path := e.Path
	for name, value := range map[string]string{
		"projectID": string(p.Voiceflow), "versionID": p.Version, "environmentAlias": p.Version, "projectEnvironmentIDOrAlias": p.Version, "userID": "ben@example.com", "metric": "call-count",
	} {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	for {
		before, rest, found := strings.Cut(path, "{")
		if !found {
			return "/voiceflow/" + string(e.Service) + path
		}
		_, after, _ := strings.Cut(rest, "}")
		path = before + "65f1c0ffee0123456789abcd" + after
	}
}

// TestEveryEndpointLetsInWhomItShould is the matrix of all that is forwarded and all who
// may call.
func TestEveryEndpointLetsInWhomItShould(t *testing.T) {
	w := newWorld(t)
	w.voiceflow.answers(func(_ context.Context, f domain.Forward, r *http.Request, _ domain.Secret) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return ports.Answer{}, err
			}
			bound, err := f.UserIDs.Bind(string(body)) // another user for each body and caller
			if err != nil {
				return ports.Answer{}, err
			}
			return starts(f, bound, `{"sessionKey":"`+f.Handle+`"}`), nil
		}
		return response(200, "application/json", `[]`), nil
	})
	p, gone := w.addProject(t, "Support bot"), w.addProject(t, "Gone bot")
	project := `"project_id":"` + string(p.ID) + `"`

	// Of each scope a member with a grant and an access token, and of both the handle of a
	// v4 session.
	type caller struct {
		who    string
		b      *browser
		scopes domain.Scopes
		other  outcome // what is answered without a right
	}
	var callers, handles []caller
	open := func(b *browser) *browser {
		t.Helper()
		r := b.do(t, "POST", "/voiceflow/general-runtime/v4/project/"+string(p.Voiceflow)+"/session", `{"userID":"x"}`).want(t, 200, "")
		handle, _, _ := strings.Cut(strings.TrimPrefix(string(r.raw), `{"sessionKey":"`), `"`)
		return &browser{w: w, cookies: map[string]string{}, authorization: handle}
	}
	// Some calls need two scopes.
	sets := []domain.Scopes{domain.ScopesOf(domain.ScopeConverse, domain.ScopeState)}
	for _, scope := range domain.AllScopes().List() {
		sets = append(sets, domain.ScopesOf(scope))
	}
	for _, scopes := range sets {
		name := "member-" + strings.NewReplacer(":", "-", " ", "-").Replace(scopes.Text())
		list := `"scopes":["` + strings.ReplaceAll(scopes.Text(), " ", `","`) + `"]`
		id := w.createUser(t, name, "member")
		w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+id+`",`+project+`,`+list+`}`).want(t, 200, "")
		member := w.login(t, name)
		member.do(t, "POST", "/set_project", `{`+project+`}`).want(t, 200, "")
		token := w.token(t, w.admin, `{"name":"x",`+project+`,`+list+`}`)
		callers = append(callers,
			caller{"a member with " + scopes.Text(), member, scopes, refused},
			caller{"an access token with " + scopes.Text(), token, scopes, refused})
		if scopes == domain.ScopesOf(domain.ScopeConverse) {
			handles = append(handles,
				caller{"the handle of a member", open(member), scopes, refused},
				caller{"the handle of an access token", open(token), scopes, refused})
		}
	}
	admin := w.login(t, "admin")
	admin.do(t, "POST", "/set_project", `{`+project+`}`).want(t, 200, "")
	ofGone := w.login(t, "admin")
	ofGone.do(t, "POST", "/set_project", `{"project_id":"`+string(gone.ID)+`"}`).want(t, 200, "")
	tokenOfGone := w.token(t, w.admin, `{"name":"x","project_id":"`+string(gone.ID)+`"}`)
	w.admin.do(t, "POST", "/delete_project", `{"project_id":"`+string(gone.ID)+`"}`).want(t, 200, "")
	callers = append(callers,
		caller{"an admin", admin, domain.AllScopes(), refused},
		caller{"nobody", w.nobody, 0, unauthenticated},
		caller{"the disabled", w.disabled, 0, unauthenticated},
		caller{"a member without a grant", w.login(t, "member"), 0, noAssistant},
		caller{"a session of a project that was deleted", ofGone, 0, unauthenticated},
		caller{"an access token for a project that was deleted", tokenOfGone, 0, unauthenticated},
		caller{"an access token that manages", w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`), 0, unauthenticated},
	)
	short := w.token(t, w.admin, `{"name":"x",`+project+`,"expires_in_days":1}`)

	want := func(t *testing.T, c caller, e domain.Endpoint, want outcome) {
		t.Helper()
		body := ""
		if e.Body != domain.NoBody {
			body = `{}`
		}
		got := c.b.do(t, e.Method, sample(e, p), body)
		if got.status != want.status || got.status >= 400 && got.code() != want.code {
			t.Errorf("%s: got %d %s, want %v", c.who, got.status, got.raw, want)
		}
	}
	for _, e := range domain.Endpoints() {
		t.Run(e.Method+" "+string(e.Service)+strings.ReplaceAll(e.Path, "/", "."), func(t *testing.T) {
			for _, c := range callers {
				switch {
				case e.BySession:
					want(t, c, e, unauthenticated) // it takes the handle of a session
				case c.scopes.And(e.Scopes()) == e.Scopes():
					want(t, c, e, fine)
				default:
					want(t, c, e, c.other)
				}
			}
			for _, c := range handles {
				if e.BySession {
					want(t, c, e, fine)
				} else {
					want(t, c, e, unauthenticated)
				}
			}
		})
	}
	w.clock.move(24 * time.Hour)
	for _, e := range domain.Endpoints() {
		want(t, caller{who: "an access token that is over", b: short}, e, unauthenticated)
	}
}

// talking is a world with an assistant that the member has set.
func talking(t testing.TB, change ...func(*world)) (*world, domain.Project) {
	t.Helper()
	w := newWorld(t, change...)
	p := w.addProject(t, "Support bot")
	w.grant(t, "member", p)
	w.member.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	return w, p
}

const turn = "/voiceflow/general-runtime/state/user/ben/interact"

func TestAForwardedCallIsVoiceflows(t *testing.T) {
	w, _ := talking(t)
	var got *http.Request
	var body []byte
	w.voiceflow.answers(func(_ context.Context, _ domain.Forward, r *http.Request, _ domain.Secret) (ports.Answer, error) {
		got = r
		body, _ = io.ReadAll(r.Body)
		a := response(201, "application/json; charset=utf-8", "[ 1,\n2 ]")
		a.Header.Set("X-RateLimit-Limit", "500")
		return a, nil
	})
	r := w.member.do(t, "POST", turn+"?verbose=true&logs=off&verbose=2", `{"action": {"type":"launch"}}`)
	if r.status != 201 || string(r.raw) != "[ 1,\n2 ]" || r.header.Get("Content-Type") != "application/json; charset=utf-8" || r.header.Get("X-RateLimit-Limit") != "500" {
		t.Errorf("got %d %s with %v, want Voiceflow's answer as it is", r.status, r.raw, r.header)
	}
	if csp := r.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox; ") {
		t.Errorf("a page of Voiceflow's is shown as one of ours, with the policy %q", csp)
	}
	if got.URL.RawQuery != "verbose=true&logs=off&verbose=2" || string(body) != `{"action": {"type":"launch"}}` {
		t.Errorf("the call came with the query %q and the body %q", got.URL.RawQuery, body)
	}
	w.voiceflow.answers(func(_ context.Context, _ domain.Forward, r *http.Request, _ domain.Secret) (ports.Answer, error) {
		got = r
		return response(200, "", "<html>"), nil
	})
	r = w.member.do(t, "POST", turn+"?a=%zz;b", `{}`)
	if _, guessed := r.header["Content-Type"]; guessed {
		t.Errorf("an answer that does not say what it is got the type %q", r.header.Get("Content-Type"))
	}
	if r.status != 200 || got.URL.RawQuery != "a=%zz;b" {
		t.Errorf("got %d and the query %q, want it as it was sent, for the client of Voiceflow to judge", r.status, got.URL.RawQuery)
	}
}

// TestABaseURLMayEndInASlash guards that a client may join a base URL that ends in a slash with a
// path. The call is the same as without the slash.
func TestABaseURLMayEndInASlash(t *testing.T) {
	w, p := talking(t)
	var got []string
	w.voiceflow.answers(func(_ context.Context, f domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		got = append(got, f.Route.Object(p.ID))
		return response(200, "application/json", `[]`), nil
	})
	w.member.do(t, "POST", turn, `{}`).want(t, 200, "")
	w.member.do(t, "POST", strings.Replace(turn, "general-runtime/", "general-runtime//", 1), `{}`).want(t, 200, "")
	if len(got) != 2 || got[0] != got[1] {
		t.Errorf("got the calls %q, want the same call twice", got)
	}
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	w, _ := talking(t, func(w *world) { w.options.ForwardMaxBody = 1000 })
	read := func(_ context.Context, _ domain.Forward, r *http.Request, _ domain.Secret) (ports.Answer, error) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Cause: err}
		}
		return response(200, "", ""), nil
	}
	w.voiceflow.answers(read)
	fits, over := strings.Repeat("x", 1000), strings.Repeat("x", 1001)
	w.member.do(t, "POST", turn, fits).want(t, 200, "")
	w.member.do(t, "POST", turn, over).want(t, 413, "too_large")
	w.nobody.do(t, "POST", turn, over).want(t, 401, "not_authenticated") // who calls comes first
	r := w.member.request(t, "POST", turn, "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(over)), -1
	w.member.send(t, r).want(t, 413, "too_large")
}

func TestPagesOfOtherOrigins(t *testing.T) {
	w, _ := talking(t, func(w *world) { w.options.TrustedOrigins = []string{"https://console.example.com"} })
	send := func(origin string) *reply {
		r := w.member.request(t, "POST", turn, `{}`)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		return w.member.send(t, r)
	}
	send("https://evil.example").want(t, 403, "cross_origin")
	if r := send("https://console.example.com").want(t, 200, ""); r.header.Get("Access-Control-Allow-Origin") != "https://console.example.com" {
		t.Errorf("got %v, want the origin in it", r.header)
	}
	r := w.nobody.request(t, "OPTIONS", turn, "")
	r.Header.Set("Origin", "https://console.example.com")
	r.Header.Set("Access-Control-Request-Method", "DELETE")
	r.Header.Set("Access-Control-Request-Headers", "authorization,versionid")
	got := w.nobody.send(t, r)
	if got.status != 204 || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), "DELETE") ||
		!strings.Contains(strings.ToLower(got.header.Get("Access-Control-Allow-Headers")), "authorization") {
		t.Errorf("a preflight: got %d with %v", got.status, got.header)
	}
}

func TestRatesAreTold(t *testing.T) {
	w, _ := talking(t, func(w *world) { w.ports.Rates = &rates{left: 2} })
	r := w.member.do(t, "POST", turn, `{}`).want(t, 200, "")
	if got := []string{r.header.Get("RateLimit-Limit"), r.header.Get("RateLimit-Remaining"), r.header.Get("RateLimit-Reset")}; !slices.Equal(got, []string{"2", "1", "30"}) {
		t.Errorf("got %v, want what is left", got)
	}
	w.member.do(t, "POST", turn, `{}`).want(t, 200, "")
	r = w.member.do(t, "POST", turn, `{}`).want(t, 429, "too_many_requests")
	if got := []string{r.header.Get("RateLimit-Remaining"), r.header.Get("Retry-After")}; !slices.Equal(got, []string{"0", "30"}) {
		t.Errorf("got %v, want nothing left and when again", got)
	}
}

type rates struct {
	mu   sync.Mutex
	left int
}

func (r *rates) Take(domain.Budget) (domain.Rate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return domain.Rate{}, &domain.Error{Kind: domain.TooManyRequests, RetryAfter: 30 * time.Second, Rate: domain.Rate{Limit: 2, Reset: time.Minute}}
	}
	r.left--
	return domain.Rate{Limit: 2, Remaining: r.left, Reset: time.Duration(2-r.left) * 30 * time.Second}, nil
}

// Whoever is not let in has the time of every other route for a body that does not come.
func TestAStrangersBodyHasNoMoreTimeThanElsewhere(t *testing.T) {
	w, _ := talking(t, func(w *world) {
		w.options.ForwardTimeout = time.Hour
		w.configure = func(s *httptest.Server) { s.Config.ReadTimeout = 100 * time.Millisecond }
	})
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: flowlatch\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{", turn)
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection is kept: %v", err)
	}
}

func TestAnUpgradeIsNotForwarded(t *testing.T) {
	w, _ := talking(t)
	for _, protocol := range []string{"websocket", "\x80"} {
		raw(t, w.nobody, "POST", turn, "application/json", "Connection: Upgrade\r\nUpgrade: "+protocol+"\r\n").want(t, 401, "not_authenticated")
	}
}

func TestPathsThatCanBeReadInTwoWays(t *testing.T) {
	w, p := talking(t)
	reached := false
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		reached = true
		return response(200, "", ""), nil
	})
	id := string(p.Voiceflow)
	for _, path := range []string{
		"/voiceflow/api/v2/transcripts/../versions/x/export", "/voiceflow/api/v2/./transcripts/" + id, "/voiceflow/api///v2/transcripts/" + id,
		"/voiceflow/api/v2//transcripts/" + id, "/voiceflow//api/v2/transcripts/" + id, "//voiceflow/api/v2/transcripts/" + id,
		"/voiceflow/api/%2Fv2/transcripts/" + id, "/voiceflow/api/%2f/v2/transcripts/" + id,
		"/voiceflow/api/v2/transcripts/" + id + "/", "/voiceflow/api/v2/transcripts%2F" + id, "/voiceflow/api/v2%2ftranscripts/" + id,
		"/voiceflow/api%2Fv2/transcripts/" + id, "/voiceflow%2Fapi/v2/transcripts/" + id, "/voiceflow/api/v2/transcripts%5c" + id,
		"/voiceflow/general-runtime/../general-runtime/state/user/x",
		"/voiceflow/general-runtime%2Fanything/state/user/x/interact", "/voiceflow%2Fgeneral-runtime/zzz/state/user/x/interact",
		"/voiceflow/general-runtime%2F../state/user/x/interact", "/voiceflow%2F../general-runtime/state/user/x/interact",
		"/voiceflow/general%2Druntime/state/user/x/interact", "/voiceflow/general-runtime%2F%2e%2e/state/user/x/interact",
		"/VOICEFLOW/api/v2/transcripts/" + id, "/voiceflow/API/v2/transcripts/" + id,
	} {
		for _, method := range []string{"GET", "POST"} {
			if got := w.admin.rawPath(t, method, path); got.status != 404 {
				t.Errorf("%s %s: got %d %s, want 404", method, path, got.status, got.raw)
			}
		}
	}
	if reached {
		t.Error("one of them came to Voiceflow")
	}
}

func TestAUserIdInThePathIsAnIdOrIsRefusedWithItsReason(t *testing.T) {
	w, p := talking(t)
	var path string
	w.voiceflow.answers(func(_ context.Context, f domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		target, err := f.Route.Target(f.Project, domain.UsedEnvironment{Send: "main"}, func(own string) (string, error) { return own, nil })
		path = target
		return response(200, "application/json", `{"message":"x"}`), err
	})
	for _, tc := range []struct {
		name, id string
		want     string // the id at Voiceflow; "" if it is refused
		says     string
	}{
		{"a slash", "a%2Fb", "a%2Fb", ""},
		{"a slash in lower case", "a%2fb%2f", "a%2Fb%2F", ""},
		{"two slashes", "a%2F%2Fb", "a%2F%2Fb", ""},
		{"a backslash", "ACME%5cben", "ACME%5Cben", ""},
		{"a semicolon", "a;b", "a%3Bb", ""},
		{"an encoded semicolon", "a%3Bb", "a%3Bb", ""},
		{"a percent sign", "100%25", "100%25", ""},
		{"256 bytes", strings.Repeat("x", 256), strings.Repeat("x", 256), ""},
		{"257 bytes", strings.Repeat("x", 257), "", "longer than 256 bytes"},
		{"3,000 bytes", strings.Repeat("%C3%BC", 1500), "", "longer than 256 bytes"},
		{"what is not UTF-8", "%ff", "", "not UTF-8"},
		{"NUL", "a%00b", "", "control character"},
		{"a line break", "a%0Ab", "", "control character"},
		{"nothing", "", "", "is empty"},
		{"a dot", "%2e", "", "is . or .."},
		{"two dots", "%2e%2E", "", "is . or .."},
		{"dots between slashes", "a%2F..%2Fb", "", "is . or .."},
		{"a double encoding", "a%252Fb", "", "encode it once"},
		{"double encoded dots", "%252e%252e", "", "encode it once"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path = ""
			got := w.member.rawPath(t, "POST", "/voiceflow/general-runtime/state/user/"+tc.id+"/interact")
			if tc.want != "" {
				got.want(t, 200, "")
				if path != "/state/user/"+tc.want+"/interact" {
					t.Errorf("Voiceflow got %q", path)
				}
				return
			}
			got.want(t, 400, "invalid_request")
			message, _ := got.body["message"].(string)
			if path != "" || !strings.Contains(message, "user id") || !strings.Contains(message, tc.says) || strings.Contains(message, "xxx") {
				t.Errorf("got the message %q, and %q at Voiceflow", message, path)
			}
		})
	}
	long := "/voiceflow/api/v2/transcripts/" + string(p.Voiceflow) + "/" + strings.Repeat("x", 129)
	got := w.admin.rawPath(t, "GET", long).want(t, 400, "invalid_request")
	if message, _ := got.body["message"].(string); !strings.Contains(message, "transcriptID in the path is longer than 128 bytes") {
		t.Errorf("an id of 129 bytes: got the message %q", message)
	}
}

func TestAStreamTellsProxiesNotToCollectIt(t *testing.T) {
	w, _ := talking(t)
	for contentType, want := range map[string]string{
		"text/event-stream": "no", "text/event-stream; charset=utf-8": "no", "Text/Event-Stream": "no", "application/json": "", "text/event-streams": "", "": "",
	} {
		w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
			return response(200, contentType, "data: {}\n\n"), nil
		})
		if got := w.member.do(t, "POST", turn, `{}`).want(t, 200, "").header.Get("X-Accel-Buffering"); got != want {
			t.Errorf("%q: got X-Accel-Buffering %q, want %q", contentType, got, want)
		}
	}
}

// rawPath sends a request with the path as it is.
func (b *browser) rawPath(t *testing.T, method, path string) *reply {
	t.Helper()
	r := b.request(t, method, "/", "")
	r.URL.Opaque = path
	return b.send(t, r)
}

func TestForwardingUnderAHostsLogin(t *testing.T) {
	admins := map[string]bool{"ada": true}
	w := newWorld(t, hosted(func(r *http.Request) (domain.Caller, error) {
		name := r.Header.Get("X-User")
		return domain.Caller{ID: domain.UserID(name), Admin: admins[name]}, nil
	}))
	w.voiceflow.answers(func(_ context.Context, f domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			return starts(f, "bound", f.Handle), nil
		}
		return response(200, "application/json", `[]`), nil
	})
	p := w.addProject(t, "Support bot")
	as := func(name string, b *browser, method, path, body string) *reply {
		t.Helper()
		r := b.request(t, method, path, body)
		if name != "" {
			r.Header.Set("X-User", name)
		}
		return b.send(t, r)
	}
	ben := &browser{w: w, cookies: map[string]string{}}
	as("ada", w.nobody, "POST", "/grant_project", `{"user_id":"ben","project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	as("ben", ben, "POST", turn, `{}`).want(t, 409, "no_assistant")
	as("ben", ben, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	as("ben", ben, "POST", turn, `{}`).want(t, 200, "")
	as("", ben, "POST", turn, `{}`).want(t, 401, "not_authenticated")
	as("eve", ben, "POST", turn, `{}`).want(t, 401, "not_authenticated")
	handle := as("ben", ben, "POST", "/voiceflow/general-runtime/v4/project/"+string(p.Voiceflow)+"/session", `{"userID":"x"}`).want(t, 200, "")
	alone := &browser{w: w, cookies: map[string]string{}, authorization: string(handle.raw)}
	as("ben", alone, "POST", "/voiceflow/general-runtime/v4/interact", `{}`).want(t, 200, "")
	as("eve", alone, "POST", "/voiceflow/general-runtime/v4/interact", `{}`).want(t, 401, "not_authenticated")
	as("ada", w.nobody, "POST", "/revoke_project", `{"user_id":"ben","project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	as("ben", ben, "POST", turn, `{}`).want(t, 401, "not_authenticated")
	as("ben", alone, "POST", "/voiceflow/general-runtime/v4/interact", `{}`).want(t, 401, "not_authenticated")
	as("ada", w.nobody, "GET", "/get_access_tokens", "").want(t, 404, "not_found")
}

func TestAdminsSeeHowItIsWithTheKey(t *testing.T) {
	w, _ := talking(t)
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected}
	})
	w.member.do(t, "POST", turn, `{}`).want(t, 502, "assistant_credentials_rejected")
	if got := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, ""); !strings.Contains(string(got.raw), `"key_status":"rejected","secondary_status":"none",`) {
		t.Errorf("an admin gets %s", got.raw)
	}
	first := w.member.do(t, "GET", "/get_projects", "").want(t, 200, "").body["assistants"].([]any)[0].(map[string]any)
	if got := slices.Sorted(maps.Keys(first)); !slices.Equal(got, []string{"Created", "Id", "Name"}) {
		t.Errorf("a member gets %q", got)
	}
}

var _ ports.CallRates = (*rates)(nil)
