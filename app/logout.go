package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Logout ends the login that the caller calls under, and the assistant session under
// it. Under a host's own authentication it changes nothing.
func (s *Service) Logout(ctx context.Context, call Call) error {
	login := call.Caller.Login.ID
	if login == "" {
		return nil
	}
	err := s.ports.Sessions.End(ctx, login, call.Caller.ID, s.record(call, domain.ActionLogout, domain.OnSession(login)))
	return unlessOver(err)
}
