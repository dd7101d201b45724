package portstest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// OpenOpenCalls returns OpenCalls without an open call, which allow each caller limit open calls; 0
// means no limit.
type OpenOpenCalls func(t *testing.T, limit int) ports.OpenCalls

// OpenCalls checks every sentence in the comments of ports.OpenCalls, except what they keep in
// memory, which can't be seen from outside.
func OpenCalls(t *testing.T, open OpenOpenCalls) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenOpenCalls)
	}{
		{"Begin counts a call until end is called, and is TooManyRequests with RetryAfter at the limit", openUntilEnd},
		{"further calls of end do nothing", openEndsOnce},
		{"each caller has a budget of their own", openOwn},
		{"a budget with a limit has that one, also where there is none otherwise", openLimits},
		{"without a limit nothing is refused", openUnlimited},
		{"of many calls at the same instant exactly the limit is open", openAtOnce},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

// opens begins n calls, which must be let through, and returns their ends.
func opens(t *testing.T, what string, o ports.OpenCalls, b domain.Budget, n int) []func() {
	t.Helper()
	ends := make([]func(), n)
	for i := range ends {
		var err error
		ends[i], err = o.Begin(b)
		wantNil(t, fmt.Sprintf("%s: Begin(%v), %d of %d", what, b, i+1, n), err)
	}
	return ends
}

// wantNotBegun opens a call, which must be refused.
func wantNotBegun(t *testing.T, what string, o ports.OpenCalls, b domain.Budget) {
	t.Helper()
	end, err := o.Begin(b)
	wantKind(t, what, err, domain.TooManyRequests)
	if e, _ := errors.AsType[*domain.Error](err); e.RetryAfter <= 0 || end != nil {
		t.Fatalf("%s: got RetryAfter %v and an end: %v; want a RetryAfter and no end", what, e.RetryAfter, end != nil)
	}
}

func openUntilEnd(t *testing.T, open OpenOpenCalls) {
	for _, limit := range []int{1, 3, 32} {
		o, ana := open(t, limit), domain.Budget{Who: actorAna}
		ends := opens(t, "at first", o, ana, limit)
		for range 100 { // what is refused is not counted
			wantNotBegun(t, "at the limit", o, ana)
		}
		for i := range ends {
			ends[i]()
			ends[i] = opens(t, "after one ended", o, ana, 1)[0]
			wantNotBegun(t, "at the limit again", o, ana)
		}
		for _, end := range ends {
			end()
		}
		opens(t, "after all ended", o, ana, limit)
	}
}

func openEndsOnce(t *testing.T, open OpenOpenCalls) {
	o, ana := open(t, 2), domain.Budget{Who: actorAna}
	ends := opens(t, "at first", o, ana, 2)
	for range 5 {
		ends[0]()
	}
	opens(t, "after one ended five times", o, ana, 1)
	wantNotBegun(t, "with two open", o, ana)
}

func openOwn(t *testing.T, open OpenOpenCalls) {
	o := open(t, 1)
	opens(t, "a user", o, domain.Budget{Who: actorAna}, 1)
	for _, who := range []domain.Actor{actorBob, domain.ActorToken(domain.TokenID(userID(1))), actorAna[:len(actorAna)-1], actorAna + "1", ""} {
		opens(t, "beside a user with an open call", o, domain.Budget{Who: who}, 1)
		wantNotBegun(t, "the second", o, domain.Budget{Who: who})
	}
	wantNotBegun(t, "the user, beside others", o, domain.Budget{Who: actorAna})
}

func openLimits(t *testing.T, open OpenOpenCalls) {
	for _, limit := range []int{0, 1, 2} {
		for _, own := range []int{1, 5} {
			o, b := open(t, limit), domain.Budget{Who: domain.ActorToken(tokenID(1)), Limit: own}
			ends := opens(t, "a limit of its own", o, b, own)
			wantNotBegun(t, "beyond the limit of its own", o, b)
			ends[0]()
			opens(t, "after one ended", o, b, 1)
		}
	}
}

func openUnlimited(t *testing.T, open OpenOpenCalls) {
	for _, end := range opens(t, "without a limit", open(t, 0), domain.Budget{Who: actorAna}, 10_000) {
		end()
	}
}

func openAtOnce(t *testing.T, open OpenOpenCalls) {
	const limit = 10
	o, b := open(t, limit), domain.Budget{Who: actorAna}
	ends := make([]func(), crowd)
	atOnce(crowd, func(i int) {
		end, err := o.Begin(b)
		if ends[i] = end; err != nil {
			wantKind(t, "one of many at the same instant", err, domain.TooManyRequests)
		}
	})
	var begun atomic.Int64
	atOnce(crowd, func(i int) {
		if ends[i] != nil {
			begun.Add(1)
			ends[i]()
		}
	})
	wantSame(t, "how many of many at the same instant were let through", begun.Load(), int64(limit))
	opens(t, "after all ended at the same instant", o, b, limit)
	wantNotBegun(t, "beyond the limit", o, b)
}
