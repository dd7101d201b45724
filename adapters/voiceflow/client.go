// Package voiceflow speaks to Voiceflow over HTTP. voiceflowtest beside it is a
// Voiceflow that runs in the process, to try it on.
package voiceflow

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Voiceflow = (*Client)(nil)

const (
	// DefaultBaseURL is Voiceflow's own `api` service
	// (https://docs.voiceflow.com/api-reference/project/fetch-project).
	DefaultBaseURL = "https://api.voiceflow.com"
	// DefaultRuntimeURL, DefaultAnalyticsURL and DefaultRealtimeURL are Voiceflow's own
	// services of these names (https://docs.voiceflow.com/api-reference).
	DefaultRuntimeURL   = "https://general-runtime.voiceflow.com"
	DefaultAnalyticsURL = "https://analytics-api.voiceflow.com"
	DefaultRealtimeURL  = "https://realtime-api.voiceflow.com"
	// DefaultTimeout is the deadline that Voiceflow gives its own answers.
	DefaultTimeout = 20 * time.Second
	// DefaultForwardTimeout leaves a turn the time of the tools that an assistant calls:
	// 20 seconds each, and 60 on most plans
	// (https://docs.voiceflow.com/docs/function-step).
	DefaultForwardTimeout = 120 * time.Second
	// DefaultForwardIdle is twice the 30 seconds after which Voiceflow's streams say that
	// they are still there (github.com/voiceflow/general-runtime, 2024).
	DefaultForwardIdle = 60 * time.Second
	// DefaultMaxAnswer is in bytes.
	DefaultMaxAnswer = 64 << 20
	// DefaultBreakerPause is short, since one call is enough to find out that a service is
	// back.
	DefaultBreakerPause = 5 * time.Second

	maxRetries = 2
	firstWait  = 250 * time.Millisecond
	// maxHeader is far more than Voiceflow sends and far less than net/http takes.
	maxHeader = 64 << 10
)

// Options say which Voiceflow a [Client] speaks to, and how. The zero Options are
// Voiceflow itself, with the defaults.
type Options struct {
	// BaseURL is where the `api` service answers, DefaultBaseURL when empty. It may
	// have a path, which comes before that of each request.
	BaseURL string
	// RuntimeURL, AnalyticsURL and RealtimeURL are where the services general-runtime,
	// analytics-api and realtime-api answer, Voiceflow's own when empty. They are as
	// BaseURL otherwise.
	RuntimeURL   string
	AnalyticsURL string
	RealtimeURL  string
	// AllowHTTP permits plain HTTP to hosts that are not loopback, where whoever
	// listens on the way reads the keys.
	AllowHTTP bool
	// Timeout bounds one Export in all, retries included; DefaultTimeout when zero.
	Timeout time.Duration
	// ForwardTimeout bounds a forwarded call in all, and one that is answered with
	// server-sent events until the head of the answer; DefaultForwardTimeout when zero.
	ForwardTimeout time.Duration
	// ForwardIdle is how long server-sent events may wait for the next byte;
	// DefaultForwardIdle when zero.
	ForwardIdle time.Duration
	// MaxAnswer is the largest answer to a forwarded call, in bytes; DefaultMaxAnswer when
	// zero. Exports may have 256 MiB even where it is less. Server-sent events have no
	// limit.
	MaxAnswer int64
	// BreakerPause is how long a service that does not answer is left alone before a
	// call tries it again; DefaultBreakerPause when zero.
	BreakerPause time.Duration
	// Clock reads the Retry-After that is a date; time.Now when nil.
	Clock ports.Clock
	// Wait pauses before a retry and fails when ctx is done before d is over. Nil
	// is a timer; tests pass their own, so that nothing has to sleep.
	Wait func(ctx context.Context, d time.Duration) error
	// RootCAs are the authorities that may vouch for the host; the system's when nil.
	RootCAs *x509.CertPool
	// Proxy picks an outbound proxy; http.ProxyFromEnvironment when nil. It is asked
	// for https only: there a proxy sees the name of the host and not the key.
	Proxy func(*http.Request) (*url.URL, error)
}

// Client is a [ports.Voiceflow]. It is safe for concurrent use.
//
// The key of a call goes, bare, into the header Authorization of requests to the
// host of the service's base URL, and nowhere else: no redirect is followed, and no
// error holds it. Each request of an Export has a connection of its own, so that what a
// broken server sends beyond its answer is taken for nobody else's; forwarded calls
// share the connections of their service.
type Client struct {
	base     *url.URL
	origin   domain.Origin
	timeout  time.Duration
	now      ports.Clock
	wait     func(context.Context, time.Duration) error
	http     *http.Client
	services map[domain.Service]*service

	forwardTimeout, forwardIdle, breakerPause time.Duration
	maxAnswer                                 int64
}

// New makes a client and does no I/O. It is domain.Invalid for a base URL that is
// no absolute URL of https, or of http to loopback where AllowHTTP is not set, or
// that has a user, a query or a fragment; and for a time or a size below zero.
func New(o Options) (*Client, error) {
	for _, d := range []time.Duration{o.Timeout, o.ForwardTimeout, o.ForwardIdle, o.BreakerPause} {
		if d < 0 {
			return nil, &domain.Error{Kind: domain.Invalid, Public: "a timeout for Voiceflow is below zero"}
		}
	}
	if o.MaxAnswer < 0 {
		return nil, &domain.Error{Kind: domain.Invalid, Public: "the size of Voiceflow's answers is below zero"}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	c := &Client{
		timeout: cmp.Or(o.Timeout, DefaultTimeout), now: o.Clock, wait: o.Wait,
		services:       make(map[domain.Service]*service, len(domain.Services())),
		forwardTimeout: cmp.Or(o.ForwardTimeout, DefaultForwardTimeout), forwardIdle: cmp.Or(o.ForwardIdle, DefaultForwardIdle),
		breakerPause: cmp.Or(o.BreakerPause, DefaultBreakerPause), maxAnswer: cmp.Or(o.MaxAnswer, DefaultMaxAnswer),
	}
	for name, base := range map[domain.Service]string{
		domain.ServiceAPI:       cmp.Or(o.BaseURL, DefaultBaseURL),
		domain.ServiceRuntime:   cmp.Or(o.RuntimeURL, DefaultRuntimeURL),
		domain.ServiceAnalytics: cmp.Or(o.AnalyticsURL, DefaultAnalyticsURL),
		domain.ServiceRealtime:  cmp.Or(o.RealtimeURL, DefaultRealtimeURL),
	} {
		at, origin, err := parseBaseURL(base, o.AllowHTTP)
		if err != nil {
			return nil, err
		}
		if name == domain.ServiceAPI {
			c.base, c.origin = at, origin
		}
		c.services[name] = newService(name, at, newTransport(o), c.breakerPause)
	}
	once := newTransport(o)
	once.DisableKeepAlives = true
	c.http = &http.Client{
		Transport:     once,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// newTransport is how requests are sent, whatever they are for.
func newTransport(o Options) *http.Transport {
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme != "https" {
				return nil, nil
			}
			return o.Proxy(r)
		},
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Origin is the scheme, host and port of the base URL.
func (c *Client) Origin() domain.Origin { return c.origin }

// Export calls GET /v2/versions/{versionID}/export
// (https://docs.voiceflow.com/api-reference/project/fetch-project), with the header
// projectid where v names a project. A failure that may pass is tried again, twice
// at most: a 408, a 429, a 5xx, a connection that fails. It waits as long as
// Retry-After says, and gives up at once where that is longer than there is time.
func (c *Client) Export(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	started := c.now()
	for try := 0; ; try++ {
		e, failed := c.fetch(ctx, v, key)
		if failed == nil {
			return e, nil
		}
		pause := max(failed.err.RetryAfter, firstWait<<try)
		if !failed.passing || try == maxRetries || pause >= c.timeout-c.now().Sub(started) {
			return domain.Export{}, failed.err
		}
		if c.wait(ctx, pause) != nil {
			return domain.Export{}, failed.err
		}
	}
}

// fetch is one try.
func (c *Client) fetch(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, *failure) {
	at := c.base.JoinPath("v2", "versions", url.PathEscape(v.Version), "export").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return domain.Export{}, broken(ctx, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", key.Reveal())
	req.Header.Set("User-Agent", "flowlatch")
	if v.Project != "" {
		req.Header.Set("projectid", string(v.Project))
	}

	resp, err := c.http.Do(req)
	if err != nil {
		return domain.Export{}, broken(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return domain.Export{}, refused(resp, c.now())
	}
	body := &cappedReader{from: resp.Body, left: maxExport}
	e, err := decodeExport(body)
	switch {
	case body.failed != nil:
		return domain.Export{}, broken(ctx, body.failed)
	case err != nil:
		return domain.Export{}, &failure{err: unavailable("Voiceflow's answer is no export", err)}
	case strings.Contains(e.Name, key.Reveal()) || strings.Contains(e.Platform, key.Reveal()):
		// It would be kept and shown to whoever may use the assistant.
		return domain.Export{}, &failure{err: unavailable("Voiceflow's answer is no export", errors.New("voiceflow: the key stands in it"))}
	}
	return e, nil
}

// parseBaseURL repeats nothing of text in its errors: it may hold a password.
func parseBaseURL(text string, allowHTTP bool) (*url.URL, domain.Origin, error) {
	refuse := func(why string) (*url.URL, domain.Origin, error) {
		return nil, "", &domain.Error{Kind: domain.Invalid, Public: "the base URL of Voiceflow " + why}
	}
	origin, err := domain.ParseOrigin(text)
	if err != nil {
		return nil, "", err
	}
	u, err := url.Parse(text)
	if err != nil {
		return refuse("is no URL")
	}
	switch {
	case u.User != nil:
		return refuse("has a user in it")
	case u.RawQuery != "" || u.ForceQuery:
		return refuse("has a query")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return refuse("has a fragment")
	case u.Scheme == "http" && !allowHTTP && !loopback(u.Hostname()):
		return refuse("is plain http, which would show the keys to the network; use https, or allow http for this host")
	}
	return u, origin, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && net.IP(ip.AsSlice()).IsLoopback()
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
