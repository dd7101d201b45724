package app_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

const (
	password    = "a phrase for the tests"
	voiceflowID = domain.VoiceflowID("6371c9b4e1a5b2c3d4e5f607")
	versionID   = "6371c9b4e1a5b2c3d4e5f6aa"
)

// world is a service on the in-memory adapters, with a clock of the test's own.
type world struct {
	*app.Service
	store     *memory.Store
	cipher    *memory.Cipher
	voiceflow *voiceflow
	attempts  *attempts
	webhooks  *memory.WebhookSender

	pseudonyms *memory.Pseudonyms
	admin      domain.Call

	mu sync.Mutex
	at time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) after(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// newWorld has the admin "ada", who is logged in.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		at:        time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		voiceflow: &voiceflow{exports: map[string]domain.Export{}, origin: "https://api.voiceflow.test"},
		attempts:  &attempts{limit: 3},
		webhooks:  memory.NewWebhookSender(),
		cipher:    memory.NewCipher(),

		pseudonyms: memory.NewPseudonyms(),
	}
	w.store = memory.New(w.now)
	w.Service = w.open(t, w.ports())
	w.user(t, w.operator(t), "ada", "admin")
	w.admin, _ = w.login(t, "ada", false)
	return w
}

func (w *world) ports() app.Ports {
	return app.Ports{
		Store: w.store.Ports(), Cipher: w.cipher, Keyring: w.cipher, Pseudonyms: w.pseudonyms, Voiceflow: w.voiceflow,
		Logins: &app.Logins{Passwords: memory.PasswordHasher{}, Attempts: w.attempts}, Webhooks: w.webhooks, Clock: w.now,
	}
}

// act is a change by the operator.
func act(action domain.Action) domain.Act {
	return domain.Act{By: domain.Operator(), Needs: domain.NeedsAdmin(), Record: domain.Record{Action: action, Count: 1}}
}

// session is the session of the user, zero if it is over.
func (w *world) session(t *testing.T, user domain.UserID, id domain.SessionID) domain.Session {
	t.Helper()
	all, err := w.store.Ports().Sessions.Page(t.Context(), user, domain.Cursor{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	return domain.Session{}
}

func (w *world) open(t testing.TB, p app.Ports) *app.Service {
	t.Helper()
	s, err := app.Open(t.Context(), p, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// operator is the call of a command.
func (w *world) operator(t testing.TB) domain.Call {
	t.Helper()
	call, err := w.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// rotate adds a key that seals from then on.
func (w *world) rotate(t *testing.T) domain.KeyID {
	t.Helper()
	key, err := w.cipher.Rotate(t.Context(), func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// user makes a user and returns their id.
func (w *world) user(t testing.TB, by domain.Call, name, role string, assistants ...string) domain.UserID {
	t.Helper()
	u, err := w.CreateUser(t.Context(), by, app.CreateUser{Username: name, Password: domain.NewSecret(password), Role: role, Assistants: assistants})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// login returns the call of a user who is logged in, and their cookie.
func (w *world) login(t testing.TB, name string, remember bool) (domain.Call, string) {
	t.Helper()
	in, err := w.Login(t.Context(), domain.Call{Address: "192.0.2.1", RequestID: "login"}, app.Login{Username: name, Password: domain.NewSecret(password), Remember: remember})
	if err != nil {
		t.Fatal(err)
	}
	return w.call(t, in.Cookie.Text), in.Cookie.Text
}

// call is the call of whoever has the cookie.
func (w *world) call(t testing.TB, cookie string) domain.Call {
	t.Helper()
	in, err := w.Identify(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return domain.Call{Caller: in.Caller, RequestID: "request", Address: "192.0.2.1"}
}

// project adds a project with that name and version.
func (w *world) project(t testing.TB, name, version string) domain.Project {
	t.Helper()
	w.voiceflow.put(version, domain.Export{Project: voiceflowID, Name: name})
	p, err := w.AddProject(t.Context(), w.admin, app.AddProject{Version: version, Key: domain.NewSecret("VF.DM.key")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// set sets the project and returns the cookie.
func (w *world) set(t *testing.T, call domain.Call, p domain.Project) string {
	t.Helper()
	set, err := w.SetProject(t.Context(), call, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	return set.Cookie.Text
}

// isSet says which project the cookie sets for call, "" for none.
func (w *world) isSet(t *testing.T, call domain.Call, cookie string) domain.ProjectID {
	t.Helper()
	checked, err := w.CheckSession(t.Context(), call, cookie)
	if err != nil {
		t.Fatal(err)
	}
	if checked.Assistant == nil {
		return ""
	}
	return checked.Assistant.ID
}

// actions are the audit rows as "actor action", from the first one after the rows that
// were there before.
func (w *world) actions(before int) []string {
	var out []string
	for _, r := range w.store.Records()[before:] {
		actor, _, _ := strings.Cut(string(r.Actor), ":")
		out = append(out, actor+" "+string(r.Action))
	}
	return out
}

func wantKind(t testing.TB, err error, want domain.Kind) {
	t.Helper()
	if domain.KindOf(err) != want || (want == "") != (err == nil) {
		t.Errorf("got error %v, want kind %q", err, want)
	}
}

func wantActions(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("audit has %v, want %v", got, want)
	}
}

// voiceflow answers from a map, by version.
type voiceflow struct {
	testworld.Voiceflow // takes the calls that are forwarded

	mu      sync.Mutex
	origin  domain.Origin
	exports map[string]domain.Export
	fails   error
	refuses map[string]error // what a key brings
	asked   int
	asks    []domain.VersionRef
}

func (v *voiceflow) put(version string, e domain.Export) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.exports[version] = e
}

// refuse lets keys bring errors from now on, when they are tried.
func (v *voiceflow) refuse(refuses map[string]error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refuses = refuses
}

func (v *voiceflow) Origins() domain.Origins {
	o := testworld.Origins()
	o[domain.ServiceAPI] = v.origin
	return o
}

func (v *voiceflow) Export(_ context.Context, ref domain.VersionRef, key domain.Secret) (domain.Export, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	v.asks = append(v.asks, ref)
	if v.fails != nil {
		return domain.Export{}, v.fails
	}
	if err := v.refuses[key.Reveal()]; err != nil {
		return domain.Export{}, err
	}
	e, ok := v.exports[ref.Version]
	if !ok {
		return domain.Export{}, &domain.Error{Kind: domain.VoiceflowRejected, Public: "refused"}
	}
	return e, nil
}

// Environments knows no environment.
func (v *voiceflow) Environments(context.Context, domain.VoiceflowID, domain.Secret) ([]domain.EnvironmentState, error) {
	return nil, &domain.Error{Kind: domain.VoiceflowRejected, Public: "refused"}
}

// CheckPersonal takes every token for every project, unless it is told otherwise.
func (v *voiceflow) CheckPersonal(_ context.Context, project domain.VoiceflowID, token domain.Secret) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	v.asks = append(v.asks, domain.VersionRef{Project: project})
	if v.fails != nil {
		return v.fails
	}
	return v.refuses[token.Reveal()]
}

// attempts counts what is booked and not taken back, up to a limit.
type attempts struct {
	mu     sync.Mutex
	limit  int
	booked int
}

func (a *attempts) Begin(domain.Username, string) (func(), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.booked >= a.limit {
		return nil, &domain.Error{Kind: domain.TooManyRequests, RetryAfter: time.Minute, Cause: domain.ErrLoginLocked}
	}
	a.booked++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.booked--
	}), nil
}

var errBoom = errors.New("boom")
