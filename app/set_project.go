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
	set, err := s.openAssistant(ctx, call, ref.ID)
	if domain.KindOf(err) == domain.NotAllowed {
		// The caller's role may be another one than when the request began. Then another
		// right may allow the session.
		now, gone := s.lookUpAgain(ctx, call.Caller)
		if gone != nil {
			return ProjectSet{}, gone
		}
		if now.Admin != call.Caller.Admin {
			call.Caller = now
			set, err = s.openAssistant(ctx, call, ref.ID)
		}
	}
	if err != nil {
		return ProjectSet{}, call.Caller.MayUse(err)
	}
	return set, nil
}

// openAssistant stores an assistant session by the right that the caller's role gives.
func (s *Service) openAssistant(ctx context.Context, call domain.Call, project domain.ProjectID) (ProjectSet, error) {
	now := s.ports.Clock()
	id, err := domain.NewSessionID(now, s.ports.Random)
	if err != nil {
		return ProjectSet{}, err
	}
	session := domain.NewAssistantSession(id, call.Caller, project, now, s.sessions.Lifetimes(), call.Address, call.Agent)
	// The cookie holds the version, which is known only once the session is stored. The cookie
	// is then sealed by this key or a newer one.
	session.SealedBy = s.sessions.CurrentKey()
	act := s.act(call, domain.NeedsUse(project, 0), domain.ActionSetProject, domain.OnProject(project))
	p, err := s.ports.Store.Sessions.OpenAssistant(ctx, act, session)
	if err != nil {
		return ProjectSet{}, err
	}
	cookie, _, err := s.sessions.Seal(session, p.Version)
	if err != nil {
		return ProjectSet{}, err
	}
	return ProjectSet{Project: p, Cookie: cookie}, nil
}
