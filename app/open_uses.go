package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// youngUse is how long a call is left alone: what let it in was looked up just now.
	youngUse = 250 * time.Millisecond
	// blindFor is how long open calls go on while the database can't say whether they may.
	blindFor = 5 * time.Second
)

// openUses are the forwarded calls that are open. The zero value is ready.
type openUses struct {
	mu   sync.Mutex
	uses map[*openUse]bool // all that are open
	sure time.Time         // when the database was last asked and answered, or had nothing to answer
}

// openUse is a forwarded call that is open.
type openUse struct {
	of    domain.OpenUse
	scope domain.Scope
	since time.Time
	end   context.CancelCauseFunc
}

func (o *openUses) add(u *openUse) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.uses == nil {
		o.uses = map[*openUse]bool{}
	}
	o.uses[u] = true
}

func (o *openUses) remove(u *openUse) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.uses, u)
}

// wait waits until no call is open, for as long as patience at most.
func (o *openUses) wait(patience time.Duration) {
	over := time.NewTimer(patience)
	defer over.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		o.mu.Lock()
		open := len(o.uses)
		o.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-over.C:
			return
		case <-tick.C:
		}
	}
}

// old are the calls that have been open for a while at now.
func (o *openUses) old(now time.Time) []*openUse {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*openUse
	for u := range o.uses {
		if now.Sub(u.since) >= youngUse {
			list = append(list, u)
		}
	}
	if len(list) == 0 || o.sure.IsZero() {
		o.sure = now
	}
	return list
}

// asked notes whether the database answered at now, and says whether it has been silent
// for too long.
func (o *openUses) asked(now time.Time, err error) (blind bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.sure = now
	}
	return now.Sub(o.sure) >= blindFor
}

// EndLostUses ends the open calls that have lost what let them in: the session or the
// access token, the user, the grant or its scope. While the database can't say, calls go
// on for five seconds. Start does it a few times a second.
func (s *Service) EndLostUses(ctx context.Context) error {
	open := s.open.old(s.ports.Clock())
	if len(open) == 0 {
		return nil
	}
	asked := make([]domain.OpenUse, 0, len(open))
	known := make(map[domain.OpenUse]bool, len(open))
	for _, u := range open {
		if !known[u.of] {
			known[u.of] = true
			asked = append(asked, u.of)
		}
	}
	allowed, err := s.ports.Store.Access.StillAllowed(ctx, asked)
	if s.open.asked(s.ports.Clock(), err) {
		for _, u := range open {
			u.end(&domain.Error{Kind: domain.Unavailable, Public: "whether this may go on can't be told", Cause: err})
		}
	}
	if err != nil {
		return err
	}
	rights := make(map[domain.OpenUse]domain.Scopes, len(allowed))
	for _, a := range allowed {
		rights[a.OpenUse()] = a.Scopes()
		err = errors.Join(err, s.sessions.KeepInUse(ctx, a.Session))
	}
	for _, u := range open {
		switch scopes, stands := rights[u.of]; {
		case !stands:
			u.end(notSet(nil))
		case !scopes.Has(u.scope):
			u.end(&domain.Error{Kind: domain.NotAllowed, Public: "what let this call in has been taken away"})
		}
	}
	return err
}
