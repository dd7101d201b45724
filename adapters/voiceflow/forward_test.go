package voiceflow_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/google/go-cmp/cmp"
)

// pizza is the project that calls are made for, and key its key.
var (
	pizza = domain.Project{Voiceflow: "64dbb6696a8fab0013dba194", Version: "production"}
	key   = domain.NewSecret("VF.DM.64dbb6696a8fab0013dba195.AbCdEfGhIjKlMnOp")
)

const others = "64dbb6696a8fab0013dba199"

// received is a request as the far side got it.
type received struct {
	Method, URI, Host string
	Header            http.Header
	Length            int64
	Body              string
}

// farSide is a Voiceflow that answers every request in one way, and a client of it.
type farSide struct {
	*httptest.Server
	client      *voiceflow.Client
	connections atomic.Int64

	mu       sync.Mutex
	requests []received
}

// far starts a far side that answers with h, which may read the request's body.
func far(t testing.TB, h http.HandlerFunc, change ...func(*voiceflow.Options)) *farSide {
	t.Helper()
	f := &farSide{}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, received{Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Length: r.ContentLength})
		n := len(f.requests) - 1
		f.mu.Unlock()
		var body bytes.Buffer
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &body), r.Body}
		h(w, r)
		f.mu.Lock()
		f.requests[n].Body = body.String()
		f.mu.Unlock()
	}))
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // some answers are meant to be cut
	f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.connections.Add(1)
		}
	}
	f.Start()
	t.Cleanup(f.Close)
	f.client = clientOf(t, f.URL, change...)
	return f
}

func clientOf(t testing.TB, base string, change ...func(*voiceflow.Options)) *voiceflow.Client {
	t.Helper()
	o := voiceflow.Options{BaseURL: base, RuntimeURL: base, AnalyticsURL: base, RealtimeURL: base, Clock: func() time.Time { return now }}
	for _, c := range change {
		c(&o)
	}
	c, err := voiceflow.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *farSide) seen() []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// answer answers with a status, a content type and a body, once the request was read.
func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// unanswered takes requests and never answers them.
func unanswered(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// cutOff closes the connection without an answer.
func cutOff(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// to is a call, by its service, method, and path, of somebody whose user ids are bound.
func to(t testing.TB, service domain.Service, method, path string) domain.Forward {
	t.Helper()
	route, err := domain.MatchEndpoint(string(service), method, path)
	if err != nil {
		t.Fatalf("%s %s %s: %v", service, method, path, err)
	}
	return domain.Forward{
		Route: route, Project: pizza,
		UserIDs: domain.UserIDs{
			Bind: func(own string) (string, error) { return "bound-" + own, nil },
			Own:  func(bound string) (string, bool) { return strings.CutPrefix(bound, "bound-") },
		},
		Handle: "handle",
	}
}

// Some calls of each kind.
func turn(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "POST", "/state/user/ben/interact")
}
func state(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "GET", "/state/user/ben")
}
func ask(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "POST", "/knowledge-base/query")
}
func start4(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "POST", "/v4/project/"+string(pizza.Voiceflow)+"/session")
}
func turn4(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "POST", "/v4/interact/stream")
}

// sent is a request as a caller sends it.
func sent(query, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://flowlatch.example/voiceflow/?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if body == "" {
		r.Body = http.NoBody
	}
	return r
}

func (f *farSide) forward(ctx context.Context, c domain.Forward, r *http.Request) (ports.Answer, error) {
	return f.client.Forward(ctx, c, r, key)
}

// read is a call that succeeds, whose answer is read to its end.
func (f *farSide) read(t testing.TB, c domain.Forward, r *http.Request) (ports.Answer, string) {
	t.Helper()
	resp, err := f.forward(t.Context(), c, r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestARequestIsMadeAnewFromItsEndpoint(t *testing.T) {
	id := string(pizza.Voiceflow)
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		query, body string
		want        received
	}{
		{"a turn", turn(t), "verbose=true&logs=off", `{"action":{"type":"launch"}}`,
			received{Method: "POST", URI: "/state/user/bound-ben/interact?verbose=true&logs=off", Length: 28, Body: `{"action":{"type":"launch"}}`}},
		{"a query of which nothing passes", turn(t), "unknown=1&VERBOSE=1&userID=x", ``,
			received{Method: "POST", URI: "/state/user/bound-ben/interact"}},
		{"a query in its order, with repeats", to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), "encode=&customTraceTypes[]=b&filterConversation=1&customTraceTypes%5B%5D=a+c%20d&unredacted=true", ``,
			received{Method: "GET", URI: "/v1/transcript/t1?encode=&customTraceTypes%5B%5D=b&filterConversation=1&customTraceTypes%5B%5D=a+c+d"}},
		{"a query without values and with empty parts", turn(t), "&&verbose&", ``,
			received{Method: "POST", URI: "/state/user/bound-ben/interact?verbose="}},
		{"an environment that is put in", to(t, domain.ServiceRuntime, "POST", "/v2/project/"+id+"/user/ben/interact/stream"), "state=true", `{}`,
			received{Method: "POST", URI: "/v2/project/" + id + "/user/bound-ben/interact/stream?state=true&environment=production", Length: 2, Body: `{}`}},
		{"an environment that is overwritten, however often it comes", to(t, domain.ServiceRuntime, "POST", "/v2/project/"+id+"/user/ben/interact/stream"), "environment=a&environment=b&%65nvironment=c", `{}`,
			received{Method: "POST", URI: "/v2/project/" + id + "/user/bound-ben/interact/stream?environment=production", Length: 2, Body: `{}`}},
		{"a project, an environment and a stage", to(t, domain.ServiceRealtime, "GET", "/v1/stable/conversation-state/ben"), "projectID=" + strings.ToUpper(id) + "&version=draft", ``,
			received{Method: "GET", URI: "/v1/stable/conversation-state/bound-ben?projectID=" + id + "&environmentAlias=production&version=published"}},
		{"a project that the endpoint has no place for", state(t), "projectID=" + id, ``,
			received{Method: "GET", URI: "/state/user/bound-ben"}},
		{"a body where none belongs", state(t), "", `{"a":1}`,
			received{Method: "GET", URI: "/state/user/bound-ben"}},
		{"a body that is looked after", ask(t), "", `{"question":"why?"}`,
			received{Method: "POST", URI: "/knowledge-base/query", Length: 58, Body: `{"question":"why?","projectID":"` + id + `"}`}},
		{"a session of the environment", start4(t), "", `{"userID":"ben"}`,
			received{Method: "POST", URI: "/v4/project/" + id + "/environment/production/session", Length: 22, Body: `{"userID":"bound-ben"}`}},
		{"a user id that needs escapes", to(t, domain.ServiceRuntime, "DELETE", "/state/user/b%C3%A9n%20%3F%23%25+&=;:@$"), "", ``,
			received{Method: "DELETE", URI: "/state/user/bound-b%C3%A9n%20%3F%23%25+&=%3B:@$"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(200, "application/json", `{"sessionKey":"k"}`))
			r := sent(tc.query, tc.body)
			// Of a request the method and path are those of the route.
			r.Method, r.URL.Path = "TRACE", "/somewhere/else"
			f.read(t, tc.call, r)
			got := f.seen()[0]
			tc.want.Header, tc.want.Host = got.Header, strings.TrimPrefix(f.URL, "http://")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTheProjectSaysVersionAndEnvironmentAndHeadersSayNothingElse(t *testing.T) {
	everything := http.Header{
		"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Content-Type": {"text/x"}, "Last-Event-Id": {"7"},
		"Authorization": {"Bearer flk_hidden"}, "Cookie": {"user_session=hidden"}, "X-Forwarded-For": {"192.0.2.7"}, "Forwarded": {"for=192.0.2.7"},
		"X-Real-Ip": {"192.0.2.7"}, "Origin": {"https://hidden.example"}, "Referer": {"https://hidden.example"}, "User-Agent": {"hidden"},
		"Versionid": {"development"}, "Projectid": {others}, "Accept-Encoding": {"gzip"}, "Connection": {"X-Hop"}, "X-Hop": {"hidden"},
		"Te": {"trailers"}, "Upgrade": {"h2c"}, "Range": {"bytes=0-1"}, "If-None-Match": {"x"}, "Idempotency-Key": {"x"}, "X-Http-Method-Override": {"DELETE"},
		"Proxy-Authorization": {"hidden"}, "Expect": {"100-continue"}, "Trailer": {"X-Hop"}, "Content-Encoding": {"identity"},
	}
	for _, tc := range []struct {
		name string
		call domain.Forward
		want http.Header
	}{
		{"a body that passes", turn(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"}, "Content-Type": {"text/x"}, "Content-Encoding": {"identity"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Versionid": {"production"}, "Projectid": {string(pizza.Voiceflow)}, "Content-Length": {"16"},
		}},
		{"a body that is looked after, which goes as what it was read as", start4(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"}, "Content-Type": {"application/json"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Versionid": {"production"}, "Projectid": {string(pizza.Voiceflow)}, "Content-Length": {"22"},
		}},
		{"no body", state(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Versionid": {"production"}, "Projectid": {string(pizza.Voiceflow)},
		}},
		{"by a session", turn4(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"}, "Content-Type": {"text/x"}, "Content-Encoding": {"identity"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Content-Length": {"16"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(200, "application/json", `{"sessionKey":"k"}`))
			r := sent("", `{"userID":"ben"}`)
			r.Header = everything.Clone()
			f.read(t, tc.call, r)
			if diff := cmp.Diff(tc.want, f.seen()[0].Header); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(everything, r.Header); diff != "" {
				t.Errorf("the caller's request was changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsRefusedIsNotSent(t *testing.T) {
	id := string(pizza.Voiceflow)
	compressed := sent("", "x")
	compressed.Header.Set("Content-Encoding", "gzip")
	for _, tc := range []struct {
		name string
		call domain.Forward
		r    *http.Request
		want domain.Kind
	}{
		{"another project in the path", to(t, domain.ServiceAnalytics, "POST", "/v1/transcript/project/"+others), sent("", ""), domain.NotFound},
		{"another version in the path", to(t, domain.ServiceAPI, "GET", "/v2/versions/development/export"), sent("", ""), domain.NotFound},
		{"another environment in the path", to(t, domain.ServiceRuntime, "POST", "/v4/project/"+id+"/environment/main/session"), sent("", `{"userID":"ben"}`), domain.NotFound},
		{"another project in the query", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("projectID="+others, ""), domain.NotFound},
		{"another project behind the right one", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("projectID="+id+"&projectID="+others, ""), domain.NotFound},
		{"another project in a name with escapes", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("project%49D="+others, ""), domain.NotFound},
		{"an empty project in the query", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("projectID=", ""), domain.NotFound},
		{"another project that the endpoint has no place for", state(t), sent("projectID="+others, ""), domain.NotFound},
		{"another project in the body", ask(t), sent("", `{"projectID":"`+others+`"}`), domain.NotFound},
		{"a semicolon in the query", turn(t), sent("verbose=1;logs=off", ""), domain.Invalid},
		{"a percent-encoding that is none", turn(t), sent("verbose=%zz", ""), domain.Invalid},
		{"one that is none in a name", turn(t), sent("%=1", ""), domain.Invalid},
		{"a body that is no JSON", ask(t), sent("", "x"), domain.Invalid},
		{"a body without what must be in it", start4(t), sent("", "{}"), domain.Invalid},
		{"a body that is looked after and compressed", ask(t), compressed, domain.Invalid},
		{"a body that is looked after and too long", ask(t), sent("", strings.Repeat(" ", 1<<20+1)), domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(200, "application/json", `{}`))
			if _, err := f.forward(t.Context(), tc.call, tc.r); domain.KindOf(err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if n := len(f.seen()); n != 0 {
				t.Errorf("got %d requests at the far side, want none", n)
			}
		})
	}
}

func TestAnErrorOfBindIsPassedOn(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	want := &domain.Error{Kind: domain.Unavailable}
	c := state(t)
	c.UserIDs.Bind = func(string) (string, error) { return "", want }
	if _, err := f.forward(t.Context(), c, sent("", "")); !errors.Is(err, want) || len(f.seen()) != 0 {
		t.Errorf("got %v after %d requests, want %v after none", err, len(f.seen()), want)
	}
}

func TestABaseURLMayHaveAPathForEveryService(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	for _, base := range []string{"/voice%2Fflow/a", "/voice%2Fflow/a/"} {
		c := clientOf(t, f.URL+base)
		for _, call := range []domain.Forward{
			to(t, domain.ServiceAPI, "GET", "/v1/knowledge-base/docs"), to(t, domain.ServiceRuntime, "GET", "/state/user/b%C3%A9n"),
			to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), to(t, domain.ServiceRealtime, "GET", "/v1/stable/knowledge-base/document"),
		} {
			resp, err := c.Forward(t.Context(), call, sent("", ""), key)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	for i, r := range f.seen() {
		want := []string{"/v1/knowledge-base/docs", "/state/user/bound-b%C3%A9n", "/v1/transcript/t1", "/v1/stable/knowledge-base/document?projectID=" + string(pizza.Voiceflow) + "&environmentAlias=production"}[i%4]
		if r.URI != "/voice%2Fflow/a"+want {
			t.Errorf("got %s, want %s behind the base URL's path", r.URI, want)
		}
	}
}

func TestEachServiceHasAHostOfItsOwn(t *testing.T) {
	sides := map[domain.Service]*farSide{}
	for _, s := range domain.Services() {
		sides[s] = far(t, answer(200, "application/json", `{}`))
	}
	c, err := voiceflow.New(voiceflow.Options{
		BaseURL: sides[domain.ServiceAPI].URL, RuntimeURL: sides[domain.ServiceRuntime].URL,
		AnalyticsURL: sides[domain.ServiceAnalytics].URL, RealtimeURL: sides[domain.ServiceRealtime].URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, call := range []domain.Forward{
		to(t, domain.ServiceAPI, "GET", "/v1/knowledge-base/docs"), state(t),
		to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), to(t, domain.ServiceRealtime, "GET", "/v1/stable/knowledge-base/document"),
	} {
		resp, err := c.Forward(t.Context(), call, sent("", ""), key)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for j, s := range domain.Services() {
			want := 0
			if j <= i {
				want = 1
			}
			if got := len(sides[s].seen()); got != want {
				t.Errorf("after the call of %s: got %d requests at %s, want %d", domain.Services()[i], got, s, want)
			}
		}
	}
}

func TestAnUploadPassesPartByPart(t *testing.T) {
	upload := to(t, domain.ServiceAPI, "POST", "/v1/knowledge-base/docs/upload")
	rest := strings.Repeat("other", 14<<10) // a short body of known length goes in one piece
	for _, length := range []int64{-1, int64(len("first" + rest))} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			first := make(chan string, 1)
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				part := make([]byte, 5)
				if _, err := io.ReadFull(r.Body, part); err != nil {
					t.Error(err)
				}
				first <- string(part)
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, "{}")
			})
			body, write := io.Pipe()
			r := sent("overwrite=true", "")
			r.Body, r.ContentLength = body, length
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			go func() {
				_, _ = io.WriteString(write, "first")
				if got := <-first; got != "first" {
					t.Errorf("got %q, want the first part before there is a second", got)
				}
				_, _ = io.WriteString(write, rest)
				_ = write.Close()
			}()
			f.read(t, upload, r)
			got := f.seen()[0]
			if got.Body != "first"+rest || got.Length != length || got.Header.Get("Content-Type") != "multipart/form-data; boundary=x" {
				t.Errorf("got %d bytes, length %d, %v, want the body with the length %d", len(got.Body), got.Length, got.Header, length)
			}
		})
	}
}

func TestAnAnswerPassesWhateverItsStatus(t *testing.T) {
	for _, status := range []int{200, 201, 202, 207, 400, 402, 403, 404, 405, 408, 409, 410, 413, 422, 429, 451, 500, 501, 502, 503, 504, 520, 599} {
		f := far(t, answer(status, "application/json; charset=utf-8", `{"userID":"bound-ben"}`))
		resp, body := f.read(t, turn(t), sent("", "{}"))
		if resp.StatusCode != status || body != `{"userID":"ben"}` {
			t.Errorf("%d: got %d %s, want it as it was, with the caller's own id", status, resp.StatusCode, body)
		}
		if n := len(f.seen()); n != 1 {
			t.Errorf("%d: it was sent %d times, want once", status, n)
		}
	}
	f := far(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	resp, body := f.read(t, turn(t), sent("", "{}"))
	if resp.StatusCode != 204 || body != "" || resp.ContentLength != 0 {
		t.Errorf("204: got %d %q, length %d", resp.StatusCode, body, resp.ContentLength)
	}
}

func TestAnAnswersHeadersAreThoseOfAShortList(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, name := range []string{
			"Content-Disposition", "Content-Language", "ETag", "Last-Modified", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Reset", "RateLimit-Remaining",
			"Set-Cookie", "Server", "X-Powered-By", "Access-Control-Allow-Origin", "Www-Authenticate", "Location", "Link", "X-Request-Id", "Strict-Transport-Security",
			"Cache-Control", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "X-RateLimit", "X-RateLimit-Note",
		} {
			h.Set(name, "a value")
		}
		h.Set("Content-Type", "text/csv")
		h.Set("X-RateLimit-Policy", "key "+r.Header.Get("Authorization"))
		h.Set("Date", "now")
		_, _ = io.WriteString(w, "a,b")
	})
	resp, body := f.read(t, turn(t), sent("", "{}"))
	want := http.Header{
		"Content-Disposition": {"a value"}, "Content-Language": {"a value"}, "Etag": {"a value"}, "Last-Modified": {"a value"}, "Retry-After": {"a value"},
		"X-Ratelimit-Limit": {"a value"}, "X-Ratelimit-Reset": {"a value"}, "Ratelimit-Remaining": {"a value"}, "Content-Type": {"text/csv"}, "Content-Length": {"3"},
	}
	if diff := cmp.Diff(want, resp.Header); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if body != "a,b" || resp.ContentLength != 3 {
		t.Errorf("got %q, length %d", body, resp.ContentLength)
	}
}

func TestAnAnswerHasALengthWhereItIsKnown(t *testing.T) {
	small := `{"userID":"bound-sue"}`
	large := `{"a":"` + strings.Repeat("x", 64<<10) + `","userID":"bound-sue"}`
	back := func(body string) string { return strings.Replace(body, "bound-sue", "sue", 1) }
	for _, tc := range []struct {
		name, contentType, body string
		told, bound             bool
		want                    string
		wantLength              int
	}{
		{"small JSON", "application/json", small, true, true, back(small), len(back(small))},
		{"small JSON of one with users of their own", "application/json", small, true, false, small, len(small)},
		{"small JSON whose length is not told", "application/json", small, false, true, back(small), -1},
		{"large JSON", "application/json", large, true, true, back(large), -1},
		{"large JSON of one with users of their own", "application/json", large, true, false, large, len(large)},
		{"something else", "application/pdf", large, true, true, large, len(large)},
	} {
		f := far(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.contentType)
			if tc.told {
				w.Header().Set("Content-Length", fmt.Sprint(len(tc.body)))
			} else {
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.WriteString(w, tc.body)
		})
		c := turn(t)
		if !tc.bound {
			c.UserIDs = domain.UserIDs{}
		}
		resp, body := f.read(t, c, sent("", "{}"))
		if header := resp.Header.Get("Content-Length"); header != "" && header != fmt.Sprint(tc.wantLength) {
			t.Errorf("%s: got Content-Length %s, want %d", tc.name, header, tc.wantLength)
		}
		if resp.ContentLength != int64(tc.wantLength) || body != tc.want {
			t.Errorf("%s: got %.100s, length %d, want %d", tc.name, body, resp.ContentLength, tc.wantLength)
		}
	}
}

func TestASmallAnswerThatIsCutIsNone(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{}`)
	})
	if _, err := f.forward(t.Context(), turn(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
}

func TestNothingInAnAnswerShowsTheCredential(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/problem+json", "text/event-stream", "text/plain", "application/octet-stream", ""} {
		for _, status := range []int{200, 400, 404, 500} {
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = []string{contentType, r.Header.Get("Authorization")}[:1]
				w.Header().Set("ETag", r.Header.Get("Authorization"))
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, `{"key":%q,"a":"x%[1]sx"}`, r.Header.Get("Authorization"))
			})
			resp, body := f.read(t, turn(t), sent("", "{}"))
			stars := strings.Repeat("*", len(key.Reveal()))
			if body != fmt.Sprintf(`{"key":%q,"a":"x%[1]sx"}`, stars) && (status != 200 || contentType != "") {
				t.Errorf("%d %s: got %s", status, contentType, body)
			}
			if shown := fmt.Sprintf("%s %v", body, resp); strings.Contains(shown, key.Reveal()) || resp.Header.Get("Etag") != "" {
				t.Errorf("%d %s: it shows in %s", status, contentType, shown)
			}
		}
	}
}

func TestARefusalWithoutJSONHasNoBody(t *testing.T) {
	for _, tc := range []struct {
		name, contentType, body string
		want                    string
	}{
		{"JSON", "application/json", `{"code":404,"status":"Not Found"}`, `{"code":404,"status":"Not Found"}`},
		{"JSON with another label", "text/plain", ` {"code":404}` + "\n", ` {"code":404}` + "\n"},
		{"JSON with a name that comes twice", "application/json", `{"a":1,"a":2}`, `{"a":1,"a":2}`},
		{"JSON of just a mebibyte", "text/html", `"` + strings.Repeat("x", 1<<20-2) + `"`, `"` + strings.Repeat("x", 1<<20-2) + `"`},
		{"JSON of more than a mebibyte", "application/json", `"` + strings.Repeat("x", 1<<20-1) + `"`, ""},
		{"a page", "text/html", "<html>503</html>", ""},
		{"a page with the label of JSON", "application/json", "<html>503</html>", ""},
		{"text", "text/plain", "response timeout", ""},
		{"nothing", "application/json", "", ""},
		{"JSON that is cut", "application/json", `{"a":`, ""},
		{"two of them", "application/json", `{}{}`, ""},
		{"events", "text/event-stream", "data: {}\n\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(404, tc.contentType, tc.body))
			resp, body := f.read(t, turn(t), sent("", "{}"))
			wantType := "application/json"
			if tc.want == "" {
				wantType = ""
			}
			if resp.StatusCode != 404 || body != tc.want || resp.ContentLength != int64(len(tc.want)) || resp.Header.Get("Content-Type") != wantType {
				t.Errorf("got %d %.100q, length %d, %v, want %.100q", resp.StatusCode, body, resp.ContentLength, resp.Header, tc.want)
			}
		})
	}
}

func TestARefusalThatIsCutHasNoBody(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{}`)
	})
	if resp, body := f.read(t, turn(t), sent("", "{}")); resp.StatusCode != 500 || body != "" || resp.ContentLength != 0 {
		t.Errorf("got %d %q, length %d", resp.StatusCode, body, resp.ContentLength)
	}
}

func TestARefusedCredentialIsToldFromOtherRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   domain.Kind
	}{
		{"401 in JSON", 401, `{"message":"Unauthorized"}`, domain.CredentialsRejected},
		{"401 as text", 401, `Unauthorized`, domain.CredentialsRejected},
		{"401 without a body", 401, ``, domain.CredentialsRejected},
		{"a version that can't be resolved", 400, `{"name":"verror","message":"Cannot resolve project version, please verify that your API key is correct.","requestID":"x"}`, domain.CredentialsRejected},
		{"an alias that can't be resolved", 400, `{"message":"Cannot resolve version alias, please verify that your API key is correct."}`, domain.CredentialsRejected},
		{"a 400 that repeats what the caller sent", 400, `{"message":"no such user: Cannot resolve x, please verify that your API key is correct."}`, ""},
		{"another 400", 400, `{"message":"invalid environment tag"}`, ""},
		{"a 400 that says it elsewhere", 400, `{"data":"verify that your API key is correct","message":1}`, ""},
		{"a 400 that says it deeper down", 400, `{"a":{"message":"verify that your API key is correct"}}`, ""},
		{"a 403 that says it", 403, `{"message":"please verify that your API key is correct"}`, ""},
		{"a 500 that says it", 500, `{"message":"please verify that your API key is correct"}`, ""},
		{"a 200 that says it", 200, `{"message":"please verify that your API key is correct"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range []domain.Forward{turn(t), turn4(t), state(t)} {
				f := far(t, answer(tc.status, "application/json", tc.body))
				resp, err := f.forward(t.Context(), c, sent("", "{}"))
				if err == nil {
					resp.Body.Close()
				}
				if domain.KindOf(err) != tc.want || tc.want == "" && err != nil {
					t.Errorf("got %v, want kind %q", err, tc.want)
				}
			}
		})
	}
}

func TestAnAnswerThatCannotBeUsedIsUnavailable(t *testing.T) {
	encoded := func(encoding string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Header().Set("Retry-After", "7")
			_, _ = io.WriteString(w, "{}")
		}
	}
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"compressed": encoded("gzip"), "compressed in another way": encoded("br"), "300": status(300), "304": status(304), "305": status(305), "399": status(399),
	} {
		f := far(t, h)
		_, err := f.forward(t.Context(), turn(t), sent("", "{}"))
		e, ok := errors.AsType[*domain.Error](err)
		if !ok || e.Kind != domain.VoiceflowUnavailable || e.RetryAfter != 7*time.Second {
			t.Errorf("%s: got %v, want VoiceflowUnavailable with RetryAfter", name, err)
		}
	}
	f := far(t, encoded("identity"))
	if _, body := f.read(t, turn(t), sent("", "{}")); body != "{}" {
		t.Errorf("identity: got %q, want it as it is", body)
	}
}

func TestTheCredentialIsNeverForwardedToARedirectsTarget(t *testing.T) {
	target := far(t, answer(200, "application/json", `{}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := far(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL+r.URL.Path, status) })
		for _, c := range []domain.Forward{turn(t), state(t)} {
			if _, err := f.forward(t.Context(), c, sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
				t.Errorf("%d: got %v, want VoiceflowUnavailable", status, err)
			}
		}
		if len(f.seen()) != 2 || len(target.seen()) != 0 {
			t.Errorf("%d: got %d requests, and %d at the target, want 2 and none", status, len(f.seen()), len(target.seen()))
		}
	}
}

func TestASwitchOfProtocolsIsUnavailable(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	if _, err := f.forward(t.Context(), turn(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
}

func TestEventsComeAsTheyAreSent(t *testing.T) {
	next := make(chan struct{})
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "\n")
		_ = http.NewResponseController(w).Flush()
		for i := 0; ; i++ {
			if _, ok := <-next; !ok {
				return
			}
			_, _ = fmt.Fprintf(w, "id: %d\nevent: trace\ndata: {\"userID\":\"bound-%[1]d\"}\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != -1 || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("got length %d, %v", resp.ContentLength, resp.Header)
	}
	buffer := make([]byte, 4096)
	if n, err := resp.Body.Read(buffer); err != nil || string(buffer[:n]) != "\n" {
		t.Fatalf("got %q, %v, want the blank line", buffer[:n], err)
	}
	for i := range 100 {
		next <- struct{}{}
		n, err := resp.Body.Read(buffer)
		if want := fmt.Sprintf("id: %d\nevent: trace\ndata: {\"userID\":\"%[1]d\"}\n\n", i); err != nil || string(buffer[:n]) != want {
			t.Fatalf("got %q, %v, want %q", buffer[:n], err, want)
		}
	}
	close(next)
	if n, err := resp.Body.Read(buffer); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v, want the end", buffer[:n], err)
	}
}

// events sends an event with each tick until ticks is closed or the client has left.
func events(ticks <-chan time.Time, left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case _, ok := <-ticks:
				if !ok {
					return
				}
				_, _ = io.WriteString(w, "data: {}\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestAStreamHasAnIdleLimitAndNoOther(t *testing.T) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	left := make(chan struct{})
	f := far(t, events(ticker.C, left), func(o *voiceflow.Options) {
		o.ForwardTimeout, o.ForwardIdle, o.MaxAnswer = 500*time.Millisecond, 2*time.Second, 20
	})
	began := time.Now()
	resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buffer := make([]byte, 4096)
	// Beyond the time and the size that any other answer may have.
	for time.Since(began) < time.Second {
		if _, err := resp.Body.Read(buffer); err != nil {
			t.Fatalf("after %v: got %v, want events to go on", time.Since(began), err)
		}
	}
	ticker.Stop()
	for err == nil {
		_, err = resp.Body.Read(buffer)
	}
	if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want VoiceflowUnavailable by the idle limit", err)
	}
	<-left // the far side was told to stop
}

func TestACallerWhoIsSlowToReadAStreamIsNotIdle(t *testing.T) {
	ticks, left := make(chan time.Time), make(chan struct{})
	f := far(t, events(ticks, left), func(o *voiceflow.Options) { o.ForwardIdle = 100 * time.Millisecond })
	resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ticks <- now
	buffer := make([]byte, 4096)
	for range 2 {
		if n, err := resp.Body.Read(buffer); err != nil || string(buffer[:n]) != "data: {}\n\n" {
			t.Fatalf("got %q, %v, want an event", buffer[:n], err)
		}
		<-time.After(300 * time.Millisecond)
		go func() { ticks <- now }()
	}
}

func TestTheTimeOfAWholeExchangeIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
	}{
		{"nothing is ever said", unanswered},
		{"the body never comes", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		{"it drips", func(w http.ResponseWriter, r *http.Request) {
			ticks := dripping(t)
			for r.Context().Err() == nil {
				<-ticks
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}},
		{"a refusal drips", func(w http.ResponseWriter, r *http.Request) {
			ticks := dripping(t)
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				<-ticks
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}},
		{"events that are a refusal", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(500)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			done := make(chan struct{})
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				tc.h(w, r)
			}, func(o *voiceflow.Options) { o.ForwardTimeout = 200 * time.Millisecond })
			for _, c := range []domain.Forward{turn(t)} {
				resp, err := f.forward(t.Context(), c, sent("", ""))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want VoiceflowUnavailable by the time", err)
				}
			}
			<-done
		})
	}
}

func TestAnAnswerIsCapped(t *testing.T) {
	export := to(t, domain.ServiceAPI, "GET", "/v2/versions/production/export")
	const most = 100 << 10
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		contentType string
		size        int
		told        bool
		want        int // bytes that come, -1 for an error at once
	}{
		{"as large as it may be", turn(t), "application/json", most, false, most},
		{"as large as it may be, as it says", turn(t), "application/json", most, true, most},
		{"a byte more", turn(t), "application/json", most + 1, false, most},
		{"a byte more, as it says", turn(t), "application/json", most + 1, true, -1},
		{"much more", turn(t), "audio/mp3", 20 * most, false, most},
		{"an export", export, "application/json", 20 * most, true, 20 * most},
		{"events", turn4(t), "text/event-stream", 20 * most, false, 20 * most},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				if tc.told {
					w.Header().Set("Content-Length", fmt.Sprint(tc.size))
				} else {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, strings.Repeat(" ", tc.size))
			}, func(o *voiceflow.Options) { o.MaxAnswer = most })
			resp, err := f.forward(t.Context(), tc.call, sent("", ""))
			if tc.want < 0 {
				if domain.KindOf(err) != domain.VoiceflowUnavailable {
					t.Errorf("got %v, want VoiceflowUnavailable", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			n, err := io.Copy(io.Discard, resp.Body)
			if int(n) != tc.want || (err != nil) != (tc.want != tc.size) || err != nil && domain.KindOf(err) != domain.VoiceflowUnavailable {
				t.Errorf("got %d bytes, %v, want %d", n, err, tc.want)
			}
		})
	}
}

func TestASessionKeyNeverShows(t *testing.T) {
	const secret = "eyJhbGciOiJIUzI1NiJ9.eyJ1In0.c2lnbmF0dXJl"
	for _, tc := range []struct {
		name, body, want string
		started          string
	}{
		{"the key alone", `{"sessionKey":"` + secret + `"}`, `{"sessionKey":"handle \"<\""}`, secret},
		{"with others", ` {"a":1, "sessionKey" : "` + secret + `","userID":"bound-ben"} `, ` {"a":1, "sessionKey" : "handle \"<\"","userID":"ben"} `, secret},
		{"shown elsewhere too", `{"u":"ws://x?k=` + secret + `","sessionKey":"` + secret + `","b":["` + secret + `"]}`,
			`{"u":"ws://x?k=` + strings.Repeat("*", len(secret)) + `","sessionKey":"handle \"<\"","b":["` + strings.Repeat("*", len(secret)) + `"]}`, secret},
		{"written with escapes", `{"sessionKey":"a\/b\u002b","c":"a/b+","d":"a\/b\u002b"}`, `{"sessionKey":"handle \"<\"","c":"****","d":"**********"}`, "a/b+"},
		{"no key", `{"a":1}`, "", ""},
		{"an empty key", `{"sessionKey":""}`, "", ""},
		{"a key that is a number", `{"sessionKey":1}`, "", ""},
		{"a key deeper down", `{"data":{"sessionKey":"x"}}`, "", ""},
		{"two keys", `{"sessionKey":"x","sessionKey":"y"}`, "", ""},
		{"a list", `["sessionKey","x"]`, "", ""},
		{"an object that is cut", `{"sessionKey":"x"`, "", ""},
		{"something behind it", `{"sessionKey":"x"}x`, "", ""},
		{"a page", `<html>`, "", ""},
		{"nothing", ``, "", ""},
		{"more than 64 KiB", `{"sessionKey":"x","a":"` + strings.Repeat("x", 64<<10) + `"}`, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(200, "application/json", tc.body))
			c := start4(t)
			c.Handle = `handle "<"`
			if tc.want == "" {
				got, err := f.forward(t.Context(), c, sent("", `{"userID":"ben"}`))
				if domain.KindOf(err) != domain.VoiceflowUnavailable || got.Started != (ports.Started{}) {
					t.Errorf("got %v, started with %q, want VoiceflowUnavailable", err, got.Started.Key.Reveal())
				}
				return
			}
			resp, body := f.read(t, c, sent("", `{"userID":"ben"}`))
			if body != tc.want || resp.ContentLength != int64(len(tc.want)) || resp.Header.Get("Content-Length") != "" {
				t.Errorf("got %s, length %d, want %s", body, resp.ContentLength, tc.want)
			}
			if user, started := resp.Started.UserID, resp.Started.Key.Reveal(); user != "bound-ben" || started != tc.started {
				t.Errorf("started for %q with %q, want bound-ben and %q", user, started, tc.started)
			}
		})
	}
}

func TestARefusedSessionStartsNone(t *testing.T) {
	for body, want := range map[string]string{`{"sessionKey":"x"}`: "", `{"message":"no"}`: `{"message":"no"}`} {
		f := far(t, answer(422, "application/json", body))
		resp, got := f.read(t, start4(t), sent("", `{"userID":"ben"}`))
		if resp.StatusCode != 422 || got != want {
			t.Errorf("%s: got %d %q, want 422 %q", body, resp.StatusCode, got, want)
		}
		if !resp.Started.Key.IsZero() {
			t.Errorf("%s: one was started", body)
		}
	}
}

func TestNoHeaderBringsASessionKey(t *testing.T) {
	for _, status := range []int{200, 422} {
		f := far(t, func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"ETag", "Last-Modified", "X-RateLimit-Limit", "Content-Disposition", "Retry-After"} {
				w.Header().Set(name, "a value")
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"sessionKey":"x"}`)
		})
		resp, _ := f.read(t, start4(t), sent("", `{"userID":"ben"}`))
		resp.Header.Del("Content-Type")
		if diff := cmp.Diff(http.Header{"Retry-After": {"a value"}}, resp.Header); diff != "" {
			t.Errorf("%d: -want +got:\n%s", status, diff)
		}
	}
}

func TestUsedUpCreditsAreToldForConversations(t *testing.T) {
	const trace = `{"type":"debug","payload":{"message":"credit_limit_reached"}}`
	for _, tc := range []struct {
		name, contentType, body string
		call                    domain.Forward
		want                    bool
	}{
		{"a turn", "application/json", "[" + trace + "," + trace + "]", turn(t), true},
		{"a streamed turn", "text/event-stream", "data: " + trace + "\n\ndata: " + trace + "\n\n", turn4(t), true},
		{"a turn without", "application/json", `[{"type":"text"}]`, turn(t), false},
		{"a transcript that has it", "application/json", "[" + trace + "]", to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), false},
	} {
		for _, bound := range []bool{true, false} {
			f := far(t, answer(200, tc.contentType, tc.body))
			c := tc.call
			if !bound {
				c.UserIDs = domain.UserIDs{}
			}
			resp, body := f.read(t, c, sent("", "{}"))
			if told := resp.Body.CreditsUsedUp(); told != tc.want || body != tc.body {
				t.Errorf("%s: told %v, want %v; got %s", tc.name, told, tc.want, body)
			}
		}
	}
}

func TestTheCallEndsAtVoiceflow(t *testing.T) {
	why := errors.New("the grant was revoked")
	for _, tc := range []struct {
		name     string
		answered bool
		end      func(cancel context.CancelCauseFunc, body io.Closer)
	}{
		{"when its context ends before there is an answer", false, func(cancel context.CancelCauseFunc, _ io.Closer) { cancel(why) }},
		{"when its context ends in the answer", true, func(cancel context.CancelCauseFunc, _ io.Closer) { cancel(why) }},
		{"when the answer is closed", true, func(_ context.CancelCauseFunc, body io.Closer) { _ = body.Close() }},
	} {
		for name, change := range map[string]func(*voiceflow.Options){"patient": func(o *voiceflow.Options) { o.ForwardTimeout, o.ForwardIdle = time.Hour, time.Hour }} {
			for _, contentType := range []string{"text/event-stream", "application/json"} {
				t.Run(tc.name+" "+name+" "+contentType, func(t *testing.T) {
					came, left := make(chan struct{}), make(chan struct{})
					f := far(t, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if tc.answered {
							w.Header().Set("Content-Type", contentType)
							_, _ = io.WriteString(w, "data: {}\n\n")
							_ = http.NewResponseController(w).Flush()
						}
						close(came)
						<-r.Context().Done()
						close(left)
					}, change)
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					if !tc.answered {
						go func() {
							<-came
							tc.end(cancel, nil)
						}()
						_, err := f.forward(ctx, turn(t), sent("", "{}"))
						if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, why) {
							t.Errorf("got %v, want VoiceflowUnavailable by the caller", err)
						}
						<-left
						return
					}
					resp, err := f.forward(ctx, turn(t), sent("", "{}"))
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					buffer := make([]byte, 100)
					if _, err := resp.Body.Read(buffer); err != nil {
						t.Fatal(err)
					}
					tc.end(cancel, resp.Body)
					if _, err := resp.Body.Read(buffer); domain.KindOf(err) != domain.VoiceflowUnavailable || context.Cause(ctx) != nil && !errors.Is(err, why) {
						t.Errorf("got %v, want VoiceflowUnavailable, by the caller who left", err)
					}
					<-left
				})
			}
		}
	}
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []domain.Forward{turn(t), state(t)} {
		if _, err := f.forward(ctx, c, sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want VoiceflowUnavailable by the caller", err)
		}
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
}

func TestAGETWithoutAnAnswerIsSentOnceMore(t *testing.T) {
	remove := to(t, domain.ServiceRuntime, "DELETE", "/state/user/ben")
	for _, tc := range []struct {
		name string
		call domain.Forward
		cuts int64
		want int
		ok   bool
	}{
		{"a GET that fails once", state(t), 1, 2, true},
		{"a GET that fails twice", state(t), 2, 2, false},
		{"a turn", turn(t), 1, 1, false},
		{"a DELETE", remove, 1, 1, false},
		{"a body that is looked after", ask(t), 1, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var left atomic.Int64
			left.Store(tc.cuts)
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				if left.Add(-1) >= 0 {
					cutOff(w, r)
				}
				answer(200, "application/json", `{}`)(w, r)
			})
			resp, err := f.forward(t.Context(), tc.call, sent("", `{"question":"why?"}`))
			if err == nil {
				resp.Body.Close()
			} else if domain.KindOf(err) != domain.VoiceflowUnavailable {
				t.Errorf("got %v, want VoiceflowUnavailable", err)
			}
			if (err == nil) != tc.ok || len(f.seen()) != tc.want {
				t.Errorf("got %v after %d requests, want %d", err, len(f.seen()), tc.want)
			}
		})
	}
	for _, h := range []http.HandlerFunc{answer(503, "text/html", "x"), answer(408, "text/html", "x"), unanswered} {
		f := far(t, h, func(o *voiceflow.Options) { o.ForwardTimeout = 100 * time.Millisecond })
		if resp, err := f.forward(t.Context(), state(t), sent("", "")); err == nil {
			resp.Body.Close()
		}
		if n := len(f.seen()); n != 1 {
			t.Errorf("a GET that was answered, or not in time, was sent %d times, want once", n)
		}
	}
}

// brokenBody fails after what it has.
type brokenBody struct {
	io.Reader
	err error
}

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestAnErrorOfReadingTheBodyIsFound(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	for _, c := range []domain.Forward{turn(t), ask(t)} {
		r := sent("", "")
		r.ContentLength = -1
		r.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(strings.Repeat("x", 5000))), 1000)
		_, err := f.forward(t.Context(), c, r)
		if tooLong, ok := errors.AsType[*http.MaxBytesError](err); !ok || tooLong.Limit != 1000 || domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got %v, want Invalid by the *http.MaxBytesError", c.Route.Endpoint.Path, err)
		}
		r = sent("", "")
		r.ContentLength = 100
		broke := errors.New("the caller's connection broke")
		r.Body = io.NopCloser(brokenBody{strings.NewReader("{"), broke})
		before := len(f.seen())
		if _, err := f.forward(t.Context(), c, r); !errors.Is(err, broke) || domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got %v, want Invalid by what the body failed with", c.Route.Endpoint.Path, err)
		}
		if len(f.seen()) != before {
			t.Errorf("%s: a short body that breaks was sent", c.Route.Endpoint.Path)
		}
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Accept") {
		case "refuse":
			answer(404, "application/json", `{"a":1}`)(w, r)
		case "page":
			answer(503, "text/html", `<html>`)(w, r)
		case "events":
			answer(200, "text/event-stream", "data: {}\n\n")(w, r)
		default:
			answer(200, "application/json", `{"sessionKey":"x"}`)(w, r)
		}
	})
	for range 10 {
		for _, accept := range []string{"", "refuse", "page", "events"} {
			for _, c := range []domain.Forward{turn(t), state(t), start4(t), turn4(t)} {
				if c.Route.Endpoint.Starts && accept == "events" {
					continue
				}
				r := sent("", `{"userID":"ben"}`)
				r.Header.Set("Accept", accept)
				f.read(t, c, r)
			}
		}
	}
	if n := f.connections.Load(); n != 1 {
		t.Errorf("got %d connections for %d calls one after the other, want one", n, len(f.seen()))
	}
}

func TestServicesThatAreDownAreLeftAlone(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() && !strings.HasPrefix(r.URL.Path, "/v1/transcript") {
			answer(503, "text/html", "x")(w, r)
			return
		}
		answer(200, "application/json", `{}`)(w, r)
	}, func(o *voiceflow.Options) { o.BreakerPause = time.Second })
	for range 20 {
		f.read(t, turn(t), sent("", "{}"))
	}
	for _, c := range []domain.Forward{turn(t), state(t), ask(t)} {
		_, err := f.forward(t.Context(), c, sent("", "{}"))
		e, ok := errors.AsType[*domain.Error](err)
		if !ok || e.Kind != domain.VoiceflowUnavailable || e.RetryAfter != time.Second {
			t.Errorf("got %v, want VoiceflowUnavailable with RetryAfter", err)
		}
	}
	if n := len(f.seen()); n != 20 {
		t.Errorf("got %d requests, want 20: then it is known to be down", n)
	}
	// What would be refused is refused for what it is.
	if _, err := f.forward(t.Context(), ask(t), sent("", "x")); domain.KindOf(err) != domain.Invalid {
		t.Errorf("got %v, want Invalid", err)
	}
	f.read(t, to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), sent("", ""))

	down.Store(false)
	wantBack(t, f)
	for range 3 {
		f.read(t, turn(t), sent("", "{}"))
	}
}

func TestOneShortCallFindsOutWhetherAServiceIsBack(t *testing.T) {
	const pause = 200 * time.Millisecond
	var back atomic.Bool
	came, goOn := make(chan struct{}), make(chan struct{})
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if !back.Load() {
			answer(503, "text/html", "x")(w, r)
			return
		}
		came <- struct{}{}
		<-goOn
		answer(200, "application/json", `{}`)(w, r)
	}, func(o *voiceflow.Options) { o.BreakerPause = pause })
	for range 20 {
		f.read(t, turn(t), sent("", "{}"))
	}
	back.Store(true)
	<-time.After(2 * pause)

	// Whoever sends much does not try, and whoever can't send at all does not either.
	long := sent("", strings.Repeat("x", 1<<20+1))
	if _, err := f.forward(t.Context(), turn(t), long); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("a long body: got %v, want VoiceflowUnavailable", err)
	}
	broken := sent("", "x")
	broken.Body = io.NopCloser(brokenBody{strings.NewReader(""), errors.New("broken")})
	if _, err := f.forward(t.Context(), turn(t), broken); domain.KindOf(err) != domain.Invalid {
		t.Errorf("a body that breaks: got %v, want Invalid", err)
	}
	if n := len(f.seen()); n != 20 {
		t.Fatalf("got %d requests, want 20", n)
	}

	trial := make(chan error, 1)
	go func() {
		resp, err := f.forward(t.Context(), turn(t), sent("", "trial"))
		if err == nil {
			resp.Body.Close()
		}
		trial <- err
	}()
	<-came
	for range 5 {
		if _, err := f.forward(t.Context(), turn(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
			t.Errorf("beside the trial: got %v, want VoiceflowUnavailable", err)
		}
	}
	goOn <- struct{}{}
	if err := <-trial; err != nil {
		t.Errorf("the trial: got %v, want success", err)
	}
	if got := f.seen()[20].Body; len(f.seen()) != 21 || got != "trial" {
		t.Errorf("got %d requests, the last with %q, want 21, the last with its body", len(f.seen()), got)
	}
	go func() { <-came; goOn <- struct{}{} }()
	f.read(t, turn(t), sent("", "{}"))
}

func TestWhatIsSentIsSaid(t *testing.T) {
	f := far(t, answer(503, "text/html", ""), func(o *voiceflow.Options) { o.BreakerPause = time.Hour })
	c := ask(t)
	for range 20 {
		if resp, _ := f.read(t, c, sent("", "{}")); !resp.Sent {
			t.Error("got an answer that was not said to be sent for")
		}
	}
	for _, body := range []string{"{}", "x"} { // left alone, and refused
		if resp, err := f.forward(t.Context(), c, sent("", body)); err == nil || resp.Sent || len(f.seen()) != 20 {
			t.Errorf("got %v, said to be sent %v, and %d requests, want an error, nothing sent, and 20", err, resp.Sent, len(f.seen()))
		}
	}
}

// wantBack calls until the service is tried again.
func wantBack(t *testing.T, f *farSide) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; {
		resp, err := f.forward(t.Context(), turn(t), sent("", "{}"))
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("got %v, want the service to be tried again", err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// slowBody takes longer for a byte than a call may take in all.
type slowBody struct{}

func (slowBody) Read(p []byte) (int, error) {
	<-time.After(100 * time.Millisecond)
	return copy(p, "x"), nil
}

func TestWhatSaysNothingAboutAServiceDoesNotCount(t *testing.T) {
	retired := to(t, domain.ServiceAPI, "PUT", "/v2/transcripts")
	ended := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	same := func(ctx context.Context) context.Context { return ctx }
	for _, tc := range []struct {
		name string
		call domain.Forward
		h    http.HandlerFunc
		ctx  func(context.Context) context.Context
		body func() io.ReadCloser
		want bool // it counts
	}{
		{"502", turn(t), answer(502, "text/html", ""), same, nil, true},
		{"504", turn(t), answer(504, "text/html", ""), same, nil, true},
		{"no answer", turn(t), cutOff, same, nil, true},
		{"no answer in time", turn(t), unanswered, same, nil, true},
		{"500", turn(t), answer(500, "text/html", ""), same, nil, false},
		{"429", turn(t), answer(429, "text/html", ""), same, nil, false},
		{"401", turn(t), answer(401, "text/html", ""), same, nil, false},
		{"a redirect", turn(t), answer(302, "text/html", ""), same, nil, false},
		{"an endpoint that is retired", retired, answer(503, "text/html", ""), same, nil, false},
		{"a caller who left", turn(t), unanswered, ended, nil, false},
		{"a caller whose body breaks", turn(t), answer(503, "text/html", ""), same, func() io.ReadCloser {
			return io.NopCloser(brokenBody{strings.NewReader(""), errors.New("broken")})
		}, false},
		{"a caller who is slow to send", turn(t), unanswered, same, func() io.ReadCloser { return io.NopCloser(slowBody{}) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, tc.h, func(o *voiceflow.Options) { o.ForwardTimeout, o.BreakerPause = 50*time.Millisecond, time.Hour })
			for range 20 {
				r := sent("", `{"sessionID":"s"}`)
				if tc.body != nil {
					r.Body, r.ContentLength = tc.body(), -1
				}
				if resp, err := f.forward(tc.ctx(t.Context()), tc.call, r); err == nil {
					resp.Body.Close()
				}
			}
			before := len(f.seen())
			if resp, err := f.forward(t.Context(), tc.call, sent("", `{"sessionID":"s"}`)); err == nil {
				resp.Body.Close()
			}
			if left := len(f.seen()) == before; left != tc.want {
				t.Errorf("left alone: got %v, want %v", left, tc.want)
			}
		})
	}
}

func TestASuccessBetweenFailuresKeepsAServiceUp(t *testing.T) {
	var n atomic.Int64
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%20 == 0 {
			answer(200, "application/json", "{}")(w, r)
			return
		}
		answer(503, "text/html", "")(w, r)
	})
	for range 100 {
		f.read(t, turn(t), sent("", "{}"))
	}
}

func TestForwardSpeaksTLSAndChecksIt(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(200, "application/json", fmt.Sprintf(`{"proto":%q,"userID":"bound-ben"}`, r.Proto))(w, r)
	}))
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail below
	secure.StartTLS()
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	client := clientOf(t, secure.URL, func(o *voiceflow.Options) { o.RootCAs = roots })
	for _, c := range []domain.Forward{turn(t), state(t)} {
		resp, err := client.Forward(t.Context(), c, sent("", "{}"), key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != `{"proto":"HTTP/2.0","userID":"ben"}` {
			t.Errorf("got %s, %v", body, err)
		}
		resp.Body.Close()
	}
	client = clientOf(t, secure.URL, func(o *voiceflow.Options) { o.RootCAs = x509.NewCertPool() })
	if _, err := client.Forward(t.Context(), turn(t), sent("", "{}"), key); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("an authority that nobody knows: got %v, want VoiceflowUnavailable", err)
	}
}

func TestAProxySeesNoForwardedCall(t *testing.T) {
	proxy := far(t, answer(403, "text/html", ""))
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	through := func(o *voiceflow.Options) { o.Proxy = http.ProxyURL(at) }
	f := far(t, answer(200, "application/json", "{}"), through)
	f.read(t, turn(t), sent("", "{}"))
	if len(proxy.seen()) != 0 {
		t.Error("plain http: the proxy was asked")
	}
	client := clientOf(t, "https://voiceflow.example", through)
	if _, err := client.Forward(t.Context(), turn(t), sent("", "{}"), key); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("https: got %v, want VoiceflowUnavailable", err)
	}
	for _, r := range proxy.seen() {
		if r.Method != "CONNECT" || r.Host != "voiceflow.example:443" || r.Header.Get("Authorization") != "" {
			t.Errorf("https: the proxy saw %s %s %v", r.Method, r.Host, r.Header)
		}
	}
	if len(proxy.seen()) == 0 {
		t.Error("https: the proxy was not asked")
	}
}

func TestNoErrorOfForwardShowsTheCredentialOrTheAnswer(t *testing.T) {
	const marker = "what-the-answer-says"
	for name, format := range map[string]string{
		"no HTTP at all":          "%s\r\n\r\n",
		"a malformed status":      "HTTP/1.1 %s\r\n\r\n",
		"a malformed header":      "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"a malformed length":      "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"a strange encoding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"a redirect":              "HTTP/1.1 302 Found\r\nLocation: ://%s\r\n\r\n",
		"a refused key":           "HTTP/1.1 401 %s\r\nContent-Length: 0\r\n\r\n",
		"a malformed chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
		"an endless header":       "HTTP/1.1 200 OK\r\nX: %s" + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"something before the OK": "HTTP/1.1 103 %s\r\n\r\n",
		"a content encoding":      "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n",
		"a 400":                   "HTTP/1.1 400 OK\r\nConnection: close\r\n\r\n{\"message\":\"Cannot resolve %s, please verify that your API key is correct.\"}",
	} {
		t.Run(name, func(t *testing.T) {
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				_, _ = fmt.Fprintf(conn, format, r.Header.Get("Authorization")+marker)
			})
			resp, err := f.forward(t.Context(), turn(t), sent("", "{}"))
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if k := domain.KindOf(err); k != domain.VoiceflowUnavailable && k != domain.CredentialsRejected {
				t.Errorf("got %v, want a kind of Voiceflow's", err)
			}
			for ; err != nil; err = deeper(err) {
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
					if strings.Contains(text, key.Reveal()) || strings.Contains(text, marker) {
						t.Errorf("%T shows it: %s", err, text)
					}
				}
			}
		})
	}
}

func TestNewRefusesWhatForwardingCannotUse(t *testing.T) {
	for name, o := range map[string]voiceflow.Options{
		"a runtime URL that is plain http":  {RuntimeURL: "http://general-runtime.voiceflow.com"},
		"an analytics URL with a user":      {AnalyticsURL: "https://user:hidden@analytics-api.voiceflow.com"},
		"a realtime URL with a query":       {RealtimeURL: "https://realtime-api.voiceflow.com?hidden=1"},
		"a time below zero":                 {ForwardTimeout: -1},
		"an idle time below zero":           {ForwardIdle: -1},
		"a pause below zero":                {BreakerPause: -1},
		"a size of answers that is too low": {MaxAnswer: -1},
	} {
		if _, err := voiceflow.New(o); domain.KindOf(err) != domain.Invalid || strings.Contains(fmt.Sprint(err), "hidden") {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

func TestManyForwardedCallsAtOnce(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/state/user/"), "/")
		answer(200, "application/json", `{"userID":"`+id+`","k":"`+r.Header.Get("Authorization")+`"}`)(w, r)
	})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for j := range 10 {
				id := fmt.Sprintf("user-%d-%d", i, j)
				resp, err := f.forward(t.Context(), to(t, domain.ServiceRuntime, "POST", "/state/user/"+id+"/interact"), sent("", "{}"))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if want := `{"userID":"` + id + `","k":"` + strings.Repeat("*", len(key.Reveal())) + `"}`; err != nil || string(body) != want {
					t.Errorf("got %s, %v, want %s", body, err, want)
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkForward has a turn by a bare transport and by Forward, side by side.
func BenchmarkForward(b *testing.B) {
	const traces = `[{"type":"text","time":1732550400000,"payload":{"message":"Would you like to order a pizza?","slate":{"id":"dummy","content":[{"children":[{"text":"Would you like to order a pizza?"}]}]},"delay":1000}},{"type":"choice","payload":{"buttons":[{"name":"Yes"},{"name":"No"}]}}]`
	// It keeps nothing of what it gets, since that would count too.
	server := httptest.NewServer(answer(200, "application/json", traces))
	defer server.Close()
	client := clientOf(b, server.URL)
	buffer := make([]byte, 32<<10)
	drain := func(body io.ReadCloser) {
		var err error
		for err == nil {
			_, err = body.Read(buffer)
		}
		_ = body.Close()
	}
	b.Run("bare transport", func(b *testing.B) {
		b.ReportAllocs()
		bare := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
		defer bare.CloseIdleConnections()
		for b.Loop() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/state/user/bound-ben/interact", strings.NewReader("{}"))
			if err != nil {
				b.Fatal(err)
			}
			resp, err := bare.RoundTrip(r)
			if err != nil {
				b.Fatal(err)
			}
			drain(resp.Body)
		}
	})
	b.Run("Forward", func(b *testing.B) {
		b.ReportAllocs()
		c, body := turn(b), strings.NewReader("")
		r := sent("", "{}")
		for b.Loop() {
			body.Reset("{}")
			r.Body, r.ContentLength = io.NopCloser(body), 2
			resp, err := client.Forward(b.Context(), c, r, key)
			if err != nil {
				b.Fatal(err)
			}
			drain(resp.Body)
		}
	})
}
