package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// HasUsers says whether there is any user, so that a program can tell its operator how
// to make the first admin. It is true where a host program keeps the users.
func (s *Service) HasUsers(ctx context.Context) (bool, error) {
	if s.ports.Users == nil {
		return true, nil
	}
	users, err := s.ports.Users.Page(ctx, domain.Cursor{}, 1)
	return len(users) > 0, err
}
