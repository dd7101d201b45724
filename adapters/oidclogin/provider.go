// Package oidclogin lets people log in by an OpenID Connect provider. Its package oidclogintest is a
// provider that runs in the process, for tests.
package oidclogin

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/oauth2"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.IdentityProvider = (*Provider)(nil)

const (
	// DefaultGroupsClaim is the claim that lists the groups.
	DefaultGroupsClaim = "groups"
	// maxTime is how long one call of a method may take, with all that it asks of the provider.
	maxTime = 5 * time.Second
	// skew is how far the clocks of the provider and of this process may be apart.
	skew = 60 * time.Second
)

// Options are the settings of a [Provider].
type Options struct {
	// Issuer is the URL by which the provider calls itself, to the letter.
	Issuer string
	// ClientID and ClientSecret are what the provider knows this service by. Without a secret the
	// service is a public client, which PKCE protects.
	ClientID     string
	ClientSecret domain.Secret
	// RedirectURL is where the provider sends browsers after a login. It has to be registered there.
	RedirectURL string
	// Scopes are what is asked for. They contain openid. Nil means openid, profile and email.
	Scopes []string
	// GroupsClaim is the name of the claim that lists the groups, or a JSON pointer to it (RFC 6901),
	// which begins with a slash. Empty means DefaultGroupsClaim.
	GroupsClaim string
	// Now tells the time. Nil means time.Now.
	Now ports.Clock
	// Timeout is how long a call may take in all. Zero means 5 seconds, which is also the most.
	Timeout time.Duration
	// RootCAs are the certificate authorities to trust. Nil means those of the system.
	RootCAs *x509.CertPool
}

// Provider is a [ports.IdentityProvider] that speaks OpenID Connect Core 1.0 with the provider. It
// learns the provider's endpoints at the first use (OpenID Connect Discovery 1.0), and again every hour.
// It is safe for concurrent use.
//
// The client secret, codes and tokens are in no error.
type Provider struct {
	issuer  string
	claim   jsontext.Pointer
	login   oauth2.Config // without endpoints
	now     ports.Clock
	timeout time.Duration
	http    *http.Client
	found   discovery
}

// New returns a Provider. It does no I/O. Returns Invalid if an option is missing or breaks a rule: the
// issuer and the redirect URL must use https unless their host is loopback.
func New(o Options) (*Provider, error) {
	claim, err := groupsPointer(o.GroupsClaim)
	if err != nil {
		return nil, err
	}
	if o.Scopes == nil {
		o.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	if err := checkScopes(o.Scopes); err != nil {
		return nil, err
	}
	switch {
	case o.ClientID == "":
		return nil, invalid("the client id of the identity provider is missing")
	case o.Timeout < 0 || o.Timeout > maxTime:
		return nil, invalid("the time limit of the identity provider must be at most 5 seconds")
	}
	issuer, problem := readURL(o.Issuer)
	if problem == "" && strings.Contains(o.Issuer, "?") {
		problem = "has a query"
	}
	if problem != "" {
		return nil, invalid("the issuer of the identity provider " + problem)
	}
	if _, problem := readURL(o.RedirectURL); problem != "" {
		return nil, invalid("the redirect URL for the identity provider " + problem)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = maxTime
	}
	p := &Provider{
		issuer: o.Issuer, claim: claim, now: o.Now, timeout: o.Timeout, http: newClient(o.Timeout, o.RootCAs),
		login: oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), RedirectURL: o.RedirectURL, Scopes: slices.Clone(o.Scopes)},
	}
	p.found = discovery{ask: p.discover, now: o.Now, https: issuer.Scheme == "https"}
	return p, nil
}

func checkScopes(scopes []string) error {
	if !slices.Contains(scopes, oidc.ScopeOpenID) {
		return invalid("the scopes of the identity provider must contain openid")
	}
	for _, scope := range scopes {
		if scope == "" || strings.ContainsAny(scope, " \t\r\n") {
			return invalid("a scope of the identity provider is empty or contains white space")
		}
	}
	return nil
}

// Issuer returns the issuer as configured.
func (p *Provider) Issuer() string { return p.issuer }

// Origins returns the origins of the issuer, the authorization endpoint and the end session endpoint, each
// once, as far as they are known.
func (p *Provider) Origins() []domain.Origin {
	addresses := []string{p.issuer}
	if found := p.found.last(); found != nil {
		addresses = append(addresses, found.Authorization, found.EndSession)
	}
	var origins []domain.Origin
	for _, address := range addresses {
		if origin, err := domain.ParseOrigin(address); err == nil && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// LoginURL returns the address of the authorization endpoint for a login. It asks the provider only if
// its endpoints are not known yet, or have been for an hour.
func (p *Provider) LoginURL(ctx context.Context, sent domain.SentToProvider) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if sent.State.IsZero() || sent.Nonce.IsZero() || sent.Verifier.IsZero() {
		return "", invalid("a login needs a state, a nonce and a verifier")
	}
	found, err := p.found.get(ctx)
	if err != nil {
		return "", err
	}
	return p.config(found).AuthCodeURL(sent.State.Reveal(), oidc.Nonce(sent.Nonce.Reveal()), oauth2.S256ChallengeOption(sent.Verifier.Reveal())), nil
}

// config returns the settings of OAuth 2.0. The client authenticates in the header unless the provider
// takes the secret in the body only (OpenID Connect Discovery 1.0, section 3).
func (p *Provider) config(found *endpoints) *oauth2.Config {
	c := p.login
	c.Endpoint = oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInHeader}
	methods := found.TokenAuthentication
	if c.ClientSecret == "" || slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic") {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &c
}

// readURL reads an absolute URL that may be asked. problem says what is wrong with it, as the end of a
// sentence.
func readURL(text string) (u *url.URL, problem string) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, "is missing"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, "is no absolute http or https URL"
	case u.User != nil:
		return nil, "contains a user"
	case strings.Contains(text, "#"):
		return nil, "has a fragment"
	case u.Scheme == "http" && !domain.IsLoopback(u.Hostname()):
		return nil, "is plain http, which anybody on the network can read and change; use https"
	}
	return u, ""
}
