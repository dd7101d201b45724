package throttle

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.OpenCalls = (*OpenCalls)(nil)

// retryOpen is how long a caller is told to wait for one of their open calls to end. Nobody knows
// when that will be. Most calls take a second or two.
const retryOpen = 2 * time.Second

// OpenCalls is a ports.OpenCalls. It is safe for concurrent use.
type OpenCalls struct {
	limit int // of whoever has no limit of their own

	mu   sync.Mutex
	open map[domain.Actor]int // without those who have no open call
}

// NewOpenCalls returns OpenCalls that let each Who have as many open calls as limit says, unless
// the budget has a limit of its own. Zero or less means no limit.
func NewOpenCalls(limit int) *OpenCalls {
	return &OpenCalls{limit: max(limit, 0), open: map[domain.Actor]int{}}
}

// Begin counts the call until end is called. Returns TooManyRequests if the limit is reached.
func (o *OpenCalls) Begin(b domain.Budget) (end func(), err error) {
	limit := b.Limit
	if limit <= 0 {
		limit = o.limit
	}
	if limit == 0 {
		return func() {}, nil
	}
	who := domain.Actor(strings.Clone(string(b.Who))) // it may be part of a large text
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open[who] >= limit {
		return nil, &domain.Error{
			Kind: domain.TooManyRequests, RetryAfter: retryOpen,
			Public: "more than " + strconv.Itoa(limit) + " calls at once; wait until one of your open calls ends" + domain.SeeLimits,
		}
	}
	o.open[who]++
	return sync.OnceFunc(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.open[who]--; o.open[who] == 0 {
			delete(o.open, who)
		}
	}), nil
}
