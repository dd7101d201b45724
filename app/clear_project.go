package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ClearProject ends the assistant session that the text of the cookie
// assistant_session names. Where there is none of the caller's it succeeds and changes
// nothing.
func (s *Service) ClearProject(ctx context.Context, call Call, cookie string) error {
	session, _, err := s.assistantSession(ctx, call.Caller, cookie)
	if domain.KindOf(err) == domain.NotAuthenticated {
		return nil
	}
	if err != nil {
		return err
	}
	return s.ports.Sessions.End(ctx, session.ID, s.record(call, domain.ActionClearProject, domain.OnProject(session.Project)))
}
