package app

import (
	"context"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
)

// checkPassword returns the caller as a user if the password is theirs. A caller whom the identity
// provider logged in within domain.FreshSignOn needs no password. Returns domain.WrongPassword if it is
// another one, domain.NoPassword if the user has none, and domain.PasswordMissing or
// domain.PasswordOrProvider. Returns NotAuthenticated if the caller is gone. Returns TooManyRequests
// after too many wrong ones, which count together with those of Login.
//
// Checks of one user take turns, since an attempt counts while it is under way: many requests at once
// with the right password would refuse each other.
func (s *Service) checkPassword(ctx context.Context, call domain.Call, password domain.Secret) (domain.User, error) {
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{ID: call.Caller.ID})
	switch {
	case domain.KindOf(err) == domain.NotFound:
		return domain.User{}, domain.NotLoggedIn(err)
	case err != nil:
		return domain.User{}, err
	case call.Caller.Login.FreshByProvider(s.ports.Clock()):
		return user, nil
	case user.PasswordHash.IsZero() || password.IsZero():
		return domain.User{}, s.passwordMissing(user)
	}
	done, err := s.checks.wait(ctx, user.ID)
	if err != nil {
		return domain.User{}, err
	}
	defer done()
	succeeded, err := s.ports.Logins.Attempts.Begin(user.Name, call.Address)
	if err != nil {
		s.noteIfLocked(call, user.Name, err)
		return domain.User{}, err
	}
	ok, err := s.ports.Logins.Passwords.Verify(ctx, password, user.PasswordHash)
	if ok || err != nil {
		succeeded()
	}
	switch {
	case err != nil:
		return domain.User{}, err
	case !ok:
		// Who loses their login by a reset of the password is told that, as with a fresh request.
		if _, err := s.lookUpAgain(ctx, call.Caller); err != nil {
			return domain.User{}, err
		}
		return domain.User{}, domain.WrongPassword()
	}
	return user, nil
}

// passwordMissing returns the error for a change that was not confirmed with the password of the user. It
// says what the user can do.
func (s *Service) passwordMissing(u domain.User) error {
	switch {
	case u.PasswordHash.IsZero():
		return domain.NoPassword()
	case u.Identity != (domain.Identity{}) && s.provider != nil:
		return domain.PasswordOrProvider()
	}
	return domain.PasswordMissing()
}

// userTurns lets what is done for one user take turns. The zero value is ready. It keeps only users
// for whom something is under way.
type userTurns struct {
	mu    sync.Mutex
	users map[domain.UserID]*userTurn
}

// userTurn is what is under way for a user.
type userTurn struct {
	many int           // how many have the turn or wait for it
	free chan struct{} // has one element if nobody has the turn
}

// wait waits for the turn of the user, which lasts until done is called. Returns Unavailable if ctx
// ends before.
func (t *userTurns) wait(ctx context.Context, id domain.UserID) (done func(), err error) {
	t.mu.Lock()
	turn := t.users[id]
	if turn == nil {
		turn = &userTurn{free: make(chan struct{}, 1)}
		turn.free <- struct{}{}
		if t.users == nil {
			t.users = map[domain.UserID]*userTurn{}
		}
		t.users[id] = turn
	}
	turn.many++
	t.mu.Unlock()
	select {
	case <-turn.free:
		return func() {
			turn.free <- struct{}{}
			t.leave(id, turn)
		}, nil
	case <-ctx.Done():
		t.leave(id, turn)
		return nil, &domain.Error{Kind: domain.Unavailable, Public: "the password could not be checked in time; try again", Cause: ctx.Err()}
	}
}

// leave forgets the turn if nobody has it or waits for it.
func (t *userTurns) leave(id domain.UserID, turn *userTurn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn.many--; turn.many == 0 {
		delete(t.users, id)
	}
}
