package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SetEnvironments sets the environments that calls of a project can use, and returns the project as
// stored. The project, which our Id or a Voiceflow project id names, is not pinned to its version
// then. The next call of every instance finds the new environments. Only an admin may: NotAllowed.
//
// Returns Invalid if the id can't be one, or if to is nil or breaks a rule. Returns NotFound if there
// is no such project. Returns AmbiguousName if there are several of that Voiceflow project.
func (s *Service) SetEnvironments(ctx context.Context, call domain.Call, id string, to *domain.EnvironmentsSpec) (domain.Project, error) {
	if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
		return domain.Project{}, err
	}
	ref, err := domain.ParseProjectRef(id)
	if err != nil {
		return domain.Project{}, err
	}
	if to == nil {
		return domain.Project{}, &domain.Error{Kind: domain.Invalid, Public: "environments is missing"}
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return domain.Project{}, err
	}
	environments, err := domain.ParseEnvironments(*to, p.Version) // the version never changes
	if err != nil {
		return domain.Project{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionSetEnvironments, domain.OnProject(p.ID))
	return s.ports.Store.Projects.Update(ctx, act, p.ID, func(p *domain.Project) error {
		p.Environments = environments
		return nil
	})
}
