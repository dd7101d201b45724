package domain

import (
	"net/netip"
	"time"
)

// Holder is on whose behalf bodies and answers are held in memory. The zero Holder is a stranger
// without an address.
type Holder struct {
	user    UserID
	network netip.Addr // of a stranger
	admin   bool
}

// HolderOf returns the holder of what c's request holds. All logins and access tokens of a user
// are one holder. Strangers are told apart by their network (NetworkOf).
func HolderOf(c Caller, address string) Holder {
	if c.ID == "" {
		return Holder{network: NetworkOf(address)}
	}
	return Holder{user: c.ID, admin: c.Admin}
}

// Stranger reports whether nobody knows who the holder is.
func (h Holder) Stranger() bool { return h.user == "" }

// HeldMemory is how many bytes of bodies and answers are held.
type HeldMemory struct {
	All       int64 // for everybody
	Strangers int64 // for all strangers together
	Own       int64 // for the holder who asks for more
}

// MayHold decides whether n more bytes may be held for h if budget is what may be held in all.
//
// Strangers get nothing once three quarters of the budget are held, and together never more than
// an eighth of it. Members get nothing once seven eighths are held. Admins may use all of it. A
// holder may have no more than what is then left for others. So a holder gets half of it at most,
// and something is left for a holder who has nothing yet.
//
// Returns Unavailable, with RetryAfter, if the bytes may not be held.
func (h Holder) MayHold(held HeldMemory, n, budget int64) error {
	left := budget - held.All
	switch {
	case h.Stranger():
		left = min(left-budget/4, budget/8-held.Strangers)
	case !h.admin:
		left -= budget / 8
	}
	if held.Own+n <= left-n {
		return nil
	}
	return &Error{
		Kind: Unavailable, Public: "the service holds too many bodies in memory now; try again later", RetryAfter: time.Second,
	}
}
