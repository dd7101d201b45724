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

var _ ports.UserRates = (*Users)(nil)

// Users is a ports.UserRates. It is safe for concurrent use.
type Users struct {
	now     ports.Clock
	changes rate
	logins  rate

	mu       sync.Mutex
	changers *simplelru.LRU[domain.UserID, *meter]
	users    *simplelru.LRU[domain.UserID, *meter]
	origins  *simplelru.LRU[loginFrom, *meter]
}

type loginFrom struct {
	user    domain.UserID
	network netip.Addr
}

// NewUsers returns Users that let each user make so many changes and logins a minute. Zero or less
// means no limit. They read the time from now; nil is time.Now.
func NewUsers(now ports.Clock, changes, logins int) *Users {
	if now == nil {
		now = time.Now
	}
	u := &Users{now: now}
	// NewLRU fails only for a size below one.
	if changes > 0 {
		u.changes = perMinuteOf(changes)
		u.changers, _ = simplelru.NewLRU[domain.UserID, *meter](maxMeters, nil)
	}
	if logins > 0 {
		u.logins = perMinuteOf(logins)
		u.users, _ = simplelru.NewLRU[domain.UserID, *meter](maxMeters, nil)
		u.origins, _ = simplelru.NewLRU[loginFrom, *meter](maxMeters, nil)
	}
	return u
}

// Change counts a change.
func (u *Users) Change(user domain.UserID) error {
	if u.changers == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	m := meterOf(u.changers, domain.UserID(strings.Clone(string(user))))
	if wait := m.wait(now, u.changes); wait > 0 {
		return tooMany("too many changes; try again later", wait)
	}
	m.add(now, u.changes)
	return nil
}

// MayLogIn looks at the logins of the user from the network of the address.
func (u *Users) MayLogIn(user domain.UserID, address string) error {
	if u.users == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	m, _ := u.origins.Get(loginFrom{user, domain.NetworkOf(address)})
	if wait := m.wait(u.now(), u.logins); wait > 0 {
		return tooManyLogins(wait)
	}
	return nil
}

// LogIn counts a login for the user, and for the user from the network of the address.
func (u *Users) LogIn(user domain.UserID, address string) error {
	if u.users == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now, user := u.now(), domain.UserID(strings.Clone(string(user)))
	all, here := meterOf(u.users, user), meterOf(u.origins, loginFrom{user, domain.NetworkOf(address)})
	if wait := all.wait(now, u.logins); wait > 0 {
		here.empty = all.empty
		return tooManyLogins(wait)
	}
	all.add(now, u.logins)
	here.add(now, u.logins)
	return nil
}

// meterOf returns the meter of the key, which is a new one if there is none.
func meterOf[K comparable](meters *simplelru.LRU[K, *meter], of K) *meter {
	m, known := meters.Get(of)
	if !known {
		m = &meter{}
		meters.Add(of, m)
	}
	return m
}

func tooManyLogins(wait time.Duration) error {
	return tooMany("this user has logged in too often; try again later", wait)
}

func tooMany(public string, wait time.Duration) error {
	return &domain.Error{Kind: domain.TooManyRequests, Public: public, RetryAfter: wholeSeconds(wait)}
}
