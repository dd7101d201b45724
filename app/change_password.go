package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ChangePassword gives the caller another password and ends their other logins. Returns
// Invalid if the current password is wrong or the new one breaks a rule. Returns
// TooManyRequests after too many wrong ones, which count together with those of Login.
func (s *Service) ChangePassword(ctx context.Context, call domain.Call, current, next domain.Secret) error {
	if err := s.ownUsers(); err != nil {
		return err
	}
	if _, err := newPassword(next); err != nil {
		return err // before the current password is tried
	}
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{ID: call.Caller.ID})
	if domain.KindOf(err) == domain.NotFound {
		return domain.NotLoggedIn(err)
	}
	if err != nil {
		return err
	}
	succeeded, err := s.ports.Logins.Attempts.Begin(user.Name, call.Address)
	if err != nil {
		return err
	}
	ok, err := s.ports.Logins.Passwords.Verify(ctx, current, user.PasswordHash)
	if ok || err != nil {
		succeeded()
	}
	if err != nil {
		return err
	}
	if !ok {
		return &domain.Error{Kind: domain.Invalid, Public: "the current password is wrong"}
	}
	hash, err := s.ports.Logins.Passwords.Hash(ctx, next)
	if err != nil {
		return err
	}
	act := s.act(call, domain.NeedsCaller(), domain.ActionChangePassword, domain.OnUser(user.ID))
	_, err = s.ports.Store.Users.Update(ctx, act, user.ID, func(u *domain.User, _ bool) error {
		if !u.PasswordHash.Equal(user.PasswordHash) {
			return &domain.Error{Kind: domain.Conflict, Public: "somebody else has just changed the password; log in again"}
		}
		u.PasswordHash = hash
		return nil
	}, call.Caller.Login.ID)
	return err
}
