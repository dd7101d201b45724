package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ClearProject ends the assistant session that the text of the cookie assistant_session
// names. If the caller has no such session, it succeeds and changes nothing.
func (s *Service) ClearProject(ctx context.Context, call domain.Call, cookie string) error {
	access, _, _, err := s.assistantSession(ctx, call.Caller, cookie)
	if domain.KindOf(err) == domain.NotAuthenticated {
		return nil
	}
	if err != nil {
		return err
	}
	act := s.act(call, domain.NeedsCaller(), domain.ActionClearProject, domain.OnProject(access.Session.Project))
	return s.endOwn(ctx, access.Session.ID, act)
}

// endOwn ends a session of the caller. A session that is over already, or that ends together
// with the caller's login just now, is no error.
func (s *Service) endOwn(ctx context.Context, id domain.SessionID, act domain.Act) error {
	_, err := s.ports.Store.Sessions.End(ctx, act, domain.OneSession(id))
	if domain.KindOf(err) == domain.NotAuthenticated {
		return nil
	}
	return err
}
