package voiceflow_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// pauses records the waits between tries, which take no time here.
type pauses struct {
	mu    sync.Mutex
	taken []time.Duration
}

func (p *pauses) wait(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, d)
	return ctx.Err()
}

// world is a Voiceflow with one assistant, and a client that speaks to it.
type world struct {
	server *voiceflowtest.Server
	a      voiceflowtest.Assistant
	client *voiceflow.Client
	pauses *pauses
}

func newWorld(t *testing.T, change ...func(*voiceflow.Options)) *world {
	t.Helper()
	w := &world{a: voiceflowtest.NewAssistant("Pizza", voiceflowtest.Shape2024), pauses: &pauses{}}
	var err error
	if w.server, err = voiceflowtest.Start(w.a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.server.Close)
	o := voiceflow.Options{BaseURL: w.server.URL(), Clock: func() time.Time { return now }, Wait: w.pauses.wait}
	for _, c := range change {
		c(&o)
	}
	if w.client, err = voiceflow.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) export(ctx context.Context) (domain.Export, error) {
	return w.client.Export(ctx, domain.VersionRef{Version: w.a.VersionID}, domain.NewSecret(w.a.Key))
}

// brief is for calls that nothing but their deadline ends.
func brief(o *voiceflow.Options) { o.Timeout = 300 * time.Millisecond }

func TestExportKeepsWhatIsNeededFromEveryShape(t *testing.T) {
	for _, shape := range voiceflowtest.Shapes() {
		for _, place := range []voiceflowtest.Place{voiceflowtest.InPlace, voiceflowtest.First, voiceflowtest.Last} {
			for _, createdAt := range []time.Time{{}, time.Date(2023, 5, 6, 7, 8, 9, 123e6, time.UTC)} {
				t.Run(fmt.Sprintf("%v, place %d, created %v", shape, place, createdAt), func(t *testing.T) {
					w := newWorld(t)
					w.a = voiceflowtest.NewAssistant("Ελληνικά \"🍕\"", shape)
					w.a.Place, w.a.CreatedAt = place, createdAt
					if err := w.server.Add(w.a); err != nil {
						t.Fatal(err)
					}
					want := domain.Export{
						Project: domain.VoiceflowID(w.a.ProjectID), Name: w.a.Name, Platform: w.a.Platform, Created: createdAt,
					}
					if shape == voiceflowtest.Shape2022 && createdAt.IsZero() {
						want.Created = want.Project.Created()
					}
					got, err := w.export(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
				})
			}
		}
	}
}

func TestExportSendsTheBareKeyAndNoMoreThanIsNeeded(t *testing.T) {
	w := newWorld(t)
	if _, err := w.export(t.Context()); err != nil {
		t.Fatal(err)
	}
	byAlias := domain.VersionRef{Version: "production", Project: domain.VoiceflowID(w.a.ProjectID)}
	if _, err := w.client.Export(t.Context(), byAlias, domain.NewSecret(w.a.Key)); err != nil {
		t.Fatal(err)
	}
	requests := w.server.Requests()
	if len(requests) != 2 {
		t.Fatalf("got %d requests, want 2", len(requests))
	}
	want := http.Header{
		"Authorization": {w.a.Key}, "Accept": {"application/json"}, "Accept-Encoding": {"gzip"},
		"User-Agent": {"flowlatch"}, "Connection": {"close"},
	}
	if diff := cmp.Diff(want, requests[0].Header); diff != "" {
		t.Errorf("by version id, headers (-want +got):\n%s", diff)
	}
	want["Projectid"] = []string{w.a.ProjectID}
	if diff := cmp.Diff(want, requests[1].Header); diff != "" {
		t.Errorf("by alias, headers (-want +got):\n%s", diff)
	}
	for i, uri := range []string{"/v2/versions/" + w.a.VersionID + "/export", "/v2/versions/production/export"} {
		if requests[i].Method != "GET" || requests[i].URI != uri || len(requests[i].Body) != 0 {
			t.Errorf("got %s %s, want GET %s", requests[i].Method, requests[i].URI, uri)
		}
	}
}

func TestNamesOfAnyScriptArriveAsUTF8WithoutNUL(t *testing.T) {
	for _, tc := range []struct {
		name    string
		text    string
		raw     string
		escaped bool
		want    string
	}{
		{name: "right to left with marks", text: "עִבְרִית\u200f \u202eabc", want: "עִבְרִית\u200f \u202eabc"},
		{name: "quotes and line breaks", text: "a\"b\\c\nd\re\tf", want: "a\"b\\c\nd\re\tf"},
		{name: "emoji as surrogates", text: "🍕🏳️‍🌈", escaped: true, want: "🍕🏳️‍🌈"},
		{name: "surrounding space stays", text: "  x  ", want: "  x  "},
		{name: "empty", text: "", want: ""},
		{name: "null", raw: `null`, want: ""},
		{name: "a million characters", text: strings.Repeat("長", 1_000_000), want: strings.Repeat("長", 1_000_000)},
		{name: "an escaped NUL", raw: `"a\u0000b"`, want: "a\uFFFDb"},
		{name: "invalid UTF-8", raw: "\"a\xffb\xc3\"", want: "a\uFFFDb\uFFFD"},
		{name: "a lone surrogate", raw: `"a\ud800b"`, want: "a\uFFFDb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.a.Name, w.a.NameJSON, w.a.EscapeName = tc.text, tc.raw, tc.escaped
			if err := w.server.Add(w.a); err != nil {
				t.Fatal(err)
			}
			got, err := w.export(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != tc.want {
				t.Errorf("got %.60q, want %.60q", got.Name, tc.want)
			}
		})
	}
}

func TestOddExportsThatAreGood(t *testing.T) {
	const id = "64dbb6696a8fab0013dba194"
	project := `"project":{"_id":"` + id + `","name":"n"}`
	version := `"version":{"projectID":"` + id + `"}`
	want := domain.Export{Project: id, Name: "n"}
	for _, tc := range []struct{ name, body string }{
		{"as little as can be", `{` + project + `,` + version + `}`},
		{"the other way round", `{` + version + `,` + project + `}`},
		{"white space and line breaks", " {\n" + project + " ,\r\n\t" + version + "}\n\n"},
		{"other members twice", `{"x":1,"x":{"project":{}},` + project + `,` + version + `,"x":[]}`},
		{"a string of just under 4 MiB", `{"x":"` + strings.Repeat("x", 4<<20-100) + `",` + project + `,` + version + `}`},
		{"createdAt is null", `{"project":{"_id":"` + id + `","name":"n","createdAt":null,"platform":null},` + version + `}`},
		{"createdAt is no time", `{"project":{"_id":"` + id + `","name":"n","createdAt":"yesterday"},` + version + `}`},
		{"createdAt is an object", `{"project":{"createdAt":{"a":[1]},"_id":"` + id + `","name":"n"},` + version + `}`},
		{"the id in capitals", `{"project":{"_id":"` + strings.ToUpper(id) + `","name":"n"},` + version + `}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.server.Fail(voiceflowtest.Answer(200, "text/plain", tc.body))
			got, err := w.export(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTheKeyIsNeverSentToARedirectsTarget(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			w := newWorld(t)
			target, err := voiceflowtest.Start(w.a)
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			// To another host, and to another path of the same one.
			for _, to := range []string{target.URL() + "/v2/versions/" + w.a.VersionID + "/export", w.server.URL() + "/elsewhere"} {
				w.server.FailNext(voiceflowtest.Redirect(status, to))
				_, err := w.export(t.Context())
				if domain.KindOf(err) != domain.VoiceflowUnavailable || strings.Contains(fmt.Sprint(err), to) {
					t.Errorf("got %v, want VoiceflowUnavailable", err)
				}
			}
			if n := len(target.Requests()); n != 0 {
				t.Errorf("the target was asked %d times", n)
			}
			if n := len(w.server.Requests()); n != 2 {
				t.Errorf("Voiceflow was asked %d times, want 2", n)
			}
		})
	}
}

func TestItSpeaksTLSAndChecksIt(t *testing.T) {
	a := voiceflowtest.NewAssistant("Pizza", voiceflowtest.Shape2026)
	server, err := voiceflowtest.New(a)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(server)
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail below
	secure.StartTLS()
	defer secure.Close()

	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	v, key := domain.VersionRef{Version: a.VersionID}, domain.NewSecret(a.Key)
	client := func(base string, roots *x509.CertPool) *voiceflow.Client {
		c, err := voiceflow.New(voiceflow.Options{BaseURL: base, RootCAs: roots, Wait: new(pauses).wait})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if e, err := client(secure.URL, roots).Export(t.Context(), v, key); err != nil || e.Name != "Pizza" {
		t.Errorf("got %+v, %v", e, err)
	}
	for name, c := range map[string]*voiceflow.Client{
		"an authority that nobody knows": client(secure.URL, x509.NewCertPool()),
		"a certificate for another name": client(strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), roots),
	} {
		before := len(server.Requests())
		if _, err := c.Export(t.Context(), v, key); domain.KindOf(err) != domain.VoiceflowUnavailable {
			t.Errorf("%s: got %v, want VoiceflowUnavailable", name, err)
		}
		if len(server.Requests()) != before {
			t.Errorf("%s: the key was sent", name)
		}
	}
}

func TestAProxySeesTheHostAndNotTheKey(t *testing.T) {
	var mu sync.Mutex
	var seen []*http.Request
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
		rw.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	through := func(o *voiceflow.Options) { o.Proxy = http.ProxyURL(at) }

	w := newWorld(t, through)
	if _, err := w.export(t.Context()); err != nil || len(seen) != 0 {
		t.Errorf("plain http: got %v, and the proxy was asked %d times", err, len(seen))
	}
	w = newWorld(t, through, func(o *voiceflow.Options) { o.BaseURL = "https://voiceflow.example" })
	if _, err := w.export(t.Context()); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("https: got %v, want VoiceflowUnavailable", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 {
		t.Fatal("https: the proxy was not asked")
	}
	for _, r := range seen {
		if r.Method != "CONNECT" || r.Host != "voiceflow.example:443" || r.Header.Get("Authorization") != "" {
			t.Errorf("https: the proxy saw %s %s %v", r.Method, r.Host, r.Header)
		}
	}
}

func TestNoErrorShowsTheKeyOrTheAnswer(t *testing.T) {
	// A server that answers every request with what it was sent, in places where
	// Go's own errors quote it.
	const marker = "what-the-answer-says"
	echo := func(format string) voiceflowtest.Fault {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprintf(conn, format, r.Header.Get("Authorization")+marker)
		}
	}
	head := "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	for name, format := range map[string]string{
		"no HTTP at all":          "%s\r\n\r\n",
		"a malformed status":      "HTTP/1.1 %s\r\n\r\n",
		"a malformed header":      "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"a malformed length":      "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"a strange encoding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"a malformed location":    "HTTP/1.1 302 Found\r\nLocation: ://%s\r\n\r\n",
		"a status line":           "HTTP/1.1 401 %s\r\nContent-Length: 0\r\n\r\n",
		"a malformed chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
		"a body that is no JSON":  head + "%s",
		"a member's name":         head + `{"%s":x}`,
		"a project's id":          head + `{"project":{"_id":"%s"}}`,
		"a wrong type":            head + `{"project":"%s"}`,
		"an error with the key":   "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" + `{"message":"%s"}`,
		"an endless header":       "HTTP/1.1 200 OK\r\nX: %s" + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"something before the OK": "HTTP/1.1 103 %s\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.server.Fail(echo(format))
			_, err := w.export(t.Context())
			if k := domain.KindOf(err); k != domain.VoiceflowUnavailable && k != domain.VoiceflowRejected {
				t.Errorf("got %v, want a kind of Voiceflow's", err)
			}
			for ; err != nil; err = deeper(err) {
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
					if strings.Contains(text, w.a.Key) || strings.Contains(text, marker) || strings.Contains(text, "?") {
						t.Errorf("%T shows it: %s", err, text)
					}
				}
			}
		})
	}
}

// deeper follows an error to its cause.
func deeper(err error) error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e.Cause
	}
	return errors.Unwrap(err)
}

func TestABaseURLMayHaveAPath(t *testing.T) {
	w := newWorld(t)
	behind := httptest.NewServer(http.StripPrefix("/voice/flow", w.server))
	defer behind.Close()
	for _, slash := range []string{"", "/"} {
		c, err := voiceflow.New(voiceflow.Options{BaseURL: behind.URL + "/voice/flow" + slash})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Export(t.Context(), domain.VersionRef{Version: w.a.VersionID}, domain.NewSecret(w.a.Key)); err != nil {
			t.Error(err)
		}
		if string(c.Origins().API()) != behind.URL {
			t.Errorf("origin: got %s, want %s", c.Origins().API(), behind.URL)
		}
	}
}

func TestNewTakesOnlyABaseURLThatKeepsTheKey(t *testing.T) {
	for _, tc := range []struct {
		name, base string
		allowHTTP  bool
		origin     domain.Origin
	}{
		{"Voiceflow itself", "", false, "https://api.voiceflow.com"},
		{"a private cloud", "https://api.acme.voiceflow.com/", false, "https://api.acme.voiceflow.com"},
		{"a port and a path", "https://proxy.example:8443/a/b", false, "https://proxy.example:8443"},
		{"plain http to 127.0.0.1", "http://127.0.0.1:9000", false, "http://127.0.0.1:9000"},
		{"plain http to ::1", "http://[::1]:9000", false, "http://[::1]:9000"},
		{"plain http to localhost", "http://localhost:9000", false, "http://localhost:9000"},
		{"plain http that is allowed", "http://stand-in:9000", true, "http://stand-in:9000"},
		{"plain http", "http://api.voiceflow.com", false, ""},
		{"plain http to a name that looks like loopback", "http://localhost.example", false, ""},
		{"plain http to a number that looks like loopback", "http://127.0.0.1.example", false, ""},
		{"plain http to any address", "http://0.0.0.0:80", false, ""},
		{"no scheme", "api.voiceflow.com", false, ""},
		{"a scheme of another kind", "ftp://api.voiceflow.com", true, ""},
		{"no host", "https:///v2", false, ""},
		{"a user", "https://user:hidden@api.voiceflow.com", true, ""},
		{"a query", "https://api.voiceflow.com?hidden=1", true, ""},
		{"an empty query", "https://api.voiceflow.com?", true, ""},
		{"a fragment", "https://api.voiceflow.com#hidden", true, ""},
		{"an empty fragment", "https://api.voiceflow.com#", true, ""},
		{"no URL", "https://hidden\x7f", true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := voiceflow.New(voiceflow.Options{BaseURL: tc.base, AllowHTTP: tc.allowHTTP})
			if tc.origin == "" {
				if domain.KindOf(err) != domain.Invalid || strings.Contains(fmt.Sprint(err), "hidden") {
					t.Errorf("got %v, want Invalid", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Origins().API(); got != tc.origin {
				t.Errorf("origin: got %s, want %s", got, tc.origin)
			}
		})
	}
	if _, err := voiceflow.New(voiceflow.Options{Timeout: -1}); domain.KindOf(err) != domain.Invalid {
		t.Errorf("a timeout below zero: got %v, want Invalid", err)
	}
}

// watched is an answer during which the memory of the process is looked at.
type watched struct {
	http.ResponseWriter
	sent, looked int
	peak         uint64
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += n
	if w.sent-w.looked >= 256<<10 {
		w.looked = w.sent
		w.peak = max(w.peak, heap())
	}
	return n, err
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryStaysFlat(t *testing.T) {
	plain := func(w http.ResponseWriter, r *http.Request, answer http.Handler) { answer.ServeHTTP(w, r) }
	for _, tc := range []struct {
		name  string
		fault voiceflowtest.Fault
		want  domain.Kind
		read  int // of the answer; the server gets rid of some more
	}{
		{"an export of 100 MB", plain, "", 100 << 20},
		{"members without end", voiceflowtest.EndlessBody(), domain.VoiceflowUnavailable, 256 << 20},
		{"white space without end", voiceflowtest.EndlessSpace(), domain.VoiceflowUnavailable, 4 << 20},
		{"one string of 200 MiB", voiceflowtest.GiantString(200 << 20), domain.VoiceflowUnavailable, 4 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(o *voiceflow.Options) { o.Timeout = time.Minute })
			w.a.Size, w.a.Place = 100<<20, voiceflowtest.Last
			if err := w.server.Add(w.a); err != nil {
				t.Fatal(err)
			}
			var seen *watched
			w.server.Fail(func(rw http.ResponseWriter, r *http.Request, answer http.Handler) {
				seen = &watched{ResponseWriter: rw}
				tc.fault(seen, r, answer)
			})
			runtime.GC()
			before := heap()
			if _, err := w.export(t.Context()); domain.KindOf(err) != tc.want {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			<-w.server.Requests()[0].Done
			if seen.sent < tc.read || seen.sent > tc.read+16<<20 {
				t.Errorf("%d bytes were sent, want %d to be read", seen.sent, tc.read)
			}
			// The server is in the same process and counted too.
			if seen.peak > before+32<<20 {
				t.Errorf("it held %d bytes more than before", seen.peak-before)
			}
			t.Logf("at most %d KiB more than before", (int64(seen.peak)-int64(before))>>10)
		})
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for i := range 20 {
		a := voiceflowtest.NewAssistant(fmt.Sprintf("Assistant %d", i), voiceflowtest.Shape2026)
		if err := w.server.Add(a); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			e, err := w.client.Export(t.Context(), domain.VersionRef{Version: a.VersionID}, domain.NewSecret(a.Key))
			if err != nil || e.Name != a.Name || string(e.Project) != a.ProjectID {
				t.Errorf("got %+v, %v, want %s", e, err, a.Name)
			}
		})
	}
	all.Wait()
}

func TestEachServiceHasTheOriginOfItsURL(t *testing.T) {
	for _, tc := range []struct {
		name, url string
		origin    domain.Origin
	}{
		{"as it is", "https://vf.example", "https://vf.example"},
		{"with a slash", "https://vf.example/", "https://vf.example"},
		{"with a path", "https://vf.example/a/b", "https://vf.example"},
		{"with the default port", "https://vf.example:443/", "https://vf.example"},
		{"in capitals", "HTTPS://VF.Example", "https://vf.example"},
		{"with another port", "https://vf.example:8443", "https://vf.example:8443"},
		{"plain http is another one", "http://127.0.0.1:80", "http://127.0.0.1"},
		{"an address of version 6", "https://[2001:DB8::1]:443", "https://[2001:db8::1]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for service, o := range map[domain.Service]voiceflow.Options{
				domain.ServiceAPI: {BaseURL: tc.url}, domain.ServiceRuntime: {RuntimeURL: tc.url},
				domain.ServiceAnalytics: {AnalyticsURL: tc.url}, domain.ServiceRealtime: {RealtimeURL: tc.url},
			} {
				c, err := voiceflow.New(o)
				if err != nil {
					t.Fatal(err)
				}
				for got, origin := range c.Origins() {
					if got == service && origin != tc.origin || got != service && !strings.HasSuffix(string(origin), ".voiceflow.com") {
						t.Errorf("%s set to %s: got %s at %s", service, tc.url, got, origin)
					}
				}
			}
		})
	}
}
