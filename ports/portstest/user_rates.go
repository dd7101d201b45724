package portstest

import (
	"errors"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// OpenUserRates returns UserRates without any change or login so far. They read the time from now
// and allow each user so many of both a minute; 0 means no limit.
type OpenUserRates func(t *testing.T, now ports.Clock, changes, logins int) ports.UserRates

// UserRates checks every sentence in the comments of ports.UserRates, except the bound on memory,
// which can't be seen from outside.
func UserRates(t *testing.T, open OpenUserRates) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenUserRates)
	}{
		{"changes beyond those of a minute are TooManyRequests, with RetryAfter", changesUsedUp},
		{"used changes come back evenly, and what is refused is not counted", changesEvenly},
		{"each user has changes of their own", changesOwn},
		{"logins beyond those of a minute are TooManyRequests, from whatever address", loginsUsedUp},
		{"MayLogIn counts nothing, and looks at one address", loginsMay},
		{"a login that is refused makes MayLogIn refuse from its address", loginsRefused},
		{"changes and logins do not count for each other", ratesApart},
		{"without a limit nothing is refused", userRatesUnlimited},
		{"of many changes and logins at the same instant exactly the limit is let through", userRatesAtOnce},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

const (
	userAna = domain.UserID("ana")
	userBob = domain.UserID("bob")
)

func wantAllowed(t *testing.T, what string, n int, do func() error) {
	t.Helper()
	for range n {
		wantNil(t, what, do())
	}
}

// wantUsedUp wants a refusal, and returns its RetryAfter.
func wantUsedUp(t *testing.T, what string, err error) time.Duration {
	t.Helper()
	wantKind(t, what, err, domain.TooManyRequests)
	e, _ := errors.AsType[*domain.Error](err)
	if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Fatalf("%s: got RetryAfter %v, want more than 0 and at most a minute", what, e.RetryAfter)
	}
	return e.RetryAfter
}

func changesUsedUp(t *testing.T, open OpenUserRates) {
	for _, limit := range []int{1, 7, 600} {
		c := newClock()
		r := open(t, c.now, limit, 1)
		wantAllowed(t, "within the limit", limit, func() error { return r.Change(userAna) })
		c.advance(wantUsedUp(t, "beyond the limit", r.Change(userAna)))
		wantNil(t, "after RetryAfter", r.Change(userAna))
	}
}

func changesEvenly(t *testing.T, open OpenUserRates) {
	c := newClock()
	r := open(t, c.now, 4, 0)
	wantAllowed(t, "at first", 4, func() error { return r.Change(userAna) })
	for range 8 {
		c.advance(15*time.Second - time.Microsecond)
		for range 10 {
			wantUsedUp(t, "just before a quarter of a minute", r.Change(userAna))
		}
		c.advance(time.Microsecond)
		wantNil(t, "after a quarter of a minute", r.Change(userAna))
	}
}

func changesOwn(t *testing.T, open OpenUserRates) {
	r := open(t, newClock().now, 2, 0)
	wantAllowed(t, "a user", 2, func() error { return r.Change(userAna) })
	wantNil(t, "another user", r.Change(userBob))
	wantUsedUp(t, "the user", r.Change(userAna))
}

func loginsUsedUp(t *testing.T, open OpenUserRates) {
	c := newClock()
	r := open(t, c.now, 0, 3)
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
		wantNil(t, "within the limit", r.LogIn(userAna, address))
	}
	wait := wantUsedUp(t, "from an address of before", r.LogIn(userAna, "192.0.2.1"))
	wantUsedUp(t, "from another address", r.LogIn(userAna, "192.0.2.4"))
	wantNil(t, "another user", r.LogIn(userBob, "192.0.2.1"))
	c.advance(wait)
	wantNil(t, "after RetryAfter", r.LogIn(userAna, "192.0.2.4"))
}

func loginsMay(t *testing.T, open OpenUserRates) {
	r := open(t, newClock().now, 0, 2)
	wantAllowed(t, "MayLogIn", 100, func() error { return r.MayLogIn(userAna, "2001:db8::1") })
	wantAllowed(t, "LogIn", 2, func() error { return r.LogIn(userAna, "2001:db8::1") })
	for range 10 {
		wantUsedUp(t, "MayLogIn from that address", r.MayLogIn(userAna, "2001:db8::1"))
		wantUsedUp(t, "MayLogIn from that network", r.MayLogIn(userAna, "2001:db8::2"))
	}
	wantNil(t, "MayLogIn from elsewhere", r.MayLogIn(userAna, "2001:db8:1::1"))
	wantNil(t, "MayLogIn of another user", r.MayLogIn(userBob, "2001:db8::1"))
}

func loginsRefused(t *testing.T, open OpenUserRates) {
	c := newClock()
	r := open(t, c.now, 0, 2)
	wantAllowed(t, "LogIn", 2, func() error { return r.LogIn(userAna, "192.0.2.1") })
	wait := wantUsedUp(t, "LogIn from elsewhere", r.LogIn(userAna, "192.0.2.2"))
	wantSame(t, "how long MayLogIn refuses", wantUsedUp(t, "MayLogIn", r.MayLogIn(userAna, "192.0.2.2")), wait)
	c.advance(wait)
	wantNil(t, "MayLogIn, later", r.MayLogIn(userAna, "192.0.2.2"))
	wantNil(t, "LogIn, later", r.LogIn(userAna, "192.0.2.2"))
}

func ratesApart(t *testing.T, open OpenUserRates) {
	r := open(t, newClock().now, 2, 2)
	wantAllowed(t, "Change", 2, func() error { return r.Change(userAna) })
	wantAllowed(t, "LogIn", 2, func() error { return r.LogIn(userAna, "") })
}

func userRatesUnlimited(t *testing.T, open OpenUserRates) {
	r := open(t, newClock().now, 0, 0)
	wantAllowed(t, "Change", 10_000, func() error { return r.Change(userAna) })
	wantAllowed(t, "LogIn", 10_000, func() error { return r.LogIn(userAna, "192.0.2.1") })
	wantNil(t, "MayLogIn", r.MayLogIn(userAna, "192.0.2.1"))
}

func userRatesAtOnce(t *testing.T, open OpenUserRates) {
	const limit = 10
	r := open(t, newClock().now, limit, limit)
	for what, do := range map[string]func() error{
		"Change": func() error { return r.Change(userAna) },
		"LogIn":  func() error { return r.LogIn(userAna, "192.0.2.1") },
	} {
		errs := make([]error, crowd)
		atOnce(crowd, func(i int) { errs[i] = do() })
		let := 0
		for _, err := range errs {
			if err == nil {
				let++
			}
		}
		wantSame(t, what+": how many were let through", let, limit)
	}
}
