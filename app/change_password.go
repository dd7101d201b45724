package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ChangePassword is the input of Service.ChangePassword, as the caller gave it.
type ChangePassword struct {
	Current domain.Secret
	Next    domain.Secret
	// KeepTokens keeps the caller's access tokens.
	KeepTokens bool
}

// ChangePassword gives the caller another password, ends their other logins, and deletes their
// access tokens unless KeepTokens is set. Returns Invalid if the new password breaks a rule. Returns
// the errors of checkPassword for the current one. Returns Conflict if the password was changed in
// the meantime.
func (s *Service) ChangePassword(ctx context.Context, call domain.Call, in ChangePassword) error {
	if err := s.ownUsers(); err != nil {
		return err
	}
	if _, err := newPassword(in.Next); err != nil {
		return err // before the current password is tried
	}
	user, err := s.checkPassword(ctx, call, in.Current)
	if err != nil {
		return err
	}
	hash, err := s.ports.Logins.Passwords.Hash(ctx, in.Next)
	if err != nil {
		return err
	}
	act := s.act(call, domain.NeedsCaller(), domain.ActionChangePassword, domain.OnUser(user.ID))
	act.Proven = user.PasswordHash
	_, err = s.ports.Store.Users.Update(ctx, act, user.ID, func(u *domain.User, _ bool) error {
		u.PasswordHash = hash
		return nil
	}, domain.Kept{Login: call.Caller.Login.ID, Tokens: in.KeepTokens})
	return err
}
