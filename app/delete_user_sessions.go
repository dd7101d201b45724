package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteUserSessions ends all sessions of the user at once and everywhere, including those
// that the caller uses. Access tokens stay. For a user without sessions it succeeds and
// changes nothing. Returns NotAllowed for another user unless the caller is an admin.
// Returns Invalid if user can be no id. Returns NotFound if there is no such user, unless a
// host program keeps the users.
func (s *Service) DeleteUserSessions(ctx context.Context, call domain.Call, user string) error {
	if user == "" {
		return &domain.Error{Kind: domain.Invalid, Public: "user_id is needed"}
	}
	of, err := s.whoseSessions(ctx, call.Caller, user)
	if err != nil {
		return err
	}
	needs := domain.NeedsAdmin(domain.ScopeManageUsers)
	if ownSessions(call.Caller, of) {
		needs = domain.NeedsCaller()
	}
	act := s.act(call, needs, domain.ActionDeleteUserSessions, domain.OnUser(of))
	_, err = s.ports.Store.Sessions.End(ctx, act, domain.SessionsOf(of))
	return err
}
