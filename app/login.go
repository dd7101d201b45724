package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// Login is the input of Service.Login, as the caller gave it.
type Login struct {
	Username string
	Password domain.Secret
	Remember bool
}

// LoggedIn is the outcome of Service.Login.
type LoggedIn struct {
	User   domain.User
	Cookie session.Cookie // user_session
}

// Login opens a login. Returns NotAuthenticated, always after the same time, if the user is
// unknown or disabled or the password is wrong. Returns TooManyRequests after too many failures,
// and after too many logins of the user. Returns NotAllowed if PasswordLogin does not admit the user; if
// it is admins, only with the right password. With an error, User is the user whose password was tried; it is for the audit only.
func (s *Service) Login(ctx context.Context, call domain.Call, in Login) (LoggedIn, error) {
	if err := s.ownUsers(); err != nil {
		return LoggedIn{}, err
	}
	if in.Username == "" || in.Password.IsZero() {
		return LoggedIn{}, &domain.Error{Kind: domain.Invalid, Public: "username and password are needed"}
	}
	if s.passwordLogin == domain.PasswordLoginOff {
		return LoggedIn{}, s.passwordLogin.Admits("")
	}
	// A text that can be no user name is treated as an unknown user.
	name, _ := domain.ParseUsername(in.Username)
	succeeded, err := s.ports.Logins.Attempts.Begin(name, call.Address)
	if err != nil {
		s.noteIfLocked(call, name, err)
		return LoggedIn{}, err
	}
	out, err := s.login(ctx, call, name, in)
	if domain.KindOf(err) != domain.NotAuthenticated {
		succeeded() // an outage is no failure of the caller's
	}
	return out, err
}

func (s *Service) login(ctx context.Context, call domain.Call, name domain.Username, in Login) (LoggedIn, error) {
	wrong := &domain.Error{Kind: domain.NotAuthenticated, Public: "the user name or the password is wrong"}
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{Name: name})
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return LoggedIn{}, err
	}
	rates := s.ports.UserRates
	if rates != nil && user.ID != "" {
		if err := rates.MayLogIn(user.ID, call.Address); err != nil {
			return LoggedIn{User: user}, err
		}
	}
	// Without a user the hash is zero. Its check takes as long as any other.
	ok, err := s.ports.Logins.Passwords.Verify(ctx, in.Password, user.PasswordHash)
	if err != nil {
		return LoggedIn{}, err
	}
	if !ok || user.Disabled {
		return LoggedIn{User: user}, wrong
	}
	if err := s.passwordLogin.Admits(user.Role); err != nil {
		return LoggedIn{User: user}, err
	}
	if rates != nil {
		if err := rates.LogIn(user.ID, call.Address); err != nil {
			return LoggedIn{User: user}, err
		}
	}
	out, err := s.openLogin(ctx, call, user, in.Remember)
	if domain.KindOf(err) == domain.NotAllowed {
		return LoggedIn{}, wrong
	}
	return out, err
}

// openLogin opens a login of the user, whose password the caller has proven to know. Returns
// NotAllowed if the user is gone or disabled, or if the password was changed meanwhile.
func (s *Service) openLogin(ctx context.Context, call domain.Call, user domain.User, remember bool) (LoggedIn, error) {
	login, cookie, err := s.newLogin(call, user.ID, remember)
	if err != nil {
		return LoggedIn{}, err
	}
	call.Caller = domain.Caller{ID: user.ID}
	err = s.ports.Store.Sessions.OpenLogin(ctx, login, user.PasswordHash, s.record(call, domain.ActionLogin, domain.OnSession(login.ID)))
	return LoggedIn{User: user, Cookie: cookie}, err
}

// newLogin returns a login of the user, which has yet to be stored, and its cookie.
func (s *Service) newLogin(call domain.Call, user domain.UserID, remember bool) (domain.Session, session.Cookie, error) {
	now := s.ports.Clock()
	id, err := domain.NewSessionID(now, s.ports.Random)
	if err != nil {
		return domain.Session{}, session.Cookie{}, err
	}
	login := domain.NewLogin(id, user, remember, now, s.sessions.Lifetimes(), call.Address, call.Agent)
	cookie, by, err := s.sessions.Seal(login, "")
	login.SealedBy = by
	return login, cookie, err
}
