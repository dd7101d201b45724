package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteSession ends a session of the caller's, of an admin anybody's, and the assistant
// session under it, at once and everywhere. It is NotFound for one that is not there, is
// over or is not theirs, and Invalid for what can be no session's id.
func (s *Service) DeleteSession(ctx context.Context, call Call, session string) error {
	id, err := domain.ParseSessionID(session)
	if err != nil {
		return err
	}
	of := call.Caller.ID
	if call.Caller.Admin || call.Caller.Token != "" {
		if err := call.Caller.MayManage(); err != nil {
			return err
		}
		of = ""
	}
	return s.ports.Sessions.End(ctx, id, of, s.record(call, domain.ActionDeleteSession, domain.OnSession(id)))
}
