package app

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// lastCalls is how long Run waits at its end for calls that are still open.
const lastCalls = time.Second

// lastChain is how long Run takes at most to chain what was written last. Others can do
// what it leaves.
const lastChain = time.Second

// operatorRest is how long Run waits with what only an operator can do something about,
// such as a chain or a keyset that turned out to be spoilt.
const operatorRest = time.Minute

// Run does what a service has to do now and then, until ctx is done: it ends open calls
// that have lost what let them in, stores what was counted and refused, chains the audit,
// takes over what others have made of the keyset, marks keys that do not open, and forgets
// what is over. At the end it waits up to a second for calls that are open, stores what was
// counted and refused last, and chains that. failed is told what could not be done, by
// several goroutines at once, and may be nil; everything is tried again, what needs an
// operator once a minute. A program runs it once for each Service, from before the first
// call until after the last.
func (s *Service) Run(ctx context.Context, failed func(what string, err error)) {
	if failed == nil {
		failed = func(string, error) {}
	}
	var running sync.WaitGroup
	// Each goes at its own pace: a long sweep must not keep a lost call open.
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
	every(youngUse, "look whether open calls may go on", s.EndLostUses)
	every(time.Second, "store the counts of usage", s.FlushUsage)
	// Whoever seals looks at the keyset by itself, so nothing waits for the rest to be over.
	every(time.Second, "read the keyset again", s.resting(s.ports.Keyring.Refresh))
	every(time.Second, "put refusals into the audit", func(ctx context.Context) error {
		return s.FlushRefusals(ctx, false)
	})
	every(chainPause, "chain the audit", s.resting(s.ChainAudit))
	every(time.Minute, "sweep what is over", func(ctx context.Context) error {
		_, err := s.Sweep(ctx)
		return err
	})
	running.Go(func() {
		s.markNowAndThen(ctx, func(err error) { failed("look whether all keys open", err) })
	})
	running.Wait()
	s.open.wait(lastCalls) // they are being cut
	ctx = context.WithoutCancel(ctx)
	if err := s.FlushUsage(ctx); err != nil {
		failed("store the counts of usage", err)
	}
	if err := s.FlushRefusals(ctx, true); err != nil {
		failed("put refusals into the audit", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lastChain)
	defer cancel()
	if err := s.ChainAudit(ctx); err != nil {
		failed("chain the audit", err)
	}
}

// resting is do, which rests for operatorRest after something that only an operator can do
// something about. One goroutine may call it.
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
