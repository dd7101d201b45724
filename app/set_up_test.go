package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// emptyWorld has no user.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.store = memory.New(w.now)
	w.cipher = memory.NewCipher()
	w.Service = w.open(t, w.ports())
	return w
}

// setupLink returns the token of a link that another service with the same keyset made, and what the
// audit says by now.
func (w *world) setupLink(t *testing.T) (token string, expires time.Time) {
	t.Helper()
	p := w.ports()
	p.Store.Users = memory.New(w.now).Ports().Users
	link, err := w.open(t, p).NewSetupLink(t.Context(), w.operator(t))
	if err != nil {
		t.Fatal(err)
	}
	return link.Token.Reveal(), link.Expires
}

var stranger = domain.Call{RequestID: "setup", Address: "192.0.2.7", Agent: "browser"}

func settingUp(token string) app.SetUp {
	return app.SetUp{Token: domain.NewSecret(token), Username: "Ada", Password: domain.NewSecret(password)}
}

func TestASetupLinkCreatesTheFirstAdminAndLogsThemIn(t *testing.T) {
	w := emptyWorld(t)
	token, expires := w.setupLink(t)
	if want := domain.Instant(w.now().Add(30 * time.Minute)); !expires.Equal(want) {
		t.Errorf("it expires at %s, want %s", expires, want)
	}
	if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || len(token) > 300 {
		t.Errorf("the token %q does not fit into a path", token)
	}
	other, _ := w.setupLink(t)
	before := len(w.store.Records())
	// Opening the page uses nothing up.
	for range 3 {
		wantKind(t, w.CheckSetupLink(t.Context(), domain.NewSecret(token)), "")
	}
	in, err := w.SetUp(t.Context(), stranger, settingUp(token))
	if err != nil {
		t.Fatal(err)
	}
	if in.User.Name != "ada" || in.User.Role != domain.RoleAdmin || in.Cookie.Text == "" || in.Cookie.MaxAge != 0 {
		t.Errorf("got %+v", in)
	}
	admin := w.call(t, in.Cookie.Text)
	if admin.Caller.ID != in.User.ID || !admin.Caller.Admin || admin.Caller.Login.Address != stranger.Address {
		t.Errorf("the cookie is that of %+v", admin.Caller)
	}
	wantActions(t, w.actions(before), "setup_link make_admin", "setup_link create_user", "user login")
	if rec := w.store.Records()[before]; rec.Object != domain.OnUser(in.User.ID) || rec.Address != stranger.Address || rec.RequestID != stranger.RequestID {
		t.Errorf("the audit has %+v", rec)
	}
	if _, err := w.Audit().Verify(t.Context(), admin, ""); err != nil {
		t.Errorf("the audit does not tell how the first admin began: %v", err)
	}
	for name, link := range map[string]string{"the same link": token, "another link": other} {
		wantKind(t, w.CheckSetupLink(t.Context(), domain.NewSecret(link)), domain.Conflict)
		_, err := w.SetUp(t.Context(), stranger, app.SetUp{Token: domain.NewSecret(link), Username: "eve", Password: domain.NewSecret(password)})
		if domain.KindOf(err) != domain.Conflict || !strings.Contains(err.Error(), "there is a user already; log in") {
			t.Errorf("%s again: got error %v, want a Conflict that says to log in", name, err)
		}
	}
	_, err = w.NewSetupLink(t.Context(), w.operator(t))
	wantKind(t, err, domain.Conflict)
	w.login(t, "ada", false)
}

func TestARefusedSetUpLeavesTheLinkUsable(t *testing.T) {
	w := emptyWorld(t)
	token, _ := w.setupLink(t)
	for name, change := range map[string]func(in *app.SetUp){
		"no name":                    func(in *app.SetUp) { in.Username = "" },
		"a name of other characters": func(in *app.SetUp) { in.Username = "ada lovelace" },
		"no password":                func(in *app.SetUp) { in.Password = domain.Secret{} },
		"a short password":           func(in *app.SetUp) { in.Password = domain.NewSecret("short") },
	} {
		t.Run(name, func(t *testing.T) {
			in := settingUp(token)
			change(&in)
			_, err := w.SetUp(t.Context(), stranger, in)
			wantKind(t, err, domain.Invalid)
			wantKind(t, w.CheckSetupLink(t.Context(), domain.NewSecret(token)), "")
		})
	}
	wantActions(t, w.actions(0))
	if _, err := w.SetUp(t.Context(), stranger, settingUp(token)); err != nil {
		t.Error(err)
	}
}

func TestASetupLinkThatCanNotBeUsedSaysHowToGetAnother(t *testing.T) {
	w := emptyWorld(t)
	token, _ := w.setupLink(t)
	notice, err := w.SealNotice(domain.Call{}, strings.Repeat("x", 32))
	if err != nil {
		t.Fatal(err)
	}
	foreign := emptyWorld(t)
	foreignToken, _ := foreign.setupLink(t)
	for _, tc := range []struct {
		name  string
		token string
		after time.Duration
		want  string // "" if it can be used
	}{
		{"a link lasts 30 minutes", token, 30*time.Minute - time.Microsecond, ""},
		{"a link has expired after 30 minutes", token, 30 * time.Minute, "this set-up link has expired; to get another one, run flowlatch setup-link"},
		{"an empty token is invalid", "", 0, "this set-up link is invalid; to get another one, run flowlatch setup-link"},
		{"a made-up token is invalid", strings.Repeat("A", 43), 0, "this set-up link is invalid"},
		{"a changed token is invalid", token[:len(token)-1], 0, "this set-up link is invalid"},
		{"a notice is no set-up link", notice, 0, "this set-up link is invalid"},
		{"a link of another installation is invalid", foreignToken, 0, "this set-up link is invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.after(tc.after)
			defer w.after(-tc.after)
			err := w.CheckSetupLink(t.Context(), domain.NewSecret(tc.token))
			if tc.want == "" {
				wantKind(t, err, "")
				return
			}
			_, setUpErr := w.SetUp(t.Context(), stranger, settingUp(tc.token))
			for _, err := range []error{err, setUpErr} {
				if domain.KindOf(err) != domain.NotFound || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got error %v, want NotFound with %q", err, tc.want)
				}
			}
		})
	}
	if has, err := w.HasUsers(t.Context()); has || err != nil {
		t.Errorf("there is a user (%v, error %v)", has, err)
	}
	full := newWorld(t)
	call, cookie := full.login(t, "ada", false)
	wantKind(t, full.CheckSetupLink(t.Context(), domain.NewSecret(cookie)), domain.NotFound)
	_, err = full.NewSetupLink(t.Context(), call)
	wantKind(t, err, domain.NotAllowed)
	_, err = w.NewSetupLink(t.Context(), domain.Call{Caller: domain.CallerBySetupLink()})
	wantKind(t, err, domain.NotAllowed)
}

func TestASetupLinkOutlivesARotationAndAnOutageSaysNothingOfIt(t *testing.T) {
	w := emptyWorld(t)
	token, _ := w.setupLink(t)
	w.rotate(t)
	wantKind(t, w.CheckSetupLink(t.Context(), domain.NewSecret(token)), "")
	w.store.Break()
	wantKind(t, w.CheckSetupLink(t.Context(), domain.NewSecret(token)), domain.Unavailable)
	wantKind(t, w.CheckSetupLink(t.Context(), domain.NewSecret("made up")), domain.NotFound)
	_, err := w.SetUp(t.Context(), stranger, settingUp(token))
	wantKind(t, err, domain.Unavailable)
	w.store.Mend()
	p, cipher := w.ports(), &outage{Cipher: w.cipher}
	p.Cipher, p.Keyring = cipher, cipher
	s := w.open(t, p)
	cipher.on.Store(true)
	wantKind(t, s.CheckSetupLink(t.Context(), domain.NewSecret(token)), domain.Unavailable)
	cipher.on.Store(false)
	wantKind(t, s.CheckSetupLink(t.Context(), domain.NewSecret(token)), "")
}

func TestAHostProgramHasNoSetupLinks(t *testing.T) {
	w := newWorld(t)
	s := hosted(t, w)
	_, err := s.NewSetupLink(t.Context(), w.operator(t))
	wantKind(t, err, domain.NotFound)
	wantKind(t, s.CheckSetupLink(t.Context(), domain.NewSecret("x")), domain.NotFound)
	_, err = s.SetUp(t.Context(), stranger, settingUp("x"))
	wantKind(t, err, domain.NotFound)
}

func TestOfManySetUpsAtOnceOneCreatesAUser(t *testing.T) {
	w := emptyWorld(t)
	another := w.open(t, w.ports())
	errs := make([]error, 32)
	ready, all := make(chan struct{}), sync.WaitGroup{}
	for i := range errs {
		token, _ := w.setupLink(t)
		in := settingUp(token)
		in.Username = fmt.Sprintf("ada%d", i)
		service := []*app.Service{w.Service, another}[i%2]
		all.Go(func() {
			<-ready
			_, errs[i] = service.SetUp(context.WithoutCancel(t.Context()), stranger, in)
		})
	}
	close(ready)
	all.Wait()
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
			continue
		}
		wantKind(t, err, domain.Conflict)
	}
	users, err := w.store.Ports().Users.Page(t.Context(), domain.Cursor{}, 10)
	if created != 1 || len(users) != 1 || err != nil {
		t.Errorf("%d were told that they succeeded, and there are %d users (error %v); want one", created, len(users), err)
	}
}
