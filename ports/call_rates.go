package ports

import "github.com/flowlatch/flowlatch/domain"

// CallRates bounds how often each of those who use assistants may do so, in bounded
// memory of this process.
type CallRates interface {
	// Take books a call of who and returns what is left of their rate. It is
	// TooManyRequests, with RetryAfter and Rate, when the calls of a minute are used up;
	// such a call is not booked. What was used comes back evenly. Nobody's calls count for
	// anybody else. Without a limit the Rate is zero and nothing is refused.
	Take(who domain.Actor) (domain.Rate, error)
}
