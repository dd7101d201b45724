package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ClearProject ends the assistant session that the text of the cookie
// assistant_session names. Where there is none of the caller's it succeeds and changes
// nothing.
func (s *Service) ClearProject(ctx context.Context, call Call, cookie string) error {
	session, _, _, err := s.assistantSession(ctx, call.Caller, cookie)
	if domain.KindOf(err) == domain.NotAuthenticated {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.ports.Sessions.End(ctx, session.ID, call.Caller.ID, s.record(call, domain.ActionClearProject, domain.OnProject(session.Project)))
	return unlessOver(err)
}

// unlessOver is the error of ending a session that may have ended just now.
func unlessOver(err error) error {
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	return err
}
