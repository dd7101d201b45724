package portstest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// naming returns the credential of a user with a login whose call names the project.
func naming(login domain.Session, id domain.ProjectID) shown {
	return shown{Login: login.ID, Project: id}
}

// hostNaming returns the credential of a host's user whose call names the project.
func hostNaming(user domain.UserID, admin bool, id domain.ProjectID) shown {
	return shown{User: user, Admin: admin, Project: id}
}

// ofNamed returns the Access of a user who names p, which they see.
func ofNamed(user domain.UserID, login domain.Session, admin bool, p domain.Project, granted domain.Scopes) domain.Access {
	return domain.Access{Caller: domain.Caller{ID: user, Admin: admin, Login: login}, Named: p.ID, Project: p, Granted: granted}
}

// unseen returns the Access of a user who names a project that they do not see.
func unseen(user domain.UserID, login domain.Session, admin bool, id domain.ProjectID) domain.Access {
	return domain.Access{Caller: domain.Caller{ID: user, Admin: admin, Login: login}, Named: id}
}

// namedByLogin has one login that uses several projects, and others beside.
func namedByLogin(t *testing.T, f *fixture) {
	p, q, hidden := f.addNamed(t, "Äpfel & 'quotes'"), f.addNamed(t, "q"), f.addNamed(t, "hidden")
	member, both := f.member(t, "ana", p.ID, q.ID), f.create(t, f.user("both", domain.RoleAdmin, p.ID))
	f.grantScopes(t, member.ID, p.ID, someScopes)
	f.grant(t, f.member(t, "bob").ID, hidden.ID)
	login, admins := f.login(t, member), f.login(t, both)
	f.set(t, f.under(login, q.ID)) // an assistant session is no matter
	for name, use := range map[string]struct {
		shown shown
		want  domain.Access
	}{
		"a project by grant":                    {naming(login, p.ID), ofNamed(member.ID, login, false, p, someScopes)},
		"another project of the same login":     {naming(login, q.ID), ofNamed(member.ID, login, false, q, domain.DefaultScopes())},
		"a project that is granted to others":   {naming(login, hidden.ID), unseen(member.ID, login, false, hidden.ID)},
		"a project that never was":              {naming(login, projectID(404)), unseen(member.ID, login, false, projectID(404))},
		"what SQL takes for everything":         {naming(login, "' OR 1=1 --"), unseen(member.ID, login, false, "' OR 1=1 --")},
		"an admin with a grant":                 {naming(admins, p.ID), ofNamed(both.ID, admins, true, p, domain.DefaultScopes())},
		"an admin without a grant":              {naming(admins, hidden.ID), ofNamed(both.ID, admins, true, hidden, 0)},
		"an admin and a project that never was": {naming(admins, projectID(404)), unseen(both.ID, admins, true, projectID(404))},
	} {
		f.wantUse(t, name, use.shown, use.want)
	}
}

// namedNow changes all that the use of a named project stands on.
func namedNow(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	sees := func(what string, admin bool, granted domain.Scopes) {
		t.Helper()
		f.wantUse(t, what, naming(login, p.ID), ofNamed(u.ID, login, admin, p, granted))
	}
	role := func(role domain.Role) { f.update(t, u.ID, func(u *domain.User) { u.Role = role }) }
	sees("as granted", false, domain.DefaultScopes())
	for _, scopes := range scopeSets[1:] {
		f.grantScopes(t, u.ID, p.ID, scopes)
		sees("after Put of other scopes", false, scopes)
	}
	for _, m := range marks {
		m.change(&p)
		wantNil(t, m.name, m.mark(t.Context(), f.Store, p, f.record(m.action, domain.OnProject(p.ID))))
		sees("after "+m.name, false, scopeSets[len(scopeSets)-1])
	}
	f.revoke(t, u.ID, p.ID)
	f.wantUse(t, "after Grants.Remove", naming(login, p.ID), unseen(u.ID, login, false, p.ID))
	role(domain.RoleAdmin)
	sees("after the user became an admin", true, 0)
	role(domain.RoleMember)
	f.wantUse(t, "after the user was demoted", naming(login, p.ID), unseen(u.ID, login, false, p.ID))
	f.grant(t, u.ID, p.ID)
	sees("after Put again", false, domain.DefaultScopes())
	f.remove(t, p.ID)
	f.wantUse(t, "after Remove of the project", naming(login, p.ID), unseen(u.ID, login, false, p.ID))
}

func namedWithoutLogin(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	s := f.set(t, f.under(login, p.ID))
	f.wantNoUse(t, "a login that never was", shown{Login: sessionID(404), Project: p.ID})
	f.wantNoUse(t, "no login", shown{Project: p.ID})
	f.wantNoUse(t, "an assistant session in place of its login", shown{Login: s.ID, Project: p.ID})
	for _, way := range f.namingLosses(t) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		login := f.login(t, u)
		f.wantUse(t, "before", naming(login, p.ID), ofNamed(u.ID, login, false, p, domain.DefaultScopes()))
		way.take(u, login)
		f.wantNoUse(t, way.name, naming(login, p.ID))
	}
}

// namingLoss is a way in which a login that names projects is over.
type namingLoss struct {
	name string
	take func(u domain.User, login domain.Session)
}

func (f *fixture) namingLosses(t *testing.T) []namingLoss {
	return []namingLoss{
		{"whose login has ended", func(_ domain.User, login domain.Session) { f.end(t, login.ID) }},
		{"whose user is disabled", func(u domain.User, login domain.Session) {
			f.updateKeeping(t, u.ID, domain.Kept{Login: login.ID}, func(u *domain.User) { u.Disabled = true })
		}},
		{"whose user is gone", func(u domain.User, _ domain.Session) { f.removeUser(t, u.ID) }},
		{"whose user has another password", func(u domain.User, _ domain.Session) {
			f.update(t, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
		}},
		{"whose login is at its idle end", func(_ domain.User, login domain.Session) { f.clock.set(login.Idle) }},
		{"whose login is at its absolute end", func(_ domain.User, login domain.Session) {
			f.clock.set(f.used(t, login).Expires)
		}},
	}
}

// namedByHost has users of whom nothing is known here.
func namedByHost(t *testing.T, f *fixture) {
	const user, other, boss = domain.UserID("a host's user"), domain.UserID("A host's user"), domain.UserID("CN=Ana,OU='Support'")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grantScopes(t, user, p.ID, someScopes)
	f.grantScopes(t, boss, q.ID, domain.ScopesOf(domain.ScopeExport))
	none := domain.Session{}
	for name, use := range map[string]struct {
		shown shown
		want  domain.Access
	}{
		"a user by grant":                        {hostNaming(user, false, p.ID), ofNamed(user, none, false, p, someScopes)},
		"a user by grant who became an admin":    {hostNaming(user, true, p.ID), ofNamed(user, none, true, p, someScopes)},
		"a user without a grant on it":           {hostNaming(user, false, q.ID), unseen(user, none, false, q.ID)},
		"another user":                           {hostNaming(other, false, p.ID), unseen(other, none, false, p.ID)},
		"an admin without a grant":               {hostNaming(boss, true, p.ID), ofNamed(boss, none, true, p, 0)},
		"an admin with a grant":                  {hostNaming(boss, true, q.ID), ofNamed(boss, none, true, q, domain.ScopesOf(domain.ScopeExport))},
		"the admin who is none now":              {hostNaming(boss, false, p.ID), unseen(boss, none, false, p.ID)},
		"a user and a project that never was":    {hostNaming(user, false, projectID(404)), unseen(user, none, false, projectID(404))},
		"an admin and a project that never was":  {hostNaming(boss, true, projectID(404)), unseen(boss, none, true, projectID(404))},
		"a user whose name is what SQL runs all": {hostNaming("' OR 1=1 --", false, p.ID), unseen("' OR 1=1 --", none, false, p.ID)},
	} {
		f.wantUse(t, name, use.shown, use.want)
	}
	f.revoke(t, user, p.ID)
	f.wantUse(t, "after Grants.Remove", hostNaming(user, false, p.ID), unseen(user, none, false, p.ID))
	f.remove(t, q.ID)
	f.wantUse(t, "after Remove of the project", hostNaming(boss, true, q.ID), unseen(boss, none, true, q.ID))
}

// standingNamed asks about several named projects of one login, of an admin, and of host's users.
func standingNamed(t *testing.T, f *fixture) {
	const user, boss = domain.UserID("a host's user"), domain.UserID("a host's admin")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u, admin := f.member(t, "ana", p.ID, q.ID), f.admin(t, "admin")
	login, adminLogin := f.login(t, u), f.login(t, admin)
	f.grantScopes(t, user, p.ID, someScopes)
	a, b := ofNamed(u.ID, login, false, p, domain.DefaultScopes()), ofNamed(u.ID, login, false, q, domain.DefaultScopes())
	c := ofNamed(admin.ID, adminLogin, true, p, 0)
	d, e := ofNamed(user, domain.Session{}, false, p, someScopes), ofNamed(boss, domain.Session{}, true, q, 0)
	uses := usesOf(a, b, c, d, e)
	f.wantStanding(t, "of all", append(uses, uses...), a, b, c, d, e)
	for _, one := range []domain.Access{a, b, c, d, e} {
		f.wantStanding(t, "of one", usesOf(one), one)
	}
	f.wantStanding(t, "beside what never was", append([]domain.OpenUse{
		{Project: p.ID}, {Login: login.ID}, {User: user}, {Project: p.ID, Login: sessionID(404)},
	}, uses...), a, b, c, d, e)

	f.grantScopes(t, u.ID, p.ID, someScopes)
	a.Granted = someScopes
	f.wantStanding(t, "after Put of other scopes", uses, a, b, c, d, e)
	f.revoke(t, u.ID, p.ID)
	f.revoke(t, user, p.ID)
	a, d = unseen(u.ID, login, false, p.ID), unseen(user, domain.Session{}, false, p.ID)
	f.wantStanding(t, "after Grants.Remove", uses, a, b, c, d, e)
	f.update(t, admin.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	c = unseen(admin.ID, adminLogin, false, p.ID)
	f.wantStanding(t, "after the role was taken away", uses, a, b, c, d, e)
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	a, b = ofNamed(u.ID, login, true, p, 0), ofNamed(u.ID, login, true, q, domain.DefaultScopes())
	f.wantStanding(t, "after the role was given to another", uses, a, b, c, d, e)
	f.remove(t, q.ID)
	b, e = unseen(u.ID, login, true, q.ID), unseen(boss, domain.Session{}, true, q.ID)
	f.wantStanding(t, "after Remove of the project", uses, a, b, c, d, e)
}

// standingNaming takes away each thing that a login stands on, alone, and keeps another.
func standingNaming(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	beside := f.member(t, "beside", p.ID)
	besideLogin := domain.NewLogin(sessionID(f.next()), beside.ID, true, f.clock.now(), lives, "", "")
	besideLogin.Idle = besideLogin.Expires
	rec := f.record(domain.ActionLogin, domain.OnSession(besideLogin.ID))
	wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), besideLogin, beside.PasswordHash, rec))
	kept := ofNamed(beside.ID, besideLogin, false, p, domain.DefaultScopes())
	for _, way := range f.namingLosses(t) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		login := f.login(t, u)
		a := ofNamed(u.ID, login, false, p, domain.DefaultScopes())
		f.wantStanding(t, "before", usesOf(a, kept), a, kept)
		way.take(u, login)
		f.wantStanding(t, way.name, usesOf(a, kept), kept)
	}
}

// wholeNamed returns NotFound for a use that may not go on. If only a part is missing, it returns
// another error, because one look-up shows one moment.
func wholeNamed(a domain.Access, err error) error {
	switch {
	case err != nil:
		return err
	case a.Project.ID == "" && a.Granted != 0, a.Project.ID != "" && a.Project.Primary.Sealed.IsZero():
		return errors.New("got scopes without the project, or a project without its key")
	case a.Scopes() == 0:
		return &domain.Error{Kind: domain.NotFound}
	}
	return nil
}

// namedTaken looks on all instances while something is taken away on one of them.
func namedTaken(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, instance := range f.instances(t) {
		at := instance.Ports
		for _, way := range []struct {
			name string
			role domain.Role
			take func(u domain.User, login domain.Session, p domain.Project) error
		}{
			{"Grants.Remove", domain.RoleMember, func(u domain.User, _ domain.Session, p domain.Project) error {
				return at.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), u.ID, p.ID)
			}},
			{"Remove of the project", domain.RoleAdmin, func(_ domain.User, _ domain.Session, p domain.Project) error {
				return at.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
			{"an Update that takes the role", domain.RoleAdmin, func(u domain.User, _ domain.Session, _ domain.Project) error {
				return f.updateAt(t, instance, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
			}},
			{"an Update that disables", domain.RoleMember, func(u domain.User, _ domain.Session, _ domain.Project) error {
				return f.updateAt(t, instance, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Remove of the user", domain.RoleMember, func(u domain.User, _ domain.Session, _ domain.Project) error {
				return at.Users.Remove(ctx, f.act(domain.ActionDeleteUser, "u"), u.ID, agree)
			}},
			{"End of the login", domain.RoleMember, func(_ domain.User, login domain.Session, _ domain.Project) error {
				return endSessions(ctx, at.Sessions, f.act(domain.ActionLogout, "l"), domain.OneSession(login.ID))
			}},
		} {
			f.admin(t, f.username()) // so that no admin is the last one
			u, p := f.lodger(t, way.role)
			login := f.login(t, u)
			use := domain.OpenUse{Project: p.ID, Login: login.ID}
			wantNil(t, "an open use before "+way.name, standsAt(ctx, f.Store, use))
			f.whileInUse(t, way.name, func(ctx context.Context, at Store) error {
				return wholeNamed(useOf(ctx, at.Ports.Access, naming(login, p.ID)))
			}, func() error { return way.take(u, login, p) })
			for _, at := range f.instances(t) {
				wantKind(t, "an open use after "+way.name, standsAt(ctx, at, use), domain.NotFound)
			}
		}
	}
}

// namedChangesNothing uses a project by name, a while after the login.
func namedChangesNothing(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	f.clock.advance(10 * time.Minute)
	a := ofNamed(u.ID, login, false, p, domain.DefaultScopes())
	for range 2 {
		f.wantUse(t, "a use", naming(login, p.ID), a)
		f.wantStanding(t, "an open use", usesOf(a), a)
	}
	f.wantLive(t, "after uses", login)
	f.wantRecords(t, "after uses")
}
