package portstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// endEnds looks at everything that is not under what it ends.
func endEnds(t *testing.T, f *fixture) {
	h := f.household(t)
	f.end(t, h.login.ID)
	f.wantOver(t, "ended, and what is under it", h.login, h.under)
	rest := append(append([]domain.Session{h.second, h.underSecond, h.host}, h.ofAdmin()...), h.others...)
	f.wantLive(t, "not under what was ended", rest...)
	f.end(t, h.underSecond.ID)
	f.wantOver(t, "ended in a login", h.underSecond)
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
	wantNil(t, "preparing: Sessions.Touch", f.Ports.Sessions.Touch(t.Context(), stays.ID, domain.SessionUse{At: f.clock.now(), Idle: stays.Expires}))
	stays.LastUsed, stays.Idle = domain.Instant(f.clock.now()), stays.Expires
	f.clock.set(idle.Idle)
	for what, id := range map[string]domain.SessionID{"never was": sessionID(404), "has ended": ended.ID, "is over": idle.ID, "has no id": ""} {
		for _, of := range []domain.UserID{"", u.ID} {
			err := endSessions(t.Context(), f.Ports.Sessions, actOf(of, f.record(domain.ActionLogout, domain.OnSession(id))), domain.OneSession(id))
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
	atOnce(crowd, func(i int) {
		errs[i] = endSessions(t.Context(), at[i%len(at)].Ports.Sessions, byOperator(recs[i]), domain.OneSession(stays.ID))
	})
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
			err := endSessions(t.Context(), f.Ports.Sessions, actOf(of, f.record(domain.ActionDeleteSession, domain.OnSession(s.ID))), domain.OneSession(s.ID))
			wantKind(t, "End of a session of somebody else", err, domain.NotFound)
		}
	}
	f.wantLive(t, "that somebody else wanted to end", all...)
	f.wantRecords(t, "after Ends of sessions of somebody else")
	for _, s := range []domain.Session{h.underSecond, h.login, h.host} {
		rec := f.record(domain.ActionDeleteSession, domain.OnSession(s.ID))
		wantNil(t, "End of a session of that user", endSessions(t.Context(), f.Ports.Sessions, actOf(h.member.ID, rec), domain.OneSession(s.ID)))
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
	wantNil(t, "End of all", endSessions(t.Context(), f.Ports.Sessions, byOperator(rec), domain.SessionsOf(user)))
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
	f.wantRecords(t, "after each End of all")

	login := f.login(t, h.member)
	under := f.used(t, f.set(t, f.under(login, h.p.ID)))
	under.Idle = under.Expires.Add(time.Hour)
	f.clock.set(login.Idle)
	f.wantOver(t, "idle for too long", login)
	f.endAll(t, h.member.ID)
	f.wantOver(t, "in a login that was over", under)
	f.wantRecords(t, "after End of all sessions of a login that is over")
	f.wantLive(t, "opened after End of all", f.login(t, h.member))
}

func endAllNone(t *testing.T, f *fixture) {
	h := f.household(t)
	none := f.member(t, "none")
	wantEnded := func(what string, user domain.UserID) {
		t.Helper()
		ended, err := f.Ports.Sessions.End(t.Context(), f.act(domain.ActionDeleteUserSessions, domain.OnUser(user)), domain.SessionsOf(user))
		wantNil(t, "End of "+what, err)
		wantSame(t, "what End of "+what+" ended", ended, domain.SessionsEnded{})
		f.wantRecords(t, "after End of all of "+what)
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
	atOnce(len(recs), func(i int) {
		_, errs[i] = at[i%len(at)].Ports.Sessions.End(t.Context(), byOperator(recs[i]), domain.SessionsOf(h.member.ID))
	})
	for _, err := range errs {
		wantNil(t, "one of several Ends of all at the same instant", err)
	}
	f.wantOneOf(t, "after several Ends of all at the same instant", recs)
	page, err := f.Ports.Sessions.Page(t.Context(), h.member.ID, domain.Cursor{}, 10)
	wantNil(t, "Page", err)
	wantSame(t, "how many sessions are left after several Ends of all at the same instant", len(page), 0)
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
		f.openDuring(t, "End of all", u, tries, domain.ActionDeleteUserSessions,
			func(rec domain.Record) error {
				return endSessions(t.Context(), f.Ports.Sessions, byOperator(rec), domain.SessionsOf(u.ID))
			}, domain.NotAuthenticated)
		f.wantOver(t, "ended, and what was under it from before", login, second, first)

		used := f.login(t, u)
		rec := f.record(domain.ActionDeleteUserSessions, domain.OnUser(u.ID))
		errs := make([]error, 8)
		atOnce(len(errs), func(i int) {
			view := at[i%len(at)].Ports.Sessions
			switch {
			case i == 0:
				errs[i] = endSessions(t.Context(), view, byOperator(rec), domain.SessionsOf(u.ID))
			case i%2 == 0:
				errs[i] = view.Touch(t.Context(), used.ID, domain.SessionUse{SealedBy: domain.KeyID(fmt.Sprint(i))})
			default:
				errs[i] = view.Touch(t.Context(), used.ID, domain.SessionUse{At: f.clock.now().Add(time.Minute), Idle: used.Idle.Add(time.Minute)})
			}
		})
		f.log = append(f.log, rec)
		for i, err := range errs {
			if err != nil && (i == 0 || domain.KindOf(err) != domain.NotFound) {
				t.Fatalf("call %d beside End of all: got %v, want success, or NotFound of Touch", i, err)
			}
		}
		f.wantOver(t, "used during End of all", used)
		f.wantRecords(t, "after End of all beside uses")
	}
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
			func(rec domain.Record) error {
				return endSessions(t.Context(), f.Ports.Sessions, byOperator(rec), domain.OneSession(login.ID))
			}, domain.NotAuthenticated)
		f.wantOver(t, "ended, and what was under it from before", login, first)

		touched := f.login(t, u)
		rec := f.record(domain.ActionLogout, domain.OnSession(touched.ID))
		errs := make([]error, 8)
		atOnce(len(errs), func(i int) {
			if i == 0 {
				errs[i] = endSessions(t.Context(), f.Ports.Sessions, byOperator(rec), domain.OneSession(touched.ID))
				return
			}
			errs[i] = at[i%len(at)].Ports.Sessions.Touch(t.Context(), touched.ID, domain.SessionUse{At: f.clock.now().Add(time.Minute), Idle: touched.Idle.Add(time.Minute)})
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

// endSealedBy has the session of the key two under the login of one, and so on: under the
// login of "" is a session of one.
func endSealedBy(t *testing.T, f *fixture) {
	w := f.signIn(t, "one", "two", "")
	end := func(key domain.KeyID, want domain.SessionsEnded) {
		t.Helper()
		rec := f.record(domain.ActionEndSessions, domain.OnKey(key))
		got, err := f.Ports.Sessions.End(t.Context(), byOperator(rec), domain.SessionsSealedBy(key, true))
		wantNil(t, "End by key", err)
		wantSame(t, "what End by key returned", got, want)
		f.log = append(f.log, rec)
		f.wantRecords(t, "after End by key")
	}
	end("one", domain.SessionsEnded{Sessions: 3, Handles: 2})
	f.wantOver(t, "after End by key of one", w.logins["one"], w.under["one"], w.hosted["one"], w.under[""])
	f.wantLive(t, "after End by key of one", w.logins["two"], w.under["two"], w.hosted["two"], w.logins[""], w.hosted[""])
	f.wantNoConversation(t, "after End by key of one", w.ofSession["one"], w.ofToken["one"])
	f.wantConversation(t, "after End by key of one", w.ofSession["two"], w.ofToken["two"], w.ofSession[""], w.ofToken[""])
	end("", domain.SessionsEnded{Sessions: 3, Handles: 2})
	f.wantOver(t, `after End by key of ""`, w.logins[""], w.under["two"], w.hosted[""])
	f.wantLive(t, `after End by key of ""`, w.logins["two"], w.hosted["two"])
	f.wantNoConversation(t, `after End by key of ""`, w.ofSession[""], w.ofToken[""])
	f.wantConversation(t, `after End by key of ""`, w.ofSession["two"], w.ofToken["two"])
	f.wantUses(t, "after two End by key", map[domain.KeyID]domain.KeyUse{"two": {Logins: 2, Handles: 2}, theKey: {Rows: 3}})

	// One that ends with its login is counted where the key is its own too.
	under := f.under(w.logins["two"], w.project.ID)
	under.SealedBy = "two"
	f.set(t, under)
	end("two", domain.SessionsEnded{Sessions: 3, Handles: 2})
	f.wantUses(t, "after the last", map[domain.KeyID]domain.KeyUse{theKey: {Rows: 1}})
}

func endSealedByLeavesHandles(t *testing.T, f *fixture) {
	w := f.signIn(t, "one", "two")
	rec := f.record(domain.ActionEndSessions, domain.OnKey("one"))
	got, err := f.Ports.Sessions.End(t.Context(), byOperator(rec), domain.SessionsSealedBy("one", false))
	wantNil(t, "End by key", err)
	wantSame(t, "what End by key returned", got, domain.SessionsEnded{Sessions: 3})
	f.log = append(f.log, rec)
	f.wantRecords(t, "after End by key")
	f.wantOver(t, "after End by key", w.logins["one"], w.hosted["one"])
	f.wantLive(t, "after End by key", w.logins["two"], w.hosted["two"])
	f.wantConversation(t, "after End by key", w.ofToken["one"], w.ofToken["two"], w.ofSession["two"])
}

// endSealedByMember has sessions and conversations of the caller's own among them.
func endSealedByMember(t *testing.T, f *fixture) {
	f.install(t)
	w := f.signIn(t, "one")
	before := f.state(t, f.Ports)
	for name, by := range map[string]domain.Caller{"a member by login": domain.CallerByLogin(w.logins["one"], domain.RoleMember), "a host's member": {ID: w.hosted["one"].User}} {
		act := domain.Act{By: by, Needs: domain.NeedsCaller(), Record: f.record(domain.ActionEndSessions, name)}
		got, err := f.Ports.Sessions.End(t.Context(), act, domain.SessionsSealedBy("one", true))
		wantNil(t, "End by key by "+name, err)
		wantSame(t, "what End by key by "+name+" ended", got, domain.SessionsEnded{})
	}
	f.wantState(t, "after Ends by key by who may not manage", before)
	f.wantRecords(t, "after Ends by key by who may not manage")
}

func endSealedByNone(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	s := f.login(t, u)
	none := func(key domain.KeyID) {
		t.Helper()
		got, err := f.Ports.Sessions.End(t.Context(), f.act(domain.ActionEndSessions, "k"), domain.SessionsSealedBy(key, true))
		wantNil(t, "End by key", err)
		wantSame(t, "what End by key returned", got, domain.SessionsEnded{})
	}
	none("one")
	none(theKey)
	f.wantLive(t, "after End by key of keys that sealed nothing", s)
	f.clock.set(s.Idle)
	none("")
	f.wantRecords(t, "after End by key of nothing that goes on")
}

// endNothing has the names of no sessions.
func endNothing(t *testing.T, f *fixture) {
	h := f.household(t)
	for what, which := range map[string]domain.SessionsToEnd{
		"the zero name": {}, "no session": domain.OneSession(""), "no user": domain.SessionsOf(""), "a key that does not exist": domain.SessionsSealedBy("404", true),
	} {
		ended, err := f.Ports.Sessions.End(t.Context(), f.act(domain.ActionEndSessions, what), which)
		wantNil(t, "End of "+what, err)
		wantSame(t, "what End of "+what+" ended", ended, domain.SessionsEnded{})
	}
	f.wantLive(t, "after Ends of nothing", append(append(h.ofMember(), h.ofAdmin()...), h.others...)...)
	f.wantRecords(t, "after Ends of nothing")
}
