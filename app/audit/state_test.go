package audit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// gated is a chain whose verifications wait at a gate, and are counted.
type gated struct {
	ports.AuditChain
	mu      sync.Mutex
	gate    chan struct{} // nil lets everybody pass
	arrived chan struct{} // receives each verification that arrives
	begun   atomic.Int64
}

func (g *gated) Links(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error) {
	if after == 0 {
		g.begun.Add(1)
		g.mu.Lock()
		gate := g.gate
		g.mu.Unlock()
		if gate != nil {
			g.arrived <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
	}
	return g.AuditChain.Links(ctx, after, limit)
}

// shut makes verifications wait until the returned function is called.
func (g *gated) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate := make(chan struct{})
	g.gate, g.arrived = gate, make(chan struct{}, 100)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.gate = nil
		close(gate)
	}
}

// gatedWorld is a world whose audit has a chain with a gate.
func gatedWorld(t *testing.T) (*world, *gated) {
	t.Helper()
	w := newWorld(t)
	store := w.Store.Ports()
	chain := &gated{AuditChain: store.Chain}
	w.audit = audit.New(audit.Ports{
		Log: store.Audit, Chain: chain, Checks: store.Checks, Projects: store.Projects, Users: store.Users, Cipher: w.Cipher, Clock: w.Now,
	})
	t.Cleanup(w.audit.Stop)
	return w, chain
}

// stateNow returns the result of a verification.
func (w *world) stateNow(t *testing.T) audit.State {
	t.Helper()
	for { // on a busy machine, a verification can take longer than State waits
		s, err := w.audit.State(t.Context(), w.Admin)
		if err != nil {
			t.Errorf("State: got error %v, want the result of a verification", err)
		}
		if err != nil || !s.Running {
			return s
		}
	}
}

// verifications returns the rows about verifications, as "actor outcome".
func (w *world) verifications() []string {
	var all []string
	for _, r := range w.Store.Records() {
		if r.Action == domain.ActionVerifyAudit {
			all = append(all, string(r.Actor)+" "+r.Outcome)
		}
	}
	return all
}

// tamper changes the outcome of the second row, or changes it back.
func (w *world) tamper(outcome string) (was string) {
	w.Store.Tamper(func(r *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		was, (*r)[1].Outcome = (*r)[1].Outcome, outcome
	})
	return was
}

func TestTheStateIsAtMostTwoMinutesOldAndLeavesNoRowWhileTheAuditIsWhole(t *testing.T) {
	w, chain := gatedWorld(t)
	rows := len(w.Store.Records())
	first := w.stateNow(t)
	if first.Broken != "" || first.Point.Seq != int64(rows) || !first.At.Equal(domain.Instant(w.Now())) {
		t.Errorf("got %+v, want a whole chain of %d rows", first, rows)
	}
	w.After(2 * time.Minute)
	if got := w.stateNow(t); got != first {
		t.Errorf("after two minutes: got %+v, want the same %+v", got, first)
	}
	w.After(time.Microsecond)
	if got := w.stateNow(t); !got.At.Equal(domain.Instant(w.Now())) || got.Point != first.Point {
		t.Errorf("after more than two minutes: got %+v, want a new result", got)
	}
	w.After(-time.Hour)
	if got := w.stateNow(t); !got.At.Equal(domain.Instant(w.Now())) {
		t.Errorf("after the clock went back: got %+v, want a new result", got)
	}
	// The second one began where the first one had ended.
	if got := chain.begun.Load(); got != 2 || len(w.Store.Records()) != rows {
		t.Errorf("%d verifications of the whole chain left %d rows, want 2 and none", got, len(w.Store.Records())-rows)
	}
}

func TestABrokenRowIsFoundWithinADayAndToldOnce(t *testing.T) {
	w, _ := gatedWorld(t)
	w.stateNow(t)
	was := w.tamper("tampered")
	later := func() audit.State {
		w.After(24 * time.Hour)
		return w.stateNow(t)
	}
	for range 3 {
		if got := later(); !strings.Contains(got.Broken, "row 2 (seq 2)") || got.Point.Seq != 1 {
			t.Fatalf("got %+v, want that row 2 is broken", got)
		}
	}
	w.wantVerifications(t, "the break is told once", "service broken")
	w.tamper(was)
	if got := later(); got.Broken != "" {
		t.Fatalf("got %+v, want a whole chain", got)
	}
	w.tamper("tampered")
	later()
	w.wantVerifications(t, "another break is told too", "service broken", "service broken")
}

func (w *world) wantVerifications(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := w.verifications(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s: the audit has the rows %v, want %v", what, got, want)
	}
}

func TestVerifyRefreshesTheState(t *testing.T) {
	w, chain := gatedWorld(t)
	whole := w.verified(t, "")
	begun := chain.begun.Load()
	if got := w.stateNow(t); got.Point != whole || chain.begun.Load() != begun {
		t.Errorf("got %+v after %d verifications, want that of Verify", got, chain.begun.Load())
	}
	w.tamper("tampered")
	_, err := w.audit.Verify(t.Context(), w.Operator(), "")
	testworld.WantKind(t, err, domain.Corrupt)
	if got := w.stateNow(t); !strings.Contains(got.Broken, "row 2 (seq 2)") {
		t.Errorf("got %+v, want that row 2 is broken", got)
	}
	w.After(25 * time.Hour)
	w.stateNow(t)
	w.wantVerifications(t, "Verify has told of the break", "operator ok", "operator broken")
}

func TestAWrongNoteSaysNothingOfTheState(t *testing.T) {
	w, _ := gatedWorld(t)
	whole := w.stateNow(t)
	other := domain.ChainPoint{Seq: 1, Hash: domain.AuditHash{1}}
	_, err := w.audit.Verify(t.Context(), w.Operator(), other.String())
	testworld.WantKind(t, err, domain.Corrupt)
	if got := w.stateNow(t); got != whole {
		t.Errorf("got %+v, want %+v", got, whole)
	}
}

func TestOneVerificationRunsAtATime(t *testing.T) {
	w, chain := gatedWorld(t)
	open := chain.shut()
	var all sync.WaitGroup
	states := make([]audit.State, 50)
	for i := range states {
		all.Go(func() {
			states[i] = w.stateNow(t)
		})
	}
	<-chain.arrived
	open()
	all.Wait()
	for _, s := range states {
		if s.At.IsZero() || s != states[0] {
			t.Errorf("got %+v, want the same result for everybody", s)
		}
	}
	if got := chain.begun.Load(); got != 1 {
		t.Errorf("there were %d verifications, want one", got)
	}
}

func TestAVerificationOutlivesItsRequest(t *testing.T) {
	w, chain := gatedWorld(t)
	first := w.stateNow(t)
	w.After(25 * time.Hour)
	open := chain.shut()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := w.audit.State(ctx, w.Admin)
	if want := first; err != nil || !got.Running || got.At != want.At || got.Point != want.Point {
		t.Errorf("got %+v and error %v, want the earlier result, and that another is under way", got, err)
	}
	<-chain.arrived
	open()
	if got := w.stateNow(t); !got.At.After(first.At) || chain.begun.Load() != 2 {
		t.Errorf("got %+v after %d verifications, want the result of the one that was under way", got, chain.begun.Load())
	}
}

func TestAnOutageIsNoState(t *testing.T) {
	w, _ := gatedWorld(t)
	first := w.stateNow(t)
	w.After(3 * time.Minute)
	w.Store.Break()
	got, err := w.audit.State(t.Context(), w.Admin)
	testworld.WantKind(t, err, domain.Unavailable)
	if got != first {
		t.Errorf("got %+v, want the earlier result %+v", got, first)
	}
	w.Store.Mend()
	if got := w.stateNow(t); !got.At.After(first.At) {
		t.Errorf("got %+v, want a new result", got)
	}
}

func TestStopEndsTheVerification(t *testing.T) {
	w, chain := gatedWorld(t)
	chain.shut()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.audit.State(ctx, w.Admin); err != nil {
		t.Fatal(err)
	}
	<-chain.arrived
	w.audit.Stop() // the gate is still shut
	_, err := w.audit.State(t.Context(), w.Admin)
	testworld.WantKind(t, err, domain.Unavailable)
	if got := chain.begun.Load(); got != 1 {
		t.Errorf("there were %d verifications, want one", got)
	}
}

func TestOnlyAnAdminSeesStateAndRows(t *testing.T) {
	w, _ := gatedWorld(t)
	member := domain.Call{Caller: domain.Caller{ID: "x"}}
	_, err := w.audit.State(t.Context(), member)
	testworld.WantKind(t, err, domain.NotAllowed)
	_, err = w.audit.Event(t.Context(), member, 1)
	testworld.WantKind(t, err, domain.NotAllowed)
}

func TestAnEventIsARowWithItsPlaceInTheChain(t *testing.T) {
	w, _ := gatedWorld(t)
	rec := w.Store.Records()[1]
	got, err := w.audit.Event(t.Context(), w.Admin, 2)
	if err != nil || got.Row != (domain.AuditRow{ID: 2, Record: rec}) || got.Link != (domain.ChainLink{}) {
		t.Errorf("got %+v and error %v, want the row, which is in no chain yet", got, err)
	}
	w.stateNow(t)
	got, err = w.audit.Event(t.Context(), w.Admin, 2)
	if err != nil || got.Link.Seq != 2 || got.Link.Hash == (domain.AuditHash{}) || got.Row.Record != rec {
		t.Errorf("got %+v and error %v, want the row at seq 2", got, err)
	}
	_, err = w.audit.Event(t.Context(), w.Admin, 404)
	testworld.WantKind(t, err, domain.NotFound)
}
