package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Callers = (*Callers)(nil)

// Callers is a ports.Callers, a view on a Store.
type Callers struct{ store *Store }

// BySession returns the user whose login the session is. It is NotFound without one.
func (v *Callers) BySession(ctx context.Context, id domain.SessionID) (domain.Caller, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Caller{}, err
	}
	defer s.leave()
	login, live := s.live(id)
	u, found := s.users[login.User]
	if !live || login.Kind != domain.LoginSession || !found || u.Disabled {
		return domain.Caller{}, notFound("login")
	}
	return domain.Caller{ID: u.ID, Admin: u.CountsAsAdmin(), Login: login}, nil
}
