package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetAllUsers returns at most limit (1 to paging.Max, otherwise Invalid) of the users that
// come after the cursor, ordered by name. Only an admin may: NotAllowed.
func (s *Service) GetAllUsers(ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.User], error) {
	if err := s.mayManageUsers(call, domain.ScopeManageUsers); err != nil {
		return paging.Page[domain.User]{}, err
	}
	return paging.Read(limit,
		func(limit int) ([]domain.User, error) { return s.ports.Store.Users.Page(ctx, after, limit) },
		func(u domain.User) domain.Cursor { return domain.Cursor{Name: string(u.Name), ID: string(u.ID)} })
}

// FindUser returns the user with that name. Only an admin may: NotAllowed. Returns Invalid
// if username can be no name. Returns NotFound if nobody has it.
func (s *Service) FindUser(ctx context.Context, call domain.Call, username string) (domain.User, error) {
	if err := s.mayManageUsers(call, domain.ScopeManageUsers); err != nil {
		return domain.User{}, err
	}
	name, err := domain.ParseUsername(username)
	if err != nil {
		return domain.User{}, err
	}
	return s.ports.Store.Users.Find(ctx, domain.UserRef{Name: name})
}
