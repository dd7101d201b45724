package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// UpdateUser is the input of Service.UpdateUser, as the caller gave it. A nil field changes
// nothing.
type UpdateUser struct {
	ID         string
	Password   *domain.Secret
	Role       *string
	Disabled   *bool
	Assistants *[]string // replaces the whole set
	// KeepTokens keeps the user's access tokens in spite of a new password.
	KeepTokens bool
}

// UpdateUser changes a user. Open sessions change at once. A new password ends all sessions of
// the user, and deletes their access tokens unless KeepTokens is set. Only an admin may:
// NotAllowed. With an access token, assistants also need domain.ScopeManageGrants, and
// domain.Act.Changes says what it can't change. Returns Invalid if the input breaks a rule. Returns
// NotFound if there is no such user or assistant. Returns Conflict if no admin would be left.
func (s *Service) UpdateUser(ctx context.Context, call domain.Call, in UpdateUser) (domain.User, error) {
	parts := partsOfUsers(in.Assistants != nil)
	if err := s.mayManageUsers(call, parts...); err != nil {
		return domain.User{}, err
	}
	id, err := domain.ParseUserID(in.ID)
	if err != nil {
		return domain.User{}, err
	}
	var changes []func(u *domain.User, otherAdmin bool) error
	if in.Role != nil {
		role, err := domain.ParseRole(*in.Role)
		if err != nil {
			return domain.User{}, err
		}
		changes = append(changes, func(u *domain.User, otherAdmin bool) error { return u.SetRole(role, otherAdmin) })
	}
	if in.Disabled != nil {
		changes = append(changes, func(u *domain.User, otherAdmin bool) error { return u.SetDisabled(*in.Disabled, otherAdmin) })
	}
	if in.Assistants != nil {
		assistants, err := s.projectIDs(ctx, call.Caller, *in.Assistants)
		if err != nil {
			return domain.User{}, err
		}
		changes = append(changes, func(u *domain.User, _ bool) error { u.SetAssistants(assistants); return nil })
	}
	if in.Password != nil {
		hash, err := s.ports.Logins.Passwords.Hash(ctx, *in.Password)
		if err != nil {
			return domain.User{}, err
		}
		changes = append(changes, func(u *domain.User, _ bool) error { u.PasswordHash = hash; return nil })
	}
	if len(changes) == 0 {
		return domain.User{}, &domain.Error{Kind: domain.Invalid, Public: "there is nothing to change"}
	}
	act := s.act(call, domain.NeedsAdmin(parts...), domain.ActionUpdateUser, domain.OnUser(id))
	return s.ports.Store.Users.Update(ctx, act, id, func(u *domain.User, otherAdmin bool) error {
		for _, change := range changes {
			if err := change(u, otherAdmin); err != nil {
				return err
			}
		}
		return nil
	}, domain.Kept{Tokens: in.KeepTokens})
}
