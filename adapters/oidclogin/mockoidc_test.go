package oidclogin_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/domain"
)

// postOnly corrects what mockoidc says about itself: it takes the secret in the body only.
func postOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != mockoidc.DiscoveryEndpoint {
			next.ServeHTTP(w, r)
			return
		}
		base := "http://" + r.Host
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": base + mockoidc.IssuerBase, "authorization_endpoint": base + mockoidc.AuthorizationEndpoint, "token_endpoint": base + mockoidc.TokenEndpoint,
			"jwks_uri": base + mockoidc.JWKSEndpoint, "userinfo_endpoint": base + mockoidc.UserinfoEndpoint,
			"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		})
	})
}

func TestMockOIDC(t *testing.T) {
	server, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.AddMiddleware(postOnly); err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(nil).Listener
	if err := server.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Shutdown() })
	p := newProvider(t, oidclogin.Options{
		Issuer: server.Issuer(), ClientID: server.ClientID, ClientSecret: domain.NewSecret(server.ClientSecret), Scopes: []string{"openid", "profile", "email", "groups"},
	})
	// logIn returns the code for the default user.
	logIn := func() domain.Secret {
		address, err := p.LoginURL(t.Context(), sent)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := browser.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		back, err := answer.Location()
		if err != nil || back.Query().Get("state") != sent.State.Reveal() {
			t.Fatalf("the provider answered %s, %v", answer.Status, err)
		}
		return domain.NewSecret(back.Query().Get("code"))
	}
	code := logIn()
	answer, err := p.Redeem(t.Context(), code, sent)
	if err != nil {
		t.Fatal(err)
	}
	want := domain.Identity{Issuer: server.Issuer(), Subject: "1234567890"}
	if got := answer.Person; got.Identity != want || got.Name != "jane.doe" || !slices.Equal(got.Groups.Names, []string{"design", "engineering"}) {
		t.Errorf("Redeem: got %+v", got)
	}
	_, err = p.Redeem(t.Context(), code, sent)
	wantRefused(t, "Redeem of a used code", err, code.Reveal())
	other := sent
	other.Verifier = domain.NewSecret("another-verifier")
	_, err = p.Redeem(t.Context(), logIn(), other)
	wantRefused(t, "Redeem with another verifier", err, "another-verifier")
	other = sent
	other.Nonce = domain.NewSecret("another-nonce")
	_, err = p.Redeem(t.Context(), logIn(), other)
	wantRefused(t, "Redeem with another nonce", err, "another-nonce")
	if next, err := p.Refresh(t.Context(), answer.Refresh, want); err != nil || next.Person.Identity != want || len(next.Person.Groups.Names) != 2 {
		t.Errorf("Refresh: got %+v, %v", next.Person, err)
	}
	if end, err := p.LogoutURL(t.Context(), answer.IDToken, "https://flowlatch.example/"); err != nil || !end.IsZero() {
		t.Errorf("LogoutURL: got an address or error %v, want neither", err)
	}
	server.QueueError(&mockoidc.ServerError{Code: http.StatusBadGateway, Error: mockoidc.InternalServerError})
	_, err = p.Refresh(t.Context(), answer.Refresh, want)
	wantKind(t, err, domain.Unavailable)
}
