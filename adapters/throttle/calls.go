package throttle

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.CallRates = (*Calls)(nil)

// Calls is a ports.CallRates. It is safe for concurrent use.
type Calls struct {
	now   ports.Clock
	turns callMeters
	reads callMeters
}

// callMeters are the meters of one kind of calls.
type callMeters struct {
	what  string // the calls, for people
	limit int    // of whoever has no limit of their own

	mu     sync.Mutex
	actors *simplelru.LRU[domain.Actor, *meter]
}

// PerMinute is how many calls a minute each Who may make. Zero or less means no limit.
type PerMinute struct{ Turns, Reads int }

// NewCalls returns Calls with these limits, unless a budget has a limit of its own. They read the
// time from now; nil is time.Now.
func NewCalls(now ports.Clock, limits PerMinute) *Calls {
	if now == nil {
		now = time.Now
	}
	meters := func(what string, perMinute int) callMeters {
		actors, _ := simplelru.NewLRU[domain.Actor, *meter](maxMeters, nil)
		return callMeters{what: what, limit: max(perMinute, 0), actors: actors}
	}
	return &Calls{now: now, turns: meters("turns", limits.Turns), reads: meters("reads", limits.Reads)}
}

// Take counts the call. Remaining and Reset are exact. Take allocates nothing for an actor
// that it knows. Returns TooManyRequests if the limit is reached; RetryAfter is in whole seconds,
// rounded up.
func (c *Calls) Take(b domain.Budget) (domain.Rate, error) {
	if b.Reads {
		return c.reads.take(c.now, b)
	}
	return c.turns.take(c.now, b)
}

func (c *callMeters) take(clock ports.Clock, b domain.Budget) (domain.Rate, error) {
	limit := b.Limit
	if limit <= 0 {
		limit = c.limit
	}
	if limit == 0 {
		return domain.Rate{}, nil
	}
	r := perMinuteOf(limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := clock() // under the lock, so that time never goes back between two calls
	m, known := c.actors.Get(b.Who)
	if wait := m.wait(now, r); wait > 0 {
		return domain.Rate{}, &domain.Error{
			Kind:       domain.TooManyRequests,
			Public:     "too many " + c.what + "; at most " + strconv.Itoa(limit) + " a minute are forwarded, so wait for the seconds in Retry-After" + domain.SeeLimits,
			RetryAfter: wholeSeconds(wait), Rate: left(m, now, limit, r),
		}
	}
	if !known {
		m = &meter{}
		// An actor may be part of a large text, which the meter would keep in memory.
		c.actors.Add(domain.Actor(strings.Clone(string(b.Who))), m)
	}
	m.add(now, r)
	return left(m, now, limit, r), nil
}

// left returns the rest of the rate r, which is limit calls a minute. m must hold at least one call
// that has not drained.
func left(m *meter, now time.Time, limit int, r rate) domain.Rate {
	reset := m.empty.Sub(now)
	return domain.Rate{Limit: limit, Remaining: int(max(0, r.all-reset) / r.one), Reset: reset}
}
