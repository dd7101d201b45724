package oidclogin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/flowlatch/flowlatch/domain"
)

// algorithms are the signatures that are accepted, whatever the provider announces: never none, and none
// with a shared secret.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// Redeem exchanges a code for tokens and reads them. Userinfo is asked only if the ID token lacks the
// claim of the groups.
func (p *Provider) Redeem(ctx context.Context, code domain.Secret, sent domain.SentToProvider) (domain.ProviderAnswer, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.http), p.timeout)
	defer cancel()
	if code.IsZero() || sent.Nonce.IsZero() || sent.Verifier.IsZero() {
		return domain.ProviderAnswer{}, refusedBecause("the code, the nonce or the verifier is missing")
	}
	found, err := p.found.get(ctx)
	if err != nil {
		return domain.ProviderAnswer{}, err
	}
	tokens, err := p.config(found).Exchange(ctx, code.Reveal(), oauth2.VerifierOption(sent.Verifier.Reveal()))
	if err != nil {
		return domain.ProviderAnswer{}, tokenFailure(ctx, err)
	}
	idToken := idTokenOf(tokens)
	if idToken.IsZero() {
		return domain.ProviderAnswer{}, refusedBecause("the answer has no ID token")
	}
	said, err := p.verify(ctx, found, idToken, tokens.AccessToken)
	if err != nil {
		return domain.ProviderAnswer{}, err
	}
	// go-oidc leaves this to its caller (OpenID Connect Core 1.0, section 3.1.3.7, 11).
	if !sent.Nonce.Equal(domain.NewSecret(said.text("nonce"))) {
		return domain.ProviderAnswer{}, refusedBecause("the ID token has no nonce or another one")
	}
	return p.answer(ctx, found, tokens, said)
}

// Refresh renews a login. If the answer has no ID token, userinfo says who it is about.
func (p *Provider) Refresh(ctx context.Context, refresh domain.Secret, of domain.Identity) (domain.ProviderAnswer, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.http), p.timeout)
	defer cancel()
	if refresh.IsZero() || of.Issuer != p.issuer {
		return domain.ProviderAnswer{}, refusedBecause("there is no refresh token, or it is of another issuer")
	}
	found, err := p.found.get(ctx)
	if err != nil {
		return domain.ProviderAnswer{}, err
	}
	tokens, err := p.config(found).TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	if err != nil {
		return domain.ProviderAnswer{}, tokenFailure(ctx, err)
	}
	said := claims{"sub": quoted(of.Subject)} // what userinfo has to say too
	if idToken := idTokenOf(tokens); !idToken.IsZero() {
		// It has no nonce, or that of the login, which is not kept (OpenID Connect Core 1.0, section 12.2).
		if said, err = p.verify(ctx, found, idToken, tokens.AccessToken); err != nil {
			return domain.ProviderAnswer{}, err
		}
	}
	if said.text("sub") != of.Subject {
		return domain.ProviderAnswer{}, refusedBecause("the new ID token is about another subject")
	}
	return p.answer(ctx, found, tokens, said)
}

func idTokenOf(tokens *oauth2.Token) domain.Secret {
	text, _ := tokens.Extra("id_token").(string)
	return domain.NewSecret(text)
}

// answer reads who the claims are about, with the help of userinfo if they lack the groups.
func (p *Provider) answer(ctx context.Context, found *endpoints, tokens *oauth2.Token, said claims) (domain.ProviderAnswer, error) {
	identity, err := domain.NewIdentity(p.issuer, said.text("sub"))
	if err != nil {
		return domain.ProviderAnswer{}, refused(err)
	}
	groups, name := said.groups(p.claim), said.name()
	if groups.State == domain.GroupsAbsent && found.Userinfo != "" {
		more, err := p.userinfo(ctx, found, tokens.AccessToken)
		if err != nil {
			return domain.ProviderAnswer{}, err
		}
		// Somebody may have put another one's access token into the answer (OpenID Connect Core 1.0, section 5.3.2).
		if more.text("sub") != identity.Subject {
			return domain.ProviderAnswer{}, refusedBecause("userinfo is about another subject")
		}
		groups = more.groups(p.claim)
		if name == "" {
			name = more.name()
		}
	}
	return domain.ProviderAnswer{
		Person:  domain.Person{Identity: identity, Name: name, Groups: groups, Sid: said.id("sid")},
		IDToken: idTokenOf(tokens), Refresh: domain.NewSecret(tokens.RefreshToken),
	}, nil
}

func (p *Provider) userinfo(ctx context.Context, found *endpoints, access string) (claims, error) {
	body, err := p.get(ctx, found.Userinfo, access)
	if err != nil {
		return nil, unavailable(errors.Join(errors.New("userinfo"), err), "")
	}
	more, err := readClaims(body)
	if err != nil {
		return nil, unavailable(errors.New("userinfo is no JSON object"), "")
	}
	return more, nil
}

// verify checks an ID token but for its nonce (OpenID Connect Core 1.0, section 3.1.3.7), and returns its
// claims. access is the access token that came with it. Returns Unavailable if the keys can't be had, and
// NotAuthenticated if anything is wrong.
func (p *Provider) verify(ctx context.Context, found *endpoints, idToken domain.Secret, access string) (claims, error) {
	if typ, err := typeOf(idToken.Reveal()); err != nil || typ == "at+jwt" || typ == logoutType {
		return nil, refused(cmp.Or(err, errors.New("the token is a "+typ)))
	}
	token, err := verified(p, found, func(v *oidc.IDTokenVerifier) (*oidc.IDToken, error) { return v.Verify(ctx, idToken.Reveal()) })
	if err != nil {
		return nil, err
	}
	said, err := claimsOf(token)
	if err != nil {
		return nil, refused(err)
	}
	_, hasEvents := said["events"]
	party, hasParty := said["azp"]
	switch {
	case said.text("sub") != token.Subject:
		return nil, refusedBecause("the ID token has sub twice, in upper and lower case")
	case hasEvents:
		return nil, refusedBecause("the ID token has events, as logout tokens do")
	case hasParty && said.text("azp") != p.login.ClientID:
		return nil, refusedBecause("the ID token is for another party: azp is " + string(party))
	case !hasParty && len(token.Audience) > 1:
		return nil, refusedBecause("the ID token is for several audiences and has no azp")
	}
	if problem := p.issueTime(token.IssuedAt); problem != "" {
		return nil, refusedBecause("the ID token " + problem)
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(access); err != nil {
			return nil, refused(err)
		}
	}
	return said, nil
}

// issueTime says what is wrong with iat, "" if nothing is.
func (p *Provider) issueTime(at time.Time) string {
	switch {
	case at.IsZero():
		return "has no iat"
	case at.After(p.now().Add(skew)):
		return "is of the future"
	}
	return ""
}

// verified lets check verify the signature, iss, aud and exp of a token.
func verified[T any](p *Provider, found *endpoints, check func(*oidc.IDTokenVerifier) (T, error)) (T, error) {
	var none T
	keys := &watchedKeys{KeySet: found.keys}
	got, err := check(oidc.NewVerifier(p.issuer, keys, &oidc.Config{
		ClientID: p.login.ClientID, SupportedSigningAlgs: slices.Clone(algorithms),
		Now: func() time.Time { return p.now().Add(-skew) }, // an end may be past by that much
	}))
	switch {
	case keys.unavailable != nil:
		return none, unavailable(errors.Join(errors.New("keys"), keys.unavailable), "")
	case err != nil:
		return none, refused(err)
	}
	return got, nil
}

// typeOf returns typ of the header of a token in the compact serialization, in lower case, "" if there is
// none. Other serializations, which may have several signatures, are an error.
func typeOf(token string) (string, error) {
	head, _, ok := strings.Cut(token, ".")
	if !ok || strings.Count(token, ".") != 2 || strings.ContainsFunc(token, notCompact) {
		return "", errors.New("the token is no JWT in the compact serialization")
	}
	header, err := readSegment(head)
	if err != nil {
		return "", errors.New("the token has a header that is no JSON object")
	}
	return strings.TrimPrefix(strings.ToLower(header.text("typ")), "application/"), nil
}

func notCompact(c rune) bool { return !strings.ContainsRune(compact, c) }

// compact are the characters of the compact serialization: base64url, and the dot in between.
const compact = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
