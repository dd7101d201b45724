// Package vaulttransit implements a tink.AEAD whose key never leaves HashiCorp Vault or
// OpenBao. It encrypts and decrypts with their transit engine, over the HTTP API. It is
// made to wrap a keyset.
//
// The API is documented at
// https://developer.hashicorp.com/vault/api-docs/secret/transit and
// https://openbao.org/api-docs/secret/transit.
package vaulttransit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/domain"
)

var _ tink.AEAD = (*AEAD)(nil)

const (
	// DefaultTimeout bounds one call if Options names no timeout.
	DefaultTimeout = 5 * time.Second

	// maxAnswer bounds a response, in bytes. A wrapped keyset is far smaller.
	maxAnswer = 512 << 10
	maxHeader = 64 << 10
)

// Options configure an [AEAD]. URL and Token are required.
type Options struct {
	// URL names the key: vault-transit://host:port/mount/key. The mount may have several
	// parts. Plain HTTP, for this machine only, is vault-transit+http://…. The query
	// ?namespace=… names a namespace of Vault Enterprise, HCP or OpenBao.
	URL string
	// Token is sent in the header X-Vault-Token. It needs the capability update on the
	// paths mount/encrypt/key and mount/decrypt/key.
	Token domain.Secret
	// ReadToken returns the token for a call, which may have been renewed since New. Its error
	// must not contain the token. Nil means that Token stays valid.
	ReadToken func() (domain.Secret, error)
	// Timeout bounds one call. Zero means DefaultTimeout.
	Timeout time.Duration
	// RootCAs are the certificate authorities to trust. Nil means the system's.
	RootCAs *x509.CertPool
}

// AEAD is a tink.AEAD that uses one key of a transit engine. The key must be for
// authenticated encryption, such as aes256-gcm96, and must not be derived. The ciphertext
// is the engine's, vault:v1:…. Each call is one request to the host of the URL. The AEAD
// follows no redirect. It is safe for concurrent use.
//
// Every error is a *domain.Error that holds neither the token nor a part of the response.
// It is Corrupt if another key made the ciphertext, or if the key does not exist or can't
// encrypt. It is Unavailable otherwise.
type AEAD struct {
	target target
	token  func() (domain.Secret, error)
	http   *http.Client
}

// target is a parsed URL.
type target struct {
	base      *url.URL // ends with the mount
	key       string
	namespace string
	host      string
}

// New returns an AEAD. It does no I/O. Returns Invalid if CheckURL rejects the URL, if the
// token is empty or can't be sent in a header, and if the timeout is negative.
func New(o Options) (*AEAD, error) {
	at, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if err := checkToken(o.Token); err != nil {
		return nil, err
	}
	if o.ReadToken == nil {
		o.ReadToken = func() (domain.Secret, error) { return o.Token, nil }
	}
	if o.Timeout < 0 {
		return nil, invalid("the timeout for Vault is negative")
	}
	return &AEAD{target: at, token: o.ReadToken, http: &http.Client{
		Timeout: cmp.Or(o.Timeout, DefaultTimeout),
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme != "https" {
					return nil, nil
				}
				return http.ProxyFromEnvironment(r)
			},
			TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // it is called a few times a year
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func checkToken(token domain.Secret) error {
	if token.IsZero() || strings.ContainsFunc(token.Reveal(), notVisible) {
		return invalid("the token for Vault is empty, or has a character that no token has")
	}
	return nil
}

// errURL rejects a URL that does not have the form of a key.
var errURL = invalid("the URL of a key in Vault must be vault-transit://host:port/mount/key")

// CheckURL returns Invalid if New would reject the URL.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

func parseURL(text string) (target, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return target{}, errURL
	}
	scheme, err := httpScheme(u)
	if err != nil {
		return target{}, err
	}
	namespace, err := parseNamespace(u.RawQuery)
	if err != nil {
		return target{}, err
	}
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if len(parts) < 2 || slices.ContainsFunc(parts, notPlain) {
		return target{}, errURL
	}
	mount, key := parts[:len(parts)-1], parts[len(parts)-1]
	base := (&url.URL{Scheme: scheme, Host: u.Host}).JoinPath("v1").JoinPath(mount...)
	return target{base: base, key: key, namespace: namespace, host: u.Host}, nil
}

// httpScheme returns the scheme of the requests. Plain HTTP is for this machine only.
func httpScheme(u *url.URL) (string, error) {
	switch {
	case u.Scheme == "vault-transit":
		return "https", nil
	case u.Scheme != "vault-transit+http":
		return "", errURL
	case !isLoopback(u.Hostname()):
		return "", invalid("plain HTTP to Vault is for this machine only; use vault-transit://")
	}
	return "http", nil
}

// parseNamespace reads the query, which may hold the namespace and nothing else.
func parseNamespace(query string) (string, error) {
	values, err := url.ParseQuery(query)
	namespace := values.Get("namespace")
	delete(values, "namespace")
	if err != nil || len(values) > 0 || strings.ContainsFunc(namespace, notVisible) {
		return "", invalid("the URL of a key in Vault may have ?namespace=… and nothing else")
	}
	return namespace, nil
}

// notPlain reports whether a part of the path is empty, consists of dots, or is escaped.
func notPlain(part string) bool {
	return strings.Trim(part, ".") == "" || strings.Contains(part, "%")
}

// notVisible reports whether r is not a visible ASCII character.
func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// isLoopback reports whether host is certain to be this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Encrypt encrypts plain with the newest version of the key, bound to associated.
func (a *AEAD) Encrypt(plain, associated []byte) ([]byte, error) {
	data, err := a.call("encrypt", map[string]string{
		"plaintext":       base64.StdEncoding.EncodeToString(plain),
		"associated_data": base64.StdEncoding.EncodeToString(associated),
	})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(data.Ciphertext, "vault:") {
		return nil, a.unavailable("gave a response that is not Vault's", nil)
	}
	return []byte(data.Ciphertext), nil
}

// Decrypt reverses Encrypt, for every version of the key.
func (a *AEAD) Decrypt(ciphertext, associated []byte) ([]byte, error) {
	if !bytes.HasPrefix(ciphertext, []byte("vault:")) {
		return nil, &domain.Error{Kind: domain.Corrupt, Public: "Vault did not encrypt this"}
	}
	data, err := a.call("decrypt", map[string]string{
		"ciphertext":      string(ciphertext),
		"associated_data": base64.StdEncoding.EncodeToString(associated),
	})
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(data.Plaintext)
	if err != nil || data.Plaintext == "" {
		return nil, a.unavailable("gave a response that is not Vault's", nil) // the cause may quote the response
	}
	return plain, nil
}

// data is the part of a response that is used.
type data struct {
	Ciphertext string `json:"ciphertext"`
	Plaintext  string `json:"plaintext"`
}

// call makes one request.
func (a *AEAD) call(what string, with map[string]string) (data, error) {
	token, err := a.token()
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return data{}, a.unavailable("was not asked, because the token can't be read again", err)
	}
	body, err := json.Marshal(with)
	if err != nil {
		return data{}, a.unavailable("was not asked", err)
	}
	// A tink.AEAD has no context. The timeout of the client bounds the request.
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.target.base.JoinPath(what, a.target.key).String(), bytes.NewReader(body))
	if err != nil {
		return data{}, a.unavailable("was not asked", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "flowlatch")
	req.Header.Set("X-Vault-Request", "true") // a proxy of Vault may require it
	req.Header.Set("X-Vault-Token", token.Reveal())
	if a.target.namespace != "" {
		req.Header.Set("X-Vault-Namespace", a.target.namespace)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return data{}, a.unavailable("does not answer", withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return data{}, a.refused(resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return data{}, a.unavailable("broke off its response", withoutURL(err))
	}
	var decoded struct {
		Data data `json:"data"`
	}
	if len(answer) > maxAnswer || json.Unmarshal(answer, &decoded) != nil {
		return data{}, a.unavailable("gave a response that is not Vault's", nil)
	}
	return decoded.Data, nil
}

// refused returns the error for a status other than 200, by
// https://developer.hashicorp.com/vault/api-docs#http-status-codes.
func (a *AEAD) refused(status int) error {
	switch {
	case status == http.StatusBadRequest:
		return a.corrupt("rejected the request: another key made the ciphertext, or the key does not exist or can't encrypt (status 400)")
	case status == http.StatusNotFound:
		return a.corrupt("has nothing at this path; check mount and namespace (status 404)")
	case status == http.StatusForbidden:
		return a.unavailable("does not let the token use the key; the token may be wrong or expired (status 403)", nil)
	case status == http.StatusServiceUnavailable:
		return a.unavailable("is sealed or down (status 503)", nil)
	case status >= 300 && status < 400:
		return a.unavailable(fmt.Sprintf("answered with a redirect, which is not followed (status %d)", status), nil)
	}
	return a.unavailable(fmt.Sprintf("failed (status %d)", status), nil)
}

func (a *AEAD) corrupt(what string) error {
	return &domain.Error{Kind: domain.Corrupt, Public: "Vault at " + a.target.host + " " + what}
}

func (a *AEAD) unavailable(what string, cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "Vault at " + a.target.host + " " + what, Cause: cause}
}

// withoutURL returns the cause alone: the message already names the host.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func invalid(public string) error { return &domain.Error{Kind: domain.Invalid, Public: public} }
