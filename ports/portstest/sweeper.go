package portstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Sweeper checks every sentence in the comment of ports.Sweeper.
func Sweeper(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Sweep forgets at most limit sessions that are over, and returns how many", sweepLimit},
		{"several Sweeps at the same instant count each session once and forget none that is not over", sweepAtOnce},
		{"Sweep forgets at most limit conversations that are over, and returns how many", conversationsSwept},
		{"several Sweeps at the same instant count each conversation once and forget none that is not over", conversationsSweptAtOnce},
		{"Sweep keeps a login while its assistant session is not over", sweepKeepsLogin},
		{"Sweep forgets at most limit uses of what can be used once that have ended, and returns how many", onceSwept},
	}, promises("Sweeper")...))
}

func (f *fixture) sweep(t *testing.T, limit int) int {
	t.Helper()
	n, err := f.Ports.Sweeper.Sweep(t.Context(), limit)
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
		wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, rec))
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
	wantSame(t, "Sweep a nanosecond before another one is over", f.sweep(t, 100), 0)
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
	wantSweptAtOnce(t, len(over), func(i int) ports.Sweeper { return at[i%len(at)].Ports.Sweeper })
	f.wantOver(t, "swept", over...)
	f.wantLive(t, "not over", live...)
	f.wantRecords(t, "after Sweeps, which keep none")
}

// sweptFrom returns conversations of two access tokens. Half of them are over in an hour.
func (f *fixture) sweptFrom(t *testing.T, n int) (over, live []domain.Conversation) {
	t.Helper()
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token, brief := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.token(u.ID, p.ID, domain.DefaultScopes())
	brief.Expires = brief.Created.Add(time.Hour)
	f.issue(t, brief)
	for range n {
		short, long := f.conversation(domain.Session{}, brief), f.conversation(domain.Session{}, token)
		over, live = append(over, f.converse(t, short)), append(live, f.converse(t, long))
	}
	return over, live
}

// conversationsSwept looks a nanosecond before the end and at the end itself.
func conversationsSwept(t *testing.T, f *fixture) {
	wantSame(t, "Sweep of an empty store", f.sweep(t, 10), 0)
	over, live := f.sweptFrom(t, 6)
	f.clock.set(over[0].Expires.Add(-1))
	wantSame(t, "Sweep a nanosecond before any is over", f.sweep(t, 100), 0)
	f.wantConversation(t, "after a Sweep before any was over", append(slices.Clone(over), live...)...)
	f.clock.set(over[0].Expires)
	for _, step := range []struct{ limit, want int }{{1, 1}, {3, 3}, {3, 2}, {3, 0}} {
		wantSame(t, fmt.Sprintf("Sweep of at most %d", step.limit), f.sweep(t, step.limit), step.want)
		f.wantConversation(t, "not over", live...)
	}
	f.wantNoConversation(t, "swept", over...)
	f.clock.set(live[0].Expires)
	wantSame(t, "Sweep of as many as are over", f.sweep(t, 6), 6)
	wantSame(t, "Sweep after all that are over", f.sweep(t, 6), 0)
	f.wantNoConversation(t, "swept", live...)
}

// conversationsSweptAtOnce would show an adapter that counts what it chose and not what it
// forgot.
func conversationsSweptAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	over, live := f.sweptFrom(t, 40)
	f.clock.set(over[len(over)-1].Expires)
	wantSweptAtOnce(t, len(over), func(i int) ports.Sweeper { return at[i%len(at)].Ports.Sweeper })
	f.wantNoConversation(t, "swept", over...)
	f.wantConversation(t, "not over", live...)
}

// wantSweptAtOnce fails the test unless 8 Sweeps at the same instant, and then others until
// nothing is over, forget as many as are over together. The i-th is at(i)'s.
func wantSweptAtOnce(t *testing.T, over int, at func(i int) ports.Sweeper) {
	t.Helper()
	counts, errs := make([]int, 8), make([]error, 8)
	atOnce(8, func(i int) { counts[i], errs[i] = at(i).Sweep(t.Context(), 4) })
	total := 0
	for i, err := range errs {
		wantNil(t, "one of 8 Sweeps at the same instant", err)
		if counts[i] < 0 || counts[i] > 4 {
			t.Fatalf("one of 8 Sweeps of at most 4 at the same instant: got %d", counts[i])
		}
		total += counts[i]
	}
	for {
		n, err := at(0).Sweep(t.Context(), 7)
		wantNil(t, "Sweep of what they left", err)
		if n <= 0 {
			break
		}
		total += n
	}
	wantSame(t, fmt.Sprintf("how many were swept of %d that are over", over), total, over)
}

// sweepKeepsLogin has an assistant session that was used after its login.
func sweepKeepsLogin(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	under := f.set(t, f.under(login, p.ID))
	f.clock.advance(time.Minute)
	under = under.UsedBy(domain.SessionUse{At: f.clock.now(), Idle: under.Idle.Add(time.Minute)})
	wantNil(t, "preparing: Sessions.Touch", f.Ports.Sessions.Touch(t.Context(), under.ID, domain.SessionUse{At: f.clock.now(), Idle: under.Idle}))
	f.clock.set(login.Idle)
	wantSame(t, "Sweep while the assistant session is not over", f.sweep(t, 10), 0)
	f.wantLive(t, "after Sweep", under)
	f.clock.set(under.Idle)
	wantSame(t, "Sweep when both are over", f.sweep(t, 10), 2)
}
