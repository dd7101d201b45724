package portstest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// wantStanding fails the test unless StillAllowed of the uses returns want. It compares only the
// fields that StillAllowed fills in.
func (f *fixture) wantStanding(t *testing.T, what string, uses []domain.OpenUse, want ...domain.Access) {
	t.Helper()
	got, err := f.Ports.Access.StillAllowed(t.Context(), uses)
	wantNil(t, what+": StillAllowed", err)
	if d := otherStanding(got, want); d != nil {
		t.Fatalf("%s: StillAllowed: %v", what, d)
	}
}

// otherStanding says how got is something else than want.
func otherStanding(got, want []domain.Access) error {
	standing := map[domain.OpenUse]domain.Access{}
	for _, a := range got {
		standing[a.OpenUse()] = a
	}
	for _, w := range want {
		w = withSources(w)
		g, found := standing[w.OpenUse()]
		if !found {
			return fmt.Errorf("got %d uses without %+v, want it", len(got), w.OpenUse())
		}
		delete(standing, w.OpenUse())
		if g.Caller.ID != w.Caller.ID || g.Caller.Admin != w.Caller.Admin {
			return fmt.Errorf("%+v: got the user %q, an admin: %v; want %q, an admin: %v", w.OpenUse(), g.Caller.ID, g.Caller.Admin, w.Caller.ID, w.Caller.Admin)
		}
		if w.Named != "" && (g.Project.ID != w.Project.ID || difference(g.Caller.Login, w.Caller.Login) != "") {
			return fmt.Errorf("%+v: got the project %q and the login %+v, want %q and %+v", w.OpenUse(), g.Project.ID, g.Caller.Login, w.Project.ID, w.Caller.Login)
		}
		for _, d := range []string{difference(g.Session, w.Session), difference(g.Token, w.Token), difference(g.Granted.Text(), w.Granted.Text()),
			difference(g.Manual.Text(), w.Manual.Text()), difference(g.Groups, w.Groups),
		} {
			if d != "" {
				return fmt.Errorf("%+v: %s", w.OpenUse(), d)
			}
		}
		if g.Scopes() != w.Scopes() {
			return fmt.Errorf("%+v: got the scopes %q, want %q", w.OpenUse(), g.Scopes().Text(), w.Scopes().Text())
		}
	}
	for use := range standing {
		return fmt.Errorf("got %+v among the uses, want it left out", use)
	}
	return nil
}

// usesOf returns the open uses that had these Accesses.
func usesOf(all ...domain.Access) []domain.OpenUse {
	uses := make([]domain.OpenUse, len(all))
	for i, a := range all {
		uses[i] = a.OpenUse()
	}
	return uses
}

// standingReturns asks about some stored uses, in any order, twice, and beside unknown ones.
func standingReturns(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, admin := f.member(t, "ana", p.ID), f.admin(t, "admin")
	login, adminLogin := f.login(t, u), f.login(t, admin)
	s, ruled := f.set(t, f.under(login, p.ID)), f.set(t, f.byRole(adminLogin, p.ID))
	token := f.issue(t, f.token(u.ID, p.ID, domain.AllScopes()))
	own := f.token(admin.ID, p.ID, domain.DefaultScopes())
	own.OwnUsers = true
	f.issue(t, own)
	f.set(t, f.under(f.login(t, u), p.ID)) // and a token: nobody asks about them
	f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	now := func() []domain.Access {
		granted := domain.Scopes(0)
		got, err := f.Ports.Grants.Page(t.Context(), domain.GrantFilter{User: u.ID}, domain.Cursor{}, 1)
		wantNil(t, "Grants.Page", err)
		if len(got) == 1 {
			granted = got[0].Scopes
		}
		return []domain.Access{
			ofSession(s, login, false, p, granted), ofSession(ruled, adminLogin, true, p, 0), ofToken(token, false, p, granted), ofToken(own, true, p, 0),
		}
	}
	all := usesOf(now()...)
	f.wantStanding(t, "of all", all, now()...)
	for i, use := range all {
		f.wantStanding(t, "of one", []domain.OpenUse{use}, now()[i])
	}
	mixed := append(append(slices.Clone(all), domain.OpenUse{Session: sessionID(404)}, domain.OpenUse{Token: tokenID(404)}, domain.OpenUse{}), all...)
	slices.Reverse(mixed)
	f.wantStanding(t, "of all twice, beside what does not exist", mixed, now()...)
	for _, scopes := range scopeSets[1:] {
		f.grantScopes(t, u.ID, p.ID, scopes)
		f.wantStanding(t, "after Put of other scopes", all, now()...)
	}
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	promoted := now()
	promoted[0].Caller.Admin, promoted[2].Caller.Admin = true, true
	f.wantStanding(t, "after the user became an admin", all, promoted...)
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantStanding(t, "after the user was demoted", all, now()...)
	f.revoke(t, u.ID, p.ID)
	f.wantStanding(t, "after Grants.Remove", all, now()[1:]...)
	f.update(t, admin.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantStanding(t, "after the role was taken away", all, now()[2], ofToken(own, false, p, 0))
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.wantStanding(t, "after the role was given to another", all, ofToken(token, true, p, 0), ofToken(own, false, p, 0))
}

func standingHosted(t *testing.T, f *fixture) {
	const user, boss = domain.UserID("a host's user"), domain.UserID("a host's admin")
	p := f.addNamed(t, "p")
	f.grantScopes(t, user, p.ID, someScopes)
	s, ruled := f.set(t, f.hosted(user, p.ID)), f.set(t, f.hostedByRole(boss, p.ID))
	ofUser, ofBoss := ofSession(s, domain.Session{}, false, p, someScopes), ofSession(ruled, domain.Session{}, true, p, 0)
	uses := usesOf(ofUser, ofBoss)
	f.wantStanding(t, "of sessions without a login", uses, ofUser, ofBoss)
	f.grant(t, boss, p.ID)
	ofBoss.Granted = domain.DefaultScopes()
	f.wantStanding(t, "of an admin who has a grant too", uses, ofUser, ofBoss)
	f.revoke(t, user, p.ID)
	f.wantStanding(t, "after Grants.Remove", uses, ofBoss)
	f.remove(t, p.ID)
	f.wantStanding(t, "after Remove of the project", uses)
}

// standingSessions takes away what one session stands on, each thing alone, and keeps
// another.
func standingSessions(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	beside := f.admin(t, "beside")
	besideLogin := domain.NewLogin(sessionID(f.next()), beside.ID, true, f.clock.now(), lives, "", "")
	rec := f.record(domain.ActionLogin, domain.OnSession(besideLogin.ID))
	wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), besideLogin, beside.PasswordHash, rec))
	stays := f.set(t, f.byRole(besideLogin, q.ID))
	for _, way := range append(f.sessionLosses(t, p), []sessionLoss{
		{"whose project was removed", domain.RoleMember, func(domain.User, domain.Session, domain.Session) {
			f.remove(t, p.ID)
			f.add(t, p)
		}},
		{"whose session is over", domain.RoleMember, func(_ domain.User, _, s domain.Session) { f.clock.set(s.Idle) }},
		{"whose session is over, for all that it was used", domain.RoleMember, func(_ domain.User, _, s domain.Session) {
			f.used(t, s)
			f.clock.set(s.Expires)
		}},
	}...) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		a, kept := ofSession(s, login, false, p, domain.DefaultScopes()), ofSession(stays, besideLogin, true, q, 0)
		f.wantStanding(t, "before", usesOf(a, kept), a, kept)
		way.take(u, login, s)
		f.wantStanding(t, way.name, usesOf(a, kept), kept)
	}
}

// standingTokens takes away what one token stands on, each thing alone, and keeps another.
func standingTokens(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	beside := f.token(f.admin(t, "beside").ID, q.ID, domain.DefaultScopes())
	beside.Expires = beside.Created.Add(1000 * time.Hour)
	kept := ofToken(f.issue(t, beside), true, q, 0)
	for _, way := range f.tokenLosses(t, p) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		a := ofToken(token, false, p, domain.DefaultScopes())
		f.wantStanding(t, "before", usesOf(a, kept), a, kept)
		way.take(u, token)
		f.wantStanding(t, way.name, usesOf(a, kept), kept)
	}
}

func standingNone(t *testing.T, f *fixture) {
	f.wantStanding(t, "of nothing", nil)
	f.wantStanding(t, "of the zero use", []domain.OpenUse{{}})
	f.wantStanding(t, "of what never was", []domain.OpenUse{
		{Session: sessionID(404)}, {Token: tokenID(404)}, {Session: `"`, Token: `\`}, {Session: "' OR 1=1 --", Token: "%"}, {},
	})
}

// standingMany has more uses than a statement may have parameters.
func standingMany(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	var want []domain.Access
	for range 50 {
		s := f.set(t, f.hostedByRole("a host's admin", p.ID))
		want = append(want, ofSession(s, domain.Session{}, true, p, 0))
	}
	uses := usesOf(want...)
	for n := range 70_000 {
		uses = append(uses, domain.OpenUse{Session: sessionID(1_000_000 + n)}, domain.OpenUse{Token: tokenID(1_000_000 + n)})
	}
	f.wantStanding(t, "of very many uses", uses, want...)
}

// standingTaken looks on all instances while something is taken away on one of them.
func standingTaken(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, instance := range f.instances(t) {
		for _, way := range []struct {
			name string
			take func(u domain.User, p domain.Project) error
		}{
			{"Remove of the project", func(_ domain.User, p domain.Project) error {
				return instance.Ports.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
			{"Remove of the user", func(u domain.User, _ domain.Project) error {
				return instance.Ports.Users.Remove(ctx, f.act(domain.ActionDeleteUser, "u"), u.ID, agree)
			}},
			{"an Update that disables", func(u domain.User, _ domain.Project) error {
				return f.updateAt(t, instance, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Grants.Remove", func(u domain.User, p domain.Project) error {
				return instance.Ports.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), u.ID, p.ID)
			}},
		} {
			u, p := f.lodger(t, domain.RoleMember)
			s := f.set(t, f.under(f.login(t, u), p.ID))
			token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
			for _, use := range []domain.OpenUse{{Session: s.ID}, {Token: token.ID}} {
				wantNil(t, "a use before "+way.name, standsAt(ctx, f.Store, use))
			}
			f.whileInUse(t, way.name, func(ctx context.Context, at Store) error {
				return standsAt(ctx, at, domain.OpenUse{Session: s.ID})
			}, func() error { return way.take(u, p) })
			for _, at := range f.instances(t) {
				wantKind(t, "a token after "+way.name, standsAt(ctx, at, domain.OpenUse{Token: token.ID}), domain.NotFound)
			}
		}
	}
}

// standsAt returns NotFound for a use that is no longer allowed.
func standsAt(ctx context.Context, at Store, use domain.OpenUse) error {
	got, err := at.Ports.Access.StillAllowed(ctx, []domain.OpenUse{use})
	switch {
	case err != nil:
		return err
	case len(got) == 0 || got[0].Scopes() == 0:
		return &domain.Error{Kind: domain.NotFound}
	}
	return nil
}
