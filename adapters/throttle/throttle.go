// Package throttle is the ports.Attempts and the ports.CallRates of one process: it counts
// failures, and calls, in a bounded number of meters and keeps nothing when the process
// ends.
//
// A meter is a bucket that leaks: a failure or a call fills it by one part of the limit,
// and it drains evenly, so that a full one is empty after a minute. golang.org/x/time/rate
// has no way to take back an attempt that was booked earlier and turned out to be good, so
// the few lines are here.
//
// # What a flood can push out
//
// Of failures there are maxMeters meters for addresses and as many for names from
// addresses, at most 9 MB together; where more are needed, the one that was used least
// recently goes, and with it the failures on it. A name never pushes out an address. To
// lose the failures of its own address an attacker has to come from maxMeters others, each
// of which may fail as often as that one: it gains less than it has. To lose those on one
// name it has to fail with as many other names, of which an address gets
// Options.PerAddress a minute. Refused attempts make no meters, and keep those that refuse
// them. And maxMeters is more than the passwords that can be hashed in the minute that a
// meter remembers.
//
// Of calls there are maxMeters meters, at most 4 MB. Whoever is pushed out starts anew,
// which takes calls of maxMeters other users and access tokens within a minute: each of
// them is known by then, since a call is booked once it is known whose it is.
package throttle

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Attempts = (*Attempts)(nil)

// maxMeters is how many addresses, how many names from addresses, and how many of those
// who call are remembered.
const maxMeters = 1 << 14

// Options are the limits. The zero value of each is its default.
type Options struct {
	PerName    int // failures a minute for a user name from an address; 10 by default
	PerAddress int // failures a minute for an address; 100 by default
}

// Attempts is a ports.Attempts. It is safe for concurrent use.
type Attempts struct {
	now       ports.Clock
	ofName    rate // of failures on a name
	ofAddress rate // of failures of an address

	mu        sync.Mutex
	names     *simplelru.LRU[key, *meter]
	addresses *simplelru.LRU[netip.Addr, *meter]
}

type key struct {
	name    domain.Username
	address netip.Addr
}

// New returns Attempts without any failures.
func New(now ports.Clock, o Options) *Attempts {
	if o.PerName <= 0 {
		o.PerName = 10
	}
	if o.PerAddress <= 0 {
		o.PerAddress = 100
	}
	// An LRU is refused for a size below one only.
	names, _ := simplelru.NewLRU[key, *meter](maxMeters, nil)
	addresses, _ := simplelru.NewLRU[netip.Addr, *meter](maxMeters, nil)
	return &Attempts{
		now: now, names: names, addresses: addresses,
		ofName: perMinuteOf(o.PerName), ofAddress: perMinuteOf(o.PerAddress),
	}
}

// Begin books the attempt before it is made, so that guesses made at the same time
// can't slip by each other. RetryAfter is in whole seconds, rounded up. Texts that are
// no IP address count as one address.
func (a *Attempts) Begin(name domain.Username, address string) (succeeded func(), err error) {
	from := domain.NetworkOf(address)
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	byAddress, knownAddress := a.addresses.Get(from)
	byName, knownName := a.names.Get(key{name, from})
	if wait := max(byAddress.wait(now, a.ofAddress), byName.wait(now, a.ofName)); wait > 0 {
		return nil, &domain.Error{
			Kind: domain.TooManyRequests, Public: "too many failed attempts; try again later",
			RetryAfter: wholeSeconds(wait),
		}
	}
	if !knownAddress {
		byAddress = &meter{}
		a.addresses.Add(from, byAddress)
	}
	if !knownName {
		byName = &meter{}
		// A name may be a small part of a large text, which would be held along with it.
		a.names.Add(key{domain.Username(strings.Clone(string(name))), from}, byName)
	}
	takeBackAddress := byAddress.book(now, a.ofAddress)
	takeBackName := byName.book(now, a.ofName)
	return sync.OnceFunc(func() {
		now := a.now()
		a.mu.Lock()
		defer a.mu.Unlock()
		takeBackAddress(now)
		takeBackName(now)
	}), nil
}

// wholeSeconds is wait rounded up to whole seconds.
func wholeSeconds(wait time.Duration) time.Duration {
	return (wait + time.Second - 1).Truncate(time.Second)
}

// rate is what a meter lets through: of things that drain in one, as many as drain in all.
type rate struct{ one, all time.Duration }

// perMinuteOf is the rate of n a minute. Its all is n times its one to the nanosecond, so
// that n fit in and not one more, however the minute divides.
func perMinuteOf(n int) rate {
	one := max(time.Minute/time.Duration(n), 1)
	return rate{one: one, all: one * time.Duration(n)}
}

// meter measures failures or calls as the time at which they will have drained. Each adds
// its own time to drain to it. The nil meter is empty.
type meter struct{ empty time.Time }

// wait is how long it takes until one more fits in.
func (m *meter) wait(now time.Time, r rate) time.Duration {
	if m == nil {
		return 0
	}
	return m.empty.Sub(now) + r.one - r.all
}

// add adds one.
func (m *meter) add(now time.Time, r rate) {
	if m.empty.Before(now) {
		m.empty = now
	}
	m.empty = m.empty.Add(r.one)
}

// book adds one and returns what takes back as much of it as has not drained.
func (m *meter) book(now time.Time, r rate) (takeBack func(now time.Time)) {
	m.add(now, r)
	booked := m.empty
	return func(now time.Time) {
		m.empty = m.empty.Add(-max(0, min(r.one, booked.Sub(now))))
	}
}
