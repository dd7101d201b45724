package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// IdentityProvider is the company's OpenID Connect provider. It is safe for concurrent use. Every
// method but Issuer and Origins may ask the provider, which takes at most five seconds. Returns
// Unavailable, with a sentence that says what is wrong, if the provider can't be reached or gives no
// usable answer; that is so before the first successful discovery too, and each call tries again.
type IdentityProvider interface {
	// Issuer returns the issuer as configured.
	Issuer() string

	// Origins returns the origins to which a browser is sent for a login and a logout, as far as they
	// are known: at least that of the issuer. It does not ask.
	Origins() []domain.Origin

	// LoginURL returns the address to which a browser is sent to log in: the authorization endpoint,
	// with the state, the nonce and the S256 challenge of the verifier (RFC 7636).
	LoginURL(ctx context.Context, sent domain.SentToProvider) (string, error)

	// Redeem exchanges the code that the provider's answer brought and checks the ID token (OpenID
	// Connect Core 1.0, section 3.1.3.7): its signature, by asymmetric algorithms only, iss, aud, azp, exp and
	// iat within 60 seconds of skew, and in every case the nonce. now is the time. Returns
	// NotAuthenticated if the provider refuses the code, and if anything about the ID token is wrong;
	// the cause says what, for the log. The groups come from the ID token, else from userinfo.
	Redeem(ctx context.Context, code domain.Secret, sent domain.SentToProvider) (domain.ProviderAnswer, error)

	// Refresh renews a login by its refresh token. The answer has the refresh token for the next time,
	// and the ID token if there is a new one. Returns NotAuthenticated if the provider refuses, and if
	// the answer is about somebody else than of.
	Refresh(ctx context.Context, refresh domain.Secret, of domain.Identity) (domain.ProviderAnswer, error)

	// ReadLogout checks a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6) and returns what it
	// says. Returns NotAuthenticated if anything about it is wrong, if it has a nonce, or if it was
	// issued more than five minutes before now.
	ReadLogout(ctx context.Context, token domain.Secret) (domain.ProviderLogout, error)

	// LogoutURL returns the address to which a browser is sent to end its session at the provider
	// (OpenID Connect RP-Initiated Logout 1.0), with the ID token as hint. then is where the provider
	// sends it afterwards. Returns "" if the provider has no such address.
	LogoutURL(ctx context.Context, idToken domain.Secret, then string) (domain.Secret, error)
}
