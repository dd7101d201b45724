package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Logout ends the login that the caller uses, and its assistant session. A login that is
// over already is no error. Under a host's own login it changes nothing.
func (s *Service) Logout(ctx context.Context, call domain.Call) error {
	login := call.Caller.Login.ID
	if login == "" {
		return nil
	}
	return s.endOwn(ctx, login, s.act(call, domain.NeedsCaller(), domain.ActionLogout, domain.OnSession(login)))
}
