package portstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// wantCaller fails the test unless login's caller is that user with those rights.
func (f *fixture) wantCaller(t *testing.T, what string, login domain.Session, admin bool) {
	t.Helper()
	got, err := byLogin(t.Context(), f.Ports.Access, login.ID)
	wantNil(t, what+": ByLogin", err)
	if d := otherCaller(got, login, admin); d != nil {
		t.Fatalf("%s: ByLogin: %v", what, d)
	}
}

// otherCaller says how got is not the user of login with those rights.
func otherCaller(got domain.Caller, login domain.Session, admin bool) error {
	if got.ID != login.User || got.Admin != admin {
		return fmt.Errorf("got the user %q, an admin: %v; want %q, an admin: %v", got.ID, got.Admin, login.User, admin)
	}
	if got.Actor() != domain.ActorUser(login.User) {
		return fmt.Errorf("got %q as the actor of the audit, want the user", got.Actor())
	}
	if d := difference(got.Login, login); d != "" {
		return fmt.Errorf("the login: %s", d)
	}
	return nil
}

func (f *fixture) wantNoCaller(t *testing.T, what string, id domain.SessionID) {
	t.Helper()
	got, err := byLogin(t.Context(), f.Ports.Access, id)
	wantKind(t, what+": ByLogin", err, domain.NotFound)
	if got != (domain.Caller{}) {
		t.Fatalf("%s: ByLogin: got a caller with the error, want the zero Caller", what)
	}
}

// callerReturns compares every field of the login, after a use of it too.
func callerReturns(t *testing.T, f *fixture) {
	member, admin := f.member(t, "member"), f.admin(t, "admin")
	logins := []domain.Session{f.login(t, member), f.login(t, member), f.login(t, admin)}
	f.wantCaller(t, "of a member's login", logins[0], false)
	f.wantCaller(t, "of a member's second login", logins[1], false)
	f.wantCaller(t, "of an admin's login", logins[2], true)

	remembered := domain.NewLogin(sessionID(f.next()), member.ID, true, f.clock.now(), lives, "2001:db8::1", "agent ' \" \\ 句")
	rec := f.record(domain.ActionLogin, domain.OnSession(remembered.ID))
	wantNil(t, "OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), remembered, member.PasswordHash, rec))
	f.wantCaller(t, "of a remembered login", remembered, false)

	f.clock.advance(10 * time.Minute)
	touched := logins[0]
	touched.LastUsed, touched.Idle = domain.Instant(f.clock.now()), touched.Idle.Add(10*time.Minute)
	wantNil(t, "Touch", f.Ports.Sessions.Touch(t.Context(), touched.ID, domain.SessionUse{At: touched.LastUsed, Idle: touched.Idle}))
	f.wantCaller(t, "of a login that was touched", touched, false)
	f.wantCaller(t, "of a login that was not", logins[1], false)
}

// callerNow finds an adapter that takes rights from the opening of the login.
func callerNow(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	login := f.login(t, u)
	for range 3 {
		f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
		f.wantCaller(t, "after the user became an admin", login, true)
		f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
		f.wantCaller(t, "after the user was demoted", login, false)
	}
}

func callerUnknown(t *testing.T, f *fixture) {
	for _, id := range []domain.SessionID{sessionID(404), "", "' OR 1=1 --"} {
		f.wantNoCaller(t, fmt.Sprintf("of the unknown id %q", id), id)
	}
}

func callerAssistant(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, admin := f.member(t, "ana", p.ID), f.admin(t, "admin")
	login := f.login(t, u)
	f.wantNoCaller(t, "of an assistant session by grant", f.set(t, f.under(login, p.ID)).ID)
	f.wantNoCaller(t, "of an assistant session by role", f.set(t, f.byRole(f.login(t, admin), p.ID)).ID)
	f.wantNoCaller(t, "of an assistant session without a login", f.set(t, f.hosted(u.ID, p.ID)).ID)
	f.wantCaller(t, "of the login beside them", login, false)
}

// callerOver has every way in which a login can be over, the edges of time included.
func callerOver(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	ended, stays := f.login(t, u), f.login(t, u)
	f.end(t, ended.ID)
	f.wantNoCaller(t, "of a login that has ended", ended.ID)
	f.wantCaller(t, "of another login", stays, false)

	f.clock.set(stays.Idle.Add(-1))
	f.wantCaller(t, "a nanosecond before the idle end", stays, false)
	f.clock.set(stays.Idle)
	f.wantNoCaller(t, "at the idle end", stays.ID)

	old := f.used(t, f.login(t, u))
	f.clock.set(old.Expires.Add(-1))
	_, err := byLogin(t.Context(), f.Ports.Access, old.ID)
	wantNil(t, "ByLogin, a nanosecond before the absolute end", err)
	f.clock.set(old.Expires)
	f.wantNoCaller(t, "at the absolute end", old.ID)

	f.sweep(t, 10)
	f.wantNoCaller(t, "of a login that was swept", old.ID)

	changed := f.login(t, u)
	f.update(t, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$new") })
	f.wantNoCaller(t, "of a login from before a change of the password", changed.ID)
}

// callerGone enables the user again, which must bring no login back.
func callerGone(t *testing.T, f *fixture) {
	u, gone := f.admin(t, "ana"), f.admin(t, "bob")
	login, goneLogin := f.login(t, u), f.login(t, gone)
	wantNil(t, "Remove", f.Ports.Users.Remove(t.Context(), f.act(domain.ActionDeleteUser, domain.OnUser(gone.ID)), gone.ID, agree))
	f.wantNoCaller(t, "of a user who is gone", goneLogin.ID)
	f.wantCaller(t, "of another user", login, true)

	f.updateKeeping(t, u.ID, domain.Kept{Login: login.ID}, func(u *domain.User) { u.Disabled = true })
	f.wantNoCaller(t, "of a user who is disabled", login.ID)
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
	f.wantNoCaller(t, "of a user who was disabled and is enabled again", login.ID)
	f.wantCaller(t, "of the next login of that user", f.login(t, u), true)
}

// wantTokenCaller fails the test unless the token's caller is who made it, with those
// rights.
func (f *fixture) wantTokenCaller(t *testing.T, what string, token domain.AccessToken, admin bool) {
	t.Helper()
	got, err := byToken(t.Context(), f.Ports.Access, tokenHash(token))
	wantNil(t, what+": ByToken", err)
	if d := otherTokenCaller(got, token, admin); d != nil {
		t.Fatalf("%s: ByToken: %v", what, d)
	}
}

// otherTokenCaller says how got is not who made the token, with those rights.
func otherTokenCaller(got domain.Caller, token domain.AccessToken, admin bool) error {
	want := domain.Caller{ID: token.User, Admin: admin, Token: token.ID, Only: token.Project, Scopes: token.Scopes, Secret: tokenHash(token)}
	if got != want {
		return fmt.Errorf("got the caller %+v, want %+v", got, want)
	}
	if got.Actor() != domain.ActorToken(token.ID) {
		return fmt.Errorf("got %q as the actor of the audit, want the token", got.Actor())
	}
	return nil
}

func (f *fixture) wantNoTokenCaller(t *testing.T, what string, hash domain.TokenHash) {
	t.Helper()
	got, err := byToken(t.Context(), f.Ports.Access, hash)
	wantKind(t, what+": ByToken", err, domain.NotFound)
	if got != (domain.Caller{}) {
		t.Fatalf("%s: ByToken: got a caller with the error, want the zero Caller", what)
	}
}

// tokenCallerReturns has a token of each sort.
func tokenCallerReturns(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	member, admin := f.member(t, "member", p.ID), f.admin(t, "admin")
	own := f.token(admin.ID, q.ID, domain.AllScopes())
	own.OwnUsers = true
	for _, token := range []domain.AccessToken{
		f.token(member.ID, p.ID, domain.DefaultScopes()),
		f.token(member.ID, p.ID, domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeExport)),
		f.token(member.ID, q.ID, domain.AllScopes()), // for what is not granted to the user
		f.token(admin.ID, "", domain.ScopesOf(domain.ScopeManage)),
		own,
	} {
		f.issue(t, token)
		f.wantTokenCaller(t, "of a token", token, token.User == admin.ID)
	}
}

// tokenCallerNow finds an adapter that takes rights from the creation of the token.
func tokenCallerNow(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	for range 3 {
		f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
		f.wantTokenCaller(t, "after the user became an admin", token, true)
		f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
		f.wantTokenCaller(t, "after the user was demoted", token, false)
	}
}

func tokenCallerUnknown(t *testing.T, f *fixture) {
	for _, hash := range []domain.TokenHash{{}, {1}, {4, 0, 4}} {
		f.wantNoTokenCaller(t, fmt.Sprintf("of the unknown hash %x", hash), hash)
	}
}

// tokenCallerOver has hashes that differ from a good one in their last bit and their first.
func tokenCallerOver(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u := f.member(t, "ana", p.ID, gone.ID)
	stays, removed := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	ofGone := f.issue(t, f.token(u.ID, gone.ID, domain.DefaultScopes()))
	f.withdraw(t, removed.ID)
	f.remove(t, gone.ID)
	f.wantNoTokenCaller(t, "of a token that was removed", tokenHash(removed))
	f.wantNoTokenCaller(t, "of a token whose project was removed", tokenHash(ofGone))
	f.wantTokenCaller(t, "of another token", stays, false)
	for _, i := range []int{0, len(domain.TokenHash{}) - 1} {
		almost := tokenHash(stays)
		almost[i] ^= 1
		f.wantNoTokenCaller(t, fmt.Sprintf("of a hash with another byte %d", i), almost)
	}

	f.clock.set(stays.Expires.Add(-1))
	f.wantTokenCaller(t, "a nanosecond before the end", stays, false)
	for _, after := range []time.Duration{0, time.Nanosecond, time.Microsecond, 1000 * time.Hour} {
		f.clock.set(stays.Expires.Add(after))
		f.wantNoTokenCaller(t, fmt.Sprintf("%v after the end", after), tokenHash(stays))
	}
}

func tokenCallerGone(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, gone := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID)
	token, goneToken := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(gone.ID, p.ID, domain.DefaultScopes()))
	f.removeUser(t, gone.ID)
	f.wantNoTokenCaller(t, "of a user who is gone", tokenHash(goneToken))
	f.wantTokenCaller(t, "of another user", token, false)
	gone.SetAssistants(nil)
	f.create(t, gone)
	f.wantNoTokenCaller(t, "of a user who was removed and is back under the same id", tokenHash(goneToken))

	// Unlike a login, a token is there again with its user.
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	f.wantNoTokenCaller(t, "of a user who is disabled", tokenHash(token))
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
	f.wantTokenCaller(t, "of a user who was disabled and is enabled again", token, false)
}

func tokenCallerRemoved(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	for _, at := range f.instances(t) {
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		f.whileInUse(t, "Tokens.Remove", func(ctx context.Context, at Store) error {
			_, err := byToken(ctx, at.Ports.Access, tokenHash(token))
			return err
		}, func() error {
			rec := f.record(domain.ActionDeleteAccessToken, domain.OnToken(token.ID))
			return at.Ports.Tokens.Remove(t.Context(), byOperator(rec), token.ID)
		})
	}
}
