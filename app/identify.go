package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Identified is the outcome of Service.Identify.
type Identified struct {
	Caller domain.Caller
	// Cookie is user_session sealed with the current key, to be set in the answer. Its Text is
	// "" if the current key sealed the cookie already.
	Cookie Cookie
}

// Identify returns the caller, from the text of the cookie user_session. It records the use
// of the login, at most once a minute. It reseals the cookie if an older key sealed it.
// Returns NotAuthenticated if anything is wrong with the cookie, the login or the user.
func (s *Service) Identify(ctx context.Context, cookie string) (Identified, error) {
	claims, by, err := s.loginClaims(cookie)
	if err != nil {
		return Identified{}, err
	}
	caller, err := s.ports.Callers.BySession(ctx, claims.Session)
	if domain.KindOf(err) == domain.NotFound {
		return Identified{}, notAuthenticated(err)
	}
	if err != nil {
		return Identified{}, err
	}
	if !caller.Login.Claims("").Equal(claims) {
		return Identified{}, notAuthenticated(nil)
	}
	if err := s.use(ctx, caller.Login); err != nil {
		return Identified{}, err
	}
	s.markSealed(ctx, caller.Login, by)
	return Identified{Caller: caller, Cookie: s.reseal(ctx, caller.Login, "", by)}, nil
}

// loginClaims are what the cookie user_session says, and the key that sealed it.
func (s *Service) loginClaims(cookie string) (domain.Claims, domain.KeyID, error) {
	if cookie == "" || s.ports.Callers == nil {
		return domain.Claims{}, "", notAuthenticated(nil)
	}
	return s.openCookie(domain.LoginSession, cookie, notAuthenticated)
}

// openCookie opens the text of a cookie or handle. If the text is invalid it returns the error
// of wrong. If the keyset can't be read, that says nothing about the text, and the error is
// passed on.
func (s *Service) openCookie(kind domain.SessionKind, text string, wrong func(cause error) error) (domain.Claims, domain.KeyID, error) {
	claims, by, err := s.cookies.Open(kind, text)
	if err != nil && domain.KindOf(err) != domain.Unavailable {
		err = wrong(err)
	}
	return claims, by, err
}

// IdentifyToken says who calls with the text of an access token. Whatever is wrong with
// it, or with the user who made it, is NotAuthenticated.
func (s *Service) IdentifyToken(ctx context.Context, text domain.Secret) (domain.Caller, error) {
	hash, err := domain.ParseAccessToken(text)
	if err != nil {
		return domain.Caller{}, err
	}
	if s.ports.Callers == nil {
		return domain.Caller{}, wrongToken(nil)
	}
	caller, err := s.ports.Callers.ByToken(ctx, hash)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Caller{}, wrongToken(err)
	}
	if err == nil {
		s.counts.tokenUsed(caller.Token, s.ports.Clock())
	}
	return caller, err
}

// wrongToken is the one answer for everything that is wrong with an access token.
func wrongToken(cause error) error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "the access token in Authorization is not good", Cause: cause}
}

// use records that the session is used, where that is due. A session that ended in the
// meantime is NotAuthenticated.
func (s *Service) use(ctx context.Context, session domain.Session) error {
	now := s.ports.Clock()
	idle, write := session.Used(now, s.lifetimes)
	if !write {
		return nil
	}
	err := s.ports.Sessions.Touch(ctx, session.ID, domain.Instant(now), idle)
	if domain.KindOf(err) == domain.NotFound {
		return notAuthenticated(err)
	}
	return err
}
