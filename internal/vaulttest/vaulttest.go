// Package vaulttest provides a stand-in for the transit engine of Vault or OpenBao. It
// runs in the process of a test.
package vaulttest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Token is the token that a new Server accepts.
const Token = "hvs.CAESIJ-token-of-a-test"

const mount = "team/transit"

// Server is a transit engine mounted at team/transit. It has the keys "keyset" and "other",
// for AES-256-GCM.
type Server struct {
	*httptest.Server
	// Instead answers each request in place of the engine, unless it is nil. It must be set
	// before the first request.
	Instead func(w http.ResponseWriter, r *http.Request)

	token atomic.Value // the token that is accepted
	keys  map[string]cipher.AEAD
	asked atomic.Int64
}

// Start starts a Server for plain HTTP on loopback. It stops when the test ends.
func Start(t *testing.T) *Server { t.Helper(); return start(t, httptest.NewServer) }

// StartTLS is Start for HTTPS, with the certificate of httptest.
func StartTLS(t *testing.T) *Server { t.Helper(); return start(t, httptest.NewTLSServer) }

func start(t *testing.T, on func(http.Handler) *httptest.Server) *Server {
	t.Helper()
	s := &Server{keys: map[string]cipher.AEAD{}}
	s.Accept(Token)
	for _, name := range []string{"keyset", "other"} {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // documented never to fail
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		if s.keys[name], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			t.Fatal(err)
		}
	}
	s.Server = on(s)
	t.Cleanup(s.Close)
	return s
}

// Host returns the host and port of the server.
func (s *Server) Host() string { _, host, _ := strings.Cut(s.URL, "://"); return host }

// Transit returns the URL of a key, for a server that Start started.
func (s *Server) Transit(key string) string {
	return "vault-transit+http://" + s.Host() + "/" + mount + "/" + key
}

// Accept makes the server accept that token and no other.
func (s *Server) Accept(token string) { s.token.Store(token) }

// Asked returns the number of requests so far.
func (s *Server) Asked() int64 { return s.asked.Load() }

// ServeHTTP answers like Vault, by
// https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data and
// #decrypt-data.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.Instead != nil {
		s.Instead(w, r)
		return
	}
	rest, found := strings.CutPrefix(r.URL.Path, "/v1/"+mount+"/")
	what, name, _ := strings.Cut(rest, "/")
	key, known := s.keys[name]
	var in input
	badJSON := json.NewDecoder(r.Body).Decode(&in)
	associated, badBase64 := base64.StdEncoding.DecodeString(in.Associated)
	switch {
	case r.Header.Get("X-Vault-Token") != s.token.Load() || r.Header.Get("X-Vault-Namespace") != "":
		fail(w, http.StatusForbidden, "permission denied")
	case !found || r.Method != http.MethodPost:
		fail(w, http.StatusNotFound, "no handler for route")
	case badJSON != nil || badBase64 != nil:
		fail(w, http.StatusBadRequest, "failed to parse JSON input")
	case !known:
		fail(w, http.StatusBadRequest, "encryption key not found")
	case what == "encrypt" && in.Plaintext != nil:
		encrypt(w, key, *in.Plaintext, associated)
	case what == "decrypt" && in.Ciphertext != nil:
		decrypt(w, key, *in.Ciphertext, associated)
	default:
		fail(w, http.StatusBadRequest, "missing data")
	}
}

// input is the body of a request.
type input struct {
	Plaintext  *string `json:"plaintext"`
	Ciphertext *string `json:"ciphertext"`
	Associated string  `json:"associated_data"`
}

func encrypt(w http.ResponseWriter, key cipher.AEAD, plaintext string, associated []byte) {
	plain, err := base64.StdEncoding.DecodeString(plaintext)
	if err != nil {
		fail(w, http.StatusBadRequest, "failed to base64-decode plaintext")
		return
	}
	sealed := key.Seal(nil, nil, plain, associated)
	_, _ = fmt.Fprintf(w, `{"request_id":"1","data":{"ciphertext":"vault:v1:%s","key_version":1}}`, base64.StdEncoding.EncodeToString(sealed))
}

func decrypt(w http.ResponseWriter, key cipher.AEAD, ciphertext string, associated []byte) {
	sealed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(ciphertext, "vault:v1:"))
	plain, failed := key.Open(nil, nil, sealed, associated)
	if err != nil || failed != nil {
		fail(w, http.StatusBadRequest, "cipher: message authentication failed")
		return
	}
	_, _ = fmt.Fprintf(w, `{"request_id":"2","data":{"plaintext":"%s"}}`, base64.StdEncoding.EncodeToString(plain))
}

func fail(w http.ResponseWriter, status int, what string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[%q]}`, what)
}
