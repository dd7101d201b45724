package throttle_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestAttempts(t *testing.T) {
	portstest.Attempts(t, func(_ *testing.T, now ports.Clock, perName, perAddress int) ports.Attempts {
		return throttle.New(now, throttle.Options{PerName: perName, PerAddress: perAddress})
	})
}

const home = "192.0.2.1"

// clock is a time that only a test moves.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{at: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)} }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

// fail makes n attempts that fail and wants all of them to be let through.
func fail(t *testing.T, a *throttle.Attempts, n int, name domain.Username, address string) {
	t.Helper()
	for i := range n {
		if _, err := a.Begin(name, address); err != nil {
			t.Fatalf("attempt %d on %q from %q: got error %v, want it let through", i+1, name, address, err)
		}
	}
}

func wantRefused(t *testing.T, a *throttle.Attempts, name domain.Username, address string, after time.Duration) {
	t.Helper()
	succeeded, err := a.Begin(name, address)
	e, _ := errors.AsType[*domain.Error](err)
	if e == nil || e.Kind != domain.TooManyRequests || succeeded != nil {
		t.Fatalf("attempt on %q from %q: got error %v, want kind %q", name, address, err, domain.TooManyRequests)
	}
	if e.RetryAfter != after {
		t.Fatalf("attempt on %q from %q: got RetryAfter %v, want %v", name, address, e.RetryAfter, after)
	}
}

func TestTenFailuresAMinuteForANameFromAnAddress(t *testing.T) {
	c := newClock()
	a := throttle.New(c.now, throttle.Options{})
	fail(t, a, 10, "ada", home)
	wantRefused(t, a, "ada", home, 6*time.Second)
	fail(t, a, 1, "bob", home)
	fail(t, a, 1, "ada", "192.0.2.2")

	c.advance(5*time.Second + 1)
	wantRefused(t, a, "ada", home, time.Second)
	c.advance(time.Second - 1)
	fail(t, a, 1, "ada", home)
	wantRefused(t, a, "ada", home, 6*time.Second)
	c.advance(time.Minute)
	fail(t, a, 10, "ada", home)
	wantRefused(t, a, "ada", home, 6*time.Second)
}

func TestAHundredFailuresAMinuteForAnAddress(t *testing.T) {
	c := newClock()
	a := throttle.New(c.now, throttle.Options{})
	for i := range 100 {
		fail(t, a, 1, domain.Username(fmt.Sprint("user", i)), home)
	}
	wantRefused(t, a, "another", home, time.Second)
	fail(t, a, 1, "another", "192.0.2.2")
	c.advance(600 * time.Millisecond)
	fail(t, a, 1, "another", home)
	wantRefused(t, a, "another", home, time.Second)
}

func TestTheLimitsAreOptions(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{PerName: 1, PerAddress: 3})
	fail(t, a, 1, "ada", home)
	wantRefused(t, a, "ada", home, time.Minute)
	fail(t, a, 1, "bob", home)
	fail(t, a, 1, "eve", home)
	wantRefused(t, a, "mallory", home, 20*time.Second)
}

func TestTheLongerWaitIsTold(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{PerName: 4, PerAddress: 4})
	fail(t, a, 4, "ada", home)
	wantRefused(t, a, "ada", home, 15*time.Second)
	a = throttle.New(newClock().now, throttle.Options{PerName: 60, PerAddress: 2})
	fail(t, a, 2, "ada", home)
	wantRefused(t, a, "ada", home, 30*time.Second)
}

func TestOnlyFailuresCount(t *testing.T) {
	c := newClock()
	a := throttle.New(c.now, throttle.Options{})
	for range 1000 {
		succeeded, err := a.Begin("ada", home)
		if err != nil {
			t.Fatalf("Begin: got error %v, want success", err)
		}
		c.advance(time.Millisecond)
		succeeded()
		succeeded()
	}
	fail(t, a, 10, "ada", home)
	wantRefused(t, a, "ada", home, 6*time.Second)
}

func TestTakingBackTwiceDoesNothingMore(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{})
	fail(t, a, 9, "ada", home)
	succeeded, err := a.Begin("ada", home)
	if err != nil {
		t.Fatalf("Begin: got error %v, want success", err)
	}
	succeeded()
	succeeded()
	fail(t, a, 1, "ada", home)
	wantRefused(t, a, "ada", home, 6*time.Second)
}

func TestASuccessForgivesNoFailureThatCameAfterItHadDrained(t *testing.T) {
	c := newClock()
	a := throttle.New(c.now, throttle.Options{PerName: 10, PerAddress: 10})
	slow, err := a.Begin("eve", home)
	if err != nil {
		t.Fatalf("Begin: got error %v, want success", err)
	}
	c.advance(6 * time.Second)
	fail(t, a, 10, "ada", home)
	slow()
	wantRefused(t, a, "ada", home, 6*time.Second)
}

func TestGuessesAtTheSameTimeDoNotSlipBy(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{})
	var through atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for range 64 {
		all.Go(func() {
			<-start
			if _, err := a.Begin("ada", home); err == nil {
				through.Add(1)
			}
		})
	}
	close(start)
	all.Wait()
	if got := through.Load(); got != 10 {
		t.Errorf("of 64 guesses at once: got %d let through, want 10", got)
	}
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for _, tc := range []struct {
		name       string
		one, other string
		same       bool
	}{
		{"two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
		{"an IPv4 address mapped to IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"two mapped IPv4 addresses", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"two of one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"two neighbouring /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"one address written twice", "2001:DB8:0:0::1", "2001:db8::1", true},
		{"one address in two zones", "fe80::1%eth0", "fe80::1%eth1", true},
		{"the first IPv6 network and no address", "::1", "", false},
		{"two texts that are no addresses", "", "unix socket", true},
		{"an address with a port, which is invalid", "192.0.2.1:80", "nonsense", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := throttle.New(newClock().now, throttle.Options{PerName: 1})
			fail(t, a, 1, "ada", tc.one)
			_, err := a.Begin("ada", tc.other)
			if refused := domain.KindOf(err) == domain.TooManyRequests; refused != tc.same {
				t.Errorf("after a failure from %q, one from %q: got error %v, want them to be one address: %v", tc.one, tc.other, err, tc.same)
			}
		})
	}
}

func TestAFloodOfNamesFromOneAddressPushesNothingOut(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{})
	fail(t, a, 10, "ada", home)
	flood(a, 20_000, func(i int) (domain.Username, string) { return domain.Username(fmt.Sprint("user", i)), "192.0.2.66" })
	wantRefused(t, a, "ada", home, 6*time.Second)
	wantRefused(t, a, "one more", "192.0.2.66", time.Second)
}

func TestAFloodOfNamesFromManyAddressesPushesNoAddressOut(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{})
	for i := range 100 {
		fail(t, a, 1, domain.Username(fmt.Sprint("user", i)), home)
	}
	flood(a, 40_000, func(i int) (domain.Username, string) {
		return domain.Username(fmt.Sprint("user", i)), fmt.Sprintf("192.0.2.%d", 2+i%250)
	})
	wantRefused(t, a, "ada", home, time.Second)
}

func TestAnAddressThatKeepsTryingStaysRefusedInAFlood(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{PerAddress: 1})
	fail(t, a, 1, "ada", home)
	flood(a, 40_000, func(i int) (domain.Username, string) {
		if i%1000 == 0 {
			wantRefused(t, a, "ada", home, time.Minute)
		}
		return "ada", fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)
	})
	wantRefused(t, a, "ada", home, time.Minute)
}

func TestMemoryIsBounded(t *testing.T) {
	a := throttle.New(newClock().now, throttle.Options{})
	long := strings.Repeat("x", 55)
	before := heap()
	flood(a, 40_000, func(i int) (domain.Username, string) {
		// The name is the end of a large text, as one that was read from a request.
		text := strings.Repeat(" ", 4<<10) + fmt.Sprintf("%s%09d", long, i)
		return domain.Username(text[4<<10:]), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)
	})
	if got := heap() - before; got > 10<<20 {
		t.Errorf("memory after a flood: got %d KiB more, want at most 10 MiB", got>>10)
	}
	runtime.KeepAlive(a)
}

// flood makes n attempts that fail or are refused.
func flood(a *throttle.Attempts, n int, from func(i int) (domain.Username, string)) {
	for i := range n {
		_, _ = a.Begin(from(i))
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// However attempts, successes and time mix, no more than twice the limit of failures
// gets through in any minute, and who waits for RetryAfter is let through.
func TestLimitsHoldInAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		a := throttle.New(c.now, throttle.Options{PerName: limit, PerAddress: 1000})
		var failures []time.Time
		var open []func()
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0:
				c.advance(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
			case 1:
				if len(open) > 0 {
					i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
					open[i]()
					open = append(open[:i], open[i+1:]...)
				}
			default:
				succeeded, err := a.Begin("ada", home)
				if e, refused := errors.AsType[*domain.Error](err); refused {
					if e.RetryAfter < time.Second || e.RetryAfter > time.Minute || e.RetryAfter%time.Second != 0 {
						t.Fatalf("RetryAfter: got %v, want whole seconds, one to 60", e.RetryAfter)
					}
					c.advance(e.RetryAfter)
					if _, err := a.Begin("ada", home); err != nil {
						t.Fatalf("attempt after RetryAfter: got error %v, want it let through", err)
					}
					failures = append(failures, c.now())
				} else if rapid.Bool().Draw(t, "fails") {
					failures = append(failures, c.now())
				} else {
					open = append(open, succeeded)
				}
			}
			recent := 0
			for _, at := range failures {
				if c.now().Sub(at) < time.Minute {
					recent++
				}
			}
			if recent > 2*limit {
				t.Fatalf("failures let through within a minute: got %d, want at most %d", recent, 2*limit)
			}
		}
	})
}

func TestWithoutAClockTheTimeIsNow(t *testing.T) {
	if _, err := throttle.NewCalls(nil, throttle.PerMinute{Turns: 1}).Take(domain.Budget{Who: "user:u"}); err != nil {
		t.Errorf("a call: got error %v", err)
	}
	if _, err := throttle.New(nil, throttle.Options{}).Begin("ana", "192.0.2.7"); err != nil {
		t.Errorf("an attempt: got error %v", err)
	}
}
