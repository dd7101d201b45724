package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GetUser returns the user with that id. An admin may get any user, others only themselves with a
// login: NotAllowed otherwise. Returns Invalid if id can be none. Returns NotFound if there is no such
// user, and if a host program keeps the users.
func (s *Service) GetUser(ctx context.Context, call domain.Call, id string) (domain.User, error) {
	of, err := s.whoseUser(call, id)
	if err != nil {
		return domain.User{}, err
	}
	return s.ports.Store.Users.Find(ctx, domain.UserRef{ID: of})
}

// IsLastAdmin reports whether the user is the only admin who can log in, who can't be demoted, disabled
// or deleted. That may change at any time, so the change itself checks it again. Only an admin may:
// NotAllowed.
func (s *Service) IsLastAdmin(ctx context.Context, call domain.Call, u domain.User) (bool, error) {
	if err := call.Caller.MayManage(domain.ScopeManageUsers); err != nil {
		return false, err
	}
	if !u.CountsAsAdmin() {
		return false, nil
	}
	other, err := s.ports.Store.Users.OtherAdmin(ctx, u.ID)
	return err == nil && !other, err
}

// whoseUser reads the id of a user about whom the caller may know everything. Its errors are those of
// GetUser, but it looks nobody up.
func (s *Service) whoseUser(call domain.Call, id string) (domain.UserID, error) {
	of, err := domain.ParseUserID(id)
	if err != nil {
		return "", err
	}
	if of != call.Caller.ID || call.Caller.Token != "" { // to an access token, all users are others
		if err := call.Caller.MayManage(domain.ScopeManageUsers); err != nil {
			return "", err
		}
	}
	return of, s.ownUsers()
}
