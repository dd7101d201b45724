package app

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// LoggedOut is the outcome of Service.Logout.
type LoggedOut struct {
	// URL is where the browser goes to end the session at the identity provider too. It is zero if there
	// is nothing to end there, or if the provider does not answer. It holds the ID token.
	URL domain.Secret
}

// logoutPatience is how long a logout waits for the identity provider.
const logoutPatience = time.Second

// Logout ends the login that the caller uses, and its assistant session. It is no error if the
// login is over already. If a host program logs users in, it changes nothing.
func (s *Service) Logout(ctx context.Context, call domain.Call) (LoggedOut, error) {
	login := call.Caller.Login
	if login.ID == "" {
		return LoggedOut{}, nil
	}
	idToken := s.idToken(ctx, login) // which goes with the login
	if err := s.endOwn(ctx, login.ID, s.act(call, domain.NeedsCaller(), domain.ActionLogout, domain.OnSession(login.ID))); err != nil || idToken.IsZero() {
		return LoggedOut{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, logoutPatience)
	defer cancel()
	address, err := s.provider.LogoutURL(ctx, idToken, s.signOn.BaseURL+"/console/")
	if err != nil {
		return LoggedOut{}, nil //nolint:nilerr // the login here has ended
	}
	return LoggedOut{URL: address}, nil
}

// idToken returns the ID token that the session at the identity provider is ended by. It is zero if that
// session is not to be ended or the token can't be had.
func (s *Service) idToken(ctx context.Context, login domain.Session) domain.Secret {
	if s.provider == nil || !s.signOn.LogoutAtProvider || !login.ByProvider {
		return domain.Secret{}
	}
	kept, err := s.ports.Store.SignOns.Find(ctx, login.ID)
	if err != nil || kept.Identity.Issuer != s.provider.Issuer() {
		return domain.Secret{}
	}
	tokens, err := s.signOns.Open(kept)
	if err != nil {
		return domain.Secret{}
	}
	return tokens.ID
}
