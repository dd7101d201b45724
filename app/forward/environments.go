package forward

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// keptList is how long a list of environments counts.
	keptList = 5 * time.Minute
	// keptRefusal is how long it counts that Voiceflow has no list of environments.
	keptRefusal = time.Minute
	// askAgain is how old a list must be for a name that is not in it to ask for another one.
	askAgain = 10 * time.Second
	// maxLists is the number of assistants whose list is kept.
	maxLists = 4096
)

// errReadAgain is the error of environment for a call that is to be read again, with more scopes.
var errReadAgain = &domain.Error{Kind: domain.Unavailable, Public: "the call could not be read; try again"}

// environment chooses the environment that the call uses. The conversation that the call starts
// keeps it. From then on, the caller may do what is granted in that environment.
func (s *sender) environment(ctx context.Context, asked domain.AskedEnvironment) (domain.UsedEnvironment, error) {
	used, in, err := s.choose(ctx, s.route, asked)
	if domain.KindOf(err) == domain.CredentialsRejected {
		// It is not the call that Voiceflow rejected, so the other key is not to be tried for it.
		s.noList = err
		return domain.UsedEnvironment{}, &domain.Error{Kind: domain.Unavailable, Cause: err}
	}
	if err != nil {
		return domain.UsedEnvironment{}, err
	}
	s.used, s.conversation.Environment = used, used.Name
	if s.access.LimitedToEnvironments() {
		before := s.turnScopes()
		s.in.Store(&in)
		after := s.turnScopes()
		// A call that can't be read again goes on with fewer scopes than it has, but not with more.
		if after != before && (s.again != nil || before.And(after) != before) {
			return domain.UsedEnvironment{}, errReadAgain
		}
	}
	return used, nil
}

// choose chooses an environment for the route, and returns what is known of it if the caller's scopes
// depend on that. It asks Voiceflow for the list of environments only if the choice depends on it.
func (s *sender) choose(ctx context.Context, route domain.Route, asked domain.AskedEnvironment) (domain.UsedEnvironment, domain.KnownEnvironment, error) {
	choice := domain.EnvironmentChoice{
		Route: route, Project: s.access.Project, Limit: s.access.Token.Environments,
		Grant:   s.access.EnvironmentLimits(route.Endpoint.Scopes()),
		Session: s.access.Conversation.Environment, Asked: asked,
	}
	limited := s.access.LimitedToEnvironments()
	decide := func(list domain.EnvironmentList) (used domain.UsedEnvironment, in domain.KnownEnvironment, next domain.NextList, err error) {
		if used, next, err = choice.Decide(list); err == nil && limited {
			var needs domain.NextList
			in, needs = choice.Known(used, list)
			next = max(next, needs)
		}
		return used, in, next, err
	}
	used, in, next, err := decide(domain.EnvironmentList{})
	for _, maxAge := range []time.Duration{keptList, askAgain} {
		if next == domain.ListSuffices || next == domain.ListMayBeOld && maxAge == keptList {
			break
		}
		states, failed := s.environments.get(ctx, s.access.Project, s.ports.Clock, maxAge, s.listEnvironments)
		if failed != nil {
			return domain.UsedEnvironment{}, domain.KnownEnvironment{}, failed
		}
		used, in, next, err = decide(domain.EnvironmentList{Known: true, States: states})
	}
	return used, in, err
}

// listEnvironments is the call that lists environments. It is a call of the service's own.
var listEnvironments = domain.Endpoint{
	Service: domain.ServiceRealtime, Method: http.MethodGet, Path: "/v1alpha1/project/{projectID}/environments", Scope: domain.ScopeConverse,
}

// listEnvironments asks Voiceflow for the environments of the assistant. refused reports whether
// Voiceflow has no such list, which is then empty. What is learned about keys counts only if
// Voiceflow rejected all, because the call itself is not sent then.
func (s *sender) listEnvironments(ctx context.Context) (states []domain.EnvironmentState, refused bool, err error) {
	asking := &sender{Forwarder: s.Forwarder, openCall: s.openCall}
	route := domain.Route{Endpoint: &listEnvironments}
	_, err = asking.withKey(keyedCall{route: route, again: func() {}, send: func(key domain.Secret) (proven bool, err error) {
		states, err = s.ports.Voiceflow.Environments(ctx, s.access.Project.Voiceflow, key)
		return err == nil, err
	}})
	switch domain.KindOf(err) {
	case domain.VoiceflowRejected:
		return nil, true, nil
	case domain.CredentialsRejected:
		s.news = append(s.news, asking.news...)
	}
	return states, false, err
}

// environmentLists keeps the lists of environments of assistants. The zero value is ready.
type environmentLists struct {
	mu sync.Mutex
	of map[domain.ProjectID]*environmentList
}

// environmentList is the list of an assistant. It counts only for the keys that it was asked with.
type environmentList struct {
	states             []domain.EnvironmentState
	asked, until       time.Time
	primary, secondary []byte        // the sealed keys
	asking             chan struct{} // is closed when another list has come; nil if nobody asks
	err                error         // of the last question
}

// counts reports whether the list counts for p at now.
func (l *environmentList) counts(p domain.Project, now time.Time, maxAge time.Duration) bool {
	return now.Before(l.until) && now.Sub(l.asked) < maxAge &&
		bytes.Equal(l.primary, p.Primary.Sealed.Bytes) && bytes.Equal(l.secondary, p.Secondary.Sealed.Bytes)
}

// get returns the list of p, which is not older than maxAge. If there is none, ask gets one. One
// call at a time asks for p; the others wait for its result.
func (e *environmentLists) get(
	ctx context.Context, p domain.Project, clock func() time.Time, maxAge time.Duration,
	ask func(context.Context) (states []domain.EnvironmentState, refused bool, err error),
) ([]domain.EnvironmentState, error) {
	e.mu.Lock()
	l := e.entry(p.ID)
	switch {
	case l.counts(p, clock(), maxAge):
		defer e.mu.Unlock()
		return l.states, nil
	case l.asking != nil:
		asking := l.asking
		e.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "the call to Voiceflow was canceled", Cause: context.Cause(ctx)}
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		return l.states, l.err
	}
	l.asking = make(chan struct{})
	e.mu.Unlock()

	now := clock()
	states, refused, err := []domain.EnvironmentState(nil), false, errNoList()
	defer func() { // also after a panic
		e.mu.Lock()
		defer e.mu.Unlock()
		l.states, l.err, l.asked, l.until = states, err, now, now.Add(keptList)
		l.primary, l.secondary = p.Primary.Sealed.Bytes, p.Secondary.Sealed.Bytes
		switch {
		case err != nil:
			l.until = time.Time{}
		case refused:
			l.until = now.Add(keptRefusal)
		}
		close(l.asking)
		l.asking = nil
	}()
	// Other calls wait for the result, so the question goes on if this caller leaves.
	states, refused, err = ask(context.WithoutCancel(ctx))
	return states, err
}

func errNoList() error {
	return &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow gave no list of environments; try again later"}
}

// entry returns the list of the assistant, an empty one if there is none yet. The lock must be held.
// If there are too many, the one that was asked for least recently is forgotten.
func (e *environmentLists) entry(id domain.ProjectID) *environmentList {
	if l, known := e.of[id]; known {
		return l
	}
	if e.of == nil {
		e.of = map[domain.ProjectID]*environmentList{}
	}
	if len(e.of) >= maxLists {
		var oldest domain.ProjectID
		for other, l := range e.of {
			if l.asking == nil && (oldest == "" || l.asked.Before(e.of[oldest].asked)) {
				oldest = other
			}
		}
		delete(e.of, oldest)
	}
	l := &environmentList{}
	e.of[id] = l
	return l
}
