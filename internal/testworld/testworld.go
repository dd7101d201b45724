// Package testworld is a small installation on the in-memory adapters, for the tests of the
// packages below app. It writes to the store directly, without use cases.
package testworld

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Origin is the Voiceflow of the installation.
const Origin = domain.Origin("https://api.voiceflow.test")

// Origins returns the origins of the installation, each service with its own.
func Origins() domain.Origins {
	return domain.Origins{
		domain.ServiceAPI: Origin, domain.ServiceRuntime: "https://runtime.voiceflow.test",
		domain.ServiceAnalytics: "https://analytics.voiceflow.test", domain.ServiceRealtime: "https://realtime.voiceflow.test",
	}
}

// PasswordHash is the password hash of every user.
const PasswordHash = "a password hash"

// ErrBoom is an error that is no domain.Error.
var ErrBoom = errors.New("boom")

// Garbage opens for nobody.
var Garbage = domain.Sealed{Key: "gone", Bytes: []byte("these bytes open for nobody")}

// The identity provider of an installation, and where browsers find the installation.
const (
	Issuer  = "https://login.example"
	BaseURL = "https://flowlatch.example" // the provider sends browsers back to it
)

// NewProvider returns an identity provider for the installation.
func NewProvider(now ports.Clock) *memory.IdentityProvider {
	return memory.NewIdentityProvider(Issuer, now)
}

// Person returns who logs in by the identity provider, who is in the groups.
func Person(subject string, groups ...string) domain.Person {
	return domain.Person{
		Identity: domain.Identity{Issuer: Issuer, Subject: subject}, Name: subject, Sid: "session of " + subject, Groups: domain.ListedGroups(groups),
	}
}

// World is an installation with a clock of its own.
type World struct {
	Store      *memory.Store
	Cipher     *memory.Cipher // its keyset exists
	Pseudonyms *memory.Pseudonyms
	Admin      domain.Call      // of the admin "ada", who is logged in
	Lifetimes  domain.Lifetimes // of logins; an hour in New

	mu       sync.Mutex
	at       time.Time
	projects int
}

// New returns a World with the admin "ada".
func New(t testing.TB) *World {
	t.Helper()
	w := &World{
		Cipher: memory.NewCipher(), Pseudonyms: memory.NewPseudonyms(), at: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		Lifetimes: domain.Lifetimes{Idle: time.Hour, Absolute: time.Hour, Remember: time.Hour},
	}
	w.Store = memory.New(w.Now)
	must(t, w.Cipher.Prepare(t.Context(), true))
	ada := w.User(t, "ada", domain.RoleAdmin)
	w.Admin = w.Login(t, ada, domain.RoleAdmin)
	return w
}

// Now returns the time of the world. It moves only by After.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// After moves the clock.
func (w *World) After(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// Operator returns the call of a command.
func (w *World) Operator() domain.Call {
	return domain.Call{Caller: domain.Operator(), RequestID: "command"}
}

// Member returns the call of a user who is not an admin.
func (w *World) Member() domain.Call { return domain.Call{Caller: domain.Caller{ID: "x"}} }

func (w *World) act(action domain.Action, object string) domain.Act {
	return w.Operator().Act(w.Now(), domain.NeedsAdmin(), action, object)
}

// User stores a user who may use the projects.
func (w *World) User(t testing.TB, name domain.Username, role domain.Role, projects ...domain.ProjectID) domain.UserID {
	t.Helper()
	id, err := domain.NewUserID(w.Now(), rand.Reader)
	must(t, err)
	u := domain.NewUser(id, name, role, domain.NewSecret(PasswordHash), projects, w.Now())
	must(t, w.Store.Ports().Users.Create(t.Context(), w.act(domain.ActionCreateUser, domain.OnUser(id)), u))
	return id
}

// Login stores a login whose cookie the current key has sealed, and returns the user's call.
func (w *World) Login(t testing.TB, user domain.UserID, role domain.Role) domain.Call {
	t.Helper()
	id, err := domain.NewSessionID(w.Now(), rand.Reader)
	must(t, err)
	login := domain.NewLogin(id, user, false, w.Now(), w.Lifetimes, "192.0.2.1", "")
	login.SealedBy = w.Cipher.Keys()[0]
	call := domain.Call{Caller: domain.CallerByLogin(login, role), RequestID: "request", Address: "192.0.2.1"}
	rec := call.Record(w.Now(), domain.ActionLogin, domain.OnSession(id))
	must(t, w.Store.Ports().Sessions.OpenLogin(t.Context(), login, domain.NewSecret(PasswordHash), rec))
	return call
}

// Session returns the session of the user, zero if it is over.
func (w *World) Session(t testing.TB, user domain.UserID, id domain.SessionID) domain.Session {
	t.Helper()
	all, err := w.Store.Ports().Sessions.Page(t.Context(), user, domain.Cursor{}, 100)
	must(t, err)
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	return domain.Session{}
}

// Project stores a project with the primary key "VF.DM.key".
func (w *World) Project(t testing.TB, name string) domain.Project {
	t.Helper()
	id, err := domain.NewProjectID(w.Now(), rand.Reader)
	must(t, err)
	version := fmt.Sprintf("6371c9b4e1a5b2c3d4%06d", w.projects)
	w.projects++
	p, err := domain.NewProject(id, domain.VersionRef{Version: version}, domain.Export{Project: "6371c9b4e1a5b2c3d4e5f607", Name: name}, w.Now())
	must(t, err)
	sealed, err := w.Cipher.Seal(domain.NewSecret("VF.DM.key"), domain.BindKey(id, domain.SlotPrimary, Origin))
	must(t, err)
	p.PutKey(domain.SlotPrimary, sealed, w.Now(), w.Now())
	must(t, w.Store.Ports().Projects.Add(t.Context(), w.act(domain.ActionAddProject, domain.OnProject(id)), p))
	return p
}

// Projects stores n projects, "Bot 000" and so on.
func (w *World) Projects(t testing.TB, n int) []domain.Project {
	t.Helper()
	all := make([]domain.Project, n)
	for i := range all {
		all[i] = w.Project(t, fmt.Sprintf("Bot %03d", i))
	}
	return all
}

// Stored returns the project as it is stored.
func (w *World) Stored(t testing.TB, p domain.Project) domain.Project {
	t.Helper()
	found, err := w.Store.Ports().Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: p.ID})
	must(t, err)
	p, err = domain.ExactlyOne(found)
	must(t, err)
	return p
}

// Token stores an access token of the admin's for the project.
func (w *World) Token(t testing.TB, p domain.Project) domain.AccessToken {
	t.Helper()
	id, err := domain.NewTokenID(w.Now(), rand.Reader)
	must(t, err)
	token, err := domain.NewAccessToken(id, w.Admin.Caller, domain.TokenSpec{Name: "a program", Project: p.ID, Days: 90}, w.Now())
	must(t, err)
	_, hash, prefix, err := domain.NewAccessTokenText(rand.Reader)
	must(t, err)
	token.Prefix = prefix
	act := w.Admin.Act(w.Now(), token.Needs(), domain.ActionCreateAccessToken, domain.OnToken(id))
	must(t, w.Store.Ports().Tokens.Create(t.Context(), act, token, hash))
	return token
}

// Rotate adds a key to the keyset that seals from then on. The store does not learn of it.
func (w *World) Rotate(t testing.TB) domain.KeyID {
	t.Helper()
	key, err := w.Cipher.Rotate(t.Context(), func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil })
	must(t, err)
	return key
}

// Actions returns the audit rows as "actor action", from the first one after the rows that were
// there before.
func (w *World) Actions(before int) []string {
	var out []string
	for _, r := range w.Store.Records()[before:] {
		actor, _, _ := strings.Cut(string(r.Actor), ":")
		out = append(out, actor+" "+string(r.Action))
	}
	return out
}

// WantKind fails the test unless err is of the kind; "" is no error.
func WantKind(t testing.TB, err error, want domain.Kind) {
	t.Helper()
	if domain.KindOf(err) != want || (want == "") != (err == nil) {
		t.Errorf("got error %v, want kind %q", err, want)
	}
}

// WantActions fails the test unless the rows are these.
func WantActions(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("audit has %v, want %v", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
