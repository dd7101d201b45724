package ports

import "github.com/flowlatch/flowlatch/domain"

// CallRates bounds how often each caller can use assistants. It keeps its counts in bounded
// memory of this process.
type CallRates interface {
	// Take counts a call of who and returns what is left of their rate. Used calls come back
	// evenly. Each caller has a rate of their own. If there is no limit, the Rate is zero and
	// Take never fails.
	//
	// Returns TooManyRequests, with RetryAfter and Rate, if the calls of a minute are used up.
	// Such a call is not counted.
	Take(who domain.Actor) (domain.Rate, error)
}
