package ports

import "github.com/flowlatch/flowlatch/domain"

// UserRates bounds how often each user changes something, and how often each user logs in. All
// logins and access tokens of a user count together. Used changes and logins come back evenly. It
// keeps its counts in bounded memory of this process.
//
// Each method returns TooManyRequests, with RetryAfter, if those of a minute are used up. What is
// refused is not counted. Without a limit, nothing is refused.
type UserRates interface {
	// Change counts a change that the user asks for.
	Change(user domain.UserID) error

	// MayLogIn reports whether a password of the user is to be checked for a login from the
	// address, an IP address. It counts nothing. Only logins from that address (IPv6: its /64)
	// count: nobody elsewhere finds out whether somebody logs in, and nobody without the password
	// keeps a user out.
	MayLogIn(user domain.UserID, address string) error

	// LogIn counts a login of the user from the address, after the password was checked. Logins
	// from all addresses count. If it refuses a login, MayLogIn refuses the user from that
	// address for as long.
	LogIn(user domain.UserID, address string) error
}
