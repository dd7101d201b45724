package portstest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SessionStore checks every sentence in the comments of ports.SessionStore that can be
// seen from outside. It needs Sessions and Records of the Store, and, since a session
// needs somebody and something that it is about, hardly says anything without Projects
// and Users.
func SessionStore(t *testing.T, open OpenStore) {
	check(t, open, sessions, []sentence{
		{"OpenLogin stores the login and the record together", users, loginStores},
		{"OpenLogin is NotAllowed when the user is not there, is disabled or has another password hash", users, loginNotAllowed},
		{"no login outlives a change of the password, or a disabling, at the same instant", users, loginRace},
		{"OpenAssistant stores the session and the record together and returns the project that is set", projects | users, assistantStores},
		{"OpenAssistant puts the session in the place of the one that its login had, and of no other", projects | users, assistantReplaces},
		{"a session without a login replaces none", projects, assistantHosted},
		{"of several OpenAssistants of one login at the same instant one session is left", projects | users, assistantAtOnce},
		{"OpenAssistant is NotAllowed when the login is over or is another user's", projects | users, assistantLogin},
		{"OpenAssistant is NotAllowed when what is to let the user in is not there", projects | users, assistantNotAllowed},
		{"OpenAssistant is NotFound when the role is there and the project is not", projects | users, assistantNotFound},
		{"OpenAssistant is NeedsReentry, for whom it lets in, when it is known that no key of the project opens", projects | users, assistantClosed},
		{"a role is not looked at for a session without a login", projects, assistantHostRole},
		{"Find of a session that never was is NotFound", 0, sessionUnknown},
		{"a session is over at either of its ends, which are exclusive", projects | users, sessionEnds},
		{"Touch moves the last use and the idle end, forward only, in whatever order touches arrive", projects | users, touchMoves},
		{"Touch reads its times in any zone and keeps microseconds", users, touchTimes},
		{"Touch is NotFound for a session that never was or is over, and never revives", projects | users, touchOver},
		{"End ends the session and what is under it, and nothing else, together with the record", projects | users, endEnds},
		{"End of what never was or is over is NotFound, changes nothing and keeps no record", users, endUnknown},
		{"End with a user is NotFound for a session of somebody else", projects | users, endOfUser},
		{"EndAll ends all sessions of the user and nothing else, together with the record", projects | users, endAllEnds},
		{"EndAll where there are none succeeds and keeps no record", projects | users, endAllNone},
		{"what EndAll has ended stays ended while it is touched and marked, and under it nothing is opened, at the same instant", projects | users, endAllRace},
		{"Page returns at most limit sessions of the user that are not over, in the order of their ids", projects | users, sessionPages},
		{"MarkSealed records the key, keeps no record and changes nothing else", projects | users, markSealedMarks},
		{"MarkSealed changes nothing of what never was or is over", projects | users, markSealedOver},
		{"what has ended stays ended while it is touched, and under it nothing is opened, at the same instant", projects | users, endRace},
		{"Sweep forgets at most limit sessions that are over, and returns how many", projects | users, sweepLimit},
		{"several Sweeps at the same instant count each session once and take none that goes on", projects, sweepAtOnce},
		{"what one instance writes another sees at once", projects | users, sessionsElsewhere},
		{"an outage and an ended context are Unavailable, never NotFound, and change nothing", projects | users, sessionsUnavailable},
		{"all methods are safe for concurrent use", projects | users, sessionsConcurrent},
	})
}

// loginStores has a session without any address, and with an agent that is no plain text.
func loginStores(t *testing.T, f *fixture) {
	u, admin := f.member(t, "ana"), f.admin(t, "admin")
	plain := f.newLogin(u.ID)
	remembered := domain.NewLogin(sessionID(f.next()), u.ID, true, f.clock.now(), lives, "2001:db8::1", "")
	odd := domain.NewLogin(sessionID(f.next()), u.ID, false, f.clock.now(), lives, "", `O'Brien"; -- \ `+"\n\t句 🙂"+strings.Repeat("x", 256))
	for _, s := range []domain.Session{plain, remembered, odd} {
		rec := f.record(domain.ActionLogin, domain.OnSession(s.ID))
		wantNil(t, "OpenLogin", f.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, rec))
		f.log = append(f.log, rec)
		f.wantLive(t, "after OpenLogin", s)
	}
	f.wantLive(t, "after OpenLogin of an admin", f.login(t, admin))
	f.wantLive(t, "earlier logins, which a later one leaves alone", plain, remembered, odd)
	f.wantRecords(t, "after each OpenLogin")
}

// loginNotAllowed has every reason for which a password that was right a moment ago may not
// be good any more.
func loginNotAllowed(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	disabled := f.user("bob", domain.RoleAdmin)
	disabled.Disabled = true
	f.create(t, disabled)
	changed := f.member(t, "cem")
	old := changed.PasswordHash
	f.update(t, changed.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$new") })
	gone := f.member(t, "dan")
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(gone.ID))
	wantNil(t, "preparing: Users.Remove", f.Users.Remove(t.Context(), gone.ID, agree, rec))
	f.log = append(f.log, rec)

	for _, tc := range []struct {
		name string
		user domain.UserID
		hash domain.Secret
	}{
		{"a user who never was", userID(404), u.PasswordHash},
		{"a user who was removed", gone.ID, gone.PasswordHash},
		{"a user who is disabled", disabled.ID, disabled.PasswordHash},
		{"another hash", u.ID, domain.NewSecret("$test$another")},
		{"another user's hash", u.ID, changed.PasswordHash},
		{"the hash from before a change", changed.ID, old},
		{"no hash", u.ID, domain.Secret{}},
		{"a hash and a space", u.ID, domain.NewSecret(u.PasswordHash.Reveal() + " ")},
		{"a hash in capitals", u.ID, domain.NewSecret(strings.ToUpper(u.PasswordHash.Reveal()))},
	} {
		s := f.newLogin(tc.user)
		err := f.Sessions.OpenLogin(t.Context(), s, tc.hash, f.record(domain.ActionLogin, domain.OnSession(s.ID)))
		wantKind(t, "OpenLogin with "+tc.name, err, domain.NotAllowed)
		f.wantOver(t, "not opened, with "+tc.name, s)
	}
	f.wantRecords(t, "after OpenLogins that were not allowed")
}

// loginRace fails for an adapter that looks at the user first and stores the login then.
func loginRace(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	update := func(change func(u *domain.User)) func(rec domain.Record) error {
		return func(rec domain.Record) error {
			_, err := f.Users.Update(t.Context(), u.ID, changing(change), "", rec)
			return err
		}
	}
	for round := range rounds {
		hash := domain.NewSecret(fmt.Sprintf("$test$%d", round))
		tries := []domain.Session{f.newLogin(u.ID), f.newLogin(u.ID), f.newLogin(u.ID), f.newLogin(u.ID)}
		f.openDuring(t, "a change of the password", u, tries, domain.ActionChangePassword,
			update(func(u *domain.User) { u.PasswordHash = hash }), domain.NotAllowed)
		u.PasswordHash = hash

		tries = []domain.Session{f.newLogin(u.ID), f.newLogin(u.ID), f.newLogin(u.ID), f.newLogin(u.ID)}
		f.openDuring(t, "a disabling", u, tries, domain.ActionUpdateUser,
			update(func(u *domain.User) { u.Disabled = true }), domain.NotAllowed)
		f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
		f.wantOver(t, "opened during a disabling, after the user was enabled again", tries...)
	}
}

// wantSet opens the assistant session, which must succeed and return p.
func (f *fixture) wantSet(t *testing.T, what string, s domain.Session, p domain.Project) domain.Session {
	t.Helper()
	rec := f.record(domain.ActionSetProject, domain.OnSession(s.ID))
	got, err := f.Sessions.OpenAssistant(t.Context(), s, rec)
	wantNil(t, "OpenAssistant "+what, err)
	wantSame(t, "the project that OpenAssistant "+what+" returned", got, p)
	f.log = append(f.log, rec)
	f.wantLive(t, "after OpenAssistant "+what, s)
	return s
}

// wantNotSet opens the assistant session, which must fail, leave no session and keep no
// record.
func (f *fixture) wantNotSet(t *testing.T, what string, s domain.Session, kind domain.Kind) {
	t.Helper()
	got, err := f.Sessions.OpenAssistant(t.Context(), s, f.record(domain.ActionSetProject, domain.OnSession(s.ID)))
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
	wantNil(t, "OpenLogin", f.Sessions.OpenLogin(t.Context(), remembered, u.PasswordHash, rec))
	f.log = append(f.log, rec)
	f.wantSet(t, "under a remembered login", f.under(remembered, p.ID), p)
	f.wantRecords(t, "after each OpenAssistant")
}

// assistantReplaces has sessions of the same user beside, which are in nobody's place.
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
		f.wantLive(t, "in the place of another, and beside it", next, elsewhere, hosted, login, second)
		before = next
	}
	f.wantRecords(t, "after each OpenAssistant")

	// One that is refused replaces nothing.
	gone := f.under(login, projectID(404))
	f.wantNotSet(t, "in a project that is not there", gone, domain.NotAllowed)
	f.wantNotSet(t, "by role in a project that is not there", f.byRole(login, projectID(404)), domain.NotFound)
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
		atOnce(n, func(i int) { _, errs[i] = at[i%len(at)].Sessions.OpenAssistant(t.Context(), all[i], recs[i]) })
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d OpenAssistants of one login at the same instant", n), err)
		}
		left := 0
		for _, s := range all {
			_, err := f.Sessions.Find(t.Context(), s.ID)
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
	f.wantNotSet(t, "under a login that never was", as(sessionID(404)), domain.NotAllowed)
	f.wantNotSet(t, "under a login that has ended", as(ended.ID), domain.NotAllowed)
	f.wantNotSet(t, "under another user's login", as(others.ID), domain.NotAllowed)
	f.wantNotSet(t, "under what is no login", as(set.ID), domain.NotAllowed)
	adminsLogin := f.login(t, admin)
	foreign := f.byRole(adminsLogin, p.ID)
	foreign.User = u.ID
	f.wantNotSet(t, "by role, under an admin's login, of a user who is none", foreign, domain.NotAllowed)
	f.wantNotSet(t, "by role in a project that is not there, under a login that has ended", func() domain.Session {
		s := f.hostedByRole(admin.ID, projectID(404))
		s.Login = ended.ID
		return s
	}(), domain.NotAllowed)

	f.clock.set(login.Idle.Add(-1))
	f.wantSet(t, "a nanosecond before the login's idle end", f.under(login, p.ID), p)
	f.clock.set(login.Idle)
	f.wantNotSet(t, "at the login's idle end", f.under(login, p.ID), domain.NotAllowed)

	long := f.login(t, u)
	wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), long.ID, f.clock.now(), long.Expires))
	f.clock.set(long.Expires)
	f.wantNotSet(t, "at the login's absolute end", as(long.ID), domain.NotAllowed)
}

// assistantNotAllowed has projects that are not there among those that are not granted: one
// without the role is not told the difference.
func assistantNotAllowed(t *testing.T, f *fixture) {
	p, q, gone := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "gone")
	u, other, admin := f.member(t, "ana", p.ID, gone.ID), f.member(t, "bob", q.ID), f.admin(t, "admin")
	f.remove(t, gone.ID)
	login, adminsLogin := f.login(t, u), f.login(t, admin)
	f.wantNotSet(t, "by a grant that is another's", f.under(login, q.ID), domain.NotAllowed)
	f.wantNotSet(t, "by a grant on a project that never was", f.under(login, projectID(404)), domain.NotAllowed)
	f.wantNotSet(t, "by a grant on a project that is gone", f.under(login, gone.ID), domain.NotAllowed)
	f.wantNotSet(t, "by the role of a member", f.byRole(login, p.ID), domain.NotAllowed)
	f.wantNotSet(t, "by the role of a member, in a project that is not there", f.byRole(login, projectID(404)), domain.NotAllowed)
	f.wantNotSet(t, "of an admin, by a grant that is not there", f.under(adminsLogin, p.ID), domain.NotAllowed)
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
		{"with two keys, of which neither opens", domain.KeyNeedsReentry, domain.KeyNeedsReentry, true},
		{"with two keys, of which the secondary one opens", domain.KeyNeedsReentry, domain.KeyRejected, false},
		{"with two keys, of which the primary one opens", domain.KeyRejected, domain.KeyNeedsReentry, false},
		{"with one key, which opens", domain.KeyUnchecked, domain.KeyNone, false},
	} {
		p := f.project("p")
		p.KeyStatus, p.SecondaryStatus = tc.primary, tc.secondary
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
	if f.Users == nil {
		return
	}
	member := f.member(t, "ana")
	f.wantSet(t, "without a login, by role, of a member here", f.hostedByRole(member.ID, p.ID), p)
	f.wantRecords(t, "after each OpenAssistant")
}

func sessionUnknown(t *testing.T, f *fixture) {
	for _, id := range []domain.SessionID{sessionID(404), "", "' OR 1=1 --", "%"} {
		_, err := f.Sessions.Find(t.Context(), id)
		wantKind(t, fmt.Sprintf("Find of the unknown id %q", id), err, domain.NotFound)
	}
}

// sessionEnds looks at the last nanosecond before each end, and at the end itself.
func sessionEnds(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	for _, tc := range []struct {
		name string
		open func() domain.Session
		end  func(s domain.Session) time.Time
	}{
		{"a login at its idle end", func() domain.Session { return f.login(t, u) }, func(s domain.Session) time.Time { return s.Idle }},
		{"an assistant session at its idle end", func() domain.Session { return f.set(t, f.under(f.login(t, u), p.ID)) }, func(s domain.Session) time.Time { return s.Idle }},
		{"a session without a login at its idle end", func() domain.Session { return f.set(t, f.hosted(u.ID, p.ID)) }, func(s domain.Session) time.Time { return s.Idle }},
		{"a remembered login at its end", func() domain.Session {
			s := domain.NewLogin(sessionID(f.next()), u.ID, true, f.clock.now(), lives, "", "")
			wantNil(t, "OpenLogin", f.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, f.record(domain.ActionLogin, "")))
			return s
		}, func(s domain.Session) time.Time { return s.Expires }},
		{"a login at its absolute end, idle for less", func() domain.Session { return f.used(t, f.login(t, u)) }, func(s domain.Session) time.Time { return s.Expires }},
		{"a session without a login at its absolute end, idle for less", func() domain.Session { return f.used(t, f.set(t, f.hosted(u.ID, p.ID))) }, func(s domain.Session) time.Time { return s.Expires }},
	} {
		s := tc.open()
		end := tc.end(s)
		for _, before := range []time.Duration{time.Minute, time.Millisecond, time.Microsecond, time.Nanosecond} {
			f.clock.set(end.Add(-before))
			_, err := f.Sessions.Find(t.Context(), s.ID)
			wantNil(t, fmt.Sprintf("Find, %v before the end of %s", before, tc.name), err)
		}
		for _, after := range []time.Duration{0, time.Nanosecond, time.Microsecond, 1000 * time.Hour} {
			f.clock.set(end.Add(after))
			f.wantOver(t, fmt.Sprintf("%s, %v after it", tc.name, after), s)
		}
	}
}

// used touches a session so that its idle end lies behind the absolute one.
func (f *fixture) used(t *testing.T, s domain.Session) domain.Session {
	t.Helper()
	wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), s.ID, f.clock.now(), s.Expires.Add(time.Hour)))
	return s
}

// touchMoves sends what a slow and a fast request would send, in the wrong order.
func touchMoves(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	under, hosted, other := f.set(t, f.under(login, p.ID)), f.set(t, f.hosted(u.ID, p.ID)), f.login(t, u)
	for _, s := range []domain.Session{login, under, hosted} {
		began, idle := s.LastUsed, s.Idle
		for _, step := range []struct {
			name       string
			used, idle time.Duration // since they began
			wantUsed   time.Duration
			wantIdle   time.Duration
		}{
			{"a later use", 10, 10, 10, 10},
			{"an earlier use that arrives late", 5, 5, 10, 10},
			{"the same use again", 10, 10, 10, 10},
			{"a later use with an earlier idle end", 20, -30, 20, 10},
			{"an earlier use with a later idle end", 1, 15, 20, 15},
			{"a microsecond later", 1_200_000_001, 900_000_001, 1_200_000_001, 900_000_001},
		} {
			unit := time.Minute
			if step.used > 1000 {
				unit = time.Microsecond
			}
			f.clock.set(began.Add(20 * time.Minute))
			err := f.Sessions.Touch(t.Context(), s.ID, began.Add(step.used*unit), idle.Add(step.idle*unit))
			wantNil(t, "Touch, "+step.name, err)
			if unit == time.Minute {
				s.LastUsed, s.Idle = began.Add(step.wantUsed*time.Minute), idle.Add(step.wantIdle*time.Minute)
			} else {
				s.LastUsed, s.Idle = began.Add(step.wantUsed*unit), idle.Add(step.wantIdle*unit)
			}
			f.wantLive(t, "after Touch, "+step.name, s)
		}
	}
	f.wantLive(t, "that nobody touched", other)
	f.wantRecords(t, "after Touches, which keep none")

	at := f.instances(t)
	s := f.login(t, u)
	errs := make([]error, crowd)
	atOnce(crowd, func(i int) {
		later := time.Duration((i*29)%crowd) * time.Second // every number of seconds once, mixed
		errs[i] = at[i%len(at)].Sessions.Touch(t.Context(), s.ID, s.LastUsed.Add(later), s.Idle.Add(later))
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Touches at the same instant", crowd), err)
	}
	s.LastUsed, s.Idle = s.LastUsed.Add((crowd-1)*time.Second), s.Idle.Add((crowd-1)*time.Second)
	f.wantLive(t, "after many Touches at the same instant, the latest of which counts", s)
}

// touchTimes hands in what time.Now returns: nanoseconds, in a zone.
func touchTimes(t *testing.T, f *fixture) {
	s := f.login(t, f.member(t, "ana"))
	zone := time.FixedZone("far", -9*60*60)
	used, idle := s.LastUsed.Add(time.Minute), s.Idle.Add(time.Minute)
	err := f.Sessions.Touch(t.Context(), s.ID, used.Add(999).In(zone), idle.Add(999).In(zone))
	wantNil(t, "Touch", err)
	s.LastUsed, s.Idle = used, idle
	f.wantLive(t, "after Touch with nanoseconds and in another zone", s)
	f.clock.set(idle)
	f.wantOver(t, "at the idle end that was given with nanoseconds", s)
}

// touchOver tries to revive whatever is over, for every reason there is.
func touchOver(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	revive := func(what string, s domain.Session) {
		t.Helper()
		for range 2 {
			err := f.Sessions.Touch(t.Context(), s.ID, f.clock.now(), f.clock.now().Add(time.Hour))
			wantKind(t, "Touch of a session "+what, err, domain.NotFound)
			f.wantOver(t, "after Touch of a session "+what, s)
		}
	}
	revive("that never was", f.newLogin(u.ID))

	login := f.login(t, u)
	under := f.set(t, f.under(login, p.ID))
	f.end(t, login.ID)
	revive("that has ended", login)
	revive("whose login has ended", under)

	login = f.login(t, u)
	under = f.set(t, f.under(login, p.ID))
	next := f.set(t, f.under(login, p.ID))
	revive("in whose place another came", under)
	f.revoke(t, u.ID, p.ID)
	revive("whose grant is gone", next)

	idle := f.login(t, u)
	f.clock.set(idle.Idle.Add(-1))
	wantNil(t, "Touch a nanosecond before the idle end", f.Sessions.Touch(t.Context(), idle.ID, idle.LastUsed, idle.Idle))
	f.clock.set(idle.Idle)
	revive("at its idle end", idle)

	old := f.used(t, f.login(t, u))
	f.clock.set(old.Expires)
	revive("at its absolute end", old)
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	revive("of a user who is disabled", old)
	f.wantRecords(t, "after Touches, which keep none")
}

// endEnds looks at everything that is not under what it ends.
func endEnds(t *testing.T, f *fixture) {
	h := f.household(t)
	f.end(t, h.login.ID)
	f.wantOver(t, "ended, and what is under it", h.login, h.under)
	rest := append(append([]domain.Session{h.second, h.underSecond, h.host}, h.ofAdmin()...), h.others...)
	f.wantLive(t, "not under what was ended", rest...)
	f.end(t, h.underSecond.ID)
	f.wantOver(t, "ended under a login", h.underSecond)
	f.wantLive(t, "the login of what was ended, and others", append(append([]domain.Session{h.second, h.host}, h.ofAdmin()...), h.others...)...)
	f.end(t, h.host.ID)
	f.wantOver(t, "ended without a login", h.host)
	f.wantLive(t, "of others", append(append([]domain.Session{h.second}, h.ofAdmin()...), h.others...)...)
	f.wantRecords(t, "after each End")

	again := f.set(t, f.under(h.second, h.p.ID))
	f.wantLive(t, "opened after another was ended", again)
}

// endUnknown would show an adapter that writes the record whatever it finds.
func endUnknown(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	stays, ended, idle := f.login(t, u), f.login(t, u), f.login(t, u)
	f.end(t, ended.ID)
	wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), stays.ID, f.clock.now(), stays.Expires))
	stays.LastUsed, stays.Idle = domain.Instant(f.clock.now()), stays.Expires
	f.clock.set(idle.Idle)
	for what, id := range map[string]domain.SessionID{"never was": sessionID(404), "has ended": ended.ID, "is over": idle.ID, "has no id": ""} {
		for _, of := range []domain.UserID{"", u.ID} {
			err := f.Sessions.End(t.Context(), id, of, f.record(domain.ActionLogout, domain.OnSession(id)))
			wantKind(t, "End of a session that "+what, err, domain.NotFound)
		}
	}
	f.wantRecords(t, "after End of what never was or is over")
	f.wantLive(t, "after End of what never was or is over", stays)

	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range recs {
		recs[i] = f.record(domain.ActionLogout, domain.OnSession(stays.ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Sessions.End(t.Context(), stays.ID, "", recs[i]) })
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
			continue
		}
		wantKind(t, fmt.Sprintf("one of %d Ends at the same instant", crowd), err, domain.NotFound)
	}
	wantSame(t, fmt.Sprintf("how many of %d Ends at the same instant succeeded", crowd), succeeded, 1)
	f.wantOver(t, "after many Ends at the same instant", stays)
	f.wantOneOf(t, "after many Ends at the same instant", recs)
}

func endOfUser(t *testing.T, f *fixture) {
	h := f.household(t)
	all := append(append(h.ofMember(), h.ofAdmin()...), h.others...)
	for _, s := range all {
		for _, of := range []domain.UserID{h.member.ID, h.admin.ID, h.other.ID, "nobody"} {
			if of == s.User {
				continue
			}
			err := f.Sessions.End(t.Context(), s.ID, of, f.record(domain.ActionDeleteSession, domain.OnSession(s.ID)))
			wantKind(t, "End of a session of somebody else", err, domain.NotFound)
		}
	}
	f.wantLive(t, "that somebody else wanted to end", all...)
	f.wantRecords(t, "after Ends of sessions of somebody else")
	for _, s := range []domain.Session{h.underSecond, h.login, h.host} {
		rec := f.record(domain.ActionDeleteSession, domain.OnSession(s.ID))
		wantNil(t, "End of a session of that user", f.Sessions.End(t.Context(), s.ID, h.member.ID, rec))
		f.log = append(f.log, rec)
	}
	f.wantOver(t, "that their user has ended", h.login, h.under, h.underSecond, h.host)
	f.wantLive(t, "of others, and those left", append(append([]domain.Session{h.second}, h.ofAdmin()...), h.others...)...)
	f.wantRecords(t, "after Ends of one's own sessions")
}

// endAll ends the sessions of a user who has some.
func (f *fixture) endAll(t *testing.T, user domain.UserID) {
	t.Helper()
	rec := f.record(domain.ActionDeleteUserSessions, domain.OnUser(user))
	wantNil(t, "EndAll", f.Sessions.EndAll(t.Context(), user, rec))
	f.log = append(f.log, rec)
}

// endAllEnds has an assistant session whose login is over, and users who have no login.
func endAllEnds(t *testing.T, f *fixture) {
	h := f.household(t)
	f.endAll(t, h.member.ID)
	f.wantOver(t, "of the user", h.ofMember()...)
	f.wantLive(t, "of others", append(h.ofAdmin(), h.others...)...)
	f.endAll(t, "a host's admin")
	f.wantOver(t, "of a host's user", h.others[3])
	f.wantLive(t, "of others", append(h.ofAdmin(), h.others[:3]...)...)
	f.wantRecords(t, "after each EndAll")

	login := f.login(t, h.member)
	under := f.used(t, f.set(t, f.under(login, h.p.ID)))
	under.Idle = under.Expires.Add(time.Hour)
	f.clock.set(login.Idle)
	f.wantOver(t, "idle for too long", login)
	f.endAll(t, h.member.ID)
	f.wantOver(t, "under a login that was over", under)
	f.wantRecords(t, "after EndAll of what is under a login that is over")
	f.wantLive(t, "opened after EndAll", f.login(t, h.member))
}

func endAllNone(t *testing.T, f *fixture) {
	h := f.household(t)
	none := f.member(t, "none")
	wantEnded := func(what string, user domain.UserID) {
		t.Helper()
		err := f.Sessions.EndAll(t.Context(), user, f.record(domain.ActionDeleteUserSessions, domain.OnUser(user)))
		wantNil(t, "EndAll of "+what, err)
		f.wantRecords(t, "after EndAll of "+what)
	}
	wantEnded("a user without sessions", none.ID)
	wantEnded("a user who never was", userID(404))
	wantEnded("no user", "")
	f.wantLive(t, "of others", append(append(h.ofMember(), h.ofAdmin()...), h.others...)...)
	f.endAll(t, h.member.ID)
	wantEnded("a user whose sessions have ended", h.member.ID)
	f.clock.set(h.adminLogin.Idle.Add(time.Hour))
	wantEnded("a user whose sessions are over", h.admin.ID)

	at := f.instances(t)
	f.login(t, h.member)
	f.login(t, h.member)
	recs, errs := make([]domain.Record, 8), make([]error, 8)
	for i := range recs {
		recs[i] = f.record(domain.ActionDeleteUserSessions, domain.OnUser(h.member.ID))
	}
	atOnce(len(recs), func(i int) { errs[i] = at[i%len(at)].Sessions.EndAll(t.Context(), h.member.ID, recs[i]) })
	for _, err := range errs {
		wantNil(t, "one of several EndAlls at the same instant", err)
	}
	f.wantOneOf(t, "after several EndAlls at the same instant", recs)
	page, err := f.Sessions.Page(t.Context(), h.member.ID, domain.Cursor{}, 10)
	wantNil(t, "Page", err)
	wantSame(t, "how many sessions are left after several EndAlls at the same instant", len(page), 0)
}

// endAllRace fails for an adapter that looks for the sessions first and removes them then
// one by one, and for one that writes a session back whole.
func endAllRace(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	at := f.instances(t)
	for range rounds {
		login, second := f.login(t, u), f.login(t, u)
		first := f.set(t, f.under(login, p.ID))
		tries := []domain.Session{f.under(login, p.ID), f.under(second, p.ID), f.under(login, p.ID), f.under(second, p.ID)}
		f.openDuring(t, "EndAll", u, tries, domain.ActionDeleteUserSessions,
			func(rec domain.Record) error { return f.Sessions.EndAll(t.Context(), u.ID, rec) }, domain.NotAllowed)
		f.wantOver(t, "ended, and what was under it from before", login, second, first)

		used := f.login(t, u)
		rec := f.record(domain.ActionDeleteUserSessions, domain.OnUser(u.ID))
		errs := make([]error, 8)
		atOnce(len(errs), func(i int) {
			view := at[i%len(at)].Sessions
			switch {
			case i == 0:
				errs[i] = view.EndAll(t.Context(), u.ID, rec)
			case i%2 == 0:
				errs[i] = view.MarkSealed(t.Context(), used.ID, domain.KeyID(fmt.Sprint(i)))
			default:
				errs[i] = view.Touch(t.Context(), used.ID, f.clock.now().Add(time.Minute), used.Idle.Add(time.Minute))
			}
		})
		f.log = append(f.log, rec)
		for i, err := range errs {
			if err != nil && (i%2 == 0 || domain.KindOf(err) != domain.NotFound) {
				t.Fatalf("call %d beside EndAll: got %v, want success, or NotFound of Touch", i, err)
			}
		}
		f.wantOver(t, "used during EndAll", used)
		f.wantRecords(t, "after EndAll beside uses")
	}
}

// wantPages fails the test unless the pages of the user's sessions are these.
func (f *fixture) wantPages(t *testing.T, what string, user domain.UserID, want ...domain.Session) {
	t.Helper()
	for _, limit := range []int{1, 2, 3, len(want) + 1} {
		var got []domain.Session
		for after := (domain.Cursor{}); ; {
			page, err := f.Sessions.Page(t.Context(), user, after, limit)
			wantNil(t, what+": Page", err)
			if len(page) > limit {
				t.Fatalf("%s: Page: got %d sessions, want at most %d", what, len(page), limit)
			}
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			after = domain.Cursor{Name: "passed over", ID: string(page[len(page)-1].ID)}
		}
		wantSame(t, fmt.Sprintf("%s: the sessions in pages of %d", what, limit), got, want)
	}
}

func sessionPages(t *testing.T, f *fixture) {
	h := f.household(t)
	inOrder := func(all ...domain.Session) []domain.Session {
		return slices.SortedFunc(slices.Values(all), func(a, b domain.Session) int { return cmp.Compare(a.ID, b.ID) })
	}
	f.wantPages(t, "of a member", h.member.ID, inOrder(h.ofMember()...)...)
	f.wantPages(t, "of an admin", h.admin.ID, inOrder(h.ofAdmin()...)...)
	f.wantPages(t, "of a host's user", "a host's admin", h.others[3])
	f.wantPages(t, "of nobody", "nobody")
	f.wantPages(t, "of no user", "")
	for _, limit := range []int{0, -1} {
		got, err := f.Sessions.Page(t.Context(), h.member.ID, domain.Cursor{}, limit)
		wantNil(t, "Page of nothing", err)
		wantSame(t, fmt.Sprintf("how many sessions a page of %d has", limit), len(got), 0)
	}
	odd, err := f.Sessions.Page(t.Context(), "' OR 1=1 --", domain.Cursor{ID: "' OR 1=1 --"}, 10)
	wantNil(t, "Page of an odd user", err)
	wantSame(t, "how many sessions an odd user has", len(odd), 0)

	f.end(t, h.login.ID)
	f.wantPages(t, "after one has ended", h.member.ID, inOrder(h.second, h.underSecond, h.host)...)
	long := f.used(t, h.second)
	long.LastUsed, long.Idle = domain.Instant(f.clock.now()), h.second.Expires.Add(time.Hour)
	f.clock.set(h.second.Idle.Add(-1))
	f.wantPages(t, "a nanosecond before some are over", h.member.ID, inOrder(long, h.underSecond, h.host)...)
	f.clock.set(h.host.Idle)
	f.wantPages(t, "when all but one are over", h.member.ID, long)
	f.clock.set(long.Expires)
	f.wantPages(t, "when all are over", h.member.ID)
	f.wantRecords(t, "after Pages, which keep none")
}

func markSealedMarks(t *testing.T, f *fixture) {
	h := f.household(t)
	login := f.newLogin(h.member.ID)
	login.SealedBy = "1886453126"
	rec := f.record(domain.ActionLogin, domain.OnSession(login.ID))
	wantNil(t, "OpenLogin", f.Sessions.OpenLogin(t.Context(), login, h.member.PasswordHash, rec))
	f.log = append(f.log, rec)
	for _, by := range []domain.KeyID{"1886453126", "42", "42", "1886453126"} {
		for _, s := range []*domain.Session{&login, &h.under, &h.host} {
			at := f.instances(t)
			wantNil(t, "MarkSealed", at[len(at)-1].Sessions.MarkSealed(t.Context(), s.ID, by))
			s.SealedBy = by
			f.wantLive(t, "after MarkSealed", *s)
		}
	}
	f.wantLive(t, "that nobody marked", append(append([]domain.Session{h.login, h.second}, h.ofAdmin()...), h.others...)...)
	if f.Callers != nil {
		caller, err := f.Callers.BySession(t.Context(), login.ID)
		wantNil(t, "Callers.BySession", err)
		wantSame(t, "the login of the caller after MarkSealed", caller.Login, login)
	}
	f.wantRecords(t, "after MarkSealed, which keeps none")
}

func markSealedOver(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	ended, idle := f.login(t, u), f.login(t, u)
	f.end(t, ended.ID)
	f.clock.set(idle.Idle)
	for _, id := range []domain.SessionID{ended.ID, idle.ID, sessionID(404), ""} {
		wantNil(t, "MarkSealed", f.Sessions.MarkSealed(t.Context(), id, "42"))
	}
	f.clock.set(idle.Idle.Add(-1))
	f.wantLive(t, "that was marked at a time at which it was over", idle)
	f.wantOver(t, "ended, after MarkSealed", ended)
	f.wantRecords(t, "after MarkSealed of what is over")
}

// endRace fails for an adapter that looks for the login first and stores the session then,
// and for one that writes a session back whole when it is touched.
func endRace(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	at := f.instances(t)
	for range rounds {
		login := f.login(t, u)
		first := f.set(t, f.under(login, p.ID))
		tries := []domain.Session{f.under(login, p.ID), f.under(login, p.ID), f.under(login, p.ID), f.under(login, p.ID)}
		f.openDuring(t, "End of the login", u, tries, domain.ActionLogout,
			func(rec domain.Record) error { return f.Sessions.End(t.Context(), login.ID, "", rec) }, domain.NotAllowed)
		f.wantOver(t, "ended, and what was under it from before", login, first)

		touched := f.login(t, u)
		rec := f.record(domain.ActionLogout, domain.OnSession(touched.ID))
		errs := make([]error, 8)
		atOnce(len(errs), func(i int) {
			if i == 0 {
				errs[i] = f.Sessions.End(t.Context(), touched.ID, "", rec)
				return
			}
			errs[i] = at[i%len(at)].Sessions.Touch(t.Context(), touched.ID, f.clock.now().Add(time.Minute), touched.Idle.Add(time.Minute))
		})
		wantNil(t, "End during Touches", errs[0])
		f.log = append(f.log, rec)
		for _, err := range errs[1:] {
			if err != nil {
				wantKind(t, "Touch during End", err, domain.NotFound)
			}
		}
		f.wantOver(t, "touched during End", touched)
		f.wantRecords(t, "after End during Touches")
	}
}

func (f *fixture) sweep(t *testing.T, limit int) int {
	t.Helper()
	n, err := f.Sessions.Sweep(t.Context(), limit)
	wantNil(t, "Sweep", err)
	return n
}

// sweepLimit looks a nanosecond before each end and at the end itself, for sessions that end
// by being idle and by being old.
func sweepLimit(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	wantSame(t, "Sweep of an empty store", f.sweep(t, 10), 0)

	// Six end in an hour by being idle, two in ten hours by being old, and three after
	// that.
	var idle, old, live []domain.Session
	for range 3 {
		idle = append(idle, f.login(t, u), f.set(t, f.hosted(u.ID, p.ID)))
	}
	old = append(old, f.used(t, f.login(t, u)), f.used(t, f.set(t, f.hosted(u.ID, p.ID))))
	for range 2 {
		s := domain.NewLogin(sessionID(f.next()), u.ID, true, f.clock.now(), lives, "", "")
		rec := f.record(domain.ActionLogin, domain.OnSession(s.ID))
		wantNil(t, "preparing: Sessions.OpenLogin", f.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, rec))
		f.log = append(f.log, rec)
		live = append(live, s)
	}
	live = append(live, f.set(t, f.under(live[0], p.ID)))

	f.clock.set(idle[0].Idle.Add(-1))
	wantSame(t, "Sweep a nanosecond before any is over", f.sweep(t, 100), 0)
	f.wantLive(t, "after a Sweep before any was over", append(idle, live...)...)

	f.clock.set(idle[0].Idle)
	for _, step := range []struct{ limit, want int }{{1, 1}, {3, 3}, {3, 2}, {3, 0}} {
		wantSame(t, fmt.Sprintf("Sweep of at most %d", step.limit), f.sweep(t, step.limit), step.want)
		f.wantOver(t, "over, swept or not", idle...)
		f.wantLive(t, "not over", live...)
	}

	f.clock.set(old[0].Expires.Add(-1))
	wantSame(t, "Sweep a nanosecond before any more is over", f.sweep(t, 100), 0)
	f.clock.set(old[0].Expires)
	wantSame(t, "Sweep of as many as are over", f.sweep(t, 2), 2)
	wantSame(t, "Sweep after all that are over", f.sweep(t, 2), 0)
	f.wantOver(t, "swept", append(idle, old...)...)
	f.wantLive(t, "not over", live...)
	f.wantRecords(t, "after Sweeps, which keep none")
}

// sweepAtOnce would show an adapter that counts what it chose and not what it forgot.
func sweepAtOnce(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	at := f.instances(t)
	var over, live []domain.Session
	for range 40 {
		over = append(over, f.set(t, f.hostedByRole("a host's admin", p.ID)))
	}
	f.clock.set(over[len(over)-1].Idle)
	for range 10 {
		live = append(live, f.set(t, f.hostedByRole("a host's admin", p.ID)))
	}
	wantSweptAtOnce(t, len(over), func(i int) sweeper { return at[i%len(at)].Sessions })
	f.wantOver(t, "swept", over...)
	f.wantLive(t, "not over", live...)
	f.wantRecords(t, "after Sweeps, which keep none")
}

// sessionsElsewhere goes to and fro between two instances, so that a cache in one of them
// would show.
func sessionsElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	there := at[len(at)-1].Sessions
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	for range 3 {
		s := f.under(login, p.ID)
		rec := f.record(domain.ActionSetProject, domain.OnSession(s.ID))
		got, err := there.OpenAssistant(t.Context(), s, rec)
		wantNil(t, "OpenAssistant on the other instance", err)
		wantSame(t, "the project that OpenAssistant on the other instance returned", got, p)
		f.log = append(f.log, rec)
		f.wantLive(t, "opened on the other instance", s)

		f.revoke(t, u.ID, p.ID)
		_, err = there.Find(t.Context(), s.ID)
		wantKind(t, "Find on the other instance after Revoke", err, domain.NotFound)
		f.grant(t, u.ID, p.ID)
	}
	wantNil(t, "Touch on the other instance", there.Touch(t.Context(), login.ID, login.LastUsed.Add(time.Minute), login.Idle.Add(time.Minute)))
	login.LastUsed, login.Idle = login.LastUsed.Add(time.Minute), login.Idle.Add(time.Minute)
	f.wantLive(t, "touched on the other instance", login)
	rec := f.record(domain.ActionLogout, domain.OnSession(login.ID))
	wantNil(t, "End on the other instance", there.End(t.Context(), login.ID, "", rec))
	f.log = append(f.log, rec)
	f.wantOver(t, "ended on the other instance", login)
	f.wantRecords(t, "of both instances")
}

func sessionsUnavailable(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login, idle := f.login(t, u), f.login(t, u)
	set := f.set(t, f.under(login, p.ID))
	now := f.clock.now()
	wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), login.ID, now, login.Expires))
	wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), set.ID, now, set.Expires))
	login.Idle, set.Idle = login.Expires, set.Expires
	f.clock.set(idle.Idle)
	newLogin, newSet := f.newLogin(u.ID), f.under(login, p.ID)
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantLive(t, "after calls under ended contexts", login, set)
		f.wantOver(t, "not opened under ended contexts", newLogin, newSet)
		f.wantRecords(t, "after calls under ended contexts")
		wantSame(t, "Sweep after calls under ended contexts", f.sweep(t, 10), 1)
	},
		call{"OpenLogin", func(ctx context.Context) error {
			return f.Sessions.OpenLogin(ctx, newLogin, u.PasswordHash, f.record(domain.ActionLogin, "new"))
		}},
		call{"OpenLogin of an unknown user", func(ctx context.Context) error {
			return f.Sessions.OpenLogin(ctx, f.newLogin(userID(404)), u.PasswordHash, f.record(domain.ActionLogin, "unknown"))
		}},
		call{"OpenAssistant", func(ctx context.Context) error {
			_, err := f.Sessions.OpenAssistant(ctx, newSet, f.record(domain.ActionSetProject, "new"))
			return err
		}},
		call{"OpenAssistant in an unknown project", func(ctx context.Context) error {
			_, err := f.Sessions.OpenAssistant(ctx, f.hostedByRole("a host's admin", projectID(404)), f.record(domain.ActionSetProject, "unknown"))
			return err
		}},
		call{"Find", func(ctx context.Context) error {
			_, err := f.Sessions.Find(ctx, login.ID)
			return err
		}},
		call{"Find of an unknown id", func(ctx context.Context) error {
			_, err := f.Sessions.Find(ctx, sessionID(404))
			return err
		}},
		call{"Touch", func(ctx context.Context) error {
			return f.Sessions.Touch(ctx, login.ID, f.clock.now(), login.Expires.Add(time.Hour))
		}},
		call{"Touch of an unknown id", func(ctx context.Context) error {
			return f.Sessions.Touch(ctx, sessionID(404), f.clock.now(), login.Expires)
		}},
		call{"End", func(ctx context.Context) error {
			return f.Sessions.End(ctx, login.ID, "", f.record(domain.ActionLogout, "login"))
		}},
		call{"End of an unknown id", func(ctx context.Context) error {
			return f.Sessions.End(ctx, sessionID(404), "", f.record(domain.ActionLogout, "unknown"))
		}},
		call{"End of somebody else's", func(ctx context.Context) error {
			return f.Sessions.End(ctx, login.ID, "somebody", f.record(domain.ActionLogout, "login"))
		}},
		call{"EndAll", func(ctx context.Context) error {
			return f.Sessions.EndAll(ctx, u.ID, f.record(domain.ActionDeleteUserSessions, "all"))
		}},
		call{"EndAll of a user without sessions", func(ctx context.Context) error {
			return f.Sessions.EndAll(ctx, userID(404), f.record(domain.ActionDeleteUserSessions, "none"))
		}},
		call{"Page", func(ctx context.Context) error {
			_, err := f.Sessions.Page(ctx, u.ID, domain.Cursor{}, 10)
			return err
		}},
		call{"Page of nobody", func(ctx context.Context) error {
			_, err := f.Sessions.Page(ctx, userID(404), domain.Cursor{}, 10)
			return err
		}},
		call{"MarkSealed", func(ctx context.Context) error { return f.Sessions.MarkSealed(ctx, login.ID, "42") }},
		call{"MarkSealed of an unknown id", func(ctx context.Context) error { return f.Sessions.MarkSealed(ctx, sessionID(404), "42") }},
		call{"Sweep", func(ctx context.Context) error {
			_, err := f.Sessions.Sweep(ctx, 10)
			return err
		}},
	)
}

// sessionsConcurrent lets every caller find exactly what they left, whatever others do.
func sessionsConcurrent(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	at := f.instances(t)
	problems := make([]error, 16)
	atOnce(len(problems), func(i int) {
		view := at[i%len(at)].Sessions
		for range 4 {
			login := f.newLogin(u.ID)
			set := f.under(login, p.ID)
			touched := set
			touched.LastUsed, touched.Idle = set.LastUsed.Add(time.Minute), set.Idle.Add(time.Minute)
			for _, step := range []call{
				{"OpenLogin", func(ctx context.Context) error {
					return view.OpenLogin(ctx, login, u.PasswordHash, f.record(domain.ActionLogin, "login"))
				}},
				{"OpenAssistant", func(ctx context.Context) error {
					got, err := view.OpenAssistant(ctx, set, f.record(domain.ActionSetProject, "set"))
					return cmp.Or(err, mismatch(got, p))
				}},
				{"Touch", func(ctx context.Context) error { return view.Touch(ctx, set.ID, touched.LastUsed, touched.Idle) }},
				{"Find", func(ctx context.Context) error {
					got, err := view.Find(ctx, set.ID)
					return cmp.Or(err, mismatch(got, touched))
				}},
				{"Sweep", func(ctx context.Context) error {
					_, err := view.Sweep(ctx, 10)
					return err
				}},
				{"End", func(ctx context.Context) error {
					return view.End(ctx, login.ID, "", f.record(domain.ActionLogout, "login"))
				}},
			} {
				if err := step.do(t.Context()); err != nil && problems[i] == nil {
					problems[i] = fmt.Errorf("%s: %w", step.name, err)
				}
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "a caller beside others", err)
	}
}
