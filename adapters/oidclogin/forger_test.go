package oidclogin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	clientID     = "our-client"
	clientSecret = "the-secret-of-our-client"
	anaSubject   = "subject-of-ana"
)

var sent = domain.SentToProvider{
	State: domain.NewSecret("the-state"), Nonce: domain.NewSecret("the-nonce"), Verifier: domain.NewSecret("the-verifier"),
}

// forger is a provider that answers whatever a test wants. Its parts are set before a request, or under mu.
type forger struct {
	url   string
	roots *x509.CertPool // nil for plain http
	key   *ecdsa.PrivateKey

	mu       sync.Mutex
	at       time.Time
	known    oidctest.Server // the keys
	idToken  string
	answers  map[string]http.HandlerFunc // by path, in place of the usual answer
	metadata map[string]any              // beside and in place of the usual
	userinfo map[string]any
	asked    map[string]int
	form     map[string]string // of the last request for tokens, with the user of the header
}

func newForger(t *testing.T, start func(http.Handler) *httptest.Server) *forger {
	t.Helper()
	key := newKey(t)
	f := &forger{
		key: key, at: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), answers: map[string]http.HandlerFunc{}, metadata: map[string]any{},
		userinfo: map[string]any{"sub": anaSubject, "groups": []string{"by userinfo"}}, asked: map[string]int{},
		known: oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "key-1", Algorithm: oidc.ES256}}},
	}
	server := start(http.HandlerFunc(f.serve))
	t.Cleanup(server.Close)
	f.url = server.URL
	if certificate := server.Certificate(); certificate != nil {
		f.roots = x509.NewCertPool()
		f.roots.AddCert(certificate)
	}
	f.idToken = f.sign(f.claims())
	return f
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (f *forger) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *forger) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

func (f *forger) times(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

// answer replaces the answer to a path.
func (f *forger) answer(path string, with http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = with
}

const discoveryPath = "/.well-known/openid-configuration"

func (f *forger) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	instead := f.answers[r.URL.Path]
	f.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case discoveryPath:
		all := map[string]any{
			"issuer": f.url, "authorization_endpoint": f.url + "/auth", "token_endpoint": f.url + "/token", "jwks_uri": f.url + "/keys",
			"userinfo_endpoint": f.url + "/userinfo", "end_session_endpoint": f.url + "/end?kept=1",
		}
		maps.Copy(all, f.metadata)
		writeJSON(w, http.StatusOK, all)
	case "/keys":
		f.known.ServeHTTP(w, r)
	case "/token":
		user, _, _ := r.BasicAuth()
		f.form = map[string]string{"user": user, "client_id": r.PostFormValue("client_id"), "client_secret": r.PostFormValue("client_secret")}
		all := map[string]any{"access_token": "the-access-token", "token_type": "Bearer", "refresh_token": "refresh-2"}
		if f.idToken != "" {
			all["id_token"] = f.idToken
		}
		writeJSON(w, http.StatusOK, all)
	case "/userinfo":
		writeJSON(w, http.StatusOK, f.userinfo)
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// claims returns those of an ID token that is accepted.
func (f *forger) claims() map[string]any {
	return map[string]any{
		"iss": f.url, "aud": clientID, "sub": anaSubject, "nonce": sent.Nonce.Reveal(), "groups": []string{"staff"}, "sid": "sid-1",
		"iat": f.now().Unix(), "exp": f.now().Add(5 * time.Minute).Unix(), "preferred_username": "ana",
	}
}

// logoutClaims returns those of a logout token that is accepted.
func (f *forger) logoutClaims() map[string]any {
	return map[string]any{
		"iss": f.url, "aud": clientID, "sub": anaSubject, "sid": "sid-1", "jti": "jti-1", "iat": f.now().Unix(), "exp": f.now().Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
}

func (f *forger) sign(claims map[string]any) string {
	return signBy(f.key, "key-1", oidc.ES256, claims)
}

func signBy(key crypto.PrivateKey, kid, alg string, claims map[string]any) string {
	return oidctest.SignIDToken(key, kid, alg, marshal(claims))
}

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// withHeader signs the claims by ECDSA under any header.
func (f *forger) withHeader(header, claims map[string]any) string {
	signed := segment(marshal(header)) + "." + segment(marshal(claims))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, sum[:])
	if err != nil {
		panic(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + segment(string(signature[:]))
}

// hs256 signs the claims with a shared secret.
func hs256(secret []byte, kid string, claims map[string]any) string {
	signed := segment(marshal(map[string]any{"alg": "HS256", "kid": kid, "typ": "JWT"})) + "." + segment(marshal(claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + segment(string(mac.Sum(nil)))
}

func (f *forger) options() oidclogin.Options {
	return oidclogin.Options{Issuer: f.url, ClientID: clientID, ClientSecret: domain.NewSecret(clientSecret), Now: f.now, RootCAs: f.roots}
}

// redeem exchanges a code for the ID token.
func (f *forger) redeem(t *testing.T, p *oidclogin.Provider, idToken string) (domain.ProviderAnswer, error) {
	t.Helper()
	f.mu.Lock()
	f.idToken = idToken
	f.mu.Unlock()
	answer, err := p.Redeem(t.Context(), domain.NewSecret("the-code"), sent)
	checkError(t, err, idToken)
	return answer, err
}

// checkError fails the test if the error is none of ours, or shows a secret.
func checkError(t *testing.T, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || e.Public == "" {
		t.Errorf("got the error %v, want one with a sentence", err)
	}
	for _, secret := range append(secrets, clientSecret, "the-code", "the-verifier", "the-nonce", "the-access-token", "refresh-1", "refresh-2") {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q holds %q", err, secret)
		}
	}
}

func wantKind(t *testing.T, err error, kind domain.Kind) {
	t.Helper()
	if domain.KindOf(err) != kind {
		t.Errorf("got error %v, want one of kind %q", err, kind)
	}
}

func wantPublic(t *testing.T, err error, parts ...string) {
	t.Helper()
	e, _ := errors.AsType[*domain.Error](err)
	for _, part := range parts {
		if e == nil || !strings.Contains(e.Public, part) {
			t.Errorf("got error %v, want a sentence with %q", err, part)
		}
	}
}
