package throttle_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestCallRates(t *testing.T) {
	portstest.CallRates(t, func(_ *testing.T, now ports.Clock, turns, reads int) ports.CallRates {
		return throttle.NewCalls(now, throttle.PerMinute{Turns: turns, Reads: reads})
	})
}

func wantTaken(t *testing.T, c *throttle.Calls, who domain.Actor, want domain.Rate) {
	t.Helper()
	if got, err := c.Take(domain.Budget{Who: who}); err != nil || got != want {
		t.Fatalf("Take(%s): got %+v and error %v, want %+v", who, got, err, want)
	}
}

func wantUsedUp(t *testing.T, c *throttle.Calls, who domain.Actor, after time.Duration, want domain.Rate) {
	t.Helper()
	got, err := c.Take(domain.Budget{Who: who})
	e, _ := errors.AsType[*domain.Error](err)
	if e == nil || e.Kind != domain.TooManyRequests || got != (domain.Rate{}) {
		t.Fatalf("Take(%s): got %+v and error %v, want kind %q", who, got, err, domain.TooManyRequests)
	}
	if e.RetryAfter != after || e.Rate != want {
		t.Fatalf("Take(%s): got RetryAfter %v and Rate %+v, want %v and %+v", who, e.RetryAfter, e.Rate, after, want)
	}
}

func TestRetryAfterIsInWholeSecondsAndResetIsExact(t *testing.T) {
	now := newClock()
	c := throttle.NewCalls(now.now, throttle.PerMinute{Turns: 4})
	for n := range 4 {
		wantTaken(t, c, "user:ada", domain.Rate{Limit: 4, Remaining: 3 - n, Reset: time.Duration(n+1) * 15 * time.Second})
	}
	wantUsedUp(t, c, "user:ada", 15*time.Second, domain.Rate{Limit: 4, Reset: time.Minute})
	now.advance(time.Nanosecond)
	wantUsedUp(t, c, "user:ada", 15*time.Second, domain.Rate{Limit: 4, Reset: time.Minute - 1})
	now.advance(14*time.Second + 1)
	wantUsedUp(t, c, "user:ada", time.Second, domain.Rate{Limit: 4, Reset: 46*time.Second - 2})
	now.advance(time.Second - 2)
	wantTaken(t, c, "user:ada", domain.Rate{Limit: 4, Reset: time.Minute})
}

// A minute divides by few of these to the nanosecond.
func TestEveryLimitIsMetExactly(t *testing.T) {
	for _, limit := range []int{1, 3, 7, 11, 97, 9_999, 999_999, 1_000_000} {
		c := throttle.NewCalls(newClock().now, throttle.PerMinute{Turns: limit})
		for n := range limit {
			if left, err := c.Take(domain.Budget{Who: "user:ada"}); err != nil || left.Remaining != limit-n-1 {
				t.Fatalf("call %d of %d: got %+v and error %v, want %d left", n+1, limit, left, err, limit-n-1)
			}
		}
		if _, err := c.Take(domain.Budget{Who: "user:ada"}); domain.KindOf(err) != domain.TooManyRequests {
			t.Errorf("call %d of %d: got error %v, want kind %q", limit+1, limit, err, domain.TooManyRequests)
		}
	}
}

// limits below 0 are none, and so high ones that nothing drains in less than a nanosecond
// are as good as none.
func TestOddLimits(t *testing.T) {
	for _, limit := range []int{-1, 0, 1 << 40} {
		c := throttle.NewCalls(newClock().now, throttle.PerMinute{Turns: limit})
		for range 1000 {
			if _, err := c.Take(domain.Budget{Who: "user:ada"}); err != nil {
				t.Fatalf("with a limit of %d: got error %v, want success", limit, err)
			}
		}
	}
}

func TestAClockThatGoesBackLeavesNothingLessThanNothing(t *testing.T) {
	now := newClock()
	c := throttle.NewCalls(now.now, throttle.PerMinute{Turns: 2})
	wantTaken(t, c, "user:ada", domain.Rate{Limit: 2, Remaining: 1, Reset: 30 * time.Second})
	now.advance(-5 * time.Minute)
	wantUsedUp(t, c, "user:ada", 5*time.Minute, domain.Rate{Limit: 2, Reset: 5*time.Minute + 30*time.Second})
}

func TestWhoIsPushedOutStartsAnew(t *testing.T) {
	const remembered = 1 << 14
	c := throttle.NewCalls(newClock().now, throttle.PerMinute{Turns: 1})
	first := domain.Rate{Limit: 1, Reset: time.Minute}
	wantTaken(t, c, "user:ada", first)
	for i := range remembered - 1 {
		wantTaken(t, c, domain.Actor(fmt.Sprint("user:", i)), first)
	}
	wantUsedUp(t, c, "user:ada", time.Minute, first) // and is the last that would go now
	wantTaken(t, c, "token:one", first)
	wantTaken(t, c, "user:0", first)
	wantUsedUp(t, c, "user:ada", time.Minute, first)
	for i := range remembered {
		wantTaken(t, c, domain.Actor(fmt.Sprint("token:", i)), first)
	}
	wantTaken(t, c, "user:ada", first)
}

func TestMemoryOfCallsIsBounded(t *testing.T) {
	c := throttle.NewCalls(newClock().now, throttle.PerMinute{Turns: 120, Reads: 120})
	before := heap()
	for i := range 60_000 {
		// The id is the end of a large text, as one that was read from a request.
		text := strings.Repeat(" ", 4<<10) + fmt.Sprintf("user:01890000-0000-7000-8000-%012d", i)
		if _, err := c.Take(domain.Budget{Who: domain.Actor(text[4<<10:])}); err != nil {
			t.Fatal(err)
		}
	}
	if got := heap() - before; got > 5<<20 {
		t.Errorf("memory after calls of 60,000: got %d KiB more, want at most 5 MiB", got>>10)
	}
	runtime.KeepAlive(c)
}

// However calls and time mix, no more than the limit and what has drained gets through,
// what is told to be left is what gets through, and who waits is let through.
func TestRatesHoldInAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := newClock()
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		c := throttle.NewCalls(now.now, throttle.PerMinute{Turns: limit})
		start, calls, left := now.now(), 0, limit
		for range rapid.IntRange(1, 100).Draw(t, "events") {
			if rapid.IntRange(0, 3).Draw(t, "event") == 0 {
				now.advance(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
				left = -1 // some has come back
				continue
			}
			rate, err := c.Take(domain.Budget{Who: "user:ada"})
			if e, refused := errors.AsType[*domain.Error](err); refused {
				if left > 0 {
					t.Fatalf("Take with %d left: got error %v, want it let through", left, err)
				}
				if e.RetryAfter < time.Second || e.RetryAfter > time.Minute || e.RetryAfter%time.Second != 0 {
					t.Fatalf("RetryAfter: got %v, want whole seconds, one to 60", e.RetryAfter)
				}
				now.advance(e.RetryAfter)
				if rate, err = c.Take(domain.Budget{Who: "user:ada"}); err != nil {
					t.Fatalf("call after RetryAfter: got error %v, want it let through", err)
				}
			} else if left == 0 {
				t.Fatal("Take with nothing left: got success, want it refused")
			} else if left > 0 && rate.Remaining != left-1 {
				t.Fatalf("Take with %d left: got %d left, want one less", left, rate.Remaining)
			}
			left = rate.Remaining
			calls++
			drained := int(now.now().Sub(start) / (time.Minute / time.Duration(limit)))
			if calls > limit+drained {
				t.Fatalf("calls let through: got %d, want at most %d and the %d that have drained", calls, limit, drained)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	c := throttle.NewCalls(time.Now, throttle.PerMinute{Turns: 1_000_000})
	actors := make([]domain.Actor, 2000)
	for i := range actors {
		actors[i] = domain.Actor(fmt.Sprint("user:", i))
	}
	n := 0
	for b.Loop() {
		_, _ = c.Take(domain.Budget{Who: actors[n%len(actors)]})
		n++
	}
}
