package audit

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// stateAge is how old a result may be that State returns without a new verification. A running service
	// verifies more often.
	stateAge = 2 * time.Minute
	// statePatience is how long State waits for a verification.
	statePatience = 2 * time.Second
	// stateLimit is how long a verification that State started may take.
	stateLimit = 10 * time.Minute
)

// State is what the last verifications found.
type State struct {
	At     time.Time         // when the last verification of any sort ended; zero if none has ended
	Point  domain.ChainPoint // the chain is whole up to here; Seq is the number of rows, also of those that were cut
	Broken string            // a sentence that names the first broken row; "" if the chain is whole
	// WholeAt is when the last verification of the whole chain ended, and WholePoint is where it ended. At
	// and Point may be those of a later verification of what was added since.
	WholeAt    time.Time
	WholePoint domain.ChainPoint
	// NotCut says why old rows can't be removed, "" if they can. Begins is the last row that was removed.
	NotCut string
	Begins domain.ChainPoint
	// Running tells that a later verification is under way.
	Running bool
}

// Rows returns how many rows are verified.
func (s State) Rows() int64 { return max(s.Point.Seq-s.Begins.Seq, 0) }

// stateOf returns the state that the check tells of.
func stateOf(c domain.AuditCheck) State {
	s := State{At: c.Last(), Point: c.Added.Point, Broken: c.Broken(), WholeAt: c.Whole.At, WholePoint: c.Whole.Point, NotCut: c.Cut.Broken, Begins: c.Cut.Point}
	if c.Whole.Broken != "" {
		s.Point = c.Whole.Point
	}
	return s
}

// state is what an instance knows of the State.
type state struct {
	mu      sync.Mutex
	last    State // that was read last
	run     *run  // nil if no verification is under way
	stopped bool
	all     sync.WaitGroup
}

// note keeps the last state.
func (s *state) note(found State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = found
}

// get returns the last state.
func (s *state) get() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// run is a verification that State started.
type run struct {
	stop context.CancelFunc
	done chan struct{} // closed after err and the state are stored
	err  error         // it found out nothing about the chain
}

// State returns what the last verifications found, on any instance, if the last one is at most two minutes
// old. That is so while a service runs (VerifyInTurn). Otherwise State does what VerifyInTurn does and waits
// up to two seconds for it. If that takes longer, or ctx ends, State returns the earlier result with Running
// set. An instance runs one such verification at a time. It goes on after ctx has ended, for up to ten
// minutes, until Stop.
//
// Only an admin may: NotAllowed. Returns Unavailable if the verification could not be done, and after
// Stop. With that error, it also returns the earlier result.
func (a *Audit) State(ctx context.Context, call domain.Call) (State, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return State{}, err
	}
	last, recent, err := a.readState(ctx)
	if recent || err != nil {
		return last, err
	}
	run, err := a.verifyForState(call.RequestID)
	if err != nil {
		return last, err
	}
	patience := time.NewTimer(statePatience)
	defer patience.Stop()
	select {
	case <-run.done:
		if run.err != nil {
			return last, run.err
		}
		last, recent, err = a.readState(ctx)
		last.Running = !recent && err == nil // on another instance
		return last, err
	case <-patience.C:
	case <-ctx.Done():
	}
	last.Running = true
	return last, nil
}

// readState returns the stored state, and whether it is recent. If the stored state can't be read, it returns
// the one that was read last, with the error.
func (a *Audit) readState(ctx context.Context) (last State, recent bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statePatience) // a caller who leaves starts a verification all the same
	defer cancel()
	check, _, err := a.check(ctx)
	if err != nil {
		return a.state.get(), false, err
	}
	last = stateOf(check)
	a.state.note(last)
	age := a.ports.Clock().Sub(last.At)
	return last, !last.At.IsZero() && age >= 0 && age <= stateAge, nil
}

// Stop ends the verification that State has started, and waits for it. State starts no other one.
func (a *Audit) Stop() {
	s := &a.state
	s.mu.Lock()
	s.stopped = true
	if s.run != nil {
		s.run.stop()
	}
	s.mu.Unlock()
	s.all.Wait()
}

// verifyForState returns the verification that is under way. It starts one if there is none, for the request
// with that id.
func (a *Audit) verifyForState(request string) (*run, error) {
	s := &a.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		return s.run, nil
	}
	if s.stopped {
		return nil, &domain.Error{Kind: domain.Unavailable, Public: "the service is stopping; try again"}
	}
	ctx, stop := context.WithTimeout(context.Background(), stateLimit)
	r := &run{stop: stop, done: make(chan struct{})}
	s.run = r
	s.all.Go(func() {
		defer stop()
		r.err = a.verifyInTurn(ctx, request)
		s.mu.Lock()
		s.run = nil
		s.mu.Unlock()
		close(r.done)
	})
	return r, nil
}
