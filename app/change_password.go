package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ChangePassword gives the caller another password and ends their other logins. A
// wrong current password, and a new one that breaks a rule, are Invalid; too many wrong
// ones are TooManyRequests, counted together with those of Login.
func (s *Service) ChangePassword(ctx context.Context, call Call, current, next domain.Secret) error {
	if s.ports.Users == nil {
		return noUsers()
	}
	if err := domain.CheckPassword(next); err != nil {
		return err
	}
	user, err := s.ports.Users.Find(ctx, call.Caller.ID)
	if err != nil {
		return err
	}
	succeeded, err := s.ports.Attempts.Begin(user.Name, call.Address)
	if err != nil {
		return err
	}
	ok, err := s.ports.Passwords.Verify(ctx, current, user.PasswordHash)
	if ok || err != nil {
		succeeded()
	}
	if err != nil {
		return err
	}
	if !ok {
		return &domain.Error{Kind: domain.Invalid, Public: "the current password is wrong"}
	}
	hash, err := s.ports.Passwords.Hash(ctx, next)
	if err != nil {
		return err
	}
	_, err = s.ports.Users.Update(ctx, user.ID, func(u *domain.User, _ bool) error {
		if !u.PasswordHash.Equal(user.PasswordHash) {
			return &domain.Error{Kind: domain.Conflict, Public: "the password was changed by somebody else just now"}
		}
		u.PasswordHash = hash
		return nil
	}, call.Caller.Login.ID, s.record(call, domain.ActionChangePassword, domain.OnUser(user.ID)))
	return err
}
