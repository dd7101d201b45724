package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Logout ends the login that the caller uses, and its assistant session. It is no error if the
// login is over already. If a host program logs users in, it changes nothing.
func (s *Service) Logout(ctx context.Context, call domain.Call) error {
	login := call.Caller.Login.ID
	if login == "" {
		return nil
	}
	return s.endOwn(ctx, login, s.act(call, domain.NeedsCaller(), domain.ActionLogout, domain.OnSession(login)))
}
