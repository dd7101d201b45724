package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// stateAge is how old a result may be that State returns without a new verification.
	stateAge = time.Minute
	// statePatience is how long State waits for a verification.
	statePatience = 2 * time.Second
	// stateLimit is how long a verification that State started may take.
	stateLimit = 10 * time.Minute
)

// State is what the last verification found.
type State struct {
	At     time.Time         // when the verification ended; zero if none has ended
	Point  domain.ChainPoint // the chain is whole up to here; Seq is the number of rows
	Broken string            // a sentence that names the first broken row; "" if the chain is whole
	// Running tells that a later verification is under way.
	Running bool
}

// state is the State of an instance.
type state struct {
	mu      sync.Mutex
	last    State
	told    string // the Broken that a row of the audit tells about
	run     *run   // nil if no verification is under way
	stopped bool
	all     sync.WaitGroup
}

// run is a verification that State started.
type run struct {
	stop context.CancelFunc
	done chan struct{} // closed after err and the state are stored
	err  error         // it found out nothing about the chain
}

// note stores what a verification found. told says that a row of the audit tells about it.
func (s *state) note(found State, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = found
	switch {
	case found.Broken == "":
		s.told = ""
	case told:
		s.told = found.Broken
	}
}

// isNews reports whether the chain is broken in a way that no row of the audit tells about.
func (s *state) isNews(found State) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return found.Broken != "" && found.Broken != s.told
}

// get returns the last state.
func (s *state) get() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// State returns what the last verification found, if that is at most a minute old. Otherwise it
// starts a verification and waits up to two seconds for it. If the verification takes longer, or ctx
// ends, State returns the earlier result with Running set. An instance runs one such verification at
// a time. It goes on after ctx has ended, for up to ten minutes, until Stop.
//
// A verification does the same as Verify. It leaves no audit row while the chain is whole. If it
// finds the chain broken, and the previous one did not find that, it leaves a row of the service.
//
// Only an admin may: NotAllowed. Returns Unavailable if the verification could not be done, and after
// Stop. With that error, it also returns the earlier result.
func (a *Audit) State(ctx context.Context, call domain.Call) (State, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return State{}, err
	}
	last, run, err := a.verifyIfDue(call.RequestID)
	if run == nil {
		return last, err
	}
	patience := time.NewTimer(statePatience)
	defer patience.Stop()
	select {
	case <-run.done:
		return a.state.get(), run.err
	case <-patience.C:
	case <-ctx.Done():
	}
	last.Running = true
	return last, nil
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

// verifyIfDue returns the last state and, if it is too old, the verification that is under way. It
// starts one if there is none, for the request with that id.
func (a *Audit) verifyIfDue(request string) (State, *run, error) {
	s := &a.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := a.ports.Clock().Sub(s.last.At); !s.last.At.IsZero() && age >= 0 && age <= stateAge {
		return s.last, nil, nil
	}
	if s.run != nil {
		return s.last, s.run, nil
	}
	if s.stopped {
		return s.last, nil, &domain.Error{Kind: domain.Unavailable, Public: "the service is stopping; try again"}
	}
	ctx, stop := context.WithTimeout(context.Background(), stateLimit)
	r := &run{stop: stop, done: make(chan struct{})}
	s.run = r
	s.all.Go(func() {
		defer stop()
		r.err = a.verifyAndNote(ctx, request)
		s.mu.Lock()
		s.run = nil
		s.mu.Unlock()
		close(r.done)
	})
	return s.last, r, nil
}

// verifyAndNote verifies the audit and notes what it finds. Its errors say nothing about the chain.
func (a *Audit) verifyAndNote(ctx context.Context, request string) error {
	end, err := a.verify(ctx, domain.ChainPoint{})
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return err
	}
	found, told := a.found(end, err), false
	if a.state.isNews(found) {
		rec := domain.Call{RequestID: request}.Record(found.At, domain.ActionVerifyAudit, domain.OnAudit(end))
		rec.Actor, rec.Outcome = domain.ActorService, domain.OutcomeBroken
		told = a.ports.Log.Append(ctx, rec) == nil // if not, the next verification tries again
	}
	a.state.note(found, told)
	return nil
}

// found returns the state after a verification that has just ended at the point, with nil or with
// Corrupt.
func (a *Audit) found(end domain.ChainPoint, broken error) State {
	s := State{At: domain.Instant(a.ports.Clock()), Point: end}
	if e, ok := errors.AsType[*domain.Error](broken); ok {
		s.Broken = e.Public
	}
	return s
}
