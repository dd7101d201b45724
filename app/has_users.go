package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// HasUsers reports whether there is any user. If not, a program can tell its operator how to
// make the first admin. It is true if a host program keeps the users.
func (s *Service) HasUsers(ctx context.Context) (bool, error) {
	if !s.OwnUsers() {
		return true, nil
	}
	users, err := s.ports.Store.Users.Page(ctx, domain.Cursor{}, 1)
	return len(users) > 0, err
}
