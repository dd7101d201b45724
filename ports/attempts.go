package ports

import "github.com/flowlatch/flowlatch/domain"

// Attempts bounds how often a password may be guessed, in bounded memory of this
// process.
type Attempts interface {
	// Begin books an attempt on the user name from the address (an IP address; the
	// addresses of one IPv6 /64 count as one). It is TooManyRequests, with RetryAfter,
	// when the failures of a minute are used up, for that name from that address or for
	// the address; such an attempt is not booked. An attempt that succeeds is taken back
	// by calling the function that Begin returned, so that only failures count; calling
	// it twice does nothing more.
	Begin(name domain.Username, address string) (succeeded func(), err error)
}
