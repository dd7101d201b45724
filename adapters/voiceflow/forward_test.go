package voiceflow_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/google/go-cmp/cmp"
)

func TestARequestIsMadeAnewFromItsEndpoint(t *testing.T) {
	id := string(pizza.Voiceflow)
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		query, body string
		want        received
	}{
		{"a turn", turn(t), "verbose=true&logs=off", `{"action":{"type":"launch"}}`,
			received{Method: "POST", URI: "/state/user/fl-bound-ben/interact?verbose=true&logs=off", Length: 28, Body: `{"action":{"type":"launch"}}`}},
		{"a query without an allowed parameter", turn(t), "unknown=1&VERBOSE=1&userID=x", ``,
			received{Method: "POST", URI: "/state/user/fl-bound-ben/interact", Length: 2, Body: `{}`}},
		{"a query in its order, with repeats", to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), "encode=&customTraceTypes[]=b&filterConversation=1&customTraceTypes%5B%5D=a+c%20d&unredacted=true", ``,
			received{Method: "GET", URI: "/v1/transcript/t1?encode=&customTraceTypes%5B%5D=b&filterConversation=1&customTraceTypes%5B%5D=a+c+d"}},
		{"a query without values and with empty parts", turn(t), "&&verbose&", ``,
			received{Method: "POST", URI: "/state/user/fl-bound-ben/interact?verbose=", Length: 2, Body: `{}`}},
		{"an environment that is put in", to(t, domain.ServiceRuntime, "POST", "/v2/project/"+id+"/user/ben/interact/stream"), "state=true", `{}`,
			received{Method: "POST", URI: "/v2/project/" + id + "/user/fl-bound-ben/interact/stream?state=true&environment=production", Length: 2, Body: `{}`}},
		{"an environment that is overwritten, however often it comes", to(t, domain.ServiceRuntime, "POST", "/v2/project/"+id+"/user/ben/interact/stream"), "environment=a&environment=b&%65nvironment=c", `{}`,
			received{Method: "POST", URI: "/v2/project/" + id + "/user/fl-bound-ben/interact/stream?environment=production", Length: 2, Body: `{}`}},
		{"a project, an environment and a stage", to(t, domain.ServiceRealtime, "GET", "/v1/stable/conversation-state/ben"), "projectID=" + strings.ToUpper(id) + "&version=draft", ``,
			received{Method: "GET", URI: "/v1/stable/conversation-state/fl-bound-ben?projectID=" + id + "&environmentAlias=production&version=published"}},
		{"a project that the endpoint has no place for", state(t), "projectID=" + id, ``,
			received{Method: "GET", URI: "/state/user/fl-bound-ben"}},
		{"a body where none belongs", state(t), "", `{"a":1}`,
			received{Method: "GET", URI: "/state/user/fl-bound-ben"}},
		{"a JSON body", ask(t), "", `{"question":"why?"}`,
			received{Method: "POST", URI: "/knowledge-base/query", Length: 58, Body: `{"question":"why?","projectID":"` + id + `"}`}},
		{"a session of the environment", start4(t), "", `{"userID":"ben"}`,
			received{Method: "POST", URI: "/v4/project/" + id + "/environment/production/session", Length: 25, Body: `{"userID":"fl-bound-ben"}`}},
		{"a user id that needs escapes", to(t, domain.ServiceRuntime, "DELETE", "/state/user/b%C3%A9n%20%3F%23%25+&=;:@$"), "", ``,
			received{Method: "DELETE", URI: "/state/user/fl-bound-b%C3%A9n%20%3F%23%25+&=%3B:@$"}},
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
		{"a JSON body, which goes as what it was read as", start4(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"}, "Content-Type": {"application/json"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Accept-Encoding": {"identity"}, "Projectid": {string(pizza.Voiceflow)}, "Content-Length": {"25"},
		}},
		{"no body", state(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Accept-Encoding": {"identity"}, "Versionid": {"production"}, "Projectid": {string(pizza.Voiceflow)},
		}},
		{"by a session", turn4(t), http.Header{
			"Accept": {"text/event-stream", "*/*"}, "Accept-Language": {"de"}, "Last-Event-Id": {"7"}, "Content-Type": {"application/json"},
			"Authorization": {key.Reveal()}, "User-Agent": {"flowlatch"}, "Accept-Encoding": {"identity"}, "Content-Length": {"25"},
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
		{"another version in the path", to(t, domain.ServiceAPI, "GET", "/v2/versions/development/export"), sent("", ""), domain.EnvironmentNotAllowed},
		{"another environment in the path", to(t, domain.ServiceRuntime, "POST", "/v4/project/"+id+"/environment/main/session"), sent("", `{"userID":"ben"}`), domain.EnvironmentNotAllowed},
		{"another project in the query", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("projectID="+others, ""), domain.NotFound},
		{"another project behind the right one", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("projectID="+id+"&projectID="+others, ""), domain.NotFound},
		{"another project in a name with escapes", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("project%49D="+others, ""), domain.NotFound},
		{"an empty project in the query", to(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), sent("projectID=", ""), domain.NotFound},
		{"another project that the endpoint has no place for", state(t), sent("projectID="+others, ""), domain.NotFound},
		{"another project in the body", ask(t), sent("", `{"projectID":"`+others+`"}`), domain.NotFound},
		{"a semicolon in the query", turn(t), sent("verbose=1;logs=off", ""), domain.Invalid},
		{"an invalid percent-encoding", turn(t), sent("verbose=%zz", ""), domain.Invalid},
		{"an invalid one in a name", turn(t), sent("%=1", ""), domain.Invalid},
		{"a body that is no JSON", ask(t), sent("", "x"), domain.Invalid},
		{"a body without what must be in it", start4(t), sent("", "{}"), domain.Invalid},
		{"a JSON body and compressed", ask(t), compressed, domain.Invalid},
		{"a turn and compressed", turn(t), compressed, domain.Invalid},
		{"a turn in another charset", turn(t), sent("", "\xff\xfe{\x00}\x00"), domain.Invalid},
		{"a turn that is a form", turn(t), sent("", "config[excludeTypes]="), domain.Invalid},
		{"a turn that is a list", turn(t), sent("", `[{"config":{}}]`), domain.Invalid},
		{"a turn that comes twice", turn(t), sent("", `{}{"config":{"excludeTypes":[]}}`), domain.Invalid},
		{"a turn that sets variables", turn(t), sent("", `{"state":{"variables":{"vip":true}}}`), domain.NotAllowed},
		{"a streamed turn that sets variables", turn4(t), sent("", `{"variables":{"vip":true}}`), domain.NotAllowed},
		{"a JSON body and too long", ask(t), sent("", strings.Repeat(" ", 1<<20+1)), domain.Invalid},
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
			to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), to(t, domain.ServiceRealtime, "GET", "/v1/stable/document"),
		} {
			resp, err := c.Forward(t.Context(), call, sent("", ""), key)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	for i, r := range f.seen() {
		want := []string{"/v1/knowledge-base/docs", "/state/user/fl-bound-b%C3%A9n", "/v1/transcript/t1", "/v1/stable/document?projectID=" + string(pizza.Voiceflow) + "&environmentAlias=production"}[i%4]
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
		to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), to(t, domain.ServiceRealtime, "GET", "/v1/stable/document"),
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
	rest := strings.Repeat("other", 14<<10) // a short body of known length goes in one piece
	for _, length := range []int64{-1, int64(len(formStart + "first" + rest + formEnd))} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			first := make(chan struct{})
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				file, err := r.MultipartReader()
				if err != nil {
					t.Error(err)
					return
				}
				part, err := file.NextPart()
				if err != nil {
					t.Error(err)
					return
				}
				content := make([]byte, 5)
				if _, err := io.ReadFull(part, content); err != nil || string(content) != "first" {
					t.Errorf("got %q, %v, want the start of the file before the rest is sent", content, err)
				}
				close(first)
				more, err := io.ReadAll(part)
				if err != nil || string(more) != rest {
					t.Errorf("got %d more bytes, %v, want %d", len(more), err, len(rest))
				}
				_, _ = io.WriteString(w, "{}")
			})
			body, write := io.Pipe()
			r := withFile(sent("overwrite=true", ""), body)
			r.ContentLength = length
			go func() {
				_, _ = io.WriteString(write, "first")
				<-first
				_, _ = io.WriteString(write, rest)
				_ = write.Close()
			}()
			f.read(t, upload(t), r)
			if got := f.seen()[0]; got.Length != -1 || !strings.HasPrefix(got.Header.Get("Content-Type"), "multipart/form-data; boundary=") {
				t.Errorf("got the length %d and %v, want a form of unknown length", got.Length, got.Header)
			}
		})
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
	for _, c := range []domain.Forward{turn(t), ask(t), upload(t)} {
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

func TestForwardSpeaksTLSAndChecksIt(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(200, "application/json", fmt.Sprintf(`{"proto":%q,"userID":"fl-bound-ben"}`, r.Proto))(w, r)
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
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/state/user/fl-bound-ben/interact", strings.NewReader("{}"))
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
