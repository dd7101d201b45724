package memory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.IdentityProvider = (*IdentityProvider)(nil)

const (
	providerClientID = "flowlatch"
	providerRedirect = "https://flowlatch.example/oidc/callback"
	// codeLifetime is how long a code can be used (RFC 6749, section 4.1.2).
	codeLifetime = 10 * time.Minute
	// logoutLifetime is how long a logout token is accepted.
	logoutLifetime = 5 * time.Minute
	// providerSkew is how far the provider's clock may be off.
	providerSkew = time.Minute
)

// IdentityProvider is a ports.IdentityProvider for tests only. It is provider and client in one, and
// nothing leaves the process. A test gives it who logs in, with LogIn in place of a browser. Its tokens are
// random texts. It is safe for concurrent use.
//
// Redeem does not compare the state: whoever receives the answer has to.
type IdentityProvider struct {
	issuer string
	now    ports.Clock

	mu        sync.Mutex
	broken    bool
	noRefresh bool
	people    map[string]domain.Person // by subject, as they logged in last
	codes     map[string]providerCode
	refreshes map[string]sessionAtProvider
	logouts   map[string]domain.ProviderLogout // Ends is when the token was issued
}

// sessionAtProvider is a session at the provider.
type sessionAtProvider struct{ subject, sid string }

// providerCode is a code that was not used yet.
type providerCode struct {
	login            sessionAtProvider
	nonce, challenge string
	ends             time.Time
}

// NewIdentityProvider returns a provider whom nobody has logged in at. issuer is a URL.
func NewIdentityProvider(issuer string, now ports.Clock) *IdentityProvider {
	return &IdentityProvider{
		issuer: issuer, now: now, people: map[string]domain.Person{}, codes: map[string]providerCode{},
		refreshes: map[string]sessionAtProvider{}, logouts: map[string]domain.ProviderLogout{},
	}
}

// LogIn does what a browser and a person do with the address of LoginURL. p is who logs in; its issuer is
// always that of the provider. It returns the parameters of the answer: code, state and iss (RFC 9207).
// Returns an error if the address is no request for a login by this client, with PKCE S256, a state and a
// nonce, and if p has no valid subject.
func (i *IdentityProvider) LogIn(loginURL string, p domain.Person) (url.Values, error) {
	asked, err := i.readLoginURL(loginURL)
	if err != nil {
		return nil, err
	}
	if p.Identity, err = domain.NewIdentity(i.issuer, p.Identity.Subject); err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code := rand.Text()
	i.people[p.Identity.Subject] = p
	i.codes[code] = providerCode{
		login: sessionAtProvider{p.Identity.Subject, p.Sid},
		nonce: asked.Get("nonce"), challenge: asked.Get("code_challenge"), ends: i.now().Add(codeLifetime),
	}
	return url.Values{"code": {code}, "state": {asked.Get("state")}, "iss": {i.issuer}}, nil
}

// readLoginURL returns the parameters of a request for a login (OpenID Connect Core 1.0, section 3.1.2.1).
func (i *IdentityProvider) readLoginURL(loginURL string) (url.Values, error) {
	address, query, _ := strings.Cut(loginURL, "?")
	if address != i.endpoint("/authorize") {
		return nil, errors.New("memory: the address is not the authorization endpoint")
	}
	asked, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	for name, want := range map[string]string{
		"client_id": providerClientID, "redirect_uri": providerRedirect, "response_type": "code", "code_challenge_method": "S256",
	} {
		if asked.Get(name) != want {
			return nil, errors.New("memory: " + name + " is not " + want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if asked.Get(name) == "" {
			return nil, errors.New("memory: " + name + " is missing")
		}
	}
	return asked, nil
}

// SetGroups changes what the next answers about the subject say of their groups. A later LogIn brings its
// own.
func (i *IdentityProvider) SetGroups(subject string, groups domain.Groups) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p := i.people[subject]
	p.Groups = groups
	i.people[subject] = p
}

// RefuseRefresh makes the refresh tokens that were given to the subject invalid. A later login gets a new
// one.
func (i *IdentityProvider) RefuseRefresh(subject string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	maps.DeleteFunc(i.refreshes, func(_ string, l sessionAtProvider) bool { return l.subject == subject })
}

// GiveNoRefresh lets the provider give no refresh tokens from now on.
func (i *IdentityProvider) GiveNoRefresh() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.noRefresh = true
}

// Break makes the provider silent: what asks it is Unavailable until Mend. LogIn goes on.
func (i *IdentityProvider) Break() { i.setBroken(true) }

// Mend lets the provider answer again.
func (i *IdentityProvider) Mend() { i.setBroken(false) }

func (i *IdentityProvider) setBroken(broken bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = broken
}

// LogoutToken returns a logout token about the identity and the session. Without a subject it is about the
// session only, with sid "" about the subject only, and without both ReadLogout refuses it. It also refuses
// one about the identity of another issuer.
func (i *IdentityProvider) LogoutToken(of domain.Identity, sid string) domain.Secret {
	i.mu.Lock()
	defer i.mu.Unlock()
	token := "logout." + rand.Text()
	i.logouts[token] = domain.ProviderLogout{Identity: of, Sid: sid, ID: rand.Text(), Ends: i.now()}
	return domain.NewSecret(token)
}

// Issuer returns the issuer as configured.
func (i *IdentityProvider) Issuer() string { return i.issuer }

// Origins returns the origin of the issuer.
func (i *IdentityProvider) Origins() []domain.Origin {
	origin, err := domain.ParseOrigin(i.issuer)
	if err != nil {
		return nil
	}
	return []domain.Origin{origin}
}

// LoginURL returns an address that LogIn takes.
func (i *IdentityProvider) LoginURL(ctx context.Context, sent domain.SentToProvider) (string, error) {
	if err := i.asked(ctx); err != nil {
		return "", err
	}
	return i.endpoint("/authorize") + "?" + url.Values{
		"client_id": {providerClientID}, "redirect_uri": {providerRedirect}, "response_type": {"code"}, "scope": {"openid profile email"},
		"state": {sent.State.Reveal()}, "nonce": {sent.Nonce.Reveal()},
		"code_challenge": {challengeOf(sent.Verifier)}, "code_challenge_method": {"S256"},
	}.Encode(), nil
}

// Redeem exchanges a code of LogIn. A code is used up by the first try, whatever its outcome.
func (i *IdentityProvider) Redeem(ctx context.Context, code domain.Secret, sent domain.SentToProvider) (domain.ProviderAnswer, error) {
	if err := i.asked(ctx); err != nil {
		return domain.ProviderAnswer{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	c, ok := i.codes[code.Reveal()]
	delete(i.codes, code.Reveal())
	switch {
	case !ok || !i.now().Before(c.ends):
		return domain.ProviderAnswer{}, providerRefused("the provider does not know the code")
	case challengeOf(sent.Verifier) != c.challenge:
		return domain.ProviderAnswer{}, providerRefused("the provider expects another verifier")
	case sent.Nonce.IsZero() || sent.Nonce.Reveal() != c.nonce:
		return domain.ProviderAnswer{}, providerRefused("the ID token has another nonce")
	}
	return i.answer(c.login), nil
}

// Refresh renews a login. A refresh token is used up by the first try.
func (i *IdentityProvider) Refresh(ctx context.Context, refresh domain.Secret, of domain.Identity) (domain.ProviderAnswer, error) {
	if err := i.asked(ctx); err != nil {
		return domain.ProviderAnswer{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	login, ok := i.refreshes[refresh.Reveal()]
	delete(i.refreshes, refresh.Reveal())
	switch {
	case !ok:
		return domain.ProviderAnswer{}, providerRefused("the provider does not know the refresh token")
	case of != domain.Identity{Issuer: i.issuer, Subject: login.subject}:
		return domain.ProviderAnswer{}, providerRefused("the ID token is about another subject")
	}
	return i.answer(login), nil
}

// answer returns new tokens of the login. i.mu is held.
func (i *IdentityProvider) answer(login sessionAtProvider) domain.ProviderAnswer {
	person := i.people[login.subject]
	person.Sid = login.sid
	answer := domain.ProviderAnswer{Person: person, IDToken: domain.NewSecret("id." + rand.Text())}
	if !i.noRefresh {
		refresh := "refresh." + rand.Text()
		i.refreshes[refresh] = login
		answer.Refresh = domain.NewSecret(refresh)
	}
	return answer
}

// ReadLogout reads a token of LogoutToken, as often as it is given.
func (i *IdentityProvider) ReadLogout(ctx context.Context, token domain.Secret) (domain.ProviderLogout, error) {
	if err := i.asked(ctx); err != nil {
		return domain.ProviderLogout{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	out, ok := i.logouts[token.Reveal()]
	issued := out.Ends
	switch {
	case !ok:
		return domain.ProviderLogout{}, providerRefused("the logout token has a wrong signature")
	case out.Identity.Subject == "" && out.Sid == "":
		return domain.ProviderLogout{}, providerRefused("the logout token has neither sub nor sid")
	case out.Identity.Issuer != "" && out.Identity.Issuer != i.issuer:
		return domain.ProviderLogout{}, providerRefused("the logout token is of another issuer")
	case i.now().Sub(issued) > logoutLifetime || issued.Sub(i.now()) > providerSkew:
		return domain.ProviderLogout{}, providerRefused("the logout token is too old, or of the future")
	}
	out.Identity.Issuer = i.issuer
	out.Ends = domain.Instant(issued.Add(logoutLifetime + providerSkew))
	return out, nil
}

// LogoutURL returns an address with the ID token as hint.
func (i *IdentityProvider) LogoutURL(ctx context.Context, idToken domain.Secret, then string) (domain.Secret, error) {
	if err := i.asked(ctx); err != nil {
		return domain.Secret{}, err
	}
	return domain.NewSecret(i.endpoint("/logout") + "?" + url.Values{
		"id_token_hint": {idToken.Reveal()}, "post_logout_redirect_uri": {then}, "client_id": {providerClientID},
	}.Encode()), nil
}

// asked returns Unavailable if the provider is silent, and if ctx has ended.
func (i *IdentityProvider) asked(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	cause := context.Cause(ctx)
	if cause == nil && i.broken {
		cause = errors.New("memory: the provider is silent")
	}
	if cause == nil {
		return nil
	}
	return &domain.Error{Kind: domain.Unavailable, Public: "the identity provider does not answer; try again later, or log in with a password", Cause: cause}
}

func (i *IdentityProvider) endpoint(path string) string {
	return strings.TrimSuffix(i.issuer, "/") + path
}

// challengeOf returns the S256 challenge of a verifier (RFC 7636, section 4.2).
func challengeOf(verifier domain.Secret) string {
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func providerRefused(cause string) error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "the identity provider's answer was not accepted; log in again", Cause: fmt.Errorf("%w: memory: %s", domain.ErrProviderAnswer, cause)}
}
