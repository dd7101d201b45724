package app_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/backup"
	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// withoutOrigins is a Voiceflow that does not say where it sends keys.
type withoutOrigins struct{ ports.Voiceflow }

func (withoutOrigins) Origins() domain.Origins { return nil }

func TestOpenWantsItsPorts(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(p *app.Ports){
		"no projects":         func(p *app.Ports) { p.Store.Projects = nil },
		"no sessions":         func(p *app.Ports) { p.Store.Sessions = nil },
		"no installation":     func(p *app.Ports) { p.Store.Installation = nil },
		"no sealings":         func(p *app.Ports) { p.Store.Sealings = nil },
		"no cipher":           func(p *app.Ports) { p.Cipher = nil },
		"no keyring":          func(p *app.Ports) { p.Keyring = nil },
		"no Voiceflow":        func(p *app.Ports) { p.Voiceflow = nil },
		"an origin too few":   func(p *app.Ports) { p.Voiceflow = withoutOrigins{p.Voiceflow} },
		"no pseudonyms":       func(p *app.Ports) { p.Pseudonyms = nil },
		"no store":            func(p *app.Ports) { p.Store = ports.Store{} },
		"no users":            func(p *app.Ports) { p.Store.Users = nil },
		"no access":           func(p *app.Ports) { p.Store.Access = nil },
		"logins, no hasher":   func(p *app.Ports) { p.Logins = &app.Logins{Attempts: w.attempts} },
		"logins, no attempts": func(p *app.Ports) { p.Logins = &app.Logins{Passwords: memory.PasswordHasher{}} },
	} {
		p := w.ports()
		change(&p)
		if _, err := app.Open(t.Context(), p, app.Options{}); err == nil {
			t.Errorf("%s: Open succeeded", name)
		}
	}
	if _, err := app.Open(t.Context(), w.ports(), app.Options{Lifetimes: domain.Lifetimes{Idle: time.Millisecond}}); err == nil {
		t.Error("an idle time under a second: Open succeeded")
	}
}

func TestSweepTakesWhatIsOver(t *testing.T) {
	w := newWorld(t)
	w.set(t, w.admin, w.project(t, "Bot", versionID))
	w.after(time.Hour)
	_, remembered := w.login(t, "ada", true)
	before := len(w.store.Records())
	if n, err := w.Sweep(t.Context()); n != 2 || err != nil {
		t.Errorf("swept %d, %v; want the login that is over and what was under it", n, err)
	}
	wantActions(t, w.actions(before))
	w.call(t, remembered)
}

// A service starts on a restored backup, and its users log in.
func TestOpenAfterARestore(t *testing.T) {
	w := newWorld(t)
	w.project(t, "Bot", versionID)
	w.project(t, "Another", "6371c9b4e1a5b2c3d4e5f6ab")
	var file bytes.Buffer
	from := backup.Source{Archive: w.store.Archive(), Audit: w.store.Ports().Audit, Keyset: w.Keyset(), Clock: w.now}
	if _, err := backup.Write(t.Context(), from, w.admin, &file); err != nil {
		t.Fatal(err)
	}
	w.store = memory.New(w.now)
	b, err := backup.Open(t.Context(), backup.Ports{Cipher: w.cipher, Keyring: w.cipher, Origins: w.voiceflow.Origins()}, bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Restore(t.Context(), w.store.Archive()), "")
	w.Service = w.open(t, w.ports())
	if got := w.isSet(t, w.admin, ""); got != "" {
		t.Errorf("an assistant is set: %s", got)
	}
	call, _ := w.login(t, "ada", false)
	page, err := w.GetProjects(t.Context(), call, domain.Cursor{}, 10)
	if err != nil || len(page.Items) != 2 {
		t.Errorf("got %v, %v; want two projects", page.Items, err)
	}
}

func TestHasUsers(t *testing.T) {
	w := newWorld(t)
	if has, err := w.HasUsers(t.Context()); !has || err != nil {
		t.Errorf("got %v, %v; want true", has, err)
	}
	p := w.ports()
	p.Store.Users = memory.New(w.now).Ports().Users
	if has, err := w.open(t, p).HasUsers(t.Context()); has || err != nil {
		t.Errorf("with no user: got %v, %v; want false", has, err)
	}
}

// hosted is a service of a host program with users and a login of its own.
func hosted(t *testing.T, w *world) *app.Service {
	p := w.ports()
	p.Logins = nil
	return w.open(t, p)
}

func TestHostBringsItsUsers(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	s := hosted(t, w)
	call := func(id domain.UserID, admin bool) domain.Call {
		return domain.Call{Caller: domain.Caller{ID: id, Admin: admin}}
	}
	admin, member := call("host|admin", true), call("host|member", false)

	if s.OwnUsers() {
		t.Error("the service says that it keeps users")
	}
	wantKind(t, s.GrantProject(t.Context(), admin, "host|member", string(p.ID), nil), "")
	set, err := s.SetProject(t.Context(), member, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.SetProject(t.Context(), member, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	for name, cookie := range map[string]string{"the first": set.Cookie.Text, "the second": again.Cookie.Text} {
		if got, err := s.Assistant(t.Context(), member.Caller, cookie); err != nil || got.ID != p.ID {
			t.Errorf("%s device: got %v, %v; want the project", name, got.ID, err)
		}
	}
	checked, err := s.CheckSession(t.Context(), member, set.Cookie.Text)
	if err != nil || checked.Assistant == nil || checked.User.ID != "host|member" || checked.User.Role != domain.RoleMember || len(checked.User.Assistants) != 1 {
		t.Errorf("got %+v, %v", checked, err)
	}
	if _, err := s.Assistant(t.Context(), call("host|other", true).Caller, set.Cookie.Text); domain.KindOf(err) != domain.NotAuthenticated {
		t.Errorf("another user's cookie: got %v, want NotAuthenticated", err)
	}

	byRole, err := s.SetProject(t.Context(), admin, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	demoted := call("host|admin", false)
	if _, err := s.Assistant(t.Context(), demoted.Caller, byRole.Cookie.Text); domain.KindOf(err) != domain.NotAuthenticated {
		t.Errorf("a role that the host took away: got %v, want NotAuthenticated", err)
	}
	wantKind(t, s.RevokeProject(t.Context(), admin, "host|member", string(p.ID)), "")
	if _, err := s.Assistant(t.Context(), member.Caller, set.Cookie.Text); domain.KindOf(err) != domain.NotAuthenticated {
		t.Errorf("a grant that was revoked: got %v, want NotAuthenticated", err)
	}

	_, err = s.Logout(t.Context(), member)
	wantKind(t, err, "")
	_, err = s.Identify(t.Context(), "anything")
	wantKind(t, err, domain.NotAuthenticated)
	_, err = s.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password)})
	wantKind(t, err, domain.NotFound)
	_, err = s.CreateUser(t.Context(), admin, app.CreateUser{})
	wantKind(t, err, domain.NotFound)
	wantKind(t, s.ChangePassword(t.Context(), admin, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret(password)}), domain.NotFound)
	if has, err := s.HasUsers(t.Context()); !has || err != nil {
		t.Errorf("HasUsers: got %v, %v; want true", has, err)
	}
}

func TestCookiesOfAnotherKeysetAreNobody(t *testing.T) {
	w := newWorld(t)
	foreign := memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	text, _, err := cookie.New(foreign).Seal(w.admin.Caller.Login.Claims(""))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Identify(t.Context(), text)
	wantKind(t, err, domain.NotAuthenticated)

	longer := w.admin.Caller.Login
	longer.Expires = longer.Expires.Add(time.Hour)
	_, err = w.Identify(t.Context(), w.cookieOf(t, longer.Claims("")))
	wantKind(t, err, domain.NotAuthenticated) // well sealed, and not what is stored
}

// failingRandom is a source of randomness that has none.
type failingRandom struct{}

func (failingRandom) Read([]byte) (int, error) { return 0, errBoom }

func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	p.Random = failingRandom{}
	s := w.open(t, p)
	w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Bot"})
	before := len(w.store.Records())
	if _, err := s.AddProject(t.Context(), w.admin, app.AddProject{Version: versionID, Key: domain.NewSecret("k")}); err == nil {
		t.Error("AddProject succeeded")
	}
	if _, err := s.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password)}); err == nil {
		t.Error("Login succeeded")
	}
	if _, err := s.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "eve", Password: domain.NewSecret(password)}); err == nil {
		t.Error("CreateUser succeeded")
	}
	if _, err := s.OperatorCall(); err == nil {
		t.Error("OperatorCall succeeded")
	}
	if len(w.store.Records()) != before {
		t.Error("something was stored")
	}
}
