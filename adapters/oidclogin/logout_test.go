package oidclogin_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/flowlatch/flowlatch/domain"
)

// Each forged logout token is refused for the reason that its row names.
func TestForgedLogoutTokens(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	edited := func(edit func(map[string]any)) string {
		claims := f.logoutClaims()
		edit(claims)
		return f.sign(claims)
	}
	with := func(name string, value any) string { return edited(func(c map[string]any) { c[name] = value }) }
	without := func(names ...string) string {
		return edited(func(c map[string]any) {
			for _, name := range names {
				delete(c, name)
			}
		})
	}
	event := func(value any) string {
		return with("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": value})
	}
	head := func(typ string) string {
		return f.withHeader(map[string]any{"alg": "ES256", "kid": "key-1", "typ": typ}, f.logoutClaims())
	}
	for _, row := range []struct{ name, token, cause string }{
		{"it has a nonce", with("nonce", "the-nonce"), "nonce"},
		{"it has a nonce that is null", with("nonce", nil), "nonce"},
		{"it was issued 301 seconds ago", with("iat", f.now().Add(-301*time.Second).Unix()), "older than 5 minutes"},
		{"it was issued 61 seconds from now", with("iat", f.now().Add(61*time.Second).Unix()), "future"},
		{"it says not when it was issued", without("iat"), "iat"},
		{"it expired 61 seconds ago", with("exp", f.now().Add(-61*time.Second).Unix()), "expired"},
		{"it never expires", without("exp"), "exp"},
		{"it has neither sub nor sid", without("sub", "sid"), "sub"},
		{"its sub and sid are empty", edited(func(c map[string]any) { c["sub"], c["sid"] = "", "" }), "sub"},
		{"its sub is empty", with("sub", ""), "subject"},
		{"its sid can't be stored", with("sid", "a\x00b"), "sid"},
		{"it has no id", without("jti"), "jti"},
		{"its id is too long", with("jti", strings.Repeat("j", 256)), "jti"},
		{"it has no events", without("events"), "event"},
		{"it has another event", with("events", map[string]any{"http://schemas.openid.net/event/other": map[string]any{}}), "event"},
		{"its event is null", event(nil), "event"},
		{"its event is a text", event("yes"), "event"},
		{"it is an ID token", f.sign(f.claims()), "event"},
		{"it is an ID token without nonce", func() string { c := f.claims(); delete(c, "nonce"); return f.sign(c) }(), "event"},
		{"it says that it is an access token", head("at+jwt"), "at+jwt"},
		{"it says that it is a security event", head("secevent+jwt"), "secevent+jwt"},
		{"it is for another client", with("aud", "another-client"), "audience"},
		{"it is of another issuer", with("iss", "https://evil.example"), "different provider"},
		{"HS256 with the client secret", hs256([]byte(clientSecret), "key-1", f.logoutClaims()), "algorithm"},
		{"the algorithm is none", segment(`{"alg":"none"}`) + "." + segment(marshal(f.logoutClaims())) + ".", "algorithm"},
		{"it is signed by another key", signBy(newKey(t), "key-1", oidc.ES256, f.logoutClaims()), "signature"},
		{"it is no token", "garbage", "compact"},
		{"it is empty", "", "compact"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := p.ReadLogout(t.Context(), domain.NewSecret(row.token))
			checkError(t, err, row.token)
			wantKind(t, err, domain.NotAuthenticated)
			if err != nil && !strings.Contains(err.Error(), row.cause) {
				t.Errorf("got error %v, want a cause with %q", err, row.cause)
			}
		})
	}
}

func TestGoodLogoutTokens(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	for name, token := range map[string]string{
		"with a type":          f.withHeader(map[string]any{"alg": "ES256", "kid": "key-1", "typ": "application/logout+JWT"}, f.logoutClaims()),
		"with the type of all": f.withHeader(map[string]any{"alg": "ES256", "kid": "key-1", "typ": "JWT"}, f.logoutClaims()),
		"without a type":       f.sign(f.logoutClaims()),
		"issued 300 seconds ago": f.sign(func() map[string]any {
			c := f.logoutClaims()
			c["iat"] = f.now().Add(-5 * time.Minute).Unix()
			return c
		}()),
		"issued 60 seconds from now": f.sign(func() map[string]any { c := f.logoutClaims(); c["iat"] = f.now().Add(time.Minute).Unix(); return c }()),
	} {
		got, err := p.ReadLogout(t.Context(), domain.NewSecret(token))
		if err != nil || got.ID != "jti-1" || got.Sid != "sid-1" || got.Identity != (domain.Identity{Issuer: f.url, Subject: anaSubject}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		// Nothing is forgotten while another instance, whose clock is a minute behind, may take it.
		if iat := got.Ends.Add(-6 * time.Minute); iat.Before(f.now().Add(-5 * time.Minute)) {
			t.Errorf("%s: the id is remembered until %v only", name, got.Ends)
		}
	}
}

func TestLogoutURL(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	got, err := p.LogoutURL(t.Context(), domain.NewSecret("the.id.token"), "https://flowlatch.example/console/")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got.Reveal())
	if err != nil || !strings.HasPrefix(got.Reveal(), f.url+"/end?") {
		t.Fatalf("LogoutURL: got an address that is not of the end session endpoint: %v", err)
	}
	for name, want := range map[string]string{
		"kept": "1", "id_token_hint": "the.id.token", "client_id": clientID, "post_logout_redirect_uri": "https://flowlatch.example/console/",
	} {
		if u.Query().Get(name) != want {
			t.Errorf("LogoutURL: %s is %q, want %q", name, u.Query().Get(name), want)
		}
	}
	f.metadata["end_session_endpoint"] = ""
	got, err = newProvider(t, f.options()).LogoutURL(t.Context(), domain.NewSecret("the.id.token"), "https://flowlatch.example/")
	if err != nil || !got.IsZero() {
		t.Errorf("LogoutURL without the endpoint: got an address or error %v, want neither", err)
	}
}
