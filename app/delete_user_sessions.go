package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteUserSessions ends all sessions of the user, those that the caller calls under
// included, at once and everywhere. Access tokens stay. It is NotAllowed for another
// user's unless the caller is an admin, Invalid for what can be no user's id, and NotFound
// for a user that is not there, unless a host program keeps the users. For one who has none
// it succeeds and changes nothing.
func (s *Service) DeleteUserSessions(ctx context.Context, call Call, user string) error {
	if user == "" {
		return &domain.Error{Kind: domain.Invalid, Public: "user_id is needed"}
	}
	of, err := s.whoseSessions(ctx, call.Caller, user)
	if err != nil {
		return err
	}
	return s.ports.Sessions.EndAll(ctx, of, s.record(call, domain.ActionDeleteUserSessions, domain.OnUser(of)))
}
