// Package clients tests the promise of the README: a client of Voiceflow needs another base URL
// and another credential, and nothing else. It sends the requests of clients that people use to a
// stand-in for Voiceflow, directly and through Flowlatch, and compares what each side answers and
// what Voiceflow receives. It also runs what docs/clients.md tells people to run.
package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/browser"
)

// password is that of every user.
const password = "correct horse 11 battery"

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(browser.Run(m))
}

// installation is a Flowlatch in front of a stand-in for Voiceflow: the real router on a real
// listener, the real client of Voiceflow, and repositories in memory.
type installation struct {
	voiceflow *voiceflowtest.Server
	url       string
	admin     *caller // logged in
}

// newInstallation starts an installation without assistants. Each of change alters the options.
func newInstallation(t testing.TB, v *voiceflowtest.Server, change ...func(*ginhttp.Options)) *installation {
	t.Helper()
	return install(t, v, func(*app.Ports) {}, change...)
}

// install is newInstallation with other ports.
func install(t testing.TB, v *voiceflowtest.Server, with func(*app.Ports), change ...func(*ginhttp.Options)) *installation {
	t.Helper()
	client, err := voiceflow.New(voiceflow.Options{BaseURL: v.URL(), RuntimeURL: v.URL(), AnalyticsURL: v.URL(), RealtimeURL: v.URL()})
	if err != nil {
		t.Fatal(err)
	}
	store, cipher := memory.New(time.Now), memory.NewCipher()
	ports := app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: memory.NewPseudonyms(), Voiceflow: client,
		Logins: &app.Logins{Passwords: memory.PasswordHasher{}, Attempts: unbounded{}}, Clock: time.Now,
	}
	with(&ports)
	service, err := app.Open(t.Context(), ports, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var options ginhttp.Options
	for _, f := range change {
		f(&options)
	}
	engine, err := ginhttp.New(service, options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	operator, err := service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.CreateUser(t.Context(), operator, app.CreateUser{Username: "ada", Password: domain.NewSecret(password), Role: "admin"}); err != nil {
		t.Fatal(err)
	}
	in := &installation{voiceflow: v, url: server.URL}
	in.admin = in.login(t, "ada")
	return in
}

// unbounded lets anyone try as often as they like.
type unbounded struct{}

func (unbounded) Begin(domain.Username, string) (func(), error) { return func() {}, nil }

// startVoiceflow starts a stand-in with the assistants.
func startVoiceflow(t testing.TB, assistants ...voiceflowtest.Assistant) *voiceflowtest.Server {
	t.Helper()
	v, err := voiceflowtest.Start(assistants...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// caller is a user of the routes of Flowlatch itself.
type caller struct {
	url     string
	cookies []string // as a request carries them
}

// login returns the user of that name, logged in.
func (in *installation) login(t testing.TB, name string) *caller {
	t.Helper()
	c := &caller{url: in.url}
	c.want(t, "POST", "/login", fmt.Sprintf(`{"username": %q, "password": %q}`, name, password))
	return c
}

// want sends a request, keeps the cookies of the answer, and returns its members. It fails the
// test unless the status is 200.
func (c *caller) want(t testing.TB, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cookie", strings.Join(c.cookies, "; "))
	resp, err := transport(t).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(said, &members); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s", method, path, resp.Status, said)
	}
	for _, cookie := range resp.Cookies() {
		c.cookies = append(c.cookies, cookie.Name+"="+cookie.Value)
	}
	return members
}

// add adds the assistant, sets it for the admin, and returns its id. environments is JSON; ""
// pins the assistant to the version.
func (in *installation) add(t testing.TB, a voiceflowtest.Assistant, version, environments string) string {
	t.Helper()
	body := map[string]any{"version_id": version, "voiceflow_project_id": a.ProjectID, "token": a.Key}
	if environments != "" {
		body["environments"] = json.RawMessage(environments)
	}
	added := in.admin.want(t, "POST", "/add_project", encoded(body))
	assistant, _ := added["assistant"].(map[string]any)
	id, _ := assistant["Id"].(string)
	in.admin.want(t, "POST", "/set_project", encoded(map[string]any{"project_id": id}))
	return id
}

// token creates an access token of the admin's with the scopes.
func (in *installation) token(t testing.TB, project string, scopes []string, more map[string]any) string {
	t.Helper()
	body := map[string]any{"name": "a program", "project_id": project, "scopes": scopes, "password": password}
	for name, value := range more {
		body[name] = value
	}
	text, _ := in.admin.want(t, "POST", "/create_access_token", encoded(body))["token"].(string)
	return text
}

// encoded returns v as JSON.
func encoded(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // maps of texts always encode
	return strings.TrimSpace(b.String())
}

// trusting lets pages of the origin call.
func trusting(origin string) func(*ginhttp.Options) {
	return func(o *ginhttp.Options) { o.TrustedOrigins = []string{origin} }
}
