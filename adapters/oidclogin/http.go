package oidclogin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxAnswer is the largest answer of the provider, in bytes.
	maxAnswer = 1 << 20
	// maxHeader is the largest header of an answer, in bytes.
	maxHeader = 64 << 10
)

var errTooLarge = errors.New("the answer is larger than 1 MiB")

// statusError is an answer of another status than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("the answer has the status %d", int(s)) }

// newClient returns the client for all that is asked of the provider. It follows no redirects, not even
// within an origin: no endpoint of OpenID Connect answers with one, and a request that went on elsewhere
// would take the code and the client secret along.
func newClient(timeout time.Duration, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: limited{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment, // never for loopback
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        time.Minute,
		}},
	}
}

// limited ends an answer with errTooLarge after maxAnswer bytes, counted after decompression.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &limitedBody{answer.Body, maxAnswer}
	return answer, nil
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return b.left, errTooLarge
	}
	b.left -= n
	return n, err
}

// get returns the body of an answer with the status 200. bearer is the access token to send, or "".
func (p *Provider) get(ctx context.Context, address, bearer string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, statusError(answer.StatusCode)
	}
	return io.ReadAll(answer.Body)
}
