package throttle

import (
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
	limit int // of whoever has no limit of their own

	mu     sync.Mutex
	actors *simplelru.LRU[domain.Actor, *meter]
}

// NewCalls returns Calls that let each Who make perMinute calls a minute, unless the budget has a
// limit of its own. Zero or less means no limit. They read the time from now; nil is time.Now.
func NewCalls(now ports.Clock, perMinute int) *Calls {
	if now == nil {
		now = time.Now
	}
	actors, _ := simplelru.NewLRU[domain.Actor, *meter](maxMeters, nil)
	return &Calls{now: now, limit: max(perMinute, 0), actors: actors}
}

// Take counts the call. Remaining and Reset are exact. Take allocates nothing for an actor
// that it knows. Returns TooManyRequests if the limit is reached; RetryAfter is in whole seconds,
// rounded up.
func (c *Calls) Take(b domain.Budget) (domain.Rate, error) {
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
	now := c.now() // under the lock, so that time never goes back between two calls
	m, known := c.actors.Get(b.Who)
	if wait := m.wait(now, r); wait > 0 {
		return domain.Rate{}, &domain.Error{
			Kind: domain.TooManyRequests, Public: "too many calls; try again later",
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
