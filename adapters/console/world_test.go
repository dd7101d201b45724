package console_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/console"
	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// password is that of every user of a world. It must be on no page.
const password = "canary correct horse"

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// world is a service over in-memory adapters with its pages, behind the real router on a real
// listener, and a stand-in for Voiceflow with the assistants Pizza and Trains.
type world struct {
	ports   app.Ports
	options ginhttp.Options
	base    string      // the base URL of the pages
	bare    bool        // nobody is made a user
	clock   ports.Clock // of the pages
	app     app.Options

	memory     *memory.Store
	service    *app.Service
	cipher     *memory.Cipher
	provider   *memory.IdentityProvider // nil unless signsOn
	server     *httptest.Server
	standIn    *voiceflowtest.Server
	assistants []voiceflowtest.Assistant
	log        *logBuffer

	nobody, admin, member, disabled *browser
}

// newWorld starts a world. Each of change alters it before that.
func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{log: &logBuffer{}, assistants: []voiceflowtest.Assistant{
		voiceflowtest.NewProject("Pizza", "main"), voiceflowtest.NewProject("Trains", "main"),
	}}
	store, cipher := memory.New(time.Now), memory.NewCipher()
	w.memory, w.cipher = store, cipher
	w.ports = app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: memory.NewPseudonyms(),
		Logins: &app.Logins{Passwords: memory.PasswordHasher{}, Attempts: unbounded{}}, Webhooks: memory.NewWebhookSender(),
	}
	w.options.InsecureCookies = true
	w.options.Log = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, f := range change {
		f(w)
	}
	var err error
	if w.standIn, err = voiceflowtest.Start(w.assistants...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.standIn.Close)
	at := w.standIn.URL()
	w.ports.Voiceflow, err = voiceflow.New(voiceflow.Options{BaseURL: at, RuntimeURL: at, AnalyticsURL: at, RealtimeURL: at})
	if err != nil {
		t.Fatal(err)
	}
	if w.service, err = app.Open(t.Context(), w.ports, w.app); err != nil {
		t.Fatal(err)
	}
	if w.options.Pages, err = console.New(w.service, console.Options{BaseURL: w.base, Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.options.BaseURL = w.base
	engine, err := ginhttp.New(w.service, w.options)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(engine)
	t.Cleanup(w.server.Close)
	w.nobody = w.browser(t)
	if w.service.OwnUsers() && !w.bare {
		w.createUser(t, "admin", "admin")
		w.createUser(t, "member", "member")
		id := w.createUser(t, "disabled", "member")
		w.admin, w.member, w.disabled = w.login(t, "admin"), w.login(t, "member"), w.login(t, "disabled")
		if _, err := w.service.UpdateUser(t.Context(), w.operator(t), app.UpdateUser{ID: id, Disabled: new(true)}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// operator returns a call of a command.
func (w *world) operator(t testing.TB) domain.Call {
	t.Helper()
	call, err := w.service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// createUser makes a user with the password of all, and returns the id.
func (w *world) createUser(t testing.TB, name, role string, assistants ...string) string {
	t.Helper()
	u, err := w.service.CreateUser(t.Context(), w.operator(t), app.CreateUser{
		Username: name, Password: domain.NewSecret(password), Role: role, Assistants: assistants,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(u.ID)
}

// id returns the id of a user.
func (w *world) id(t testing.TB, name string) string {
	t.Helper()
	u, err := w.service.FindUser(t.Context(), w.operator(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(u.ID)
}

// add adds an assistant of the stand-in, and returns it.
func (w *world) add(t testing.TB, n int) domain.Project {
	t.Helper()
	a := w.assistants[n]
	p, err := w.service.AddProject(t.Context(), w.operator(t), app.AddProject{
		Version: "main", VoiceflowProject: a.ProjectID, Key: domain.NewSecret(a.Key),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// store stores n assistants that Voiceflow does not know, "Bot 00000" and so on.
func (w *world) store(t testing.TB, n int) []domain.Project {
	t.Helper()
	all := make([]domain.Project, n)
	for i := range all {
		all[i] = w.storeNamed(t, fmt.Sprintf("Bot %05d", i), i)
	}
	return all
}

// storeNamed stores an assistant that Voiceflow does not know. n makes its version.
func (w *world) storeNamed(t testing.TB, name string, n int) domain.Project {
	t.Helper()
	now := time.Now()
	id, err := domain.NewProjectID(now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	version := domain.VersionRef{Version: fmt.Sprintf("6371c9b4e1a5b2c3d4%06x", n)}
	p, err := domain.NewProject(id, version, domain.Export{Project: "6371c9b4e1a5b2c3d4e5f607", Name: name}, now)
	if err != nil {
		t.Fatal(err)
	}
	p.PutKey(domain.SlotPrimary, domain.Sealed{Key: "gone", Bytes: []byte("these bytes open for nobody")}, now, now)
	act := w.operator(t).Act(now, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionAddProject, domain.OnProject(id))
	if err := w.ports.Store.Projects.Add(t.Context(), act, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// grant lets a user use an assistant.
func (w *world) grant(t testing.TB, name string, p domain.Project, scopes ...string) {
	t.Helper()
	u, err := w.service.FindUser(t.Context(), w.operator(t), name)
	if err == nil {
		err = w.service.GrantProject(t.Context(), w.operator(t), string(u.ID), string(p.ID), scopes)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// browser keeps cookies and follows no redirects.
type browser struct {
	w      *world
	client *http.Client
	header http.Header // sent with each request
}

func (w *world) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{w: w, header: http.Header{}, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// login returns a browser in which the user is logged in.
func (w *world) login(t testing.TB, name string) *browser {
	t.Helper()
	b := w.browser(t)
	b.post(t, "/console/login", "username", name, "password", password).wantTo(t, "/console/")
	return b
}

// page is an answer.
type page struct {
	of     string // the request
	status int
	header http.Header
	text   string
}

// get opens a page.
func (b *browser) get(t testing.TB, path string) *page {
	t.Helper()
	return b.send(t, http.MethodGet, path, nil)
}

// post sends a form of names and values.
func (b *browser) post(t testing.TB, path string, fields ...string) *page {
	t.Helper()
	form := url.Values{}
	for pair := range slices.Chunk(fields, 2) {
		form.Add(pair[0], pair[1])
	}
	return b.send(t, http.MethodPost, path, form)
}

func (b *browser) send(t testing.TB, method, path string, form url.Values) *page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	b.w.wantNoSecret(t, method+" "+path, string(body))
	return &page{of: method + " " + path, status: response.StatusCode, header: response.Header, text: string(body)}
}

// otherKey is a Voiceflow key that opens nothing. Tests type it, and it must be on no page.
const otherKey = "VF.DM.6371c9b4e1a5b2c3d4e5f607.canary0canary0ca"

// wantNoSecret checks that a page shows no Voiceflow key and no password.
func (w *world) wantNoSecret(t testing.TB, of, text string) {
	t.Helper()
	secrets := []string{password, otherKey}
	for _, a := range w.assistants {
		secrets = append(secrets, a.Key, a.SecondKey)
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("%s: the page shows a secret", of)
		}
	}
}

// want checks the status, and that the page has the texts.
func (p *page) want(t testing.TB, status int, texts ...string) *page {
	t.Helper()
	if p.status != status {
		t.Errorf("%s: got status %d, want %d\n%s", p.of, p.status, status, p.text)
	}
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			t.Errorf("%s: the page does not have %q:\n%s", p.of, text, p.text)
		}
	}
	return p
}

// wantNo checks that the page has none of the texts.
func (p *page) wantNo(t testing.TB, texts ...string) *page {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.text, text) {
			t.Errorf("%s: the page has %q:\n%s", p.of, text, p.text)
		}
	}
	return p
}

// wantTo checks that the answer sends the browser to the path.
func (p *page) wantTo(t testing.TB, path string) *page {
	t.Helper()
	if got := p.header.Get("Location"); p.status != http.StatusSeeOther || got != path {
		t.Errorf("%s: got status %d to %q, want 303 to %q\n%s", p.of, p.status, got, path, p.text)
	}
	return p
}

// unbounded lets anyone try as often as they like.
type unbounded struct{}

func (unbounded) Begin(domain.Username, string) (func(), error) { return func() {}, nil }

// logBuffer collects the log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes a line.
func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns what was logged.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
