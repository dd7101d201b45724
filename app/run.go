package app

import (
	"context"
	"sync"
	"time"
)

// lastCalls is how long Run waits at its end for calls that are still open.
const lastCalls = time.Second

// Run does what a service has to do now and then, until ctx is done: it ends open calls
// that have lost what let them in, stores what was counted, marks keys that do not open,
// and forgets what is over. At
// the end it waits up to a second for calls that are open, and stores what was counted
// last. failed is told what could not be done, by several goroutines at once, and may be
// nil; everything is tried again. A program that serves forwarded calls runs it once for
// each Service, from before the first call until after the last.
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
	every(time.Minute, "sweep what is over", func(ctx context.Context) error {
		_, err := s.Sweep(ctx)
		return err
	})
	running.Go(func() {
		s.markNowAndThen(ctx, func(err error) { failed("look whether all keys open", err) })
	})
	running.Wait()
	s.open.wait(lastCalls) // they are being cut
	if err := s.FlushUsage(context.WithoutCancel(ctx)); err != nil {
		failed("store the counts of usage", err)
	}
}
