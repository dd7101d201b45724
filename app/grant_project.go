package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GrantProject lets a user use a project within the scopes; doing it again changes them.
// Without scopes, nil, a grant that is there keeps its own, and a new one has
// domain.DefaultScopes. Only an admin may: NotAllowed. It is Invalid for scopes that no
// grant has, and NotFound for a project that is not there, and for a user that is not
// there unless a host program keeps the users.
func (s *Service) GrantProject(ctx context.Context, call Call, user, project string, scopes []string) error {
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
	rec := s.record(call, domain.ActionGrantProject, domain.OnGrant(u, p))
	return s.ports.Projects.Grant(ctx, u, p, within, rec.At, rec)
}

// RevokeProject takes a grant back and ends the sessions that it let in; doing it twice
// succeeds. Its failures are those of GrantProject.
func (s *Service) RevokeProject(ctx context.Context, call Call, user, project string) error {
	u, p, err := s.grant(ctx, call, user, project)
	if err != nil {
		return err
	}
	return s.ports.Projects.Revoke(ctx, u, p, s.record(call, domain.ActionRevokeProject, domain.OnGrant(u, p)))
}

// grant checks who asks and finds whom and what a grant is about.
func (s *Service) grant(ctx context.Context, call Call, user, project string) (domain.UserID, domain.ProjectID, error) {
	if err := call.Caller.MayManage(); err != nil {
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
	if s.ports.Users != nil {
		if _, err := s.ports.Users.Find(ctx, id); err != nil {
			return "", "", err
		}
	}
	p, err := s.one(ctx, call.Caller, ref)
	return id, p.ID, err
}
