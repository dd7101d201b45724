package app

import (
	"net/url"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SignOnOptions are the settings of logins by the company's identity provider. They count only if
// Logins.Provider is given.
type SignOnOptions struct {
	Label   string // of the button; "" is the host name of the issuer
	Policy  domain.SignOnPolicy
	BaseURL string // where browsers find the service, without a slash at the end; for the address after a logout
	// LogoutAtProvider ends the session at the provider too when somebody logs out.
	LogoutAtProvider bool
	// Recheck is how often the provider is asked again about the user of a login. Zero is 15 minutes. It
	// is at least a second.
	Recheck time.Duration
}

// SignsOn reports whether there is an identity provider, and the label of its button.
func (s *Service) SignsOn() (label string, ok bool) {
	switch {
	case s.provider == nil:
		return "", false
	case s.signOn.Label != "":
		return s.signOn.Label, true
	}
	u, err := url.Parse(s.provider.Issuer())
	if err != nil || u.Hostname() == "" {
		return s.provider.Issuer(), true
	}
	return u.Hostname(), true
}

// LogsOutAtProvider reports whether a logout goes on to the identity provider, if that opened the login.
func (s *Service) LogsOutAtProvider() bool { return s.provider != nil && s.signOn.LogoutAtProvider }

// ProviderOrigins returns the origins of the identity provider that forms may lead to. It does not ask
// the provider. It returns none if there is no provider.
func (s *Service) ProviderOrigins() []domain.Origin {
	if s.provider == nil {
		return nil
	}
	return s.provider.Origins()
}

// PasswordLogin says who may log in with a password.
func (s *Service) PasswordLogin() domain.PasswordLogin { return s.passwordLogin }

// mustSignOn returns NotFound if there is no identity provider.
func (s *Service) mustSignOn() error {
	if s.provider != nil {
		return nil
	}
	return &domain.Error{Kind: domain.NotFound, Public: "there is no identity provider; the operator can set one with FLOWLATCH_OIDC_ISSUER"}
}
