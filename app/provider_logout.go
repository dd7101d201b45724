package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ProviderLogout ends logins that the identity provider says are over, by its logout token. That no login
// is of the person or the session is no error. Returns NotFound if there is no provider, and
// NotAuthenticated if the token is not accepted or was used before.
func (s *Service) ProviderLogout(ctx context.Context, call domain.Call, token domain.Secret) error {
	if err := s.mustSignOn(); err != nil {
		return err
	}
	out, err := s.provider.ReadLogout(ctx, token)
	if err != nil {
		return err
	}
	if out.Identity.Issuer != s.provider.Issuer() {
		return otherProvider()
	}
	object := domain.OnProvider()
	if out.Identity.Subject != "" {
		user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{Identity: out.Identity})
		switch {
		case err == nil:
			object = domain.OnUser(user.ID)
		case domain.KindOf(err) != domain.NotFound:
			return err
		}
	}
	rec := s.record(call, domain.ActionProviderLogout, object)
	rec.Actor = domain.ActorProvider
	_, err = s.ports.Store.SignOns.Logout(ctx, out, rec)
	if domain.KindOf(err) == domain.Conflict {
		return &domain.Error{Kind: domain.NotAuthenticated, Public: "this logout token was used already", Cause: err}
	}
	return err
}
