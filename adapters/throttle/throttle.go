// Package throttle implements the limits in memory, for one process: ports.Attempts, ports.CallRates,
// ports.OpenCalls, ports.UserRates and ports.HeldMemory.
//
// It counts failed attempts, calls, logins and changes in meters. The number of meters is bounded. The counts
// are lost when the process ends.
//
// A meter is a leaking bucket. Each failure or call fills it by one part of the limit, and
// it drains evenly: a full meter is empty after a minute. golang.org/x/time/rate can't take
// back an attempt that was counted earlier and then succeeded, so it is not used.
//
// # What a flood can displace
//
// There are maxMeters meters for the failures of addresses, and maxMeters for the failures
// on a name from an address. Together they take at most 9 MB. If all are in use, the one
// that was used least recently is dropped, with its failures. The two kinds never displace
// each other.
//
//   - To drop the failures of its own address, an attacker needs maxMeters other addresses.
//     Each of those may fail as often as the first, so the attacker gains nothing.
//   - To drop the failures on a name, an attacker has to fail with maxMeters other names. One
//     address can try Options.PerAddress of them a minute.
//   - A rejected attempt creates no meter, and renews the meters that rejected it.
//   - maxMeters is more than the passwords that can be hashed in a minute, which is as long
//     as a meter remembers.
//
// There are maxMeters meters for turns, and maxMeters for reads, at most 4 MB each. To displace
// one, maxMeters other users and access tokens have to call within a minute. A call is counted only
// once its caller is known.
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

// maxMeters is the number of addresses, of names from an address, and of callers that are
// remembered.
const maxMeters = 1 << 14

// Options set the limits. A zero field has its default.
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

// New returns Attempts without failures that read the time from now. nil is time.Now.
func New(now ports.Clock, o Options) *Attempts {
	if now == nil {
		now = time.Now
	}
	if o.PerName <= 0 {
		o.PerName = 10
	}
	if o.PerAddress <= 0 {
		o.PerAddress = 100
	}
	// NewLRU fails only for a size below one.
	names, _ := simplelru.NewLRU[key, *meter](maxMeters, nil)
	addresses, _ := simplelru.NewLRU[netip.Addr, *meter](maxMeters, nil)
	return &Attempts{
		now: now, names: names, addresses: addresses,
		ofName: perMinuteOf(o.PerName), ofAddress: perMinuteOf(o.PerAddress),
	}
}

// Begin counts the attempt before it is made, so that concurrent guesses can't pass the
// limit together. Calling succeeded takes the attempt back. All texts that are not an IP
// address count as one address. Returns TooManyRequests if the name from this address, or the
// address, has reached its limit; RetryAfter is in whole seconds, rounded up.
func (a *Attempts) Begin(name domain.Username, address string) (succeeded func(), err error) {
	from := domain.NetworkOf(address)
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	byAddress, knownAddress := a.addresses.Get(from)
	byName, knownName := a.names.Get(key{name, from})
	locked := byName.wait(now, a.ofName)
	if wait := max(byAddress.wait(now, a.ofAddress), locked); wait > 0 {
		refusal := &domain.Error{
			Kind: domain.TooManyRequests, Public: "too many failed attempts; try again later",
			RetryAfter: wholeSeconds(wait),
		}
		if locked > 0 {
			refusal.Cause = domain.ErrLoginLocked
		}
		return nil, refusal
	}
	if !knownAddress {
		byAddress = &meter{}
		a.addresses.Add(from, byAddress)
	}
	if !knownName {
		byName = &meter{}
		// A name may be part of a large text, which the meter would keep in memory.
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

// wholeSeconds returns wait, rounded up to whole seconds.
func wholeSeconds(wait time.Duration) time.Duration {
	return (wait + time.Second - 1).Truncate(time.Second)
}

// rate is the capacity of a meter: things that each drain in the time one, and together in
// the time all.
type rate struct{ one, all time.Duration }

// perMinuteOf returns the rate of n a minute. all is exactly n times one, so that n fit in,
// and no more, even if n does not divide a minute.
func perMinuteOf(n int) rate {
	one := max(time.Minute/time.Duration(n), 1)
	return rate{one: one, all: one * time.Duration(n)}
}

// meter holds the time at which its failures or calls will have drained. Each one moves that
// time by rate.one. The nil meter and the zero meter are empty.
type meter struct{ empty time.Time }

// wait returns the time until one more fits in. It is zero or less if one fits in now.
func (m *meter) wait(now time.Time, r rate) time.Duration {
	if m == nil || m.empty.IsZero() {
		return 0
	}
	return m.empty.Sub(now) + r.one - r.all
}

// add counts one.
func (m *meter) add(now time.Time, r rate) {
	if m.empty.Before(now) {
		m.empty = now
	}
	m.empty = m.empty.Add(r.one)
}

// book counts one. The function that it returns takes back the part that has not drained.
func (m *meter) book(now time.Time, r rate) (takeBack func(now time.Time)) {
	m.add(now, r)
	booked := m.empty
	return func(now time.Time) {
		m.empty = m.empty.Add(-max(0, min(r.one, booked.Sub(now))))
	}
}
