package ginhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// canary is a key that goes in and must never come out: not in an answer, not in a log.
const canary = "VF.DM.canary0123456789abcdef.canary"

// password is that of every user of a world, and must not come out either.
const password = "canary correct horse"

const (
	versionA = "0123456789abcdef01234567"
	versionB = "0123456789abcdef01234568"
	projectA = "aaaaaaaaaaaaaaaaaaaaaaaa"
	projectB = "bbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// world is a service over in-memory adapters behind its real router on a real listener,
// with an admin, a member and a member who is disabled.
type world struct {
	ports     app.Ports
	voiceflow *voiceflow
	clock     *clock
	log       *logBuffer
	options   ginhttp.Options
	configure func(*httptest.Server)
	bare      bool                     // nobody is made a user or logged in
	provider  *memory.IdentityProvider // nil for none
	app       app.Options

	service *app.Service
	engine  *gin.Engine
	server  *httptest.Server

	nobody, admin, member, disabled *browser
}

// newWorld starts a world; each of change alters it before that.
func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{
		voiceflow: &voiceflow{exports: map[string]domain.Export{
			versionA: {Project: projectA, Name: "Support bot"},
			versionB: {Project: projectB, Name: "Sales bot"},
		}},
		clock: &clock{now: time.Date(2026, 11, 22, 6, 0, 0, 123456789, time.UTC)},
		log:   &logBuffer{},
	}
	w.ports = inMemory(w.clock.Now)
	w.ports.Voiceflow = w.voiceflow
	w.options.Log = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, f := range change {
		f(w)
	}
	var err error
	if w.service, err = app.Open(t.Context(), w.ports, w.app); err != nil {
		t.Fatal(err)
	}
	if w.engine, err = ginhttp.New(w.service, w.options); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewUnstartedServer(w.engine)
	if w.configure != nil {
		w.configure(w.server)
	}
	w.server.Start()
	t.Cleanup(func() {
		w.server.Close() // waits for the last lines of the log
		w.wantNoCanary(t, "the log", w.log.String())
	})

	w.nobody = &browser{w: w, cookies: map[string]string{}}
	if w.service.OwnUsers() && !w.bare {
		w.createUser(t, "admin", "admin")
		w.createUser(t, "member", "member")
		id := w.createUser(t, "disabled", "member")
		w.admin, w.member, w.disabled = w.login(t, "admin"), w.login(t, "member"), w.login(t, "disabled")
		w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+id+`","disabled":true}`).want(t, 200, "")
	}
	return w
}

// bare leaves out the users.
func bare(w *world) { w.bare = true }

// signsOn gives the world an identity provider.
func signsOn(w *world) {
	w.provider = testworld.NewProvider(w.clock.Now)
	w.ports.Logins.Provider = w.provider
	w.app.SignOn = app.SignOnOptions{BaseURL: testworld.BaseURL, LogoutAtProvider: true, Policy: domain.SignOnPolicy{CreateUsers: true}}
}

// signOn returns a browser in which the person is logged in by the identity provider.
func (w *world) signOn(t testing.TB, p domain.Person) *browser {
	t.Helper()
	id, err := w.service.NewRequestID()
	if err != nil {
		t.Fatal(err)
	}
	call := domain.Call{RequestID: id, Address: "192.0.2.9"}
	began, err := w.service.StartSignOn(context.Background(), call, app.StartSignOn{})
	if err != nil {
		t.Fatal(err)
	}
	said, err := w.provider.LogIn(began.URL, p)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.service.FinishSignOn(context.Background(), call, app.FinishSignOn{
		Cookie: began.Cookie, Code: domain.NewSecret(said.Get("code")), State: domain.NewSecret(said.Get("state")), Issuer: said.Get("iss"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &browser{w: w, cookies: map[string]string{"user_session": out.Cookie.Text}}
}

// hosted gives the world a host's login in place of users of its own.
func hosted(identify ginhttp.Identify) func(*world) {
	return func(w *world) {
		w.options.Identify = identify
		w.ports.Logins = nil
	}
}

// createUser makes a user as the operator does, with the password of all.
func (w *world) createUser(t testing.TB, name, role string) string {
	t.Helper()
	call, err := w.service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.service.CreateUser(context.Background(), call, app.CreateUser{Username: name, Password: domain.NewSecret(password), Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return string(u.ID)
}

// addProject adds a project as the operator does.
func (w *world) addProject(t testing.TB, name string) domain.Project {
	t.Helper()
	call, err := w.service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	version := w.voiceflow.invent(name)
	p, err := w.service.AddProject(context.Background(), call, app.AddProject{Version: version, Key: domain.NewSecret(canary)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// userID is the id of the user of that name.
func (w *world) userID(t testing.TB, name string) string {
	t.Helper()
	call, err := w.service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.service.FindUser(context.Background(), call, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(u.ID)
}

// grant lets the user of that name use the project.
func (w *world) grant(t testing.TB, name string, p domain.Project) {
	t.Helper()
	w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+w.userID(t, name)+`","project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
}

// token returns a program that has the access token which b makes of the body.
func (w *world) token(t testing.TB, b *browser, body string) *browser {
	t.Helper()
	made := b.do(t, "POST", "/create_access_token", withPassword(body)).want(t, 200, "")
	return &browser{w: w, cookies: map[string]string{}, authorization: made.body["token"].(string)}
}

// withPassword returns the body of a request with the password of all as another member.
func withPassword(body string) string {
	return strings.TrimSuffix(body, "}") + `,"password":"` + password + `"}`
}

// login returns a browser in which the user of that name is logged in.
func (w *world) login(t testing.TB, name string) *browser {
	t.Helper()
	b := &browser{w: w, cookies: map[string]string{}}
	b.do(t, "POST", "/login", `{"username":"`+name+`","password":"`+password+`"}`).want(t, 200, "")
	return b
}

func (w *world) wantNoCanary(t testing.TB, where, text string) {
	t.Helper()
	if strings.Contains(text, "canary") {
		t.Errorf("%s shows a secret: %s", where, text)
	}
}

// browser sends requests with the cookies that it was given, Secure or not.
type browser struct {
	w       *world
	cookies map[string]string

	authorization string
}

// with returns a browser that has one cookie more, or another one.
func (b *browser) with(name, value string) *browser {
	other := &browser{w: b.w, cookies: map[string]string{name: value}}
	for n, v := range b.cookies {
		if n != name {
			other.cookies[n] = v
		}
	}
	return other
}

// request builds a request. A body that is not empty is JSON.
func (b *browser) request(t testing.TB, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, b.w.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if b.authorization != "" {
		r.Header.Set("Authorization", b.authorization)
	}
	return r
}

// do sends a request, checks what every answer must have, and keeps the cookies.
func (b *browser) do(t testing.TB, method, path, body string) *reply {
	t.Helper()
	return b.send(t, b.request(t, method, path, body))
}

func (b *browser) send(t testing.TB, r *http.Request) *reply {
	t.Helper()
	response, err := noRedirects.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	a := &reply{what: r.Method + " " + r.URL.Path, status: response.StatusCode, header: response.Header, raw: raw, set: response.Cookies()}
	a.check(t, b.w)
	return a
}

// noRedirects shows a redirect instead of following it.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// reply is an answer that has been read to its end.
type reply struct {
	what   string
	status int
	header http.Header
	raw    []byte
	body   map[string]any
	set    []*http.Cookie
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// check holds an answer to what every answer must have.
func (a *reply) check(t testing.TB, w *world) {
	t.Helper()
	if id := a.header.Values("X-Request-Id"); len(id) != 1 || !uuid.MatchString(id[0]) {
		t.Errorf("%s: got X-Request-Id %q, want one UUID", a.what, id)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := a.header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %s %q, want %q", a.what, name, got, want)
		}
	}
	var header bytes.Buffer
	_ = a.header.Write(&header)
	w.wantNoCanary(t, a.what, header.String()+string(a.raw))
	if strings.Contains(a.what, " /voiceflow/") && a.status < 400 {
		return // the rest is Voiceflow's
	}
	if a.status == http.StatusNoContent || strings.HasPrefix(a.what, "HEAD ") {
		if len(a.raw) > 0 {
			t.Errorf("%s: got the body %q, want none", a.what, a.raw)
		}
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: got Content-Type %q", a.what, got)
	}
	if err := json.Unmarshal(a.raw, &a.body); err != nil {
		t.Fatalf("%s: %v in %q", a.what, err, a.raw)
	}
	if message, _ := a.body["message"].(string); message == "" {
		t.Errorf("%s: %s has no message", a.what, a.raw)
	}
	if a.status >= 400 && (a.code() == "" || a.body["request_id"] != a.header.Get("X-Request-Id")) {
		t.Errorf("%s: %s lacks its code or the request_id %q", a.what, a.raw, a.header.Get("X-Request-Id"))
	}
}

func (a *reply) code() string {
	code, _ := a.body["code"].(string)
	return code
}

// want fails the test unless the answer has the status, and the code unless it is a
// success.
func (a *reply) want(t testing.TB, status int, code string) *reply {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Fatalf("%s: got %d %s, want %d with code %q", a.what, a.status, a.raw, status, code)
	}
	return a
}

// cookie returns the only cookie of that name that the answer sets.
func (a *reply) cookie(t testing.TB, name string) *http.Cookie {
	t.Helper()
	var found []*http.Cookie
	for _, c := range a.set {
		if c.Name == name {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s: got %d cookies %s, want 1", a.what, len(found), name)
	}
	return found[0]
}

// assistant returns the member assistant.
func (a *reply) assistant(t testing.TB) map[string]any {
	t.Helper()
	p, ok := a.body["assistant"].(map[string]any)
	if !ok {
		t.Fatalf("%s: %s has no assistant", a.what, a.raw)
	}
	return p
}

// names returns the names in the member assistants.
func (a *reply) names(t testing.TB) []string {
	t.Helper()
	list, ok := a.body["assistants"].([]any)
	if !ok {
		t.Fatalf("%s: %s has no assistants", a.what, a.raw)
	}
	names := make([]string, 0, len(list))
	for _, p := range list {
		names = append(names, p.(map[string]any)["Name"].(string))
	}
	return names
}

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// voiceflow answers from a map.
type voiceflow struct {
	mu      sync.Mutex
	exports map[string]domain.Export
	err     error
	asked   int
	panics  bool
	refused []string // keys that open nothing
	during  func()   // what happens while it holds an answer to Export
	forward func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error)
}

// Forward answers as the test says, and otherwise with an empty list.
func (v *voiceflow) Forward(ctx context.Context, f domain.Forward, r *http.Request, key domain.Secret) (ports.Answer, error) {
	v.mu.Lock()
	answer := v.forward
	v.mu.Unlock()
	bind := f.UserIDs.Bind
	if bind == nil {
		bind = func(own string) (string, error) { return own, nil }
	}
	used, err := chosen(ctx, f, r)
	if err != nil {
		return ports.Answer{}, err
	}
	if _, err := f.Route.Target(f.Project, used, bind); err != nil {
		return ports.Answer{}, err
	}
	if f.Begin != nil {
		if err := f.Begin(ctx); err != nil {
			return ports.Answer{}, err
		}
	}
	if answer == nil {
		return response(200, "application/json", `[]`), nil
	}
	a, err := answer(ctx, f, r, key)
	a.Sent = true
	return a, err
}

// chosen returns the environment that the call uses, by its path, its header and its query.
func chosen(ctx context.Context, f domain.Forward, r *http.Request) (domain.UsedEnvironment, error) {
	if err := f.Route.CheckProject(f.Project); err != nil {
		return domain.UsedEnvironment{}, err
	}
	return f.Environment(ctx, testworld.Asked(r))
}

// Environments lists main, with each version of the project as a publish of it.
func (v *voiceflow) Environments(_ context.Context, project domain.VoiceflowID, _ domain.Secret) ([]domain.EnvironmentState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for version, e := range v.exports {
		if e.Project == project {
			return []domain.EnvironmentState{{Alias: "main", Published: version, Draft: draftOf(project)}}, nil
		}
	}
	return nil, &domain.Error{Kind: domain.VoiceflowRejected, Public: "refused"}
}

// draftOf is the version id of the draft of main.
func draftOf(project domain.VoiceflowID) string { return "dddd" + string(project)[4:] }

// answers makes Voiceflow answer forwarded calls by answer.
func (v *voiceflow) answers(answer func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forward = answer
}

// response is an answer of Voiceflow's.
func response(status int, contentType, text string) ports.Answer {
	h := http.Header{}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return ports.Answer{StatusCode: status, Header: h, Body: body{io.NopCloser(strings.NewReader(text))}, ContentLength: int64(len(text))}
}

// body is the body of an answer, which says nothing about credits.
type body struct{ io.ReadCloser }

func (body) CreditsUsedUp() bool { return false }

// starts is the answer to a call that starts a session for the user.
func starts(f domain.Forward, userID, text string) ports.Answer {
	a := response(200, "application/json", text)
	a.Started = ports.Started{UserID: userID, Key: domain.NewSecret("session-canary")}
	return a
}

func (v *voiceflow) Origins() domain.Origins {
	origins := domain.Origins{}
	for _, service := range domain.Services() {
		origins[service] = "https://api.voiceflow.example"
	}
	return origins
}

func (v *voiceflow) Export(_ context.Context, ref domain.VersionRef, key domain.Secret) (domain.Export, error) {
	v.mu.Lock()
	during := v.during
	v.mu.Unlock()
	if during != nil {
		during()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.panics {
		panic("no such luck")
	}
	if v.err != nil {
		return domain.Export{}, v.err
	}
	e, there := v.exports[ref.Version]
	if !there || slices.Contains(v.refused, key.Reveal()) {
		return domain.Export{}, &domain.Error{Kind: domain.VoiceflowRejected, Public: "Voiceflow does not know this version"}
	}
	return e, nil
}

func (v *voiceflow) CheckPersonal(_ context.Context, _ domain.VoiceflowID, token domain.Secret) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.err != nil {
		return v.err
	}
	if slices.Contains(v.refused, token.Reveal()) {
		return &domain.Error{Kind: domain.VoiceflowRejected, Public: "Voiceflow does not know this token"}
	}
	return nil
}

// change lets f change what Voiceflow answers.
func (v *voiceflow) change(f func(v *voiceflow)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v)
}

// invent makes up a version whose assistant bears the name.
func (v *voiceflow) invent(name string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	const digits = "0123456789abcdef"
	id := []byte("cccccccccccccccccccccccc")
	for i, n := len(id)-1, len(v.exports); n > 0; i, n = i-1, n/16 {
		id[i] = digits[n%16]
	}
	v.exports[string(id)] = domain.Export{Project: domain.VoiceflowID(id), Name: name}
	return string(id)
}

func (v *voiceflow) requests() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// inMemory is every port but Voiceflow, with nothing in it.
func inMemory(now ports.Clock) app.Ports {
	store, cipher := memory.New(now), memory.NewCipher()
	return app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: memory.NewPseudonyms(),
		Logins: &app.Logins{Passwords: memory.PasswordHasher{}, Attempts: unbounded{}}, Webhooks: memory.NewWebhookSender(), Clock: now,
	}
}

// unbounded lets anyone try as often as they like.
type unbounded struct{}

func (unbounded) Begin(domain.Username, string) (func(), error) { return func() {}, nil }
