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
	limit int
	rate  rate

	mu     sync.Mutex
	actors *simplelru.LRU[domain.Actor, *meter]
}

// NewCalls returns Calls that let each actor make perMinute calls a minute. Zero or less means
// no limit. They read the time from now; nil is time.Now.
func NewCalls(now ports.Clock, perMinute int) *Calls {
	if perMinute <= 0 {
		return &Calls{}
	}
	if now == nil {
		now = time.Now
	}
	actors, _ := simplelru.NewLRU[domain.Actor, *meter](maxMeters, nil)
	return &Calls{now: now, limit: perMinute, rate: perMinuteOf(perMinute), actors: actors}
}

// Take counts the call. Remaining and Reset are exact. Take allocates nothing for an actor
// that it knows. Returns TooManyRequests if the actor has reached the limit; RetryAfter is in
// whole seconds, rounded up.
func (c *Calls) Take(who domain.Actor) (domain.Rate, error) {
	if c.limit == 0 {
		return domain.Rate{}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now() // under the lock, so that time never goes back between two calls
	m, known := c.actors.Get(who)
	if wait := m.wait(now, c.rate); wait > 0 {
		return domain.Rate{}, &domain.Error{
			Kind: domain.TooManyRequests, Public: "too many calls; try again later",
			RetryAfter: wholeSeconds(wait), Rate: c.left(m, now),
		}
	}
	if !known {
		m = &meter{}
		// An actor may be part of a large text, which the meter would keep in memory.
		c.actors.Add(domain.Actor(strings.Clone(string(who))), m)
	}
	m.add(now, c.rate)
	return c.left(m, now), nil
}

// left returns the rest of the rate. m must hold at least one call that has not drained.
func (c *Calls) left(m *meter, now time.Time) domain.Rate {
	reset := m.empty.Sub(now)
	return domain.Rate{Limit: c.limit, Remaining: int(max(0, c.rate.all-reset) / c.rate.one), Reset: reset}
}
