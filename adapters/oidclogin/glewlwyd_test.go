package oidclogin_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

const (
	// glewlwydTables makes the tables, and the user admin whose password is "password".
	glewlwydTables = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
	glewlwydConfig = `port = %[1]s
bind_address = "127.0.0.1"
external_url = "%[2]s"
login_url = "login.html"
api_prefix = "api"
log_mode = "console"
log_level = "WARNING"
cookie_secure = 0
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "/usr/lib/glewlwyd/user"
user_middleware_module_path = "%[3]s/none"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
hash_algorithm = "SHA512"
database = { type = "sqlite3"; path = "%[3]s/glewlwyd.db"; };
`
	glewlwydSecret = "glewlwyds-secret"
)

// glewlwyd is a server of glewlwyd, the OpenID Connect provider of Debian.
type glewlwyd struct{ url, issuer string }

// startGlewlwyd starts a server with the client "flowlatch", and with ana, who is in two groups.
func startGlewlwyd(t *testing.T) *glewlwyd {
	t.Helper()
	program, sqlite := testtools.Program(t, "glewlwyd"), testtools.Program(t, "sqlite3")
	folder, addr := t.TempDir(), testtools.FreeAddr(t)
	_, port, _ := strings.Cut(addr, ":")
	g := &glewlwyd{url: "http://" + addr, issuer: "http://" + addr + "/api/oidc"}
	if output, err := exec.CommandContext(t.Context(), sqlite, filepath.Join(folder, "glewlwyd.db"), ".read "+glewlwydTables).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if err := os.Mkdir(filepath.Join(folder, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "glewlwyd.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, glewlwydConfig, port, g.url, folder), 0o600); err != nil {
		t.Fatal(err)
	}
	testtools.Start(t, exec.Command(program, "--config-file="+config), addr, syscall.SIGTERM)
	g.configure(t)
	return g
}

// configure tells the server its groups, users, clients and keys.
func (g *glewlwyd) configure(t *testing.T) {
	t.Helper()
	admin := g.logIn(t, "admin", "password")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	type object = map[string]any
	g.call(t, admin, http.MethodPut, "/api/mod/user/database", object{
		"module": "database", "name": "database", "display_name": "Database", "order_rank": 0,
		"parameters": object{"use-glewlwyd-connection": true, "data-format": object{"groups": object{"multiple": true, "read": true, "write": true}}},
	})
	g.call(t, admin, http.MethodPut, "/api/mod/user/database/reset", nil)
	g.call(t, admin, http.MethodPost, "/api/user", ana("editors", "support"))
	g.call(t, admin, http.MethodPost, "/api/client", object{
		"client_id": "flowlatch", "name": "Flowlatch", "client_secret": glewlwydSecret, "confidential": true, "enabled": true,
		"redirect_uri": []string{redirectURL}, "authorization_type": []string{"code", "refresh_token"},
		"token_endpoint_auth_method": []string{"client_secret_basic"},
	})
	g.call(t, admin, http.MethodPost, "/api/mod/plugin", object{
		"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "enabled": true,
		"parameters": object{
			"iss": g.issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), "cert": text("PUBLIC KEY", public),
			"jwks-show": true, "access-token-duration": 3600, "refresh-token-duration": 3600, "code-duration": 600, "refresh-token-rolling": false,
			"allow-non-oidc": true, "auth-type-code-enabled": true, "auth-type-token-enabled": false, "auth-type-implicit-enabled": false,
			"auth-type-password-enabled": false, "auth-type-client-enabled": false, "auth-type-refresh-enabled": true,
			"pkce-allowed": true, "pkce-method-plain-allowed": false, "pkce-required": true, "session-management-allowed": true,
			"session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 3600, "subject-type": "public",
			"name-claim": "mandatory", "email-claim": "mandatory",
			"claims": []object{{"name": "groups", "user-property": "groups", "type": "string", "mandatory": true}},
		},
	})
}

// ana describes a user who is in the groups.
func ana(groups ...string) map[string]any {
	return map[string]any{
		"username": "ana", "password": "anas-password", "name": "Ana Blum", "email": "ana@example.com", "enabled": true,
		"scope": []string{"openid"}, "groups": groups,
	}
}

// logIn returns a browser where the user is logged in at the server.
func (g *glewlwyd) logIn(t *testing.T, user, password string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	g.call(t, browser, http.MethodPost, "/api/auth/", map[string]any{"username": user, "password": password})
	return browser
}

// call calls the server's own interface.
func (g *glewlwyd) call(t *testing.T, browser *http.Client, method, path string, body map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, g.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %s, %v: %s", method, path, answer.Status, err, said)
	}
}

// browse follows a login and returns the parameters of the answer. g_continue stands for the press of
// the button on the page of the server.
func (g *glewlwyd) browse(t *testing.T, browser *http.Client, loginURL string) url.Values {
	t.Helper()
	answer, err := browser.Get(loginURL + "&g_continue")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	back, err := answer.Location()
	if err != nil || !strings.HasPrefix(back.String(), redirectURL+"?") {
		t.Fatalf("the server answered %s with %v, want it to send the browser back", answer.Status, back)
	}
	return back.Query()
}

// code logs in with the browser and returns the code of the answer.
func (g *glewlwyd) code(t *testing.T, p *oidclogin.Provider, browser *http.Client, sent domain.SentToProvider) domain.Secret {
	t.Helper()
	address, err := p.LoginURL(t.Context(), sent)
	if err != nil {
		t.Fatalf("LoginURL: got error %v, want success", err)
	}
	back := g.browse(t, browser, address)
	if back.Get("state") != sent.State.Reveal() || back.Get("code") == "" {
		t.Fatalf("the server sent back %v", back)
	}
	return domain.NewSecret(back.Get("code"))
}

func TestGlewlwyd(t *testing.T) {
	g := startGlewlwyd(t)
	p := newProvider(t, oidclogin.Options{
		Issuer: g.issuer, ClientID: "flowlatch", ClientSecret: domain.NewSecret(glewlwydSecret), Scopes: []string{"openid"},
	})
	sent := sent
	sent.Verifier = domain.NewSecret(strings.Repeat("v", 43)) // RFC 7636, section 4.1, and the server insists
	browser := g.logIn(t, "ana", "anas-password")
	g.call(t, browser, http.MethodPut, "/api/auth/grant/flowlatch", map[string]any{"scope": "openid"})

	otherNonce, otherVerifier := sent, sent
	otherNonce.Nonce = domain.NewSecret("another-nonce")
	_, err := p.Redeem(t.Context(), g.code(t, p, browser, sent), otherNonce)
	wantRefused(t, "Redeem with another nonce", err, "another-nonce")

	// The server answers with status 403 and the error invalid_code, where RFC 6749, section 5.2, has
	// status 400 and invalid_grant.
	otherVerifier.Verifier = domain.NewSecret(strings.Repeat("w", 43))
	_, err = p.Redeem(t.Context(), g.code(t, p, browser, sent), otherVerifier)
	checkError(t, err, otherVerifier.Verifier.Reveal())
	wantKind(t, err, domain.NotAuthenticated)

	code := g.code(t, p, browser, sent)
	answer, err := p.Redeem(t.Context(), code, sent)
	if err != nil {
		t.Fatalf("Redeem: got error %v, want success", err)
	}
	person := answer.Person
	if person.Identity.Issuer != g.issuer || person.Identity.Subject == "" || person.Name != "ana" || !slices.Equal(person.Groups.Names, []string{"editors", "support"}) {
		t.Errorf("Redeem: got %+v", person)
	}
	end, err := p.LogoutURL(t.Context(), answer.IDToken, "https://flowlatch.example/console/")
	if err != nil || !strings.HasPrefix(end.Reveal(), g.issuer+"/end_session?") {
		t.Errorf("LogoutURL: got error %v, or an address that is not of the server", err)
	}

	g.call(t, g.logIn(t, "admin", "password"), http.MethodPut, "/api/user/ana", ana("support", "leads"))
	next, err := p.Refresh(t.Context(), answer.Refresh, person.Identity)
	if err != nil || next.Person.Identity != person.Identity || !slices.Equal(next.Person.Groups.Names, []string{"leads", "support"}) {
		t.Errorf("Refresh after a change of groups: got %+v, %v", next.Person, err)
	}
	_, err = p.Redeem(t.Context(), code, sent)
	checkError(t, err, code.Reveal())
	wantKind(t, err, domain.NotAuthenticated)
}
