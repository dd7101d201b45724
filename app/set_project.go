package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// ProjectSet is the outcome of Service.SetProject.
type ProjectSet struct {
	Project domain.Project
	Cookie  session.Cookie // assistant_session
}

// SetProject opens an assistant session for the project that text names, by our Id or a
// Voiceflow project id. It replaces the assistant session of the same login. Returns Invalid
// if text can be no id. If the caller may not use the project, it returns NotFound to an
// admin and NotAllowed to others, whether the project exists or not.
func (s *Service) SetProject(ctx context.Context, call domain.Call, text string) (ProjectSet, error) {
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
	session := domain.NewAssistantSession(id, call.Caller, ref.ID, now, s.sessions.Lifetimes(), call.Address, call.Agent)
	// The cookie holds the version, which is known only once the session is stored. The cookie
	// is then sealed by this key or a newer one.
	session.SealedBy = s.sessions.CurrentKey()
	act := s.act(call, domain.NeedsUse(ref.ID, 0), domain.ActionSetProject, domain.OnProject(ref.ID))
	p, err := s.ports.Store.Sessions.OpenAssistant(ctx, act, session)
	if err != nil {
		return ProjectSet{}, call.Caller.MayUse(err)
	}
	cookie, _, err := s.sessions.Seal(session, p.Version)
	return ProjectSet{Project: p, Cookie: cookie}, err
}
