package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// Identified is the outcome of Service.Identify.
type Identified struct {
	Caller domain.Caller
	// Cookie is user_session sealed with the current key, to be set in the answer. Its Text is
	// "" if the current key sealed the cookie already.
	Cookie session.Cookie
}

// Identify returns the caller, from the text of the cookie user_session. It records the use
// of the login, at most once a minute. It reseals the cookie if an older key sealed it. If it is time,
// it asks the identity provider about the user of a login that the provider opened (signon.Logins.Recheck).
// Returns NotAuthenticated if anything is wrong with the cookie, the login or the user.
func (s *Service) Identify(ctx context.Context, cookie string) (Identified, error) {
	claims, by, err := s.sessions.OpenLogin(cookie)
	if err != nil {
		return Identified{}, err
	}
	caller, err := s.callerByLogin(ctx, claims.Session)
	if err != nil {
		return Identified{}, err
	}
	if !caller.Login.Claims("").Equal(claims) {
		return Identified{}, domain.NotLoggedIn(nil)
	}
	rechecked, err := s.signOns.Recheck(ctx, caller.Login)
	if err == nil && rechecked {
		caller, err = s.callerByLogin(ctx, claims.Session)
	}
	if err != nil {
		return Identified{}, err
	}
	if err := s.sessions.Use(ctx, caller.Login); err != nil {
		return Identified{}, err
	}
	s.sessions.MarkSealed(ctx, caller.Login, by)
	return Identified{Caller: caller, Cookie: s.sessions.Reseal(ctx, caller.Login, "", by)}, nil
}

// callerByLogin returns who uses the login. Returns NotAuthenticated if it is over or its user may not use
// it.
func (s *Service) callerByLogin(ctx context.Context, login domain.SessionID) (domain.Caller, error) {
	access, err := s.ports.Store.Access.ByLogin(ctx, login, domain.Use{})
	if domain.KindOf(err) == domain.NotFound {
		err = domain.NotLoggedIn(err)
	}
	return access.Caller, err
}

// ReadCookie returns what the text of a cookie says. It looks nothing up, so the session may be
// over. Returns NotAuthenticated if this installation did not seal the text, or if it has
// expired. Returns Unavailable if the keyset can't be read.
func (s *Service) ReadCookie(kind domain.SessionKind, text string) (domain.Claims, error) {
	claims, _, err := s.sessions.Open(kind, text, domain.NotLoggedIn)
	if err == nil && !s.ports.Clock().Before(claims.Expires) {
		return domain.Claims{}, domain.NotLoggedIn(nil)
	}
	return claims, err
}

// IdentifyToken returns the caller, from the text of an access token. It notes the use of the
// token. Returns NotAuthenticated if anything is wrong with the token or its owner.
func (s *Service) IdentifyToken(ctx context.Context, text domain.Secret) (domain.Caller, error) {
	hash, err := domain.ParseAccessToken(text)
	if err != nil {
		return domain.Caller{}, err
	}
	if !s.OwnUsers() {
		return domain.Caller{}, domain.InvalidAccessToken(nil)
	}
	access, err := s.ports.Store.Access.ByToken(ctx, hash)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Caller{}, domain.InvalidAccessToken(err)
	}
	if err == nil {
		s.forwarder.NoteTokenUse(access.Caller.Token)
	}
	return access.Caller, err
}

// SameRights looks the caller up again, for a request that takes long. Returns the error of a
// fresh request if the login, the access token or the user is gone. Returns NotAllowed if role
// or scopes have changed. A user of a host program always has the same rights, since only the
// host knows them.
func (s *Service) SameRights(ctx context.Context, c domain.Caller) error {
	now, err := s.lookUpAgain(ctx, c)
	if err != nil || now.SameRights(c) {
		return err
	}
	return &domain.Error{Kind: domain.NotAllowed, Public: "your rights have changed; send the request again"}
}

// lookUpAgain returns c with the rights that they have now. Its error is NotAuthenticated if
// the login, the access token or the user is gone. The operator and users of a host program
// stay as they are.
func (s *Service) lookUpAgain(ctx context.Context, c domain.Caller) (domain.Caller, error) {
	switch {
	case c.Token != "":
		found, err := s.ports.Store.Access.StillAllowed(ctx, []domain.OpenUse{{Token: c.Token, Secret: c.Secret}})
		if err != nil {
			return domain.Caller{}, err
		}
		if len(found) == 0 {
			return domain.Caller{}, domain.InvalidAccessToken(nil)
		}
		return found[0].Caller, nil
	case c.Login.ID != "":
		return s.callerByLogin(ctx, c.Login.ID)
	}
	return c, nil
}
