package portstest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// OpenAttempts returns Attempts without any attempt so far. They read the time from now. They
// allow perName failures a minute for a user name from one address, and perAddress failures a
// minute for one address.
type OpenAttempts func(t *testing.T, now ports.Clock, perName, perAddress int) ports.Attempts

// Attempts checks every sentence in the comments of ports.Attempts, except the bound on memory,
// which can't be seen from outside.
func Attempts(t *testing.T, open OpenAttempts) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenAttempts)
	}{
		{"Begin is TooManyRequests if the failures for the name from the address are used up", attemptsPerName},
		{"Begin is TooManyRequests if the failures for the address are used up", attemptsPerAddress},
		{"the addresses of one IPv6 /64 count as one", attemptsIPv6},
		{"after RetryAfter an attempt is free again, and after a minute all are and no more", attemptsAgain},
		{"an attempt that is refused is not counted", attemptsRefused},
		{"an attempt that succeeds is taken back, so only failures count", attemptsSucceeded},
		{"taking an attempt back twice does nothing more", attemptsTwice},
		{"taking an attempt back late gives nothing beyond the limit", attemptsLate},
		{"of many attempts at the same instant exactly the limit begins", attemptsAtOnce},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

// wantBegun begins an attempt and fails the test when it is refused.
func wantBegun(t *testing.T, what string, a ports.Attempts, name domain.Username, address string) (succeeded func()) {
	t.Helper()
	succeeded, err := a.Begin(name, address)
	wantNil(t, fmt.Sprintf("%s: Begin(%s, %s)", what, name, address), err)
	if succeeded == nil {
		t.Fatalf("%s: Begin(%s, %s): got success and no function, want one", what, name, address)
	}
	return succeeded
}

// wantTooMany begins an attempt, which must be refused, and returns its RetryAfter.
func wantTooMany(t *testing.T, what string, a ports.Attempts, name domain.Username, address string) time.Duration {
	t.Helper()
	what = fmt.Sprintf("%s: Begin(%s, %s)", what, name, address)
	_, err := a.Begin(name, address)
	wantKind(t, what, err, domain.TooManyRequests)
	e, _ := errors.AsType[*domain.Error](err)
	if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Fatalf("%s: got RetryAfter %v, want more than 0 and at most a minute", what, e.RetryAfter)
	}
	return e.RetryAfter
}

const (
	here  = "192.0.2.1"
	there = "192.0.2.2"
)

func attemptsPerName(t *testing.T, open OpenAttempts) {
	for _, limit := range []int{1, 2, 10} {
		a := open(t, newClock().now, limit, 100)
		for n := range limit {
			wantBegun(t, fmt.Sprintf("failure %d of %d", n+1, limit), a, "ana", here)
		}
		wantTooMany(t, fmt.Sprintf("after %d failures", limit), a, "ana", here)
		wantBegun(t, "another name from that address", a, "bob", here)
		wantBegun(t, "that name from another address", a, "ana", there)
		wantTooMany(t, "that name from that address, still", a, "ana", here)
	}
}

// attemptsPerAddress has another name each time, so that no limit of a name counts.
func attemptsPerAddress(t *testing.T, open OpenAttempts) {
	for _, limit := range []int{1, 2, 100} {
		a := open(t, newClock().now, 1, limit)
		for n := range limit {
			wantBegun(t, fmt.Sprintf("failure %d of %d from the address", n+1, limit), a, domain.Username(fmt.Sprintf("user%d", n)), here)
		}
		wantTooMany(t, fmt.Sprintf("after %d failures from the address, a name without failures", limit), a, "ana", here)
		wantBegun(t, "that name from another address", a, "ana", there)
	}
}

func attemptsIPv6(t *testing.T, open OpenAttempts) {
	a := open(t, newClock().now, 2, 3)
	wantBegun(t, "from a /64", a, "ana", "2001:db8:1:2::1")
	wantBegun(t, "from the end of that /64", a, "ana", "2001:db8:1:2:ffff:ffff:ffff:ffff")
	wantTooMany(t, "the name, from a third address of that /64", a, "ana", "2001:db8:1:2::3")
	wantTooMany(t, "the name, from the first address written otherwise", a, "ana", "2001:0DB8:0001:0002:0000:0000:0000:0001")
	wantBegun(t, "another name, from that /64", a, "bob", "2001:db8:1:2::4")
	wantTooMany(t, "a third name, from that /64", a, "cem", "2001:db8:1:2::5")
	wantBegun(t, "from the /64 behind it", a, "ana", "2001:db8:1:3::1")
	wantBegun(t, "from the /64 before it", a, "ana", "2001:db8:1:1:ffff:ffff:ffff:ffff")
}

func attemptsAgain(t *testing.T, open OpenAttempts) {
	for _, limits := range [][2]int{{3, 100}, {100, 3}} {
		c := newClock()
		a := open(t, c.now, limits[0], limits[1])
		for range 3 {
			wantBegun(t, "within the limit", a, "ana", here)
		}
		c.advance(wantTooMany(t, "after three failures", a, "ana", here))
		wantBegun(t, "after RetryAfter", a, "ana", here)
		for range 3 {
			c.advance(time.Minute)
			for n := range 3 {
				wantBegun(t, fmt.Sprintf("a minute later, failure %d of 3", n+1), a, "ana", here)
			}
			wantTooMany(t, "a minute later, after three failures", a, "ana", here)
		}
		c.advance(1000 * time.Hour)
		for range 3 {
			wantBegun(t, "long after", a, "ana", here)
		}
		wantTooMany(t, "long after, after three failures", a, "ana", here)
	}
}

// attemptsRefused finds an adapter that counts an attempt on the address before the name refuses
// it. It also finds one that refuses forever while a caller keeps trying.
func attemptsRefused(t *testing.T, open OpenAttempts) {
	c := newClock()
	a := open(t, c.now, 2, 4)
	wantBegun(t, "first", a, "ana", here)
	wantBegun(t, "second", a, "ana", here)
	var wait time.Duration
	for range 10 {
		wait = wantTooMany(t, "beyond the limit of the name", a, "ana", here)
	}
	wantLocked(t, "beyond the limit of the name", a, "ana", true)
	undo := wantBegun(t, "another name, for which the refused ones must not count", a, "bob", here)
	wantBegun(t, "a third name, for which the refused ones must not count", a, "cem", here)
	for range 10 {
		wantTooMany(t, "beyond the limit of the address", a, "dan", here)
	}
	wantLocked(t, "beyond the limit of the address", a, "dan", false)
	wantLocked(t, "beyond both limits", a, "ana", true)
	undo()
	undo2 := wantBegun(t, "the name that was refused for the address only, after another succeeded", a, "dan", here)
	undo2()
	wantBegun(t, "that name again", a, "dan", here)
	c.advance(wait)
	wantBegun(t, "the first name, after the RetryAfter of the last refusal", a, "ana", here)
}

// wantLocked fails the test unless the refusal says whether the name is locked.
func wantLocked(t *testing.T, what string, a ports.Attempts, name domain.Username, want bool) {
	t.Helper()
	_, err := a.Begin(name, here)
	wantSame(t, what+": whether the name is locked", errors.Is(err, domain.ErrLoginLocked), want)
}

// attemptsSucceeded logs in far more often than the limit.
func attemptsSucceeded(t *testing.T, open OpenAttempts) {
	a := open(t, newClock().now, 2, 2)
	for range 20 {
		wantBegun(t, "one of 20 that succeed", a, "ana", here)()
	}
	wantBegun(t, "the first failure", a, "ana", here)
	for range 20 {
		wantBegun(t, "one of 20 that succeed after a failure", a, "ana", here)()
	}
	wantBegun(t, "the second failure", a, "ana", here)
	wantTooMany(t, "after two failures", a, "ana", here)
	wantTooMany(t, "after two failures, another name from that address", a, "bob", here)
}

func attemptsTwice(t *testing.T, open OpenAttempts) {
	a := open(t, newClock().now, 2, 100)
	succeeded := wantBegun(t, "first", a, "ana", here)
	wantBegun(t, "second", a, "ana", here)
	for range 3 {
		succeeded()
	}
	wantBegun(t, "after one of two was taken back three times", a, "ana", here)
	wantTooMany(t, "after one of two was taken back three times and another failed", a, "ana", here)
	succeeded()
	wantTooMany(t, "after it was taken back once more", a, "ana", here)
}

// attemptsLate takes back what was forgotten long ago.
func attemptsLate(t *testing.T, open OpenAttempts) {
	c := newClock()
	a := open(t, c.now, 2, 100)
	first := wantBegun(t, "first", a, "ana", here)
	second := wantBegun(t, "second", a, "ana", here)
	c.advance(time.Hour)
	first()
	second()
	wantBegun(t, "an hour later, failure 1 of 2", a, "ana", here)
	wantBegun(t, "an hour later, failure 2 of 2", a, "ana", here)
	wantTooMany(t, "an hour later, after two failures", a, "ana", here)

	early := wantBegun(t, "another name", a, "bob", here)
	c.advance(time.Hour)
	wantBegun(t, "an hour later, failure 1 of 2", a, "bob", here)
	wantBegun(t, "an hour later, failure 2 of 2", a, "bob", here)
	early()
	wantTooMany(t, "after two failures, and one from an hour ago that was taken back", a, "bob", here)
}

func attemptsAtOnce(t *testing.T, open OpenAttempts) {
	for _, limits := range [][2]int{{10, 100}, {100, 10}} {
		a := open(t, newClock().now, limits[0], limits[1])
		undo, errs := make([]func(), crowd), make([]error, crowd)
		atOnce(crowd, func(i int) { undo[i], errs[i] = a.Begin("ana", here) })
		begun := 0
		for _, err := range errs {
			if err == nil {
				begun++
			} else {
				wantKind(t, "one of many at the same instant", err, domain.TooManyRequests)
			}
		}
		if begun != 10 {
			t.Fatalf("%d attempts at the same instant with a limit of 10: got %d that began, want 10", crowd, begun)
		}
		atOnce(crowd, func(i int) {
			if errs[i] == nil {
				undo[i]()
			}
		})
		for range 10 {
			wantBegun(t, "after all were taken back at the same instant", a, "ana", here)
		}
		wantTooMany(t, "after ten more", a, "ana", here)
	}
}
