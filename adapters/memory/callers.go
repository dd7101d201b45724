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
	return s.byLogin(id)
}

// ByToken returns the user who made the access token. It is NotFound without one.
func (v *Callers) ByToken(ctx context.Context, hash domain.TokenHash) (domain.Caller, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Caller{}, err
	}
	defer s.leave()
	return s.byToken(s.hashed(hash))
}

// byLogin is who calls under the login.
func (s *Store) byLogin(id domain.SessionID) (domain.Caller, error) {
	login, live := s.live(id)
	u, enabled := s.enabled(login.User)
	if !live || login.Kind != domain.LoginSession || !enabled {
		return domain.Caller{}, notFound("login")
	}
	return domain.Caller{ID: u.ID, Admin: u.CountsAsAdmin(), Login: login}, nil
}

// byToken is who calls with the token.
func (s *Store) byToken(t domain.AccessToken) (domain.Caller, error) {
	u, enabled := s.enabled(t.User)
	if !enabled || !t.Live(domain.Instant(s.now())) {
		return domain.Caller{}, notFound("access token")
	}
	return domain.Caller{ID: u.ID, Admin: u.CountsAsAdmin(), Token: t.ID, Only: t.Project, Scopes: t.Scopes}, nil
}

// enabled returns a user who is not disabled.
func (s *Store) enabled(id domain.UserID) (domain.User, bool) {
	u, found := s.users[id]
	return u, found && !u.Disabled
}

// hashed returns the token of the hash, the zero AccessToken if there is none.
func (s *Store) hashed(hash domain.TokenHash) domain.AccessToken {
	for _, t := range s.tokens {
		if t.hash == hash {
			return t.AccessToken
		}
	}
	return domain.AccessToken{}
}
