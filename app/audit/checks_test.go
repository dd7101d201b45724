package audit_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// inTurn lets the instance verify what is due.
func (w *world) inTurn(t *testing.T) {
	t.Helper()
	if err := w.audit.VerifyInTurn(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantHealth fails the test unless the audit is verified up to then, and broken or not.
func (w *world) wantHealth(t *testing.T, what string, verified, whole time.Time, broken bool) {
	t.Helper()
	got, err := w.audit.Health(t.Context())
	if err != nil || !got.Verified.Equal(domain.Instant(verified)) || !got.Whole.Equal(domain.Instant(whole)) || got.Broken != broken {
		t.Errorf("%s: got %+v and error %v, want it verified at %v, the whole at %v, broken: %v", what, got, err, verified, whole, broken)
	}
}

// login adds a row to the audit and chains it.
func (w *world) login(t *testing.T) {
	t.Helper()
	w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	if err := w.audit.Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAddedIsVerifiedEachMinuteAndTheWholeChainEachDay(t *testing.T) {
	w, chain := gatedWorld(t)
	w.inTurn(t)
	first := w.Now()
	w.wantHealth(t, "at first", first, first, false)
	w.After(59 * time.Second)
	w.inTurn(t)
	w.wantHealth(t, "before a minute has gone by", first, first, false)
	for range 5 {
		w.login(t)
		w.After(time.Minute)
		w.inTurn(t)
		w.wantHealth(t, "after a minute", w.Now(), first, false)
	}
	if got := chain.begun.Load(); got != 1 {
		t.Errorf("the chain was read from its beginning %d times, want once", got)
	}
	w.After(24 * time.Hour)
	w.inTurn(t)
	w.wantHealth(t, "after a day", w.Now(), w.Now(), false)
	if got := chain.begun.Load(); got != 2 {
		t.Errorf("the chain was read from its beginning %d times, want twice", got)
	}
	if got := w.verifications(); len(got) > 0 {
		t.Errorf("got the rows %v, want none while the audit is whole", got)
	}
}

func TestABreakInWhatWasAddedIsToldOnceByAllInstances(t *testing.T) {
	w, _ := gatedWorld(t)
	w.inTurn(t)
	whole := w.Now()
	w.login(t)
	last := int64(len(w.Store.Records()))
	w.Store.Tamper(func(r *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		(*r)[last-1].Outcome = "tampered"
	})
	instances := []*world{w, {w.World, open(t, w.World)}, {w.World, open(t, w.World)}}
	for range 3 {
		w.After(time.Minute)
		var all sync.WaitGroup
		for _, at := range instances {
			all.Go(func() { at.inTurn(t) })
		}
		all.Wait()
		for _, at := range instances {
			at.wantHealth(t, "on each instance", w.Now(), whole, true)
		}
	}
	w.wantVerifications(t, "all instances tell it once", "service broken")
	w.After(24 * time.Hour)
	w.inTurn(t)
	w.wantHealth(t, "after a day", w.Now(), w.Now(), true)
	w.wantVerifications(t, "the verification of the whole chain finds the same", "service broken")

	w.Store.Tamper(func(r *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		(*r)[last-1].Outcome = domain.OutcomeOK
	})
	w.After(24 * time.Hour)
	w.inTurn(t)
	w.wantHealth(t, "after the row was mended", w.Now(), w.Now(), false)
}

func TestABreakThatTheDailyVerificationFindsStaysUntilTheNextOne(t *testing.T) {
	w, _ := gatedWorld(t)
	w.inTurn(t)
	w.tamper("tampered")
	w.login(t)
	w.After(time.Minute)
	w.inTurn(t)
	w.wantHealth(t, "what was verified is not verified again", w.Now(), w.Now().Add(-time.Minute), false)
	w.After(24 * time.Hour)
	w.inTurn(t)
	found := w.Now()
	w.wantHealth(t, "after a day", found, found, true)
	w.After(time.Minute)
	w.inTurn(t)
	w.wantHealth(t, "what was added after it is whole", w.Now(), found, true)
	w.wantVerifications(t, "it is told once", "service broken")
}

// Somebody who writes to the database can't say that a tampered part was verified.
func TestAResultThatTheKeysetDidNotSealCountsForNothing(t *testing.T) {
	foreign := memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		by   func(w *world) *memory.Cipher
		bind domain.Binding
	}{
		{"sealed under another keyset", func(*world) *memory.Cipher { return foreign }, domain.BindAuditCheck()},
		{"sealed as something else", func(w *world) *memory.Cipher { return w.Cipher }, domain.BindAuditHead()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _ := gatedWorld(t)
			w.inTurn(t)
			w.login(t)
			checks := w.Store.Ports().Checks
			stored, err := checks.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			head, err := w.Store.Ports().Chain.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all := domain.AuditChecked{At: w.Now().Add(time.Minute), Point: head.ChainPoint}
			forged, err := tc.by(w).Seal(domain.NewSecret(domain.AuditCheck{Added: all, Whole: all}.Text()), tc.bind)
			if err != nil {
				t.Fatal(err)
			}
			w.tamper("tampered")
			if put, err := checks.Put(t.Context(), stored, forged); err != nil || !put {
				t.Fatalf("got %v and error %v", put, err)
			}
			w.inTurn(t)
			w.wantHealth(t, "the whole chain is verified again", w.Now(), w.Now(), true)
		})
	}
}

func TestAChainThatWasSetBackBehindWhatWasVerifiedIsBroken(t *testing.T) {
	w, _ := gatedWorld(t)
	if err := w.audit.Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var records []domain.Record
	var links []domain.ChainLink
	var head domain.AuditHead
	w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
		records, links, head = slices.Clone(*r), slices.Clone(*l), *h
	})
	w.login(t)
	w.inTurn(t)
	w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
		*r, *l, *h = records, links, head
	})
	other := &world{w.World, open(t, w.World)} // it has seen no later head
	w.After(time.Minute)
	other.inTurn(t)
	got := other.stateNow(t)
	if !strings.Contains(got.Broken, "set back to an earlier state") {
		t.Errorf("got %+v, want that the chain was set back", got)
	}
}

// An instance that dies in its turn holds the others up until the turn ends.
func TestTheTurnOfADeadInstanceEnds(t *testing.T) {
	w, _ := gatedWorld(t)
	checks := w.Store.Ports().Checks
	if got, err := checks.Claim(t.Context(), domain.TurnVerify, "dead", w.Now().Add(2*time.Minute)); err != nil || !got {
		t.Fatalf("got %v and error %v", got, err)
	}
	w.inTurn(t)
	w.wantHealth(t, "in the turn of another instance", time.Time{}, time.Time{}, false)
	w.After(2 * time.Minute)
	w.inTurn(t)
	w.wantHealth(t, "after the turn", w.Now(), w.Now(), false)

	// Nobody can keep a turn for long by writing to the database.
	if got, err := checks.Claim(t.Context(), domain.TurnVerify, "eve", w.Now().Add(1000*time.Hour)); err != nil || !got {
		t.Fatalf("got %v and error %v", got, err)
	}
	w.After(time.Minute)
	w.inTurn(t)
	w.wantHealth(t, "in a turn that is too long", w.Now(), w.Now().Add(-time.Minute), false)
}

func TestHealthTellsHowLongARowWaits(t *testing.T) {
	w := newWorld(t)
	if err := w.audit.Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.audit.Health(t.Context()); err != nil || got.Lag != 0 {
		t.Errorf("got %+v and error %v, want no lag", got, err)
	}
	w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	w.After(3 * time.Second)
	if got, err := w.audit.Health(t.Context()); err != nil || got.Lag != 3*time.Second {
		t.Errorf("got %+v and error %v, want a lag of three seconds", got, err)
	}
	w.Store.Break()
	_, err := w.audit.Health(t.Context())
	testworld.WantKind(t, err, domain.Unavailable)
}
