package vaulttransit_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/vaulttransit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/vaulttest"
)

const token = vaulttest.Token

// aead is one on the key, over plain HTTP.
func aead(t *testing.T, v *vaulttest.Server, key string) *vaulttransit.AEAD {
	t.Helper()
	return newAEAD(t, vaulttransit.Options{URL: v.Transit(key), Token: domain.NewSecret(token)})
}

func newAEAD(t *testing.T, o vaulttransit.Options) *vaulttransit.AEAD {
	t.Helper()
	a, err := vaulttransit.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantError fails the test unless err is of the kind and says nothing that it must not.
func wantError(t *testing.T, what string, err error, want domain.Kind, says string) {
	t.Helper()
	e, ours := errors.AsType[*domain.Error](err)
	if !ours || e.Kind != want || !strings.Contains(e.Public, says) {
		t.Errorf("%s: got error %v, want kind %q that says %q", what, err, want, says)
	}
	if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "body")) {
		t.Errorf("%s: the error %q holds the token or what was answered", what, err)
	}
}

func TestWhatIsEncryptedOpensForWhatItIsBoundToOnly(t *testing.T) {
	v := vaulttest.Start(t)
	a, other := aead(t, v, "keyset"), aead(t, v, "other")
	for _, plain := range [][]byte{[]byte("x"), []byte("\x00\xff\xfe"), bytes.Repeat([]byte("k"), 64<<10)} {
		sealed, err := a.Encrypt(plain, []byte("for this"))
		if err != nil {
			t.Fatalf("Encrypt: got error %v, want success", err)
		}
		if got, err := a.Decrypt(sealed, []byte("for this")); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Decrypt: got %q and error %v, want what was encrypted", got, err)
		}
		_, err = a.Decrypt(sealed, []byte("for that"))
		wantError(t, "Decrypt for something else", err, domain.Corrupt, "another key")
		_, err = other.Decrypt(sealed, []byte("for this"))
		wantError(t, "Decrypt with another key", err, domain.Corrupt, "another key")
		sealed[len(sealed)/2] ^= 1
		_, err = a.Decrypt(sealed, []byte("for this"))
		wantError(t, "Decrypt of altered bytes", err, domain.Corrupt, "another key")
	}
	asked := v.Asked()
	for _, sealed := range []string{"", "x", "AQIDBA==", "Vault:v1:x"} {
		_, err := a.Decrypt([]byte(sealed), nil)
		wantError(t, "Decrypt of what Vault did not encrypt", err, domain.Corrupt, "Vault did not encrypt this")
	}
	if got := v.Asked(); got != asked {
		t.Error("Vault was asked to decrypt what it did not encrypt")
	}
}

func TestWhatVaultRefuses(t *testing.T) {
	v := vaulttest.Start(t)
	at := "vault-transit+http://" + v.Host()
	for _, tc := range []struct {
		name, url, token string
		want             domain.Kind
		says             string
	}{
		{"another token", at + "/team/transit/keyset", "hvs.other", domain.Unavailable, "status 403"},
		{"a namespace that the token is not of", at + "/team/transit/keyset?namespace=ns1", token, domain.Unavailable, "status 403"},
		{"another mount", at + "/transit/keyset", token, domain.Corrupt, "status 404"},
		{"a key that does not exist", at + "/team/transit/nothing", token, domain.Corrupt, "status 400"},
	} {
		a := newAEAD(t, vaulttransit.Options{URL: tc.url, Token: domain.NewSecret(tc.token)})
		_, err := a.Encrypt([]byte("x"), nil)
		wantError(t, tc.name+": Encrypt", err, tc.want, tc.says)
		_, err = a.Decrypt([]byte("vault:v1:x"), nil)
		wantError(t, tc.name+": Decrypt", err, tc.want, tc.says)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	elsewhere := vaulttest.Start(t)
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"errors":["body `+token+`"]}`)
		}
	}
	says := func(body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	for _, tc := range []struct {
		name    string
		instead func(http.ResponseWriter, *http.Request)
		says    string
	}{
		{"sealed", status(503), "is sealed or down (status 503)"},
		{"broken", status(500), "status 500"},
		{"too many requests", status(429), "status 429"},
		{"no content", status(204), "status 204"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}, "redirect, which is not followed (status 307)"},
		{"garbage", says("<html>body " + token), "not Vault's"},
		{"nothing", says(""), "not Vault's"},
		{"an empty object", says("{}"), "not Vault's"},
		{"other data", says(`{"data":{"ciphertext":"body","plaintext":"%%%"}}`), "not Vault's"},
		{"data of another type", says(`{"data":["body"]}`), "not Vault's"},
		{"a huge answer", says(`{"data":{"ciphertext":"vault:v1:x","plaintext":"eA=="},"more":"` + strings.Repeat("x", 1<<20) + `"}`), "not Vault's"},
		{"a broken answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"data":`)
		}, "broke off its response"},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := vaulttest.Start(t)
			v.Instead = tc.instead
			a := aead(t, v, "keyset")
			got, err := a.Encrypt([]byte("x"), nil)
			wantError(t, "Encrypt", err, domain.Unavailable, tc.says)
			plain, err := a.Decrypt([]byte("vault:v1:x"), nil)
			wantError(t, "Decrypt", err, domain.Unavailable, tc.says)
			if got != nil || plain != nil {
				t.Error("something came with the error")
			}
			if v.Asked() != 2 {
				t.Errorf("it was asked %d times, want once for each call", v.Asked())
			}
		})
	}
	if elsewhere.Asked() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestASlowAnswerIsNotWaitedFor(t *testing.T) {
	v := vaulttest.Start(t)
	v.Instead = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that it is noticed when the other side leaves
		<-r.Context().Done()
	}
	a := newAEAD(t, vaulttransit.Options{URL: "vault-transit+http://" + v.Host() + "/m/k", Token: domain.NewSecret(token), Timeout: 20 * time.Millisecond})
	_, err := a.Encrypt([]byte("x"), nil)
	wantError(t, "Encrypt", err, domain.Unavailable, "does not answer")
}

func TestNobodyListens(t *testing.T) {
	v := vaulttest.Start(t)
	a := aead(t, v, "keyset")
	v.Close()
	_, err := a.Decrypt([]byte("vault:v1:x"), nil)
	wantError(t, "Decrypt", err, domain.Unavailable, "Vault at "+v.Host()+" does not answer")
}

func TestWhatIsSentOverTLS(t *testing.T) {
	v := vaulttest.StartTLS(t)
	var seen *http.Request
	var sent map[string]string
	v.Instead = func(w http.ResponseWriter, r *http.Request) {
		seen = r
		_ = json.NewDecoder(r.Body).Decode(&sent)
		_, _ = io.WriteString(w, `{"data":{"ciphertext":"vault:v1:x"}}`)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.Certificate().Raw}))
	o := vaulttransit.Options{URL: "vault-transit://" + v.Host() + "/transit/keyset?namespace=a/b", Token: domain.NewSecret(token), RootCAs: roots}
	if _, err := newAEAD(t, o).Encrypt([]byte("plain"), []byte("associated")); err != nil {
		t.Fatalf("Encrypt: got error %v, want success", err)
	}
	if seen.Method != "POST" || seen.URL.Path != "/v1/transit/encrypt/keyset" || seen.Header.Get("X-Vault-Token") != token ||
		seen.Header.Get("X-Vault-Namespace") != "a/b" || seen.Header.Get("Authorization") != "" {
		t.Errorf("it was sent %s %s with %d headers", seen.Method, seen.URL.Path, len(seen.Header))
	}
	if len(sent) != 2 || sent["plaintext"] != "cGxhaW4=" || sent["associated_data"] != "YXNzb2NpYXRlZA==" {
		t.Errorf("it was sent %v", sent)
	}
	o.RootCAs = nil
	_, err := newAEAD(t, o).Encrypt([]byte("plain"), nil)
	wantError(t, "Encrypt with a certificate that nobody vouches for", err, domain.Unavailable, "does not answer")
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]bool{
		"vault-transit://vault.example:8200/transit/keyset":              true,
		"vault-transit://vault.example/a/b/c/keyset":                     true,
		"vault-transit://vault.example/transit/keyset?namespace=admin/x": true,
		"vault-transit+http://127.0.0.1:8200/transit/keyset":             true,
		"vault-transit+http://[::1]:8200/transit/keyset":                 true,
		"vault-transit+http://localhost:8200/transit/keyset":             true,
		"": false, "x": false, "https://vault.example/transit/keyset": false,
		"vault-transit+http://vault.example/transit/keyset":           false,
		"vault-transit+http://127.0.0.1.example/transit/keyset":       false,
		"vault-transit://vault.example":                               false,
		"vault-transit://vault.example/keyset":                        false,
		"vault-transit://vault.example/transit/":                      false,
		"vault-transit://vault.example//keyset":                       false,
		"vault-transit://vault.example/transit/../sys/keyset":         false,
		"vault-transit://vault.example/transit/.":                     false,
		"vault-transit://vault.example/transit/key%2fset":             false,
		"vault-transit:///transit/keyset":                             false,
		"vault-transit://u:p@vault.example/transit/keyset":            false,
		"vault-transit://vault.example/transit/keyset#x":              false,
		"vault-transit://vault.example/transit/keyset?other=x":        false,
		"vault-transit://vault.example/transit/keyset?namespace=a%0a": false,
	} {
		err := vaulttransit.CheckURL(url)
		if _, alike := vaulttransit.New(vaulttransit.Options{URL: url, Token: domain.NewSecret(token)}); (alike == nil) != (err == nil) {
			t.Errorf("%q: CheckURL says %v and New %v", url, err, alike)
		}
		if got := err == nil; got != want || err != nil && domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: got error %v, want one: %v", url, err, !want)
		}
	}
}

func TestWhatNewRefuses(t *testing.T) {
	const url = "vault-transit://vault.example/transit/keyset"
	for name, o := range map[string]vaulttransit.Options{
		"no token":             {URL: url},
		"a token with a break": {URL: url, Token: domain.NewSecret("hvs.x\nX-Other: y")},
		"a negative timeout":   {URL: url, Token: domain.NewSecret(token), Timeout: -1},
	} {
		_, err := vaulttransit.New(o)
		wantError(t, name, err, domain.Invalid, "Vault")
	}
}

func FuzzURL(f *testing.F) {
	f.Add("vault-transit://vault.example:8200/transit/keyset?namespace=x")
	f.Add("vault-transit+http://127.0.0.1/a/b")
	f.Fuzz(func(t *testing.T, url string) {
		if err := vaulttransit.CheckURL(url); err != nil && domain.KindOf(err) != domain.Invalid {
			t.Fatalf("CheckURL: got error %v, want kind %q", err, domain.Invalid)
		}
	})
}

func TestARenewedTokenIsUsed(t *testing.T) {
	v := vaulttest.Start(t)
	now, readable := domain.NewSecret("hvs.expired"), true
	a := newAEAD(t, vaulttransit.Options{URL: v.Transit("keyset"), Token: domain.NewSecret("hvs.expired"), ReadToken: func() (domain.Secret, error) {
		if !readable {
			return domain.Secret{}, errors.New("no such file")
		}
		return now, nil
	}})
	_, err := a.Encrypt([]byte("x"), nil)
	wantError(t, "Encrypt with the old token", err, domain.Unavailable, "status 403")
	now = domain.NewSecret(token)
	if _, err := a.Encrypt([]byte("x"), nil); err != nil {
		t.Errorf("Encrypt with the new token: %v", err)
	}
	asked := v.Asked()
	now = domain.NewSecret("half\na token")
	_, err = a.Encrypt([]byte("x"), nil)
	wantError(t, "Encrypt with a token that can't be sent", err, domain.Unavailable, "the token can't be read again")
	readable = false
	_, err = a.Encrypt([]byte("x"), nil)
	wantError(t, "Encrypt without a token", err, domain.Unavailable, "the token can't be read again")
	if v.Asked() != asked {
		t.Error("Vault was asked without a token")
	}
}
