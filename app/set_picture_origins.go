package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SetPictureOrigins sets the origins from which the chat page of a project may show pictures and play
// audio, and returns the project as stored. Our Id or a Voiceflow project id names the project. An
// empty list allows none. Only an admin may: NotAllowed.
//
// Returns Invalid if the id can't be one, if origins is nil, or if it breaks a rule of
// domain.ParsePictureOrigins. Returns NotFound if there is no such project. Returns AmbiguousName if
// there are several of that Voiceflow project.
func (s *Service) SetPictureOrigins(ctx context.Context, call domain.Call, id string, origins []string) (domain.Project, error) {
	if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
		return domain.Project{}, err
	}
	ref, err := domain.ParseProjectRef(id)
	if err != nil {
		return domain.Project{}, err
	}
	if origins == nil {
		return domain.Project{}, &domain.Error{Kind: domain.Invalid, Public: "origins is missing; send an empty list to allow none"}
	}
	to, err := domain.ParsePictureOrigins(origins)
	if err != nil {
		return domain.Project{}, err
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return domain.Project{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionSetPictureOrigins, domain.OnProject(p.ID))
	return s.ports.Store.Projects.Update(ctx, act, p.ID, func(p *domain.Project) error {
		p.PictureOrigins = to
		return nil
	})
}
