package ports

import "github.com/flowlatch/flowlatch/domain"

// OpenCalls bounds how many calls of each caller are open at once. It keeps its counts in memory
// of this process, which grows with the open calls only.
type OpenCalls interface {
	// Begin counts a call against the budget until end is called. Further calls of end do
	// nothing. Each Who has a budget of their own of b.Limit open calls. If that is 0, the limit
	// is that of these OpenCalls. If there is no limit, Begin never fails.
	//
	// Returns TooManyRequests, with RetryAfter, if as many calls are open. Such a call is not
	// counted, and end is nil.
	Begin(b domain.Budget) (end func(), err error)
}
