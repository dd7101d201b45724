package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteSession ends a session and its assistant session, at once and everywhere. An admin may
// end the sessions of all users, others their own. Returns NotFound if there is no such session,
// or if it is over, or if the caller may not end it. Returns Invalid if session can be no id.
func (s *Service) DeleteSession(ctx context.Context, call domain.Call, session string) error {
	id, err := domain.ParseSessionID(session)
	if err != nil {
		return err
	}
	needs := domain.NeedsCaller()
	if call.Caller.Token != "" { // it has no sessions of its own
		if err := call.Caller.MayManage(domain.ScopeManageUsers); err != nil {
			return err
		}
		needs = domain.NeedsAdmin(domain.ScopeManageUsers)
	}
	act := s.act(call, needs, domain.ActionDeleteSession, domain.OnSession(id))
	ended, err := s.ports.Store.Sessions.End(ctx, act, domain.OneSession(id))
	if err == nil && ended.Sessions == 0 {
		return domain.NoSuch("session")
	}
	return err
}
