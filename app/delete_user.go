package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteUser forgets a user, their grants and their sessions. Only an admin may:
// NotAllowed. It is NotFound for a user that is not there, and Conflict for oneself and
// for the last admin.
func (s *Service) DeleteUser(ctx context.Context, call Call, user string) error {
	if err := s.mayManageUsers(call); err != nil {
		return err
	}
	id, err := domain.ParseUserID(user)
	if err != nil {
		return err
	}
	return s.ports.Users.Remove(ctx, id, func(u *domain.User, otherAdmin bool) error {
		return u.MayBeDeleted(call.Caller.ID, otherAdmin)
	}, s.record(call, domain.ActionDeleteUser, domain.OnUser(id)))
}
