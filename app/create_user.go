package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// CreateUser is the input of Service.CreateUser, as the caller gave it.
type CreateUser struct {
	Username string
	// Password may be left out if there is an identity provider. The user then has none.
	Password   domain.Secret
	Role       string   // "" is member
	Assistants []string // what is granted
}

// CreateUser makes a user. Only an admin may: NotAllowed. With an access token, assistants also
// need domain.ScopeManageGrants, and an admin can't be made (domain.Act.Changes). Returns Invalid if
// the input breaks a rule, Conflict if the name is taken, and NotFound if an assistant does not
// exist.
func (s *Service) CreateUser(ctx context.Context, call domain.Call, in CreateUser) (domain.User, error) {
	parts := partsOfUsers(len(in.Assistants) > 0)
	if err := s.mayManageUsers(call, parts...); err != nil {
		return domain.User{}, err
	}
	name, err := domain.ParseUsername(in.Username)
	if err != nil {
		return domain.User{}, err
	}
	role := domain.RoleMember
	if in.Role != "" {
		if role, err = domain.ParseRole(in.Role); err != nil {
			return domain.User{}, err
		}
	}
	assistants, err := s.projectIDs(ctx, call.Caller, in.Assistants)
	if err != nil {
		return domain.User{}, err
	}
	var hash domain.Secret
	if !in.Password.IsZero() || s.provider == nil {
		if hash, err = s.ports.Logins.Passwords.Hash(ctx, in.Password); err != nil {
			return domain.User{}, err
		}
	}
	now := s.ports.Clock()
	id, err := domain.NewUserID(now, s.ports.Random)
	if err != nil {
		return domain.User{}, err
	}
	u := domain.NewUser(id, name, role, hash, assistants, now)
	act := s.act(call, domain.NeedsAdmin(parts...), domain.ActionCreateUser, domain.OnUser(id))
	if err := s.ports.Store.Users.Create(ctx, act, u); err != nil {
		return domain.User{}, err
	}
	return u, nil
}

// partsOfUsers returns what a change of users takes of an access token. A user's assistants are
// grants.
func partsOfUsers(regrants bool) []domain.Scope {
	if regrants {
		return []domain.Scope{domain.ScopeManageUsers, domain.ScopeManageGrants}
	}
	return []domain.Scope{domain.ScopeManageUsers}
}

// mayManageUsers returns NotAllowed unless the caller may manage the parts, and NotFound if a host
// program keeps the users.
func (s *Service) mayManageUsers(call domain.Call, parts ...domain.Scope) error {
	if err := call.Caller.MayManage(parts...); err != nil {
		return err
	}
	return s.ownUsers()
}

// projectIDs reads project ids as callers write them. It looks up Voiceflow's ids. It does not
// look up ours, since the store does.
func (s *Service) projectIDs(ctx context.Context, c domain.Caller, texts []string) ([]domain.ProjectID, error) {
	ids := make([]domain.ProjectID, 0, len(texts))
	for _, text := range texts {
		ref, err := domain.ParseProjectRef(text)
		if err != nil {
			return nil, err
		}
		if ref.ID == "" {
			p, err := s.one(ctx, c, ref)
			if err != nil {
				return nil, err
			}
			ref.ID = p.ID
		}
		ids = append(ids, ref.ID)
	}
	return ids, nil
}
