package oidclogin

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	logoutType  = "logout+jwt"
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutAge is how old a logout token may be. Providers send it at once.
	maxLogoutAge = 5 * time.Minute
)

// ReadLogout checks a logout token (OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6). It is
// remembered for a minute longer than it is accepted, since other instances have other clocks.
func (p *Provider) ReadLogout(ctx context.Context, token domain.Secret) (domain.ProviderLogout, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	// A token that names no type is accepted: the type is recommended only.
	if typ, err := typeOf(token.Reveal()); err != nil || typ != "" && typ != "jwt" && typ != logoutType {
		return domain.ProviderLogout{}, refused(cmp.Or(err, errors.New("the token is a "+typ)))
	}
	found, err := p.found.get(ctx)
	if err != nil {
		return domain.ProviderLogout{}, err
	}
	read, err := verified(p, found, func(v *oidc.IDTokenVerifier) (*oidc.LogoutToken, error) { return v.VerifyLogout(ctx, token.Reveal()) })
	if err != nil {
		return domain.ProviderLogout{}, err
	}
	if problem := p.issueTime(read.IssuedAt); problem != "" {
		return domain.ProviderLogout{}, refusedBecause("the logout token " + problem)
	}
	if p.now().Sub(read.IssuedAt) > maxLogoutAge {
		return domain.ProviderLogout{}, refusedBecause("the logout token is older than 5 minutes")
	}
	said, err := claimsOf(read)
	if err != nil {
		return domain.ProviderLogout{}, refused(err)
	}
	out, err := p.logout(said)
	if err != nil {
		return domain.ProviderLogout{}, refused(err)
	}
	out.Ends = domain.Instant(read.IssuedAt.Add(maxLogoutAge + skew))
	return out, nil
}

// logout reads the claims of a logout token that VerifyLogout let pass: it has no nonce.
func (p *Provider) logout(said claims) (domain.ProviderLogout, error) {
	out := domain.ProviderLogout{Identity: domain.Identity{Issuer: p.issuer}, Sid: said.id("sid"), ID: said.id("jti")}
	_, hasSubject := said["sub"]
	_, hasSid := said["sid"]
	event, _ := member(said["events"], logoutEvent)
	var err error
	switch {
	case event.Kind() != '{':
		err = errors.New("the logout token has no event of a logout")
	case out.ID == "":
		err = errors.New("the logout token has no usable jti")
	case hasSid && out.Sid == "":
		err = errors.New("the logout token has an unusable sid")
	case hasSubject:
		out.Identity, err = domain.NewIdentity(p.issuer, said.text("sub"))
	case !hasSid:
		err = errors.New("the logout token has neither sub nor sid")
	}
	return out, err
}

// LogoutURL returns the address of the end session endpoint, with the ID token as hint. It asks the
// provider only if its endpoints are not known yet, or have been for an hour.
func (p *Provider) LogoutURL(ctx context.Context, idToken domain.Secret, then string) (domain.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	found, err := p.found.get(ctx)
	if err != nil || found.EndSession == "" {
		return domain.Secret{}, err
	}
	address, err := url.Parse(found.EndSession)
	if err != nil {
		return domain.Secret{}, unavailable(err, "")
	}
	query := address.Query()
	query.Set("client_id", p.login.ClientID)
	query.Set("post_logout_redirect_uri", then)
	if !idToken.IsZero() {
		query.Set("id_token_hint", idToken.Reveal())
	}
	address.RawQuery = query.Encode()
	return domain.NewSecret(address.String()), nil
}
