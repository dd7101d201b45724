package voiceflow

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const (
	// maxFailures is the number of failures in a row, without a success between them, after which
	// calls are held off.
	maxFailures = 20
	// maxOfOne is how many of these failures count for one assistant when it is about the whole
	// service. So it takes three assistants at least to make a service count as down for all: a
	// failing assistant and its copy may share a reason of their own.
	maxOfOne = 7
	// maxBreakers is the number of assistants that are remembered for each service. If more are
	// in use, the one that was used least recently counts as one that never failed.
	maxBreakers = 4096
)

// breakers say which assistants of a service get no calls for a while. An assistant is held off
// if its own calls failed, or if the calls of several assistants failed, with no success between
// them. They are safe for concurrent use.
type breakers struct {
	now   ports.Clock
	pause time.Duration

	mu   sync.Mutex
	of   *simplelru.LRU[domain.ProjectID, *breaker]
	run  map[domain.ProjectID]int // failures of the whole service since its last success, at most maxOfOne each
	sum  int                      // of run
	down time.Time                // when sum reached maxFailures
}

// breaker is what is known about one assistant.
type breaker struct {
	failures int       // in a row
	ended    time.Time // when the last failure ended that made or kept the assistant held off
	trying   bool      // a trial goes on
}

func newBreakers(now ports.Clock, pause time.Duration) *breakers {
	of, _ := simplelru.NewLRU[domain.ProjectID, *breaker](maxBreakers, nil) // it fails only for a size below one
	return &breakers{now: now, pause: pause, of: of, run: map[domain.ProjectID]int{}}
}

// verdict is what a call tells about its service.
type verdict int

const (
	tellsNothing verdict = iota
	answered
	didNotAnswer
)

// heldOff reports whether calls of the assistant are held off, except one that tries.
func (s *breakers) heldOff(p domain.ProjectID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, _ := s.of.Peek(p)
	return s.isHeldOff(b)
}

func (s *breakers) isHeldOff(b *breaker) bool {
	return s.sum >= maxFailures || b != nil && b.failures >= maxFailures
}

// begin asks whether a call of the assistant may be sent. If so, tell must be called with what the
// call told; only the first time counts. If the assistant is held off, one call after each pause may try.
func (s *breakers) begin(p domain.ProjectID) (tell func(verdict), allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, known := s.of.Get(p)
	if !known {
		b = &breaker{}
		s.of.Add(p, b)
	}
	trial := s.isHeldOff(b)
	if trial {
		since := b.ended
		if s.sum >= maxFailures && s.down.After(since) {
			since = s.down
		}
		if b.trying || s.now().Before(since.Add(s.pause)) {
			return nil, false
		}
		b.trying = true
	}
	told := false
	return func(v verdict) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !told {
			told = true
			s.tell(p, b, trial, v)
		}
	}, true
}

// tell takes the verdict of a call. The lock must be held. Failures of calls that began before the assistant was held
// off change nothing: they are no news, and there may be many.
func (s *breakers) tell(p domain.ProjectID, b *breaker, trial bool, v verdict) {
	if trial {
		b.trying = false
	}
	switch {
	case v == answered:
		b.failures, b.ended = 0, time.Time{}
		s.sum = 0
		clear(s.run)
	case v == didNotAnswer && trial == s.isHeldOff(b):
		s.failed(p, b)
	}
}

func (s *breakers) failed(p domain.ProjectID, b *breaker) {
	b.ended = s.now()
	b.failures = min(b.failures+1, maxFailures)
	if s.sum < maxFailures && s.run[p] < maxOfOne {
		s.run[p]++
		if s.sum++; s.sum == maxFailures {
			s.down = b.ended
		}
	}
}
