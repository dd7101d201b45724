package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

func TestStartStoresWhatWasCountedAndTellsWhatItCouldNotDo(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.Answer(testworld.Fine)
	_, ben := w.talker(t, "ben", p)
	calls := func() int64 {
		t.Helper()
		got, err := w.GetUsage(t.Context(), w.admin, app.GetUsage{GroupBy: "project"}, domain.Cursor{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Items) == 0 {
			return 0
		}
		return got.Items[0].Calls
	}
	talk := func() {
		t.Helper()
		if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
	}
	failed := make(chan string, 1000)
	stop := w.Start(func(what string, _ error) { failed <- what })
	t.Cleanup(stop)

	talk()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for calls() != 1 {
		select {
		case <-tick.C:
		case what := <-failed:
			t.Fatalf("Start could not %s", what)
		case <-deadline:
			t.Fatal("Start does not store what was counted")
		}
	}

	talk()
	w.store.Break()
	for want := "store the counts of usage"; ; {
		what := <-failed
		if what == want {
			break
		}
		others := []string{"chain the audit", "tell webhooks of events", "check that all keys can be decrypted"} // Start begins with the last one
		if !slices.Contains(others, what) {
			t.Errorf("Start says that it could not %s", what)
		}
	}
	w.store.Mend()
	talk()
	stop()
	stop() // changes nothing
	if got := calls(); got != 3 {
		t.Errorf("at the end %d calls are stored, want 3", got)
	}
}

// unrefreshed is a keyring that can't be refreshed.
type unrefreshed struct {
	ports.Keyring
	err error
}

func (u unrefreshed) Refresh(context.Context) error { return u.err }

// unchained is an audit chain that can't be extended.
type unchained struct {
	ports.AuditChain
	err error
}

func (u unchained) Extend(context.Context, int, ports.Extend) (domain.ChainPoint, bool, error) {
	return domain.ChainPoint{}, false, u.err
}

// What needs an operator is told once a minute, by the clock, and an outage each time: that
// is what shows here that time goes by.
func TestStartTellsOnceAMinuteWhatNeedsAnOperator(t *testing.T) {
	const keyset, chain = "read the keyset again", "chain the audit"
	for broken, down := range map[string]string{keyset: chain, chain: keyset} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			errs := map[string]error{broken: &domain.Error{Kind: domain.Corrupt}, down: &domain.Error{Kind: domain.Unavailable}}
			keyring, p := &unrefreshed{Keyring: w.cipher}, w.ports()
			p.Keyring, p.Store.Chain = keyring, unchained{p.Store.Chain, errs[chain]}
			s := w.open(t, p)
			keyring.err = errs[keyset]
			told := make(chan string, 1000)
			t.Cleanup(s.Start(func(what string, _ error) { told <- what }))
			deadline := time.After(30 * time.Second)
			next := func() string {
				select {
				case what := <-told:
					return what
				case <-deadline:
					t.Fatalf("Start does not tell that it could not %s", broken)
					return ""
				}
			}
			for next() != broken {
			}
			for outages := 0; outages < 3; {
				switch next() {
				case broken:
					t.Fatalf("Start tells again within a minute that it could not %s", broken)
				case down:
					outages++
				}
			}
			w.after(time.Minute)
			for next() != broken {
			}
		})
	}
}

// Start chains what is written. At its end it stores the refusals that share a row and chains
// them.
func TestStartChains(t *testing.T) {
	w := newWorld(t)
	failed := make(chan error, 1000)
	stop := w.Start(func(_ string, err error) { failed <- err })
	t.Cleanup(stop)
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for head := (domain.AuditHead{}); head.Seq < int64(len(w.store.Records())); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("Start does not chain")
		}
		var err error
		if head, err = w.store.Ports().Chain.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.login(t, "ada", false)
	if err := w.Audit().Refused(t.Context(), domain.Call{Address: "192.0.2.1"}, "x", "", "not_allowed"); err != nil {
		t.Fatal(err)
	}
	if err := w.Audit().Refused(t.Context(), domain.Call{Address: "192.0.2.1"}, "x", "", "not_allowed"); err != nil {
		t.Fatal(err)
	}
	stop()
	stop() // changes nothing
	records := w.store.Records()
	if rec := records[len(records)-1]; rec.Action != "x" || rec.Count != 1 {
		t.Errorf("at the end the audit has %+v, want the other refusal", rec)
	}
	if head, err := w.store.Ports().Chain.Head(t.Context()); err != nil || head.Seq != int64(len(records)) {
		t.Errorf("at the end %d rows are chained and error %v, want %d", head.Seq, err, len(records))
	}
	if len(failed) > 0 {
		t.Errorf("Start failed: %v", <-failed)
	}
}
