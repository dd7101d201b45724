package ports

import "github.com/flowlatch/flowlatch/domain"

// Attempts bounds how often a password can be guessed. It keeps its counts in bounded memory of
// this process.
type Attempts interface {
	// Begin counts an attempt on the user name from the address, an IP address. The addresses of
	// one IPv6 /64 count as one. Only failures count in the end: the caller calls succeeded if
	// the attempt succeeds, which takes the attempt back. Further calls of succeeded do nothing.
	//
	// Returns TooManyRequests, with RetryAfter, if the failures of a minute are used up, for
	// that name from that address or for the address. Such an attempt is not counted. In the first case
	// domain.ErrLoginLocked is among its causes.
	Begin(name domain.Username, address string) (succeeded func(), err error)
}
