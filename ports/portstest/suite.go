package portstest

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// sentence is one subtest on a Store: what is promised, and what shows it.
type sentence struct {
	name  string
	needs views // besides the view that the suite is about
	run   func(t *testing.T, f *fixture)
}

// views is a set of the views that a Store may have.
type views uint16

const (
	projects views = 1 << iota
	users
	sessions
	callers
	installation
	access
	accessTokens
	conversations
	usage
	auditLog
	sealings
	archive
)

func (v views) String() string {
	var names []string
	for i, name := range []string{
		"Projects", "Users", "Sessions", "Callers", "Installation", "Access", "AccessTokens", "Conversations", "Usage", "AuditLog",
		"Sealings", "Archive",
	} {
		if v&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

func (s Store) views() (has views) {
	for view, there := range map[views]bool{
		projects: s.Projects != nil, users: s.Users != nil, sessions: s.Sessions != nil, callers: s.Callers != nil,
		installation: s.Installation != nil, access: s.Access != nil, accessTokens: s.AccessTokens != nil,
		conversations: s.Conversations != nil, usage: s.Usage != nil, auditLog: s.AuditLog != nil,
		sealings: s.Sealings != nil, archive: s.Archive != nil,
	} {
		if there {
			has |= view
		}
	}
	return has
}

// check runs the sentences of the port that the view port is of, each on a Store of
// its own.
func check(t *testing.T, open OpenStore, port views, sentences []sentence) {
	t.Helper()
	first := open(t, newClock().now)
	has := first.views()
	if has&port == 0 {
		t.Fatalf("the Store has no %v, which this suite is about", port)
	}
	if first.Records == nil && port != installation {
		t.Fatal("the Store has no Records, so nothing can be said about audit records")
	}
	for _, s := range sentences {
		if lacks := s.needs &^ has; lacks != 0 {
			t.Logf("not checked, since the Store has no %v: %s", lacks, s.name)
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			c := newClock()
			s.run(t, &fixture{Store: open(t, c.now), clock: c})
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

// instances are the Store and, where the database can be opened again, another one.
func (f *fixture) instances(t *testing.T) []Store {
	t.Helper()
	if f.opened != nil {
		return f.opened
	}
	f.opened = []Store{f.Store}
	if f.Another != nil {
		other := f.Another(t)
		if lacks := f.views() &^ other.views(); lacks != 0 {
			t.Fatalf("what Another opened has no %v", lacks)
		}
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
	// The scheduler has favourites, so whoever starts first shall not always come first.
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
