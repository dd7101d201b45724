package voiceflow_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
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
	passed      atomic.Int64 // the time that has passed for the client, in nanoseconds

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
	clock := func(o *voiceflow.Options) {
		o.Clock = func() time.Time { return now.Add(time.Duration(f.passed.Load())) }
	}
	f.client = clientOf(t, f.URL, append([]func(*voiceflow.Options){clock}, change...)...)
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
		Environment: func(_ context.Context, asked domain.AskedEnvironment) (domain.UsedEnvironment, error) {
			used, _, err := domain.EnvironmentChoice{Route: route, Project: pizza, Asked: asked}.Decide(domain.EnvironmentList{Known: true})
			return used, err
		},
		UserIDs: domain.UserIDs{
			Bind: func(own string) (string, error) { return "fl-bound-" + own, nil },
			Own:  func(bound string) (string, bool) { return strings.CutPrefix(bound, "fl-bound-") },
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

func upload(t testing.TB) domain.Forward {
	return to(t, domain.ServiceAPI, "POST", "/v1/knowledge-base/docs/upload")
}

func start4(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "POST", "/v4/project/"+string(pizza.Voiceflow)+"/session")
}

func turn4(t testing.TB) domain.Forward {
	return to(t, domain.ServiceRuntime, "POST", "/v4/interact/stream")
}

// What stands around the file in the form of withFile.
const (
	formStart = "--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
	formEnd   = "\r\n--b0undary--\r\n"
)

// withFile makes the body of r a form with a file.
func withFile(r *http.Request, file io.Reader) *http.Request {
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b0undary")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(formStart), file, strings.NewReader(formEnd))), -1
	if known, is := file.(*strings.Reader); is {
		r.ContentLength = int64(len(formStart) + known.Len() + len(formEnd))
	}
	return r
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
