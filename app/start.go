package app

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	// lastCalls is how long stop waits for open calls to end.
	lastCalls = time.Second
	// lastChain is how long stop chains the audit at most. Other instances chain the rest.
	lastChain = time.Second
	// chainPause is the pause between two attempts to chain the audit.
	chainPause = 500 * time.Millisecond
	// verifyPause is the pause between two looks whether the audit is to be verified, or old rows removed.
	verifyPause = 10 * time.Second
	// operatorRest is the pause after an error that only an operator can mend, such as a broken
	// chain or keyset.
	operatorRest = time.Minute
)

// Start starts the background work of the service and returns a function that stops it. A
// program calls Start once for each Service, before the first call. It calls stop after its
// server has shut down and before it closes the database:
//
//	stop := service.Start(nil)
//	defer stop()
//
// The background work ends open calls that have lost their right, stores counts, outcomes and
// refusals, chains and verifies the audit, tells webhooks of events, follows changes of the keyset, marks keys that can't be opened, and deletes
// what has expired, and what is older than Options say. failed is called with each failure; it may be nil, and several goroutines
// may call it at once. Everything is tried again, at most once a minute if it needs an operator.
//
// stop ends the background work and a verification of the audit, and waits for both. It waits up to
// a second for open calls, two for what webhooks were told, and up to ten for what the identity provider was asked meanwhile. It then stores the last counts, outcomes and refusals and chains the audit.
// Further calls of stop do nothing.
func (s *Service) Start(failed func(what string, err error)) (stop func()) {
	if failed == nil {
		failed = func(string, error) {}
	}
	ctx, end := context.WithCancel(context.Background())
	running := &sync.WaitGroup{}
	s.run(ctx, running, failed)
	return sync.OnceFunc(func() {
		end()
		running.Wait()
		s.webhooks.Wait()
		s.audit.Stop()
		s.forwarder.WaitForOpen(lastCalls) // the server is cutting them
		s.signOns.Wait()
		s.finish(failed)
	})
}

// run starts each part of the background work in a goroutine of its own, at a pace of its own:
// a long sweep must not keep a lost call open.
func (s *Service) run(ctx context.Context, running *sync.WaitGroup, failed func(what string, err error)) {
	every := func(pause time.Duration, what string, do func(context.Context) error) {
		running.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := do(ctx); err != nil && ctx.Err() == nil {
					failed(what, err)
				}
			}
		})
	}
	every(forward.CheckInterval, "look whether open calls may go on", s.forwarder.EndLostUses)
	every(time.Second, "store the counts of usage", s.forwarder.FlushUsage)
	// Every seal refreshes the keyset too, so nothing waits for a resting Refresh.
	every(time.Second, "read the keyset again", s.resting(s.keyset.Refresh))
	every(time.Second, "write refusals to the audit", func(ctx context.Context) error {
		return s.audit.FlushRefusals(ctx, false)
	})
	every(time.Second, "write outcomes of forwarded calls to the audit", s.forwarder.FlushOutcomes)
	every(time.Second, "write locked logins to the audit", s.FlushLocked)
	if s.ports.Webhooks != nil {
		every(time.Second, "tell webhooks of events", s.webhooks.Deliver)
	}
	every(chainPause, "chain the audit", s.resting(s.audit.Chain))
	every(verifyPause, "verify the audit", s.audit.VerifyInTurn)
	every(verifyPause, "remove old rows of the audit", s.audit.CutInTurn)
	every(time.Minute, "sweep what is over", func(ctx context.Context) error {
		_, err := s.Sweep(ctx)
		return err
	})
	running.Go(func() {
		s.markNowAndThen(ctx, func(err error) { failed("check that all keys can be decrypted", err) })
	})
}

// finish stores the last outcomes, counts and refusals and chains the audit. Outcomes come first,
// since nothing else tells of them.
func (s *Service) finish(failed func(what string, err error)) {
	ctx := context.Background()
	if err := s.forwarder.FlushOutcomes(ctx); err != nil {
		failed("write outcomes of forwarded calls to the audit", err)
	}
	if err := s.forwarder.FlushUsage(ctx); err != nil {
		failed("store the counts of usage", err)
	}
	if err := s.audit.FlushRefusals(ctx, true); err != nil {
		failed("write refusals to the audit", err)
	}
	if err := s.FlushLocked(ctx); err != nil {
		failed("write locked logins to the audit", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lastChain)
	defer cancel()
	if err := s.audit.Chain(ctx); err != nil {
		failed("chain the audit", err)
	}
}

// resting is do, which rests for operatorRest after an error that only an operator can mend.
// Only one goroutine may call it.
func (s *Service) resting(do func(context.Context) error) func(context.Context) error {
	var broken time.Time
	return func(ctx context.Context) error {
		now := s.ports.Clock()
		if age := now.Sub(broken); !broken.IsZero() && age >= 0 && age < operatorRest {
			return nil
		}
		err := do(ctx)
		if broken = (time.Time{}); domain.KindOf(err) == domain.Corrupt {
			broken = now
		}
		return err
	}
}

// markNowAndThen calls MarkUnopened at once, and then again each minute. If that takes long, it
// waits longer, so that MarkUnopened runs a hundredth of the time at most.
func (s *Service) markNowAndThen(ctx context.Context, failed func(error)) {
	for {
		began := time.Now()
		if err := s.keyset.MarkUnopened(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		again := time.NewTimer(max(time.Minute, 100*time.Since(began)))
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
	}
}
