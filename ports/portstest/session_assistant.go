package portstest

import (
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// wantSet opens the assistant session, which must succeed and return p.
func (f *fixture) wantSet(t *testing.T, what string, s domain.Session, p domain.Project) domain.Session {
	t.Helper()
	rec := f.record(domain.ActionSetProject, domain.OnSession(s.ID))
	got, err := f.Ports.Sessions.OpenAssistant(t.Context(), settingAct(s, rec), s)
	wantNil(t, "OpenAssistant "+what, err)
	wantSame(t, "the project that OpenAssistant "+what+" returned", got, unsealed(p))
	f.log = append(f.log, rec)
	f.wantLive(t, "after OpenAssistant "+what, s)
	return s
}

// wantNotSet opens the assistant session, which must fail, leave no session and keep no
// record.
func (f *fixture) wantNotSet(t *testing.T, what string, s domain.Session, kind domain.Kind) {
	t.Helper()
	got, err := f.Ports.Sessions.OpenAssistant(t.Context(), settingAct(s, f.record(domain.ActionSetProject, domain.OnSession(s.ID))), s)
	wantKind(t, "OpenAssistant "+what, err, kind)
	wantSame(t, "the project that OpenAssistant "+what+" returned beside the error", got, domain.Project{})
	f.wantOver(t, "not opened "+what, s)
	f.wantRecords(t, "after OpenAssistant "+what)
}

// assistantStores opens one of each sort.
func assistantStores(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "Äpfel & 'quotes'"), f.addNamed(t, "q")
	u, admin := f.member(t, "ana", p.ID), f.create(t, f.user("admin", domain.RoleAdmin, q.ID))
	f.wantSet(t, "by grant", f.under(f.login(t, u), p.ID), p)
	f.wantSet(t, "by role", f.byRole(f.login(t, admin), p.ID), p)
	f.wantSet(t, "of an admin by grant", f.under(f.login(t, admin), q.ID), q)
	f.wantSet(t, "without a login, by grant", f.hosted(u.ID, p.ID), p)
	f.wantSet(t, "without a login, by role", f.hostedByRole("a host's admin", q.ID), q)
	remembered := domain.NewLogin(sessionID(f.next()), u.ID, true, f.clock.now(), lives, "192.0.2.7", "")
	rec := f.record(domain.ActionLogin, domain.OnSession(remembered.ID))
	wantNil(t, "OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), remembered, u.PasswordHash, rec))
	f.log = append(f.log, rec)
	f.wantSet(t, "under a remembered login", f.under(remembered, p.ID), p)
	f.wantRecords(t, "after each OpenAssistant")
}

// assistantReplaces also has other sessions of the same user, which must stay.
func assistantReplaces(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u := f.create(t, f.user("ana", domain.RoleAdmin, p.ID, q.ID))
	login, second := f.login(t, u), f.login(t, u)
	hosted := f.set(t, f.hosted(u.ID, p.ID))
	elsewhere := f.set(t, f.under(second, p.ID))
	before := f.set(t, f.under(login, p.ID))
	for _, next := range []domain.Session{f.under(login, q.ID), f.under(login, q.ID), f.byRole(login, p.ID), f.under(login, p.ID)} {
		f.set(t, next)
		f.wantOver(t, "in whose place another came", before)
		f.wantLive(t, "in place of another, and beside it", next, elsewhere, hosted, login, second)
		before = next
	}
	f.wantRecords(t, "after each OpenAssistant")

	// One that is refused replaces nothing.
	gone := f.under(login, projectID(404))
	f.wantNotSet(t, "in a project that does not exist", gone, domain.NotAllowed)
	f.wantNotSet(t, "by role in a project that does not exist", f.byRole(login, projectID(404)), domain.NotFound)
	f.wantLive(t, "after OpenAssistants that were refused", before)
}

func assistantHosted(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grant(t, user, p.ID)
	f.grant(t, user, q.ID)
	all := []domain.Session{
		f.set(t, f.hosted(user, p.ID)), f.set(t, f.hosted(user, p.ID)), f.set(t, f.hosted(user, q.ID)),
		f.set(t, f.hostedByRole(user, p.ID)), f.set(t, f.hostedByRole(user, p.ID)), f.set(t, f.hosted(user, p.ID)),
	}
	f.wantLive(t, "without a login", all...)
	f.wantRecords(t, "after each OpenAssistant")
}

// assistantAtOnce fails for an adapter that ends the earlier session first and stores the
// later then.
func assistantAtOnce(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	at := f.instances(t)
	login := f.login(t, u)
	const n = 16
	for range rounds / 4 {
		all, recs, errs := make([]domain.Session, n), make([]domain.Record, n), make([]error, n)
		for i := range n {
			all[i] = f.under(login, p.ID)
			recs[i] = f.record(domain.ActionSetProject, domain.OnSession(all[i].ID))
		}
		atOnce(n, func(i int) {
			_, errs[i] = at[i%len(at)].Ports.Sessions.OpenAssistant(t.Context(), settingAct(all[i], recs[i]), all[i])
		})
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d OpenAssistants of one login at the same instant", n), err)
		}
		left := 0
		for _, s := range all {
			_, err := findSession(t.Context(), f.Ports.Sessions, s)
			if err == nil {
				left++
			} else {
				wantKind(t, "Find of one of the sessions", err, domain.NotFound)
			}
		}
		if left != 1 {
			t.Fatalf("%d OpenAssistants of one login at the same instant: got %d sessions that are left, want exactly 1", n, left)
		}
		f.wantRecordsInAnyOrder(t, "after OpenAssistants of one login at the same instant", recs)
	}
}

// assistantLogin has everything that is no login of that user, the edges of time included.
func assistantLogin(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID)
	admin := f.admin(t, "admin")
	login, others, ended := f.login(t, u), f.login(t, other), f.login(t, u)
	f.end(t, ended.ID)
	set := f.set(t, f.under(f.login(t, u), p.ID))

	// as is a session of u that claims to be under a login.
	as := func(login domain.SessionID) domain.Session {
		s := f.hosted(u.ID, p.ID)
		s.Login = login
		return s
	}
	f.wantNotSet(t, "in a login that never existed", as(sessionID(404)), domain.NotAuthenticated)
	f.wantNotSet(t, "in a login that has ended", as(ended.ID), domain.NotAuthenticated)
	f.wantNotSet(t, "under another user's login", as(others.ID), domain.NotAuthenticated)
	f.wantNotSet(t, "under what is no login", as(set.ID), domain.NotAuthenticated)
	adminsLogin := f.login(t, admin)
	foreign := f.byRole(adminsLogin, p.ID)
	foreign.User = u.ID
	f.wantNotSet(t, "by role, in an admin's login, of a user who is not an admin", foreign, domain.NotAuthenticated)
	f.wantNotSet(t, "by role in an unknown project, in a login that has ended", func() domain.Session {
		s := f.hostedByRole(admin.ID, projectID(404))
		s.Login = ended.ID
		return s
	}(), domain.NotAuthenticated)

	f.clock.set(login.Idle.Add(-1))
	f.wantSet(t, "a nanosecond before the login's idle end", f.under(login, p.ID), p)
	f.clock.set(login.Idle)
	f.wantNotSet(t, "at the login's idle end", f.under(login, p.ID), domain.NotAuthenticated)

	long := f.login(t, u)
	wantNil(t, "preparing: Sessions.Touch", f.Ports.Sessions.Touch(t.Context(), long.ID, domain.SessionUse{At: f.clock.now(), Idle: long.Expires}))
	f.clock.set(long.Expires)
	f.wantNotSet(t, "at the login's absolute end", as(long.ID), domain.NotAuthenticated)
}

// assistantNotAllowed has unknown projects among those that are not granted. A user without the
// role must not learn the difference.
func assistantNotAllowed(t *testing.T, f *fixture) {
	p, q, gone := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "gone")
	u, other, admin := f.member(t, "ana", p.ID, gone.ID), f.member(t, "bob", q.ID), f.admin(t, "admin")
	f.remove(t, gone.ID)
	login, adminsLogin := f.login(t, u), f.login(t, admin)
	f.wantNotSet(t, "by a grant that is another's", f.under(login, q.ID), domain.NotAllowed)
	f.wantNotSet(t, "by a grant on a project that never was", f.under(login, projectID(404)), domain.NotAllowed)
	f.wantNotSet(t, "by a grant on a project that is gone", f.under(login, gone.ID), domain.NotAllowed)
	f.wantNotSet(t, "by the role of a member", f.byRole(login, p.ID), domain.NotAllowed)
	f.wantNotSet(t, "by the role of a member, in a project that does not exist", f.byRole(login, projectID(404)), domain.NotAllowed)
	f.wantNotSet(t, "of an admin, by a grant that does not exist", f.under(adminsLogin, p.ID), domain.NotAllowed)
	f.wantNotSet(t, "without a login, by a grant that is another's", f.hosted(other.ID, p.ID), domain.NotAllowed)
	f.wantNotSet(t, "without a login, of somebody without a grant", f.hosted("nobody", p.ID), domain.NotAllowed)
	f.wantNotSet(t, "without a login, by a grant on a project that never was", f.hosted(u.ID, projectID(404)), domain.NotAllowed)

	f.revoke(t, u.ID, p.ID)
	f.wantNotSet(t, "by a grant that was taken back", f.under(login, p.ID), domain.NotAllowed)
	f.update(t, admin.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantNotSet(t, "by a role that was taken back", f.byRole(adminsLogin, p.ID), domain.NotAllowed)
}

func assistantNotFound(t *testing.T, f *fixture) {
	gone := f.addNamed(t, "gone")
	f.remove(t, gone.ID)
	login := f.login(t, f.admin(t, "admin"))
	for what, id := range map[string]domain.ProjectID{"never was": projectID(404), "was removed": gone.ID} {
		f.wantNotSet(t, "by role in a project that "+what, f.byRole(login, id), domain.NotFound)
		f.wantNotSet(t, "without a login, by role in a project that "+what, f.hostedByRole("a host's admin", id), domain.NotFound)
	}
}

func assistantClosed(t *testing.T, f *fixture) {
	admin, member, stranger := f.admin(t, "admin"), f.member(t, "ana"), f.member(t, "eve")
	for _, tc := range []struct {
		name               string
		primary, secondary domain.KeyStatus
		closed             bool
	}{
		{"with one key, which does not open", domain.KeyNeedsReentry, domain.KeyNone, true},
		{"with two keys that do not open", domain.KeyNeedsReentry, domain.KeyNeedsReentry, true},
		{"with two keys, the secondary one opens", domain.KeyNeedsReentry, domain.KeyRejected, false},
		{"with two keys, the primary one opens", domain.KeyRejected, domain.KeyNeedsReentry, false},
		{"with one key, which opens", domain.KeyUnchecked, domain.KeyNone, false},
	} {
		p := f.project("p")
		p.Primary.Status = tc.primary
		if tc.secondary != domain.KeyNone {
			p.Secondary = domain.Key{Sealed: otherKey(p), Status: tc.secondary, Set: p.Primary.Set, Checked: p.Primary.Checked}
		}
		p = f.add(t, p)
		f.grant(t, member.ID, p.ID)
		role, grant := f.byRole(f.login(t, admin), p.ID), f.under(f.login(t, member), p.ID)
		if !tc.closed {
			f.wantSet(t, "by role in a project "+tc.name, role, p)
			f.wantSet(t, "by grant in a project "+tc.name, grant, p)
			continue
		}
		other := f.addNamed(t, "other")
		before := f.wantSet(t, "in another project", f.byRole(f.login(t, admin), other.ID), other)
		role.Login = before.Login
		f.wantNotSet(t, "by role in a project "+tc.name, role, domain.NeedsReentry)
		f.wantLive(t, "which was set before", before)
		f.wantNotSet(t, "by grant in a project "+tc.name, grant, domain.NeedsReentry)
		f.wantNotSet(t, "without a login, by role in a project "+tc.name, f.hostedByRole("a host's admin", p.ID), domain.NeedsReentry)
		f.wantNotSet(t, "without a grant in a project "+tc.name, f.under(f.login(t, stranger), p.ID), domain.NotAllowed)
	}
}

func assistantHostRole(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.wantSet(t, "without a login, by role, of somebody unknown here", f.hostedByRole("a host's admin", p.ID), p)
	member := f.member(t, "ana")
	f.wantSet(t, "without a login, by role, of a member here", f.hostedByRole(member.ID, p.ID), p)
	f.wantRecords(t, "after each OpenAssistant")
}
