package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectSet is the outcome of Service.SetProject.
type ProjectSet struct {
	Project domain.Project
	Cookie  Cookie // assistant_session
}

// SetProject opens a session in which the caller uses the project that text names, by
// our Id or a Voiceflow project id, in the place of the one that their login had.
// What can be no id is Invalid. A project that the caller may not use is NotAllowed for
// one who is no admin, whether it exists or not, and NotFound for an admin.
func (s *Service) SetProject(ctx context.Context, call Call, text string) (ProjectSet, error) {
	ref, err := domain.ParseProjectRef(text)
	if err != nil {
		return ProjectSet{}, err
	}
	if ref.ID == "" {
		p, err := s.one(ctx, call.Caller, ref)
		if err != nil {
			return ProjectSet{}, call.Caller.MayUse(err)
		}
		ref.ID = p.ID
	}
	now := s.ports.Clock()
	id, err := domain.NewSessionID(now, s.ports.Random)
	if err != nil {
		return ProjectSet{}, err
	}
	session := domain.NewAssistantSession(id, call.Caller, ref.ID, now, s.lifetimes, call.Address, call.Agent)
	// The cookie says the version, which is known only once the session is stored. What
	// seals then is this key or a newer one.
	session.SealedBy = s.sealingKey()
	p, err := s.ports.Sessions.OpenAssistant(ctx, session, s.record(call, domain.ActionSetProject, domain.OnProject(ref.ID)))
	if err != nil {
		return ProjectSet{}, call.Caller.MayUse(err)
	}
	cookie, _, err := s.cookie(session, p.Version)
	return ProjectSet{Project: p, Cookie: cookie}, err
}
