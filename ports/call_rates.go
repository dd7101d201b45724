package ports

import "github.com/flowlatch/flowlatch/domain"

// CallRates bounds how often each caller can use assistants. It keeps its counts in bounded
// memory of this process.
type CallRates interface {
	// Take counts a call against the budget and returns what is left of it. Used calls come back
	// evenly. Each Who has a budget of turns and a budget of reads, with b.Limit calls a minute
	// each. If that is 0, the limit is that of these CallRates for turns or for reads. If there is
	// no limit, the Rate is zero and Take never fails.
	//
	// Returns TooManyRequests, with RetryAfter and Rate, if the calls of a minute are used up.
	// Such a call is not counted.
	Take(b domain.Budget) (domain.Rate, error)
}
