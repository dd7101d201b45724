package oidclogin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/flowlatch/flowlatch/ports"
)

// keysPause is how long the keys that the provider answered are all there are. Tokens with a kid that
// nobody knows then cause no requests.
const keysPause = 10 * time.Second

// newKeys returns the keys at the address. They are asked for at the first use, and again for a token that
// none of them signed.
func (p *Provider) newKeys(address string) oidc.KeySet {
	transport := &keysTransport{next: p.http.Transport, now: p.now}
	client := &http.Client{Transport: transport, Timeout: p.timeout, CheckRedirect: p.http.CheckRedirect}
	return oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), address)
}

// keysTransport answers from its last answer for keysPause. A failure is the answer for retryUnknown.
type keysTransport struct {
	next http.RoundTripper
	now  ports.Clock

	mu      sync.Mutex // the key set asks one thing at a time, so nobody waits for it
	body    []byte
	failure error
	until   time.Time
}

func (k *keysTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.now().Before(k.until) {
		k.body, k.failure = k.ask(r)
		k.until = k.now().Add(keysPause)
		if k.failure != nil {
			k.until = k.now().Add(retryUnknown)
		}
	}
	if k.failure != nil {
		return nil, k.failure
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)),
	}, nil
}

func (k *keysTransport) ask(r *http.Request) ([]byte, error) {
	answer, err := k.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, statusError(answer.StatusCode)
	}
	return io.ReadAll(answer.Body)
}

// watchedKeys notes whether the keys could not be had, since the verifier does not tell that from a wrong
// signature. It is for one token.
type watchedKeys struct {
	oidc.KeySet
	unavailable error
}

func (w *watchedKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, token)
	// A RemoteKeySet wraps what stopped it from getting keys, and nothing else.
	if cause := errors.Unwrap(err); cause != nil {
		w.unavailable = cause
	}
	return payload, err
}
