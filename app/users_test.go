package app_test

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func TestLoginFailuresAreOneAnswer(t *testing.T) {
	w := newWorld(t)
	w.attempts.limit = 100
	id := w.user(t, w.admin, "ben", "member")
	disabled := true
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(id), Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for name, in := range map[string]app.Login{
		"an unknown user":      {Username: "nobody", Password: domain.NewSecret(password)},
		"a wrong password":     {Username: "ada", Password: domain.NewSecret("another phrase")},
		"a disabled user":      {Username: "ben", Password: domain.NewSecret(password)},
		"what can be no name":  {Username: "a b\x00", Password: domain.NewSecret(password)},
		"a password too short": {Username: "ada", Password: domain.NewSecret("x")},
	} {
		_, err := w.Login(t.Context(), domain.Call{}, in)
		if domain.KindOf(err) != domain.NotAuthenticated {
			t.Errorf("%s: got error %v, want NotAuthenticated", name, err)
			continue
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("the failures are told apart: %v", texts)
	}
	for _, in := range []app.Login{{Username: "ada"}, {Password: domain.NewSecret(password)}} {
		_, err := w.Login(t.Context(), domain.Call{}, in)
		wantKind(t, err, domain.Invalid)
	}
}

func TestLoginFailuresAreBounded(t *testing.T) {
	w := newWorld(t)
	for range w.attempts.limit {
		_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret("wrong")})
		wantKind(t, err, domain.NotAuthenticated)
	}
	_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password)})
	wantKind(t, err, domain.TooManyRequests)
	wantKind(t, w.ChangePassword(t.Context(), w.admin, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret("another phrase")}), domain.TooManyRequests)
	w.attempts.booked = 0
	w.login(t, "ADA ", false)
	if w.attempts.booked != 0 {
		t.Error("a login that succeeded counts as a failure")
	}
}

func TestLoginIsIdleAbsoluteOrRemembered(t *testing.T) {
	w := newWorld(t)
	_, cookie := w.login(t, "ada", false)
	used := func() domain.Kind {
		_, err := w.Identify(t.Context(), cookie)
		return domain.KindOf(err)
	}
	for range 23 { // 11.5 hours, in steps shorter than the idle time
		w.after(29*time.Minute + 59*time.Second)
		if got := used(); got != "" {
			t.Fatalf("in use, the login ended with %q", got)
		}
	}
	w.after(30 * time.Minute)
	if got := used(); got != domain.NotAuthenticated {
		t.Errorf("idle for 30 minutes: got %q, want NotAuthenticated", got)
	}

	in, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password), Remember: true})
	if err != nil || in.Cookie.MaxAge != 720*time.Hour {
		t.Fatalf("a remembered cookie lasts %v, %v; want 720h", in.Cookie.MaxAge, err)
	}
	cookie = in.Cookie.Text
	w.after(720*time.Hour - time.Microsecond)
	if got := used(); got != "" {
		t.Errorf("a remembered login ended early with %q", got)
	}
	w.after(time.Microsecond)
	if got := used(); got != domain.NotAuthenticated {
		t.Errorf("after 720 hours: got %q, want NotAuthenticated", got)
	}
}

func TestWhatEndsALogin(t *testing.T) {
	yes, member := true, "member"
	secret := domain.NewSecret("another phrase here")
	for _, tc := range []struct {
		name string
		do   func(w *world, call domain.Call) error
		ends bool
	}{
		{"logging out", func(w *world, call domain.Call) error { _, err := w.Logout(t.Context(), call); return err }, true},
		{"being disabled", func(w *world, call domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(call.Caller.ID), Disabled: &yes})
			return err
		}, true},
		{"being deleted", func(w *world, call domain.Call) error {
			return w.DeleteUser(t.Context(), w.admin, string(call.Caller.ID))
		}, true},
		{"another password by an admin", func(w *world, call domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(call.Caller.ID), Password: &secret})
			return err
		}, true},
		{"another password by oneself ends the other logins only", func(w *world, call domain.Call) error {
			return w.ChangePassword(t.Context(), call, app.ChangePassword{Current: domain.NewSecret(password), Next: secret})
		}, false},
		{"losing the role does not end the login", func(w *world, call domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(call.Caller.ID), Role: &member})
			return err
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(t, w.admin, "ben", "admin")
			call, cookie := w.login(t, "ben", false)
			_, other := w.login(t, "ben", false)
			wantKind(t, tc.do(w, call), "")
			_, err := w.Identify(t.Context(), cookie)
			if got := domain.KindOf(err) == domain.NotAuthenticated; got != tc.ends {
				t.Errorf("the login ended: %v, want %v (%v)", got, tc.ends, err)
			}
			_, err = w.Identify(t.Context(), other)
			if tc.name == "another password by oneself ends the other logins only" {
				wantKind(t, err, domain.NotAuthenticated)
			}
		})
	}
}

func TestRightsAreThoseOfNow(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "ben", "admin")
	_, cookie := w.login(t, "ben", false)
	if call := w.call(t, cookie); !call.Caller.Admin {
		t.Fatal("the admin is not an admin")
	}
	member := "member"
	call := w.call(t, cookie)
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(call.Caller.ID), Role: &member}); err != nil {
		t.Fatal(err)
	}
	if call := w.call(t, cookie); call.Caller.Admin {
		t.Error("the role of the login lives on")
	}
}

func TestChangePasswordRefuses(t *testing.T) {
	w := newWorld(t)
	next := domain.NewSecret("another phrase here")
	wantKind(t, w.ChangePassword(t.Context(), w.admin, app.ChangePassword{Current: domain.NewSecret("wrong"), Next: next}), domain.Invalid)
	if w.attempts.booked != 1 {
		t.Errorf("%d failures are booked, want 1", w.attempts.booked)
	}
	wantKind(t, w.ChangePassword(t.Context(), w.admin, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret("short")}), domain.Invalid)
	wantKind(t, w.ChangePassword(t.Context(), w.admin, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret("password")}), domain.Invalid)
	wantKind(t, w.ChangePassword(t.Context(), w.admin, app.ChangePassword{Current: domain.NewSecret(password), Next: next}), "")
	_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password)})
	wantKind(t, err, domain.NotAuthenticated)
}

func TestUserUseCasesWantAnAdmin(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	id := string(w.user(t, w.admin, "ben", "member"))
	member, _ := w.login(t, "ben", false)
	role := "admin"
	for name, do := range map[string]func(call domain.Call) error{
		"create_user": func(c domain.Call) error { _, err := w.CreateUser(t.Context(), c, app.CreateUser{}); return err },
		"update_user": func(c domain.Call) error {
			_, err := w.UpdateUser(t.Context(), c, app.UpdateUser{ID: id, Role: &role})
			return err
		},
		"delete_user":    func(c domain.Call) error { return w.DeleteUser(t.Context(), c, id) },
		"get_all_users":  func(c domain.Call) error { _, err := w.GetAllUsers(t.Context(), c, domain.Cursor{}, 1); return err },
		"find_user":      func(c domain.Call) error { _, err := w.FindUser(t.Context(), c, "ada"); return err },
		"grant_project":  func(c domain.Call) error { return w.GrantProject(t.Context(), c, id, string(p.ID), nil) },
		"revoke_project": func(c domain.Call) error { return w.RevokeProject(t.Context(), c, id, string(p.ID)) },
	} {
		if err := do(member); domain.KindOf(err) != domain.NotAllowed {
			t.Errorf("%s by a member: got error %v, want NotAllowed", name, err)
		}
		if err := do(domain.Call{}); domain.KindOf(err) != domain.NotAllowed {
			t.Errorf("%s by nobody: got error %v, want NotAllowed", name, err)
		}
	}
}

func TestUsersAndGrantsThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	ada := string(w.admin.Caller.ID)
	const none = "0198c0de-7a3b-7cde-8abc-0123456789ab"
	wantKind(t, w.GrantProject(t.Context(), w.admin, none, string(p.ID), nil), domain.NotFound)
	wantKind(t, w.GrantProject(t.Context(), w.admin, ada, none, nil), domain.NotFound)
	wantKind(t, w.GrantProject(t.Context(), w.admin, ada, "x", nil), domain.Invalid)
	wantKind(t, w.GrantProject(t.Context(), w.admin, "", string(p.ID), nil), domain.Invalid)
	wantKind(t, w.DeleteUser(t.Context(), w.admin, none), domain.NotFound)
	wantKind(t, w.DeleteUser(t.Context(), w.admin, ada), domain.Conflict)
	_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: ada})
	wantKind(t, err, domain.Invalid)
	_, err = w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "ada", Password: domain.NewSecret(password)})
	wantKind(t, err, domain.Conflict)
	_, err = w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "eve", Password: domain.NewSecret(password), Assistants: []string{none}})
	wantKind(t, err, domain.NotFound)

	before := len(w.store.Records())
	for range 2 {
		wantKind(t, w.GrantProject(t.Context(), w.admin, ada, string(voiceflowID), nil), "")
	}
	for range 2 {
		wantKind(t, w.RevokeProject(t.Context(), w.admin, ada, string(p.ID)), "")
	}
	wantActions(t, w.actions(before), "user grant_project", "user revoke_project")
}

func TestLastAdminStays(t *testing.T) {
	w := newWorld(t)
	ada, member, yes := string(w.admin.Caller.ID), "member", true
	operator, err := w.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.UpdateUser(t.Context(), operator, app.UpdateUser{ID: ada, Role: &member})
	wantKind(t, err, domain.Conflict)
	_, err = w.UpdateUser(t.Context(), operator, app.UpdateUser{ID: ada, Disabled: &yes})
	wantKind(t, err, domain.Conflict)
	wantKind(t, w.DeleteUser(t.Context(), operator, ada), domain.Conflict)
	w.user(t, operator, "eve", "admin")
	before := len(w.store.Records())
	wantKind(t, w.DeleteUser(t.Context(), operator, ada), "")
	wantActions(t, w.actions(before), "operator delete_user")
}

func TestRoleIsMemberUnlessSaid(t *testing.T) {
	w := newWorld(t)
	u, err := w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "eve", Password: domain.NewSecret(password)})
	if err != nil || u.Role != domain.RoleMember {
		t.Errorf("got role %q, %v; want member", u.Role, err)
	}
	empty := ""
	_, err = w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(w.admin.Caller.ID), Role: &empty})
	wantKind(t, err, domain.Invalid)
	_, err = w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "eve2", Password: domain.NewSecret(password), Role: "root"})
	wantKind(t, err, domain.Invalid)
}
