// Package vaulttransit is a tink.AEAD whose key never leaves HashiCorp Vault or OpenBao: it
// encrypts and decrypts with their transit engine, over the plain HTTP API
// (https://developer.hashicorp.com/vault/api-docs/secret/transit,
// https://openbao.org/api-docs/secret/transit). A keyset can be wrapped with it.
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
	// DefaultTimeout is how long one call may take.
	DefaultTimeout = 5 * time.Second

	// maxAnswer is far more than a wrapped keyset takes, in bytes.
	maxAnswer = 512 << 10
	maxHeader = 64 << 10
)

// Options say which key an [AEAD] uses, and how. URL and Token must be given.
type Options struct {
	// URL is vault-transit://host:port/mount/key, where the mount may have several parts,
	// or vault-transit+http://… for plain HTTP to this machine. In ?namespace=… it may
	// name a namespace of Vault Enterprise, HCP or OpenBao.
	URL string
	// Token is sent in the header X-Vault-Token. It needs the capability update on the
	// paths mount/encrypt/key and mount/decrypt/key.
	Token domain.Secret
	// Timeout bounds one call; DefaultTimeout when zero.
	Timeout time.Duration
	// RootCAs are the authorities that may vouch for the host; the system's when nil.
	RootCAs *x509.CertPool
}

// AEAD is a tink.AEAD on one key of a transit engine, which must be for authenticated
// encryption, such as aes256-gcm96, and not derived. What it encrypts is the engine's
// ciphertext, vault:v1:…. It is safe for concurrent use. A call is one request to the host
// of the URL, in bounded time; no redirect is followed.
//
// Every error is a *domain.Error that holds neither the token nor what was answered:
// Corrupt for what was encrypted with another key and for a key that is not there or of
// no use, Unavailable for all else.
type AEAD struct {
	target target
	token  domain.Secret
	http   *http.Client
}

// target is what the URL says.
type target struct {
	base      *url.URL // up to the mount
	key       string
	namespace string
	host      string
}

// New makes an AEAD and does no I/O. It is domain.Invalid for a URL that is none of ours,
// a token that is empty or can't stand in a header, and a timeout below zero.
func New(o Options) (*AEAD, error) {
	at, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Token.IsZero() || strings.ContainsFunc(o.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, invalid("the token for Vault is empty, or has what no token has")
	}
	if o.Timeout < 0 {
		return nil, invalid("the timeout for Vault is below zero")
	}
	return &AEAD{target: at, token: o.Token, http: &http.Client{
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

// CheckURL is domain.Invalid for a URL that New would refuse.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

func parseURL(text string) (target, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return target{}, invalid("a key in Vault is vault-transit://host:port/mount/key")
	}
	at := target{base: &url.URL{Scheme: "https", Host: u.Host}, host: u.Host}
	switch {
	case u.Scheme == "vault-transit+http" && isLoopback(u.Hostname()):
		at.base.Scheme = "http"
	case u.Scheme == "vault-transit+http":
		return target{}, invalid("plain HTTP to Vault is for this machine only; use vault-transit://")
	case u.Scheme != "vault-transit":
		return target{}, invalid("a key in Vault is vault-transit://host:port/mount/key")
	}
	if at.namespace, err = parseNamespace(u.RawQuery); err != nil {
		return target{}, err
	}
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if len(parts) < 2 || slices.ContainsFunc(parts, func(part string) bool { return strings.Trim(part, ".") == "" || strings.Contains(part, "%") }) {
		return target{}, invalid("a key in Vault is vault-transit://host:port/mount/key")
	}
	at.base = at.base.JoinPath("v1").JoinPath(parts[:len(parts)-1]...)
	at.key = parts[len(parts)-1]
	return at, nil
}

// parseNamespace returns the namespace that the query names, "" for none.
func parseNamespace(raw string) (string, error) {
	query, err := url.ParseQuery(raw)
	namespace := query.Get("namespace")
	delete(query, "namespace")
	if err != nil || len(query) > 0 || strings.ContainsFunc(namespace, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", invalid("the URL of a key in Vault may have ?namespace=… and nothing else")
	}
	return namespace, nil
}

// isLoopback says whether host is this machine and nothing else.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Encrypt encrypts plain, bound to associated, with the newest version of the key.
func (a *AEAD) Encrypt(plain, associated []byte) ([]byte, error) {
	data, err := a.call("encrypt", map[string]string{
		"plaintext":       base64.StdEncoding.EncodeToString(plain),
		"associated_data": base64.StdEncoding.EncodeToString(associated),
	})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(data.Ciphertext, "vault:") {
		return nil, a.unavailable("gave an answer that is none of Vault's", nil)
	}
	return []byte(data.Ciphertext), nil
}

// Decrypt reverses Encrypt, whichever version of the key encrypted it.
func (a *AEAD) Decrypt(ciphertext, associated []byte) ([]byte, error) {
	if !bytes.HasPrefix(ciphertext, []byte("vault:")) {
		return nil, &domain.Error{Kind: domain.Corrupt, Public: "it was not encrypted by Vault"}
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
		return nil, a.unavailable("gave an answer that is none of Vault's", nil) // the cause may quote it
	}
	return plain, nil
}

// data is what an answer has in it.
type data struct {
	Ciphertext string `json:"ciphertext"`
	Plaintext  string `json:"plaintext"`
}

// call makes one request. The statuses are those of
// https://developer.hashicorp.com/vault/api-docs#http-status-codes.
func (a *AEAD) call(what string, with map[string]string) (data, error) {
	body, err := json.Marshal(with)
	if err != nil {
		return data{}, a.unavailable("was not asked", err)
	}
	// The client's timeout bounds it: a tink.AEAD has no context.
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.target.base.JoinPath(what, a.target.key).String(), bytes.NewReader(body))
	if err != nil {
		return data{}, a.unavailable("was not asked", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "flowlatch")
	req.Header.Set("X-Vault-Request", "true") // a proxy of Vault's may want it
	req.Header.Set("X-Vault-Token", a.token.Reveal())
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
		return data{}, a.unavailable("broke its answer off", withoutURL(err))
	}
	var decoded struct {
		Data data `json:"data"`
	}
	if len(answer) > maxAnswer || json.Unmarshal(answer, &decoded) != nil {
		return data{}, a.unavailable("gave an answer that is none of Vault's", nil)
	}
	return decoded.Data, nil
}

// refused is what a status says that is no success.
func (a *AEAD) refused(status int) error {
	switch {
	case status == http.StatusBadRequest:
		return a.corrupt("refuses, as it does what another key has encrypted, and a key that is not there or can't encrypt (status 400)")
	case status == http.StatusNotFound:
		return a.corrupt("has nothing there; mount or namespace may be others (status 404)")
	case status == http.StatusForbidden:
		return a.unavailable("does not let the token use the key; it may be wrong or over (status 403)", nil)
	case status == http.StatusServiceUnavailable:
		return a.unavailable("is sealed or down (status 503)", nil)
	case status >= 300 && status < 400:
		return a.unavailable(fmt.Sprintf("points elsewhere, which is not followed (status %d)", status), nil)
	}
	return a.unavailable(fmt.Sprintf("does not do it (status %d)", status), nil)
}

func (a *AEAD) corrupt(what string) error {
	return &domain.Error{Kind: domain.Corrupt, Public: "Vault at " + a.target.host + " " + what}
}

func (a *AEAD) unavailable(what string, cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "Vault at " + a.target.host + " " + what, Cause: cause}
}

// withoutURL leaves what went wrong: the sentence says where.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func invalid(public string) error { return &domain.Error{Kind: domain.Invalid, Public: public} }
