package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteUser forgets a user with their grants, sessions and access tokens. Only an admin may:
// NotAllowed. Returns NotFound if there is no such user. Returns Conflict if the user is the
// caller or the last admin.
func (s *Service) DeleteUser(ctx context.Context, call domain.Call, user string) error {
	if err := s.mayManageUsers(call, domain.ScopeManageUsers); err != nil {
		return err
	}
	id, err := domain.ParseUserID(user)
	if err != nil {
		return err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageUsers), domain.ActionDeleteUser, domain.OnUser(id))
	return s.ports.Store.Users.Remove(ctx, act, id, func(u *domain.User, otherAdmin bool) error {
		return u.MayBeDeleted(call.Caller.ID, otherAdmin)
	})
}
