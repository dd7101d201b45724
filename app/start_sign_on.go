package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SignOnLifetime is how long a login by the identity provider may take, from the button to the answer.
const SignOnLifetime = 10 * time.Minute

// StartSignOn is the input of Service.StartSignOn.
type StartSignOn struct {
	// Return is the local path to go to after the login; "" for the overview. It counts as "" unless it
	// is a domain.LocalPath.
	Return string
	// Link links the caller's own user to the identity instead of logging in. Password is then their
	// password.
	Link     bool
	Password domain.Secret
}

// StartedSignOn is the outcome of Service.StartSignOn.
type StartedSignOn struct {
	URL string // where the browser goes
	// Cookie has to come back with the answer, within SignOnLifetime. It is sealed.
	Cookie string
}

// StartSignOn begins a login by the identity provider. Returns NotFound if there is no provider.
// Returns Unavailable, with a sentence that says what is wrong, if the provider does not answer. To link,
// it returns the errors of checkPassword, and NotAuthenticated if the caller has no login.
func (s *Service) StartSignOn(ctx context.Context, call domain.Call, in StartSignOn) (StartedSignOn, error) {
	if err := s.mustSignOn(); err != nil {
		return StartedSignOn{}, err
	}
	under := signOnUnderWay{Issuer: s.provider.Issuer()}
	if path, local := domain.LocalPath(in.Return); local {
		under.Return = path
	}
	if in.Link {
		login := call.Caller.Login.ID
		if login == "" {
			return StartedSignOn{}, domain.NotLoggedIn(nil)
		}
		if _, err := s.checkPassword(ctx, call, in.Password); err != nil {
			return StartedSignOn{}, err
		}
		under.Link = string(login)
	}
	for _, part := range []*string{&under.State, &under.Nonce, &under.Verifier} {
		var err error
		if *part, err = s.randomText("a login by the identity provider"); err != nil {
			return StartedSignOn{}, err
		}
	}
	cookie, err := s.sealSignOn(under)
	if err != nil {
		return StartedSignOn{}, err
	}
	address, err := s.provider.LoginURL(ctx, under.sent())
	if err != nil {
		return StartedSignOn{}, err
	}
	return StartedSignOn{URL: address, Cookie: cookie}, nil
}

// signOnUnderWay is what the cookie of a login by the identity provider holds, sealed.
type signOnUnderWay struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Issuer   string `json:"issuer"`
	Return   string `json:"return,omitzero"`
	Link     string `json:"link,omitzero"` // the login whose user is to be linked
}

func (u signOnUnderWay) sent() domain.SentToProvider {
	return domain.SentToProvider{
		State: domain.NewSecret(u.State), Nonce: domain.NewSecret(u.Nonce), Verifier: domain.NewSecret(u.Verifier),
	}
}

// sealSignOn returns the cookie of a login by the identity provider, which lasts for SignOnLifetime. It
// forgets where to return to if the cookie would be too long.
func (s *Service) sealSignOn(under signOnUnderWay) (string, error) {
	ends := domain.Instant(s.ports.Clock().Add(SignOnLifetime))
	for {
		plain, err := json.Marshal(under)
		if err != nil {
			return "", err
		}
		text, err := s.cookies.SealUntil(ends, string(plain), domain.BindSignOn())
		if domain.KindOf(err) == domain.Invalid && under.Return != "" {
			under.Return = ""
			continue
		}
		return text, err
	}
}

// randomSize is how much randomness is in a text of randomText, in bytes.
const randomSize = 32

// randomText returns a text that can't be guessed: 43 characters of base64url. what says what it is for.
func (s *Service) randomText(what string) (string, error) {
	random := make([]byte, randomSize)
	if _, err := io.ReadFull(s.ports.Random, random); err != nil {
		return "", fmt.Errorf("app: no randomness for %s: %w", what, err)
	}
	return base64.RawURLEncoding.EncodeToString(random), nil
}
