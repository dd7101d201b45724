package portstest

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// openLogins opens n logins of u, a second apart. Every other one is remembered.
func (f *fixture) openLogins(t *testing.T, u domain.User, n int) []domain.Session {
	t.Helper()
	all := make([]domain.Session, n)
	for i := range all {
		f.clock.advance(time.Second)
		all[i] = domain.NewLogin(sessionID(f.next()), u.ID, i%2 == 0, f.clock.now(), lives, "192.0.2.7", "")
		f.openLogin(t, u, all[i])
	}
	return all
}

func (f *fixture) openLogin(t *testing.T, u domain.User, s domain.Session) {
	t.Helper()
	rec := f.record(domain.ActionLogin, domain.OnSession(s.ID))
	wantNil(t, "OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, rec))
	f.log = append(f.log, rec)
}

// wantNumber wants so many live sessions of the user.
func (f *fixture) wantNumber(t *testing.T, what string, user domain.UserID, want int) {
	t.Helper()
	all, err := f.Ports.Sessions.Page(t.Context(), user, domain.Cursor{}, 10*domain.MaxSessions)
	wantNil(t, what+": Page", err)
	wantSame(t, what+": the number of sessions", len(all), want)
}

func loginsDisplace(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	first := f.openLogins(t, u, 3)
	set := f.set(t, f.under(first[0], p.ID))
	rest := f.openLogins(t, u, domain.MaxSessions-len(first))
	f.wantLive(t, "as many as a user may have", append(rest, append(first, set)...)...)

	more := f.openLogins(t, u, 2)
	f.wantOver(t, "the oldest, one of them remembered", first[0], first[1], set)
	f.wantLive(t, "the others", append(append(rest, first[2]), more...)...)
	f.wantNumber(t, "after two more", u.ID, domain.MaxSessions)
	f.wantRecords(t, "after the last login")
}

func loginsOfOthers(t *testing.T, f *fixture) {
	ana, bob := f.member(t, "ana"), f.member(t, "bob")
	old := f.login(t, ana)
	f.openLogins(t, bob, domain.MaxSessions)
	f.wantLive(t, "beside the logins of another user", old)
	f.end(t, old.ID)
	short := f.login(t, ana)
	f.clock.advance(2 * lives.Idle)
	remembered := domain.NewLogin(sessionID(f.next()), ana.ID, true, f.clock.now(), lives, "", "")
	f.openLogin(t, ana, remembered)
	f.openLogins(t, ana, domain.MaxSessions-1)
	f.wantOver(t, "idle for too long", short)
	f.wantLive(t, "beside one that is over", remembered)
}

func loginsAtOnce(t *testing.T, f *fixture) {
	u, at := f.member(t, "ana"), f.instances(t)
	f.openLogins(t, u, domain.MaxSessions-10)
	tries := make([]domain.Session, crowd)
	for i := range tries {
		tries[i] = f.newLogin(u.ID)
	}
	errs := make([]error, crowd)
	atOnce(crowd, func(i int) {
		errs[i] = at[i%len(at)].Ports.Sessions.OpenLogin(t.Context(), tries[i], u.PasswordHash, domain.Record{Action: domain.ActionLogin, Count: 1})
	})
	for _, err := range errs {
		wantNil(t, "OpenLogin beside others", err)
	}
	f.wantNumber(t, "after many at the same instant", u.ID, domain.MaxSessions)
}

func hostedDisplace(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p := f.addNamed(t, "p")
	all := make([]domain.Session, domain.MaxSessions+2)
	other := f.set(t, f.hostedByRole("another user of the host", p.ID))
	for i := range all {
		f.clock.advance(time.Second)
		all[i] = f.set(t, f.hostedByRole(user, p.ID))
	}
	f.wantOver(t, "the oldest", all[0], all[1])
	f.wantLive(t, "the others", append(all[2:], other)...)
	f.wantNumber(t, "after two too many", user, domain.MaxSessions)
}

func hostedAtOnce(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p, at := f.addNamed(t, "p"), f.instances(t)
	for range domain.MaxSessions - 10 {
		f.set(t, f.hostedByRole(user, p.ID))
	}
	errs := make([]error, crowd)
	tries := make([]domain.Session, crowd)
	for i := range tries {
		tries[i] = f.hostedByRole(user, p.ID)
	}
	atOnce(crowd, func(i int) {
		_, errs[i] = at[i%len(at)].Ports.Sessions.OpenAssistant(t.Context(), settingAct(tries[i], domain.Record{Action: domain.ActionSetProject, Count: 1}), tries[i])
	})
	for _, err := range errs {
		wantNil(t, "OpenAssistant beside others", err)
	}
	f.wantNumber(t, "after many at the same instant", user, domain.MaxSessions)
}

func assistantOfOldest(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	all := f.openLogins(t, u, domain.MaxSessions)
	for _, login := range all {
		f.set(t, f.under(login, p.ID))
	}
	set := f.set(t, f.under(all[0], p.ID))
	f.wantLive(t, "all logins, and the session of the oldest", append(all, set)...)
	f.wantNumber(t, "with an assistant session each", u.ID, 2*domain.MaxSessions)
}
