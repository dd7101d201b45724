package clients

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// A client is a program that calls Voiceflow: what it sends, one request after the other.
type client struct {
	name string
	library
	// scheme is put before the credential. Voiceflow's project keys go without one.
	scheme string
	// personal means that the client has one of Voiceflow's personal access tokens in place of a
	// project key.
	personal bool
	// saves means that Voiceflow still saves transcripts for the client.
	saves bool
	// version and environments are those of /add_project.
	version, environments string
	aliases               []string // of the assistant at Voiceflow
	scopes                []string // what the access token needs
	requests              []request
}

// request is a request of a client. In path, header and body, $project, $version and the names that
// earlier requests keep are replaced.
type request struct {
	does    string // the command or the step of the client
	service domain.Service
	method  string
	path    string // path and query, as the client sends them
	header  []string
	body    string
	chunked bool              // the length of the body is not announced
	keeps   map[string]string // names, and where the value stands in the answer, such as transcripts.0.id
	session bool              // the credential is the session key that was kept as session
	status  int               // 0 is 200
	// differs are the differences between the sides, each with its reason. "query NAME",
	// "header NAME" and "body" do not come to Voiceflow. "answer NAME" is a header of the answer with another value, and "answer body" its body. With
	// "environment", another environment answers.
	differs map[string]string
}

// library is the HTTP library of a client: the headers that it adds, as "Name: value".
type library struct {
	adds []string
}

// The libraries, with the headers that they add by default.
var (
	goLibrary      = library{[]string{"User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"}}
	pythonRequests = library{[]string{"User-Agent: python-requests/2.32.3", "Accept-Encoding: gzip, deflate", "Accept: */*", "Connection: keep-alive"}}
	pythonHTTPX    = library{[]string{"User-Agent: python-httpx/0.28.1", "Accept-Encoding: gzip, deflate, br, zstd", "Accept: */*", "Connection: keep-alive"}}
	axiosLibrary   = library{[]string{"User-Agent: axios/1.7.9", "Accept-Encoding: gzip, compress, deflate, br", "Accept: application/json, text/plain, */*", "Connection: keep-alive"}}
	undici         = library{[]string{"User-Agent: node", "Accept-Encoding: gzip, deflate", "Accept: */*", "Accept-Language: *", "Sec-Fetch-Mode: cors", "Connection: keep-alive"}}
	curlLibrary    = library{[]string{"User-Agent: curl/7.88.1", "Accept: */*"}}
)

// reply is the answer to a request.
type reply struct {
	status int
	header http.Header
	body   string
}

// side is where a client sends its requests.
type side struct {
	name       string
	base       func(domain.Service) string // without a slash at its end
	credential string
	cookies    []string // in place of a credential
	voiceflow  *voiceflowtest.Server
	values     map[string]string // of $names
}

func newSide(name string, a voiceflowtest.Assistant, v *voiceflowtest.Server) *side {
	return &side{name: name, voiceflow: v, values: map[string]string{"project": a.ProjectID, "version": a.VersionID}}
}

// send sends a request of the client, and returns the answer and what came to Voiceflow, if
// anything came.
func (s *side) send(t testing.TB, c client, r request) (reply, *voiceflowtest.Request) {
	t.Helper()
	return s.sendTo(t, c, r, s.base(r.service))
}

// sendTo does what send does, with another base URL.
func (s *side) sendTo(t testing.TB, c client, r request, base string) (reply, *voiceflowtest.Request) {
	t.Helper()
	expand := s.expander()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(expand(r.body))
		if r.chunked {
			body = io.MultiReader(body)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, base+expand(r.path), body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range append(c.adds, r.header...) {
		name, value, _ := strings.Cut(line, ": ")
		for other := range req.Header {
			if strings.EqualFold(other, name) {
				delete(req.Header, other) // what a client says counts more than what its library adds
			}
		}
		req.Header[name] = []string{expand(value)} // in the capitals of the client
	}
	switch {
	case r.session:
		req.Header["Authorization"] = []string{s.values["session"]}
	case s.credential != "":
		req.Header["Authorization"] = []string{s.credential}
	case len(s.cookies) > 0:
		req.Header["Cookie"] = []string{strings.Join(s.cookies, "; ")}
	}
	before := s.voiceflow.Received()
	resp, err := transport(t).RoundTrip(req)
	if err != nil {
		t.Fatalf("%s, %s: %v", s.name, r.does, err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s, %s: %v", s.name, r.does, err)
	}
	got := reply{resp.StatusCode, resp.Header, string(said)}
	s.keep(t, r, got)
	if s.voiceflow.Received() == before {
		return got, nil
	}
	all := s.voiceflow.Requests()
	return got, &all[len(all)-1]
}

// expander returns a function that replaces the $names in a text.
func (s *side) expander() func(string) string {
	var pairs []string
	for name, value := range s.values {
		pairs = append(pairs, "$"+name, value)
	}
	return strings.NewReplacer(pairs...).Replace
}

// keep keeps the values of an answer that the request names.
func (s *side) keep(t testing.TB, r request, got reply) {
	t.Helper()
	for name, where := range r.keeps {
		value, err := at(got.body, where)
		if err != nil {
			t.Fatalf("%s, %s: %d %s: %v", s.name, r.does, got.status, got.body, err)
		}
		s.values[name] = value
	}
}

// transport returns a transport that adds no header of its own. With Expect: 100-continue, it waits
// for the server before it sends the body.
func transport(t testing.TB) *http.Transport {
	tr := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// pair is an assistant at two stand-ins for Voiceflow: one that a client calls directly, and one
// behind a Flowlatch.
type pair struct {
	assistant voiceflowtest.Assistant
	in        *installation
	project   string // its id at Flowlatch
	direct    *side
	through   *side
}

// newPair returns the assistant of the client. The client has an access token. Each of change alters the
// options of Flowlatch.
func newPair(t testing.TB, c client, change ...func(*ginhttp.Options)) pair {
	t.Helper()
	a := voiceflowtest.NewProject("Pizza Palace", c.aliases...)
	direct := newSide("directly", a, startVoiceflow(t, a))
	direct.base = func(domain.Service) string { return direct.voiceflow.URL() }
	in := install(t, startVoiceflow(t, a), func(p *app.Ports) {
		p.Rates = throttle.NewCalls(time.Now, throttle.PerMinute{Turns: 500, Reads: 600}) // by default
	}, change...)
	direct.credential = a.Key
	if c.saves {
		direct.voiceflow.SaveTranscripts()
		in.voiceflow.SaveTranscripts()
	}
	if c.personal {
		direct.credential = "Bearer " + personalTokenOf(direct.voiceflow, a)
	}
	project := in.add(t, a, c.version, c.environments)
	if c.personal {
		in.admin.want(t, "POST", "/set_token", encoded(map[string]any{"project_id": project, "token": personalTokenOf(in.voiceflow, a), "slot": "personal"}))
	}
	through := newSide("through Flowlatch", a, in.voiceflow)
	through.base = func(service domain.Service) string { return in.url + "/voiceflow/" + string(service) }
	through.credential = c.scheme + in.token(t, project, c.scopes, nil)
	return pair{a, in, project, direct, through}
}

// personalTokenOf adds a personal access token that sees the assistant. The stable API then refuses project
// keys, as its documentation says.
func personalTokenOf(v *voiceflowtest.Server, a voiceflowtest.Assistant) string {
	token := voiceflowtest.NewPersonalToken()
	v.AddPersonalToken(token, a.ProjectID)
	v.PersonalTokensOnly()
	return token
}

// withCookies makes the client a page whose user is logged in and has set the assistant.
func (w pair) withCookies() pair {
	w.through.credential, w.through.cookies = "", w.in.admin.cookies
	return w
}

// run sends all requests of the client to Voiceflow and through Flowlatch, and compares.
func (w pair) run(t *testing.T, c client) {
	t.Helper()
	known := []string{w.assistant.ProjectID}
	for _, e := range w.assistant.Environments {
		known = append(known, e.ID, e.Draft, e.Published)
	}
	for _, r := range c.requests {
		want, received := w.direct.send(t, c, r)
		if ok := cmp.Or(r.status, http.StatusOK); want.status != ok {
			t.Fatalf("%s: Voiceflow answers %d %s, want %d", r.does, want.status, want.body, ok)
		}
		got, forwarded := w.through.send(t, c, r)
		if diff := differences(known, want, got, r.differs); diff != "" {
			t.Errorf("%s: %s %s is answered otherwise (- by Voiceflow, + by Flowlatch):\n%s", r.does, r.method, r.path, diff)
		}
		switch {
		case forwarded != nil:
			if diff := lost(known, *received, *forwarded, r.differs); diff != "" {
				t.Errorf("%s: %s %s comes otherwise to Voiceflow (- directly, + through Flowlatch):\n%s", r.does, r.method, r.path, diff)
			}
		case len(r.keeps) > 0:
			t.FailNow() // later requests need what it brings
		}
	}
}

// runAll runs each client with an access token.
func runAll(t *testing.T, all []client) {
	t.Helper()
	for _, c := range all {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { newPair(t, c).run(t, c) })
	}
}

// form returns the body and the header Content-Type of a form with parts.
func form(parts ...string) (body, contentType string) {
	const boundary = "d74496d66958873e"
	var b strings.Builder
	for _, part := range parts {
		_, _ = fmt.Fprintf(&b, "--%s\r\n%s\r\n", boundary, part)
	}
	_, _ = fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.String(), "Content-Type: multipart/form-data; boundary=" + boundary
}

// filePart returns the part of a form with a file.
func filePart(name, contentType, content string) string {
	return fmt.Sprintf("Content-Disposition: form-data; name=\"file\"; filename=%q\r\nContent-Type: %s\r\n\r\n%s", name, contentType, content)
}

// The services.
const (
	apiService       = domain.ServiceAPI
	runtimeService   = domain.ServiceRuntime
	analyticsService = domain.ServiceAnalytics
	realtimeService  = domain.ServiceRealtime
)

// allOf returns the environments of an assistant that allows all, with a default.
func allOf(name string) string { return fmt.Sprintf(`{"default": %q, "allowed": "all"}`, name) }
