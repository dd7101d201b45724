package forward

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// CheckInterval is how often EndLostUses is to be called. Younger calls are left alone,
	// since their right was looked up just now.
	CheckInterval = 250 * time.Millisecond
	// blindFor is how long open calls go on while the database can't say whether they may.
	blindFor = 5 * time.Second
)

// openCall is a forwarded call, from when it may be sent until its answer is closed.
type openCall struct {
	call   domain.Call
	access domain.Access
	route  domain.Route
	began  time.Time

	in atomic.Pointer[domain.KnownEnvironment] // that the call uses, if what is granted depends on it; nil until it is chosen

	recheck time.Time // when to look whether to ask the identity provider about the login; zero if never

	release func() // ends the call among the caller's open calls

	caller context.Context // ends when the caller leaves
	ctx    context.Context // ends with the call, and when its right is lost
	cancel context.CancelCauseFunc
}

// lost returns the reason if the call was ended here, and err if it was not.
func (c *openCall) lost(err error) error {
	if cause, ok := errors.AsType[*domain.Error](context.Cause(c.ctx)); ok {
		return cause
	}
	return err
}

// stoodOn returns the error for a call whose session, token or handle is gone. It names the one that the
// caller has to replace.
func (c *openCall) stoodOn() error {
	switch {
	case c.route.Endpoint.BySession:
		return invalidHandle(nil)
	case c.access.Token.ID != "":
		return domain.InvalidAccessToken(nil)
	case c.access.Named != "":
		return &domain.Error{Kind: domain.NotAuthenticated, Public: "you are no longer logged in; log in again"}
	}
	return notSet(nil)
}

// now returns what the caller may do in the environment that the call uses. Until it is chosen, that is
// what is granted in every environment.
func (c *openCall) now() domain.Access {
	if in := c.in.Load(); in != nil {
		return c.access.In(*in)
	}
	return c.access.In(domain.KnownEnvironment{})
}

// turnScopes returns the scopes that decide what a turn may have. Other calls have none.
func (c *openCall) turnScopes() domain.Scopes {
	if !c.route.Endpoint.Turn {
		return 0
	}
	return c.now().Scopes().And(domain.ScopesOf(domain.ScopeState, domain.ScopeDebug))
}

// needs returns the scopes without which the call is ended. A turn needs all scopes for turns that
// it began with: its body, which may arrive later, is checked by them.
func (c *openCall) needs() domain.Scopes { return c.route.Endpoint.Scopes() | c.turnScopes() }

// stillMay returns nil if what the caller may do now is enough for the call, in the environment that it
// uses.
func (c *openCall) stillMay(now domain.Access) error {
	if in := c.in.Load(); in != nil {
		now = now.In(*in)
	}
	return now.StillMay(c.needs())
}

// usageKey returns the key under which the call is counted.
func (c *openCall) usageKey() domain.UsageKey {
	return domain.UsageKey{
		Day: domain.DayOf(c.began), Project: c.access.Project.ID, User: c.access.Caller.ID,
		Token: c.access.Token.ID, Scope: c.route.Endpoint.Scope,
	}
}

// openCalls are the forwarded calls that are open. The zero value is ready.
type openCalls struct {
	mu    sync.Mutex
	calls map[*openCall]bool
	sure  time.Time // when the database last answered, or had nothing to answer
}

// begin returns the call, which is open from now on. ctx ends when the caller leaves.
func (o *openCalls) begin(ctx context.Context, c *openCall) *openCall {
	c.caller = ctx
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.recheck = c.access.Caller.Login.Recheck
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.calls == nil {
		o.calls = map[*openCall]bool{}
	}
	o.calls[c] = true
	return c
}

// end closes a call.
func (o *openCalls) end(c *openCall) {
	o.mu.Lock()
	delete(o.calls, c)
	o.mu.Unlock()
	c.cancel(nil)
	c.release()
}

// count returns the number of open calls.
func (o *openCalls) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.calls)
}

// old returns the calls that have been open for a while at now.
func (o *openCalls) old(now time.Time) []*openCall {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*openCall
	for c := range o.calls {
		if now.Sub(c.began) >= CheckInterval {
			list = append(list, c)
		}
	}
	if len(list) == 0 || o.sure.IsZero() {
		o.sure = now
	}
	return list
}

// toRecheck returns the logins, each once, about which the identity provider may have to be asked at now. It
// returns them again after the pause.
func (o *openCalls) toRecheck(now time.Time, pause time.Duration) []domain.Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	var logins []domain.Session
	for c := range o.calls {
		if c.recheck.IsZero() || now.Before(c.recheck) {
			continue
		}
		c.recheck = now.Add(pause)
		if login := c.access.Caller.Login; !slices.ContainsFunc(logins, func(s domain.Session) bool { return s.ID == login.ID }) {
			logins = append(logins, login)
		}
	}
	return logins
}

// asked notes whether the database answered at now. It reports whether the database has been
// silent for too long.
func (o *openCalls) asked(now time.Time, err error) (blind bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.sure = now
	}
	return now.Sub(o.sure) >= blindFor
}

// WaitForOpen waits until no call is open, for as long as patience at most.
func (f *Forwarder) WaitForOpen(patience time.Duration) {
	over := time.NewTimer(patience)
	defer over.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for f.open.count() > 0 {
		select {
		case <-over.C:
			return
		case <-tick.C:
		}
	}
}

// EndLostUses ends the open calls that have lost their right: the session, the login, the access
// token or the text of it that they began with, the user, the grant or its scope, or the assistant
// that they name. It records the use of the sessions and logins of the others, and asks the identity
// provider about the logins that it opened, if it is time. While the database does not answer, open calls
// go on for five seconds.
func (f *Forwarder) EndLostUses(ctx context.Context) error {
	open := f.open.old(f.ports.Clock())
	if len(open) == 0 {
		return nil
	}
	asked := make([]domain.OpenUse, 0, len(open))
	known := make(map[domain.OpenUse]bool, len(open))
	for _, c := range open {
		if use := c.access.OpenUse(); !known[use] {
			known[use] = true
			asked = append(asked, use)
		}
	}
	allowed, err := f.ports.Access.StillAllowed(ctx, asked)
	if f.open.asked(f.ports.Clock(), err) {
		for _, c := range open {
			c.cancel(&domain.Error{Kind: domain.Unavailable, Public: "the right to this call can't be checked now; try again later", Cause: err})
		}
	}
	if err != nil {
		return err
	}
	rights := make(map[domain.OpenUse]domain.Access, len(allowed))
	for _, a := range allowed {
		rights[a.OpenUse()] = a
		err = errors.Join(err, f.ports.Sessions.KeepInUse(ctx, a.Session), f.ports.Sessions.KeepInUse(ctx, a.Caller.Login))
	}
	for _, login := range f.open.toRecheck(f.ports.Clock(), f.ports.SignOns.Pause()) {
		err = errors.Join(err, f.ports.SignOns.RecheckLater(ctx, login))
	}
	for _, c := range open {
		now, stands := rights[c.access.OpenUse()]
		if !stands {
			c.cancel(c.stoodOn())
			continue
		}
		if lost := c.stillMay(now); lost != nil {
			c.cancel(lost)
		}
	}
	return err
}
