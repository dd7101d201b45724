package app

import (
	"context"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// LoginLinkLifetime is how long a login link can be used.
const LoginLinkLifetime = 10 * time.Minute

// LoginLink lets whoever has its token log in once as a user.
type LoginLink struct {
	User    domain.User
	Token   domain.Secret // characters of base64url only
	Expires time.Time     // exclusive
}

// NewLoginLink makes a link that logs the user of that name in once, also if nobody can log in with a
// password. If the keyset key that sealed it is retired, it is invalid. Only the operator may:
// NotAllowed. Returns NotFound if there is no such user or a host program keeps the users, and Conflict if
// they are disabled.
func (s *Service) NewLoginLink(ctx context.Context, call domain.Call, name string) (LoginLink, error) {
	if err := s.ownUsers(); err != nil {
		return LoginLink{}, err
	}
	if err := call.Caller.MayMakeLoginLink(); err != nil {
		return LoginLink{}, err
	}
	username, err := domain.ParseUsername(name)
	if err != nil {
		return LoginLink{}, err
	}
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{Name: username})
	if err != nil {
		return LoginLink{}, err
	}
	if user.Disabled {
		return LoginLink{}, &domain.Error{Kind: domain.Conflict, Public: "the user is disabled; enable them first"}
	}
	id, err := s.randomText("a login link")
	if err != nil {
		return LoginLink{}, err
	}
	expires := domain.Instant(s.ports.Clock().Add(LoginLinkLifetime))
	token, err := s.cookies.SealUntil(expires, id+" "+string(user.ID), domain.BindLoginLink())
	if err != nil {
		return LoginLink{}, err
	}
	if err := s.ports.Store.Audit.Append(ctx, s.record(call, domain.ActionLoginLink, domain.OnUser(user.ID))); err != nil {
		return LoginLink{}, err
	}
	return LoginLink{User: user, Token: domain.NewSecret(token), Expires: expires}, nil
}

// CheckLoginLink returns the user of the link. It changes nothing and does not look whether the link was
// used. Returns NotFound, with a sentence that says how to get another one, if the link is invalid or has
// expired, if its user is gone, or if a host program keeps the users.
func (s *Service) CheckLoginLink(ctx context.Context, token domain.Secret) (domain.User, error) {
	user, _, err := s.openLoginLink(ctx, token)
	return user, err
}

// openLoginLink returns the user of the link, and what remembers that it was used.
func (s *Service) openLoginLink(ctx context.Context, token domain.Secret) (domain.User, domain.Once, error) {
	if err := s.ownUsers(); err != nil {
		return domain.User{}, domain.Once{}, err
	}
	plain, ends, err := s.cookies.OpenUntil(domain.BindLoginLink(), token.Reveal())
	id, userID, whole := strings.Cut(plain, " ")
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		return domain.User{}, domain.Once{}, err
	case err != nil, !whole:
		return domain.User{}, domain.Once{}, noLoginLink("this login link is invalid")
	case !s.ports.Clock().Before(ends):
		return domain.User{}, domain.Once{}, noLoginLink("this login link has expired")
	}
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{ID: domain.UserID(userID)})
	if domain.KindOf(err) == domain.NotFound {
		err = noLoginLink("the user of this login link is gone")
	}
	return user, domain.Once{Kind: domain.OnceLoginLink, ID: id, Ends: ends}, err
}

func noLoginLink(happened string) error {
	return &domain.Error{Kind: domain.NotFound, Public: happened + "; to get another one, run flowlatch login-link NAME on the machine of the service"}
}

// UseLoginLink logs the user of the link in. The audit names the operator, who made the link, and the
// user. Returns the errors of CheckLoginLink, Conflict if the link was used before, and NotAllowed if the
// user is disabled. With an error, User is the user of the link, if that is known.
func (s *Service) UseLoginLink(ctx context.Context, call domain.Call, token domain.Secret) (LoggedIn, error) {
	user, once, err := s.openLoginLink(ctx, token)
	if err != nil {
		return LoggedIn{}, err
	}
	login, cookie, err := s.newLogin(call, user.ID, false)
	if err != nil {
		return LoggedIn{User: user}, err
	}
	call.Caller = domain.Operator()
	rec := s.record(call, domain.ActionLoginByLink, domain.OnUser(user.ID)+" "+domain.OnSession(login.ID))
	if err := s.ports.Store.Sessions.OpenLoginByLink(ctx, login, once, rec); err != nil {
		return LoggedIn{User: user}, err
	}
	return LoggedIn{User: user, Cookie: cookie}, nil
}
