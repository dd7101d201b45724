package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GrantProject lets a user use a project within the scopes. If the user has a grant on the
// project, it gets the scopes. If scopes is nil, an existing grant keeps its own and a new one has domain.DefaultScopes.
// Only an admin may: NotAllowed. Returns Invalid for scopes that no grant has. Returns
// NotFound if there is no such project, and if there is no such user, unless a host program
// keeps the users.
func (s *Service) GrantProject(ctx context.Context, call domain.Call, user, project string, scopes []string) error {
	u, p, err := s.grant(ctx, call, user, project)
	if err != nil {
		return err
	}
	var within domain.Scopes
	if scopes != nil {
		if within, err = domain.ParseGrantScopes(scopes); err != nil {
			return err
		}
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageGrants), domain.ActionGrantProject, domain.OnGrant(u, p))
	return s.ports.Store.Grants.Put(ctx, act, u, p, within, act.Record.At)
}

// RevokeProject takes a grant back and ends the sessions that it allowed. Without such a grant
// it succeeds and changes nothing. Its errors are those of GrantProject.
func (s *Service) RevokeProject(ctx context.Context, call domain.Call, user, project string) error {
	u, p, err := s.grant(ctx, call, user, project)
	if err != nil {
		return err
	}
	return s.ports.Store.Grants.Remove(ctx, s.act(call, domain.NeedsAdmin(domain.ScopeManageGrants), domain.ActionRevokeProject, domain.OnGrant(u, p)), u, p)
}

// grant checks who asks, and returns the user and the project that a grant is about.
func (s *Service) grant(ctx context.Context, call domain.Call, user, project string) (domain.UserID, domain.ProjectID, error) {
	if err := call.Caller.MayManage(domain.ScopeManageGrants); err != nil {
		return "", "", err
	}
	id, err := domain.ParseUserID(user)
	if err != nil {
		return "", "", err
	}
	ref, err := domain.ParseProjectRef(project)
	if err != nil {
		return "", "", err
	}
	if s.OwnUsers() {
		if _, err := s.ports.Store.Users.Find(ctx, domain.UserRef{ID: id}); err != nil {
			return "", "", err
		}
	}
	p, err := s.one(ctx, call.Caller, ref)
	return id, p.ID, err
}
