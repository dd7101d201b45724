package portstest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// OpenCallRates returns CallRates without any call so far. They read the time from now and allow
// each caller so many turns and reads a minute; 0 means no limit.
type OpenCallRates func(t *testing.T, now ports.Clock, turns, reads int) ports.CallRates

// turnsOnly opens CallRates that bound turns and not reads. The tests of one budget use it.
func (open OpenCallRates) turnsOnly(t *testing.T, now ports.Clock, perMinute int) ports.CallRates {
	return open(t, now, perMinute, 0)
}

// CallRates checks every sentence in the comments of ports.CallRates, except the bound on
// memory, which can't be seen from outside.
func CallRates(t *testing.T, open OpenCallRates) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenCallRates)
	}{
		{"Take counts a call and returns what is left of the rate", ratesLeft},
		{"Take is TooManyRequests, with RetryAfter and Rate, if the calls of a minute are used up", ratesUsedUp},
		{"a call that is refused is not counted", ratesRefused},
		{"used calls come back evenly, and never more than the limit", ratesEvenly},
		{"each caller has a rate of their own", ratesOwn},
		{"each caller has a budget of turns and a budget of reads", ratesOfKinds},
		{"a budget with a limit has that rate, also where there is none otherwise", ratesLimits},
		{"without a limit the Rate is zero and nothing is refused", ratesUnlimited},
		{"of many calls at the same instant exactly the limit is let through", ratesAtOnce},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

var (
	actorAna = domain.ActorUser(userID(1))
	actorBob = domain.ActorUser(userID(2))
)

// wantCallTaken takes a call, which must be let through and leave that Rate.
func wantCallTaken(t *testing.T, what string, r ports.CallRates, who domain.Actor, want domain.Rate) {
	t.Helper()
	got, err := r.Take(domain.Budget{Who: who})
	wantNil(t, fmt.Sprintf("%s: Take(%s)", what, who), err)
	wantSame(t, fmt.Sprintf("%s: what Take(%s) left", what, who), got, want)
}

// takeCalls takes n calls, which must be let through.
func takeCalls(t *testing.T, what string, r ports.CallRates, who domain.Actor, n int) {
	t.Helper()
	for i := range n {
		_, err := r.Take(domain.Budget{Who: who})
		wantNil(t, fmt.Sprintf("%s: Take(%s), %d of %d", what, who, i+1, n), err)
	}
}

// wantCallRefused takes a call, which must be refused with a Rate that resets then, and
// returns its RetryAfter.
func wantCallRefused(t *testing.T, what string, r ports.CallRates, who domain.Actor, limit int, reset time.Duration) time.Duration {
	t.Helper()
	what = fmt.Sprintf("%s: Take(%s)", what, who)
	left, err := r.Take(domain.Budget{Who: who})
	wantKind(t, what, err, domain.TooManyRequests)
	wantSame(t, what+": what it returned with the error", left, domain.Rate{})
	e, _ := errors.AsType[*domain.Error](err)
	if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Fatalf("%s: got RetryAfter %v, want more than 0 and at most a minute", what, e.RetryAfter)
	}
	wantSame(t, what+": the error's Rate", e.Rate, domain.Rate{Limit: limit, Reset: reset})
	return e.RetryAfter
}

func ratesLeft(t *testing.T, open OpenCallRates) {
	for _, limit := range []int{1, 2, 120} {
		c := newClock()
		r := open.turnsOnly(t, c.now, limit)
		for n := range limit {
			wantCallTaken(t, fmt.Sprintf("call %d of %d", n+1, limit), r, actorAna,
				domain.Rate{Limit: limit, Remaining: limit - n - 1, Reset: time.Minute / time.Duration(limit) * time.Duration(n+1)})
		}
	}
	c := newClock()
	r := open.turnsOnly(t, c.now, 6)
	takeCalls(t, "at first", r, actorAna, 3)
	c.advance(4 * time.Second)
	wantCallTaken(t, "four seconds after three of 6, of which less than one has come back", r, actorAna, domain.Rate{Limit: 6, Remaining: 2, Reset: 36 * time.Second})
	c.advance(6 * time.Second)
	wantCallTaken(t, "ten seconds after three of 6 and six after another", r, actorAna, domain.Rate{Limit: 6, Remaining: 2, Reset: 40 * time.Second})
	c.advance(time.Hour)
	wantCallTaken(t, "long after", r, actorAna, domain.Rate{Limit: 6, Remaining: 5, Reset: 10 * time.Second})
}

func ratesUsedUp(t *testing.T, open OpenCallRates) {
	for _, limit := range []int{1, 2, 7, 120, 100_000} {
		c := newClock()
		r := open.turnsOnly(t, c.now, limit)
		takeCalls(t, "within the limit", r, actorAna, limit)
		_, err := r.Take(domain.Budget{Who: actorAna})
		wantKind(t, fmt.Sprintf("after %d calls of %d", limit, limit), err, domain.TooManyRequests)
		e, _ := errors.AsType[*domain.Error](err)
		// The limit may not divide a minute to the nanosecond.
		if e.Rate.Limit != limit || e.Rate.Remaining != 0 || e.Rate.Reset > time.Minute || e.Rate.Reset < time.Minute-time.Millisecond {
			t.Fatalf("after %d calls of %d: got Rate %+v, want nothing left and all of it back in a minute", limit, limit, e.Rate)
		}
		if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Fatalf("after %d calls of %d: got RetryAfter %v, want more than 0 and at most a minute", limit, limit, e.RetryAfter)
		}
		c.advance(e.RetryAfter)
		takeCalls(t, "after RetryAfter", r, actorAna, 1)
	}
}

// ratesRefused finds an adapter that refuses forever while a caller keeps calling.
func ratesRefused(t *testing.T, open OpenCallRates) {
	c := newClock()
	r := open.turnsOnly(t, c.now, 2)
	takeCalls(t, "within the limit", r, actorAna, 2)
	var wait time.Duration
	for range 100 {
		wait = wantCallRefused(t, "beyond the limit", r, actorAna, 2, time.Minute)
	}
	c.advance(wait)
	wantCallTaken(t, "after the RetryAfter of the last refusal", r, actorAna, domain.Rate{Limit: 2, Remaining: 0, Reset: 90*time.Second - wait})
	wantCallRefused(t, "after another call", r, actorAna, 2, 90*time.Second-wait)
}

func ratesEvenly(t *testing.T, open OpenCallRates) {
	c := newClock()
	r := open.turnsOnly(t, c.now, 4)
	takeCalls(t, "at first", r, actorAna, 4)
	for n := range 8 {
		c.advance(15*time.Second - time.Microsecond)
		wantCallRefused(t, fmt.Sprintf("just before quarter %d of a minute", n+1), r, actorAna, 4, 45*time.Second+time.Microsecond)
		c.advance(time.Microsecond)
		wantCallTaken(t, fmt.Sprintf("at quarter %d of a minute", n+1), r, actorAna, domain.Rate{Limit: 4, Remaining: 0, Reset: time.Minute})
	}
	for _, pause := range []time.Duration{time.Minute, time.Hour, 10_000 * time.Hour} {
		c.advance(pause)
		takeCalls(t, fmt.Sprintf("%v later", pause), r, actorAna, 4)
		wantCallRefused(t, fmt.Sprintf("%v later, after four calls", pause), r, actorAna, 4, time.Minute)
	}
}

func ratesOwn(t *testing.T, open OpenCallRates) {
	c := newClock()
	r := open.turnsOnly(t, c.now, 2)
	takeCalls(t, "a user", r, actorAna, 2)
	// An access token may have a rate of its own, and a user with a similar name has one.
	for _, other := range []domain.Actor{actorBob, domain.ActorToken(domain.TokenID(userID(1))), actorAna[:len(actorAna)-1], actorAna + "1", ""} {
		wantCallTaken(t, "beside a user whose calls are used up", r, other, domain.Rate{Limit: 2, Remaining: 1, Reset: 30 * time.Second})
	}
	wantCallRefused(t, "the user, beside others", r, actorAna, 2, time.Minute)
	another := open.turnsOnly(t, c.now, 2)
	takeCalls(t, "the same user, where they have not called yet", another, actorAna, 2)
}

func ratesOfKinds(t *testing.T, open OpenCallRates) {
	take := func(r ports.CallRates, reads bool, own, n int) {
		t.Helper()
		for i := range n {
			left, err := r.Take(domain.Budget{Who: actorAna, Limit: own, Reads: reads})
			wantNil(t, fmt.Sprintf("call %d of %d, reads: %t", i+1, n, reads), err)
			wantSame(t, "what is left", []int{left.Limit, left.Remaining}, []int{n, n - i - 1})
		}
	}
	refused := func(r ports.CallRates, reads bool, own, limit int) {
		t.Helper()
		_, err := r.Take(domain.Budget{Who: actorAna, Limit: own, Reads: reads})
		wantKind(t, fmt.Sprintf("beyond the limit, reads: %t", reads), err, domain.TooManyRequests)
		e, _ := errors.AsType[*domain.Error](err)
		wantSame(t, "the limit of what was refused", e.Rate.Limit, limit)
	}
	for _, first := range []bool{false, true} {
		limits := map[bool]int{false: 3, true: 5}
		r := open(t, newClock().now, limits[false], limits[true])
		take(r, first, 0, limits[first])
		refused(r, first, 0, limits[first])
		take(r, !first, 0, limits[!first])
		refused(r, !first, 0, limits[!first])

		own := open(t, newClock().now, 1, 0)
		take(own, first, 7, 7)
		refused(own, first, 7, 7)
		take(own, !first, 7, 7)
		refused(own, !first, 7, 7)

		unlimited := map[bool]ports.CallRates{false: open(t, newClock().now, 0, 2), true: open(t, newClock().now, 2, 0)}[first]
		take(unlimited, !first, 0, 2)
		refused(unlimited, !first, 0, 2)
		for range 1000 {
			left, err := unlimited.Take(domain.Budget{Who: actorAna, Reads: first})
			wantNil(t, "where there is no limit", err)
			wantSame(t, "what is left where there is no limit", left, domain.Rate{})
		}
	}
}

func ratesLimits(t *testing.T, open OpenCallRates) {
	for _, limit := range []int{0, 1, 120} {
		for _, own := range []int{1, 7} {
			c := newClock()
			r, b := open.turnsOnly(t, c.now, limit), domain.Budget{Who: domain.ActorToken(tokenID(1)), Limit: own}
			var e *domain.Error
			for n := range own + 1 {
				left, err := r.Take(b)
				if n < own {
					wantNil(t, fmt.Sprintf("call %d of %d", n+1, own), err)
					wantSame(t, "what is left", []int{left.Limit, left.Remaining}, []int{own, own - n - 1})
					continue
				}
				wantKind(t, "beyond the limit of its own", err, domain.TooManyRequests)
				e, _ = errors.AsType[*domain.Error](err)
			}
			wantSame(t, "the limit of what was refused", e.Rate.Limit, own)
			c.advance(e.RetryAfter)
			_, err := r.Take(b)
			wantNil(t, "after RetryAfter", err)
			if limit > 0 {
				takeCalls(t, "another caller beside", r, actorAna, limit)
			}
		}
	}
}

func ratesUnlimited(t *testing.T, open OpenCallRates) {
	r := open.turnsOnly(t, newClock().now, 0)
	for range 10_000 {
		wantCallTaken(t, "without a limit", r, actorAna, domain.Rate{})
	}
}

func ratesAtOnce(t *testing.T, open OpenCallRates) {
	const limit = 10
	r := open.turnsOnly(t, newClock().now, limit)
	left, errs := make([]domain.Rate, crowd), make([]error, crowd)
	atOnce(crowd, func(i int) { left[i], errs[i] = r.Take(domain.Budget{Who: actorAna}) })
	seen := map[int]bool{}
	for i, err := range errs {
		if err != nil {
			wantKind(t, "one of many at the same instant", err, domain.TooManyRequests)
			continue
		}
		if seen[left[i].Remaining] || left[i].Remaining < 0 || left[i].Remaining >= limit {
			t.Fatalf("one of many at the same instant: got %d left, want each number below %d once", left[i].Remaining, limit)
		}
		seen[left[i].Remaining] = true
	}
	if len(seen) != limit {
		t.Fatalf("%d calls at the same instant with a limit of %d: got %d let through, want %d", crowd, limit, len(seen), limit)
	}
}
