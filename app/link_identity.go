package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// LinkIdentity links a user to the subject at the identity provider, before they log in by it for the
// first time. Only an admin may: NotAllowed; with an access token, domain.Act.Changes says whom it can't
// link. Returns Invalid for a subject that can't be one. Returns NotFound if there is no provider or no
// such user. Returns Conflict if the user is linked to another identity, or another user to this one.
func (s *Service) LinkIdentity(ctx context.Context, call domain.Call, userID, subject string) (domain.User, error) {
	id, err := s.linkable(call, userID)
	if err != nil {
		return domain.User{}, err
	}
	if err := s.mustSignOn(); err != nil {
		return domain.User{}, err
	}
	identity, err := domain.NewIdentity(s.provider.Issuer(), subject)
	if err != nil {
		return domain.User{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageUsers), domain.ActionLinkIdentity, domain.OnUser(id))
	return s.link(ctx, act, id, identity)
}

// link links the user to the identity. It ends nothing.
func (s *Service) link(ctx context.Context, act domain.Act, id domain.UserID, to domain.Identity) (domain.User, error) {
	return s.ports.Store.Users.Update(ctx, act, id, func(u *domain.User, _ bool) error { return u.Link(to) }, domain.Kept{})
}

// linkable returns the id of the user whose link is to be changed, if the caller may do so.
func (s *Service) linkable(call domain.Call, userID string) (domain.UserID, error) {
	if err := s.mayManageUsers(call, domain.ScopeManageUsers); err != nil {
		return "", err
	}
	return domain.ParseUserID(userID)
}

// UnlinkIdentity removes the link of a user and ends their sessions. Only an admin may: NotAllowed. For a
// user who is not linked it changes nothing. It needs no provider. Returns NotFound if there is no such
// user.
func (s *Service) UnlinkIdentity(ctx context.Context, call domain.Call, userID string) (domain.User, error) {
	id, err := s.linkable(call, userID)
	if err != nil {
		return domain.User{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageUsers), domain.ActionUnlinkIdentity, domain.OnUser(id))
	return s.ports.Store.Users.Update(ctx, act, id, func(u *domain.User, _ bool) error {
		u.Unlink()
		return nil
	}, domain.Kept{})
}
