package portstest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SessionStore checks every sentence in the comments of ports.SessionStore that can be seen
// from outside.
func SessionStore(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"OpenLogin stores the login and the record together", loginStores},
		{"OpenLogin is NotAllowed if the user does not exist, is disabled or has another password hash", loginNotAllowed},
		{"no login outlives a change of the password, or a disabling, at the same instant", loginRace},
		{"OpenAssistant stores the session and the record together and returns the project that is set", assistantStores},
		{"OpenAssistant replaces the assistant session of its login, and no other", assistantReplaces},
		{"a session without a login replaces none", assistantHosted},
		{"of several OpenAssistants of one login at the same instant one session remains", assistantAtOnce},
		{"OpenAssistant is NotAuthenticated if the login is over or another user's", assistantLogin},
		{"OpenAssistant is NotAllowed if the role or the grant that allows the session is gone", assistantNotAllowed},
		{"OpenAssistant is NotFound if the role exists and the project does not", assistantNotFound},
		{"OpenAssistant is NeedsReentry if the user is admitted but no key of the project can be opened", assistantClosed},
		{"the role is not checked for a session without a login", assistantHostRole},
		{"of more logins than a user may have the oldest end, with their assistant sessions", loginsDisplace},
		{"logins of other users, and those that are over, displace nothing", loginsOfOthers},
		{"logins that are opened at the same instant are never more than a user may have", loginsAtOnce},
		{"of more sessions without a login than a user may have the oldest end", hostedDisplace},
		{"sessions without a login that are opened at the same instant are never more than a user may have", hostedAtOnce},
		{"an assistant session of the oldest login displaces nothing", assistantOfOldest},
		{"a session that never existed is not a login, and End of it changes nothing", sessionUnknown},
		{"a session is over at either of its ends, which are exclusive", sessionEnds},
		{"Touch moves the last use and the idle end, forward only, in whatever order touches arrive", touchMoves},
		{"Touch reads its times in any zone and keeps microseconds", touchTimes},
		{"Touch is NotFound for a session that never existed or is over, and never revives", touchOver},
		{"End ends the session and its assistant session, and nothing else, together with the record", endEnds},
		{"End of what never existed or is over succeeds, ends nothing and keeps no record", endUnknown},
		{"End by a member ends no session of another user", endOfUser},
		{"End of a user ends all sessions of the user and nothing else, together with the record", endAllEnds},
		{"End of a user without sessions succeeds and keeps no record", endAllNone},
		{"what End of a user has ended stays ended while it is touched and assistant sessions are opened in it at the same instant", endAllRace},
		{"Page returns at most limit sessions of the user that are not over, in the order of their ids", sessionPages},
		{"Touch with a key records the key, keeps no record and changes nothing else", markSealedMarks},
		{"Touch with a key is NotFound for a session that never existed or is over, and changes nothing", markSealedOver},
		{"End by a keyset key ends the sessions of the key and their assistant sessions, and forgets its conversations", endSealedBy},
		{"End by a keyset key without handles forgets no conversation of the key", endSealedByLeavesHandles},
		{"End by a keyset key by a caller who may not manage ends nothing", endSealedByMember},
		{"End by a keyset key without sessions succeeds and changes nothing", endSealedByNone},
		{"End of nothing ends nothing", endNothing},
		{"what has ended stays ended while it is touched and assistant sessions are opened in it at the same instant", endRace},
		{"OpenLoginByLink opens a login once, without a password, if the user exists and is enabled", linkOpens},
		{"of several OpenLoginByLink with one link at the same instant one opens a login", linkAtOnceOpens},
	}, promises("Sessions")...))
}

// loginStores has a session without any address, and with an agent that is no plain text.
func loginStores(t *testing.T, f *fixture) {
	u, admin := f.member(t, "ana"), f.admin(t, "admin")
	plain := f.newLogin(u.ID)
	remembered := domain.NewLogin(sessionID(f.next()), u.ID, true, f.clock.now(), lives, "2001:db8::1", "")
	odd := domain.NewLogin(sessionID(f.next()), u.ID, false, f.clock.now(), lives, "", `O'Brien"; -- \ `+"\n\t句 🙂"+strings.Repeat("x", 256))
	for _, s := range []domain.Session{plain, remembered, odd} {
		rec := f.record(domain.ActionLogin, domain.OnSession(s.ID))
		wantNil(t, "OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, rec))
		f.log = append(f.log, rec)
		f.wantLive(t, "after OpenLogin", s)
	}
	f.wantLive(t, "after OpenLogin of an admin", f.login(t, admin))
	f.wantLive(t, "earlier logins, which a later one leaves alone", plain, remembered, odd)
	f.wantRecords(t, "after each OpenLogin")
}

// loginNotAllowed has every reason why a password that was right a moment ago is wrong now.
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
	wantNil(t, "preparing: Users.Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), gone.ID, agree))
	f.log = append(f.log, rec)

	for _, tc := range []struct {
		name string
		user domain.UserID
		hash domain.Secret
	}{
		{"a user who never existed", userID(404), u.PasswordHash},
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
		err := f.Ports.Sessions.OpenLogin(t.Context(), s, tc.hash, f.record(domain.ActionLogin, domain.OnSession(s.ID)))
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
			_, err := f.Ports.Users.Update(t.Context(), byOperator(rec), u.ID, changing(change), domain.Kept{})
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

func sessionUnknown(t *testing.T, f *fixture) {
	for _, id := range []domain.SessionID{sessionID(404), "", "' OR 1=1 --", "%"} {
		_, err := f.Ports.Access.ByLogin(t.Context(), id, domain.Use{})
		wantKind(t, fmt.Sprintf("ByLogin of the unknown id %q", id), err, domain.NotFound)
		_, err = f.Ports.Sessions.End(t.Context(), f.act(domain.ActionLogout, "unknown"), domain.OneSession(id))
		wantNil(t, fmt.Sprintf("End of the unknown id %q", id), err)
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
			wantNil(t, "OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, f.record(domain.ActionLogin, "")))
			return s
		}, func(s domain.Session) time.Time { return s.Expires }},
		{"a login at its absolute end, idle for less", func() domain.Session { return f.used(t, f.login(t, u)) }, func(s domain.Session) time.Time { return s.Expires }},
		{"a session without a login at its absolute end, idle for less", func() domain.Session { return f.used(t, f.set(t, f.hosted(u.ID, p.ID))) }, func(s domain.Session) time.Time { return s.Expires }},
	} {
		s := tc.open()
		end := tc.end(s)
		for _, before := range []time.Duration{time.Minute, time.Millisecond, time.Microsecond, time.Nanosecond} {
			f.clock.set(end.Add(-before))
			_, err := findSession(t.Context(), f.Ports.Sessions, s)
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
	wantNil(t, "preparing: Sessions.Touch", f.Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: f.clock.now(), Idle: s.Expires.Add(time.Hour)}))
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
			err := f.Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: began.Add(step.used * unit), Idle: idle.Add(step.idle * unit)})
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
		errs[i] = at[i%len(at)].Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: s.LastUsed.Add(later), Idle: s.Idle.Add(later)})
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Touches at the same instant", crowd), err)
	}
	s.LastUsed, s.Idle = s.LastUsed.Add((crowd-1)*time.Second), s.Idle.Add((crowd-1)*time.Second)
	f.wantLive(t, "after many Touches at the same instant", s)
}

// touchTimes hands in what time.Now returns: nanoseconds, in a zone.
func touchTimes(t *testing.T, f *fixture) {
	s := f.login(t, f.member(t, "ana"))
	zone := time.FixedZone("far", -9*60*60)
	used, idle := s.LastUsed.Add(time.Minute), s.Idle.Add(time.Minute)
	err := f.Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: used.Add(999).In(zone), Idle: idle.Add(999).In(zone)})
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
			err := f.Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: f.clock.now(), Idle: f.clock.now().Add(time.Hour)})
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
	wantNil(t, "Touch a nanosecond before the idle end", f.Ports.Sessions.Touch(t.Context(), idle.ID, domain.SessionUse{At: idle.LastUsed, Idle: idle.Idle}))
	f.clock.set(idle.Idle)
	revive("at its idle end", idle)

	old := f.used(t, f.login(t, u))
	f.clock.set(old.Expires)
	revive("at its absolute end", old)
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	revive("of a user who is disabled", old)
	f.wantRecords(t, "after Touches, which keep none")
}

// wantPages fails the test unless the pages of the user's sessions are these.
func (f *fixture) wantPages(t *testing.T, what string, user domain.UserID, want ...domain.Session) {
	t.Helper()
	for _, limit := range []int{1, 2, 3, len(want) + 1} {
		var got []domain.Session
		for after := (domain.Cursor{}); ; {
			page, err := f.Ports.Sessions.Page(t.Context(), user, after, limit)
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
		got, err := f.Ports.Sessions.Page(t.Context(), h.member.ID, domain.Cursor{}, limit)
		wantNil(t, "Page of nothing", err)
		wantSame(t, fmt.Sprintf("how many sessions a page of %d has", limit), len(got), 0)
	}
	odd, err := f.Ports.Sessions.Page(t.Context(), "' OR 1=1 --", domain.Cursor{ID: "' OR 1=1 --"}, 10)
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
	wantNil(t, "OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), login, h.member.PasswordHash, rec))
	f.log = append(f.log, rec)
	for _, by := range []domain.KeyID{"1886453126", "42", "42", "1886453126"} {
		for _, s := range []*domain.Session{&login, &h.under, &h.host} {
			at := f.instances(t)
			wantNil(t, "Touch with a key", at[len(at)-1].Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{SealedBy: by}))
			s.SealedBy = by
			f.wantLive(t, "after Touch with a key", *s)
		}
	}
	f.wantLive(t, "that nobody marked", append(append([]domain.Session{h.login, h.second}, h.ofAdmin()...), h.others...)...)
	caller, err := byLogin(t.Context(), f.Ports.Access, login.ID)
	wantNil(t, "Access.ByLogin", err)
	wantSame(t, "the login of the caller after Touch", caller.Login, login)
	f.wantRecords(t, "after Touch with a key, which keeps none")
}

func markSealedOver(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	ended, idle := f.login(t, u), f.login(t, u)
	f.end(t, ended.ID)
	f.clock.set(idle.Idle)
	for _, id := range []domain.SessionID{ended.ID, idle.ID, sessionID(404), ""} {
		wantKind(t, "Touch", f.Ports.Sessions.Touch(t.Context(), id, domain.SessionUse{SealedBy: "42"}), domain.NotFound)
	}
	f.clock.set(idle.Idle.Add(-1))
	f.wantLive(t, "that was marked at a time at which it was over", idle)
	f.wantOver(t, "ended, after Touch with a key", ended)
	f.wantRecords(t, "after Touch with a key of what is over")
}
