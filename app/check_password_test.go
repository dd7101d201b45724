package app_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func TestAnAccessTokenTakesThePassword(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	ben, _ := w.talker(t, "ben", p)
	create := func(text string) error {
		_, err := w.CreateAccessToken(t.Context(), ben, app.CreateAccessToken{Name: "x", Project: string(p.ID), Password: domain.NewSecret(text)})
		return err
	}
	refused := func(text string, booked int) {
		t.Helper()
		err := create(text)
		wantKind(t, err, domain.Invalid)
		if !errors.Is(err, domain.ErrWrongPassword) || w.attempts.booked != booked {
			t.Errorf("got error %v and %d failures, want a refusal and %d failures", err, w.attempts.booked, booked)
		}
	}
	for _, text := range []string{"", "wrong"} {
		_, err := w.CreateAccessToken(t.Context(), w.admin, app.CreateAccessToken{Name: "x", Scopes: []string{"manage"}, Password: domain.NewSecret(text)})
		if wantKind(t, err, domain.Invalid); !errors.Is(err, domain.ErrWrongPassword) {
			t.Errorf("an admin with the password %q: got error %v, want a refusal", text, err)
		}
	}
	w.attempts.booked = 0
	refused("", 0)
	refused("wrong", 1)
	refused(password+" ", 2)
	wantKind(t, create(password), "")
	for w.attempts.booked < w.attempts.limit {
		refused("wrong", w.attempts.booked+1)
	}
	wantKind(t, create(password), domain.TooManyRequests)
	_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ben", Password: domain.NewSecret(password)})
	wantKind(t, err, domain.TooManyRequests)
	page, err := w.GetAccessTokens(t.Context(), ben, domain.Cursor{}, 10)
	if err != nil || len(page.Items) != 1 {
		t.Errorf("got %d access tokens and error %v, want the one with the password", len(page.Items), err)
	}
}

func TestAnotherPasswordEndsAccessTokensUnlessTheyAreKept(t *testing.T) {
	const next = "another phrase here"
	for _, tc := range []struct {
		name   string
		change func(w *world, ben domain.Call) error
		ends   bool
	}{
		{"changed", func(w *world, ben domain.Call) error {
			return w.ChangePassword(t.Context(), ben, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret(next)})
		}, true},
		{"changed to the same one", func(w *world, ben domain.Call) error {
			return w.ChangePassword(t.Context(), ben, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret(password)})
		}, true},
		{"changed, keeping tokens", func(w *world, ben domain.Call) error {
			return w.ChangePassword(t.Context(), ben, app.ChangePassword{Current: domain.NewSecret(password), Next: domain.NewSecret(next), KeepTokens: true})
		}, false},
		{"not changed, for a wrong one", func(w *world, ben domain.Call) error {
			err := w.ChangePassword(t.Context(), ben, app.ChangePassword{Current: domain.NewSecret("wrong"), Next: domain.NewSecret(next)})
			wantKind(t, err, domain.Invalid)
			return nil
		}, false},
		{"reset", func(w *world, ben domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(ben.Caller.ID), Password: new(domain.NewSecret(next))})
			return err
		}, true},
		{"reset, keeping tokens", func(w *world, ben domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(ben.Caller.ID), Password: new(domain.NewSecret(next)), KeepTokens: true})
			return err
		}, false},
		{"left alone", func(w *world, ben domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(ben.Caller.ID), Role: new("admin")})
			return err
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.project(t, "Bot", versionID)
			ben, _ := w.talker(t, "ben", p)
			token, ofAdmin := w.token(t, ben, app.CreateAccessToken{Project: string(p.ID)}), w.token(t, w.admin, app.CreateAccessToken{Project: string(p.ID)})
			wantKind(t, tc.change(w, ben), "")
			_, err := w.IdentifyToken(t.Context(), token.Token)
			if tc.ends {
				wantKind(t, err, domain.NotAuthenticated)
			} else {
				wantKind(t, err, "")
			}
			_, err = w.IdentifyToken(t.Context(), ofAdmin.Token)
			wantKind(t, err, "")
		})
	}
}

// Assistants are grants, so a token that manages users alone does not touch them.
func TestATokenForUsersGrantsNothing(t *testing.T) {
	w := newWorld(t)
	p := string(w.project(t, "Bot", versionID).ID)
	id := string(w.user(t, w.admin, "ben", "member"))
	caller := func(scopes ...string) domain.Call {
		t.Helper()
		c, err := w.IdentifyToken(t.Context(), w.token(t, w.admin, app.CreateAccessToken{Scopes: scopes}).Token)
		wantKind(t, err, "")
		return domain.Call{Caller: c}
	}
	users, both := caller("manage:users"), caller("manage:users", "manage:grants")
	create := func(c domain.Call, name string, assistants []string) error {
		_, err := w.CreateUser(t.Context(), c, app.CreateUser{Username: name, Password: domain.NewSecret(password), Assistants: assistants})
		return err
	}
	update := func(c domain.Call, assistants *[]string) error {
		_, err := w.UpdateUser(t.Context(), c, app.UpdateUser{ID: id, Disabled: new(false), Role: new("member"), Assistants: assistants})
		return err
	}
	wantKind(t, create(users, "none", nil), "")
	wantKind(t, create(users, "empty", []string{}), "")
	wantKind(t, create(users, "with", []string{p}), domain.NotAllowed)
	wantKind(t, create(users, "with", []string{"01890000-0000-7000-8000-000000000404"}), domain.NotAllowed)
	wantKind(t, create(both, "with", []string{p}), "")
	wantKind(t, update(users, nil), "")
	wantKind(t, update(users, &[]string{p}), domain.NotAllowed)
	wantKind(t, update(users, &[]string{}), domain.NotAllowed)
	wantKind(t, update(both, &[]string{p}), "")
	wantKind(t, w.GrantProject(t.Context(), users, id, p, nil), domain.NotAllowed)
	wantKind(t, w.GrantProject(t.Context(), both, id, p, nil), "")
}

// An attempt counts while it is under way, so checks of one user must not be under way together.
func TestManyChecksOfTheRightPasswordAtOnceAllSucceed(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	ben, _ := w.talker(t, "ben", p)
	in := app.CreateAccessToken{Name: "x", Project: string(p.ID), Password: domain.NewSecret(password)}
	errs := make([]error, 4*w.attempts.limit)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = w.CreateAccessToken(t.Context(), ben, in) })
	}
	all.Wait()
	for _, err := range errs {
		wantKind(t, err, "")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.CreateAccessToken(gone, ben, in)
	if err == nil {
		t.Error("a request whose caller has left: got success")
	}
	w.token(t, ben, in)
}
