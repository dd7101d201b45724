package portstest

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// sentence is one subtest on a Store: what is promised, and what shows it.
type sentence struct {
	name string
	run  func(t *testing.T, f *fixture)
}

// check runs the sentences, each on a Store of its own.
func check(t *testing.T, open OpenStore, sentences []sentence) {
	t.Helper()
	for _, s := range sentences {
		t.Run(s.name, func(t *testing.T) {
			c := newClock()
			f := &fixture{Store: open(t, c.now), clock: c}
			wantNil(t, "the Store that the suite is run on", f.Ports.Check())
			if f.Records == nil {
				t.Fatal("the Store has no Records, so nothing can be said about audit records")
			}
			s.run(t, f)
		})
	}
}

// clock is the time of one subtest. It shows it in a zone far from UTC and with
// nanoseconds, as time.Now does in production.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 4, 22, 6, 7, 123456789, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at.In(time.FixedZone("suite", 5*60*60+30*60))
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// fixture is what one subtest works on.
type fixture struct {
	Store
	clock *clock

	// log is what Records should say: what prepares a test adds to it.
	log    []domain.Record
	number atomic.Int64
	opened []Store
}

// instances returns the Store and, where the database can be opened again, another one.
func (f *fixture) instances(t *testing.T) []Store {
	t.Helper()
	if f.opened != nil {
		return f.opened
	}
	f.opened = []Store{f.Store}
	if f.Another != nil {
		other := f.Another(t)
		wantNil(t, "what Another opened", other.Ports.Check())
		f.opened = append(f.opened, other)
	}
	return f.opened
}

// crowd is how many calls are made at the same instant where a sentence is about that.
const crowd = 64

// rounds is how often two calls are made to race.
const rounds = 24

// linger gives others the time to do something in between.
func linger() {
	for range 100 {
		runtime.Gosched()
	}
}

// patience bounds how long a call that should return at once may hang before the test
// fails instead of waiting for ever.
const patience = 20 * time.Second

// shortly is how long a call is let wait for another one that goes on all the time, until
// its context ends. A call that does not wait has most certainly come back by then.
const shortly = 200 * time.Millisecond

// atOnce calls each n times at the same instant and returns when all have returned.
func atOnce(n int, each func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	// The scheduler has favorites, so the first goroutine to start must not always come first.
	for _, i := range rand.Perm(n) {
		done.Go(func() {
			ready.Done()
			<-gate
			each(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}
