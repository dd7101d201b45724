// Package voiceflow sends requests to Voiceflow over HTTP. Its package voiceflowtest is a
// stand-in for Voiceflow that runs in the process, for tests.
package voiceflow

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Voiceflow = (*Client)(nil)

const (
	// DefaultBaseURL is the URL of Voiceflow's service `api`
	// (https://docs.voiceflow.com/api-reference/project/fetch-project).
	DefaultBaseURL = "https://api.voiceflow.com"
	// DefaultRuntimeURL, DefaultAnalyticsURL and DefaultRealtimeURL are the URLs of Voiceflow's
	// services of these names (https://docs.voiceflow.com/api-reference).
	DefaultRuntimeURL   = "https://general-runtime.voiceflow.com"
	DefaultAnalyticsURL = "https://analytics-api.voiceflow.com"
	DefaultRealtimeURL  = "https://realtime-api.voiceflow.com"
	// DefaultTimeout is the time limit of an Export or a CheckPersonal. Voiceflow has the same limit for its own
	// answers.
	DefaultTimeout = 20 * time.Second
	// DefaultForwardTimeout is the time limit of a forwarded call. It leaves time for the tools
	// that an assistant calls in a turn. Each may take 20 seconds, and 60 on most plans
	// (https://docs.voiceflow.com/docs/function-step).
	DefaultForwardTimeout = 120 * time.Second
	// DefaultForwardIdle is how long a stream may be silent. Voiceflow's streams send a sign of
	// life every 30 seconds (github.com/voiceflow/general-runtime, 2024).
	DefaultForwardIdle = 60 * time.Second
	// DefaultMaxAnswer is the largest answer to a forwarded call, in bytes.
	DefaultMaxAnswer = 64 << 20
	// DefaultBreakerPause is how long calls are held off after failures. It is short, because one
	// call finds out whether the service is back.
	DefaultBreakerPause = 5 * time.Second

	maxRetries = 2
	firstWait  = 250 * time.Millisecond
	// maxHeader is the largest header of an answer, in bytes. It is far more than Voiceflow
	// sends and far less than the default of net/http.
	maxHeader = 64 << 10
)

// Options are the settings of a [Client]. The zero Options are for Voiceflow's own services,
// with the defaults.
type Options struct {
	// BaseURL is the URL of the service `api`. Empty means DefaultBaseURL. It may have a path,
	// which is put before the path of each request.
	BaseURL string
	// RuntimeURL, AnalyticsURL and RealtimeURL are the URLs of the services general-runtime,
	// analytics-api and realtime-api. Empty means Voiceflow's own. The rules of BaseURL hold for
	// them.
	RuntimeURL   string
	AnalyticsURL string
	RealtimeURL  string
	// AllowHTTP allows plain HTTP to hosts that are not loopback. Anyone on the network path can
	// then read the keys.
	AllowHTTP bool
	// Timeout is the time limit of an Export or a CheckPersonal, retries included. Zero means DefaultTimeout.
	Timeout time.Duration
	// ForwardTimeout is the time limit of a forwarded call. For an answer with server-sent
	// events it ends with the header of the answer. Zero means DefaultForwardTimeout.
	ForwardTimeout time.Duration
	// ForwardIdle is how long server-sent events may wait for the next byte. Zero means
	// DefaultForwardIdle.
	ForwardIdle time.Duration
	// MaxAnswer is the largest answer to a forwarded call, in bytes. Zero means
	// DefaultMaxAnswer. It is no limit for server-sent events, nor for exports, which may always
	// have 256 MiB.
	MaxAnswer int64
	// BreakerPause is how long calls are held off after failures before one call tries the service
	// again. Zero means DefaultBreakerPause.
	BreakerPause time.Duration
	// Clock tells the time, for a Retry-After that is a date. Nil means time.Now.
	Clock ports.Clock
	// Wait waits for d before a retry. It returns an error if ctx is done first. Nil means a
	// timer. Tests pass their own, so that they do not sleep.
	Wait func(ctx context.Context, d time.Duration) error
	// RootCAs are the certificate authorities to trust. Nil means those of the system.
	RootCAs *x509.CertPool
	// Proxy chooses an outbound proxy. Nil means http.ProxyFromEnvironment. It is called only
	// for https, where a proxy sees the name of the host but not the key.
	Proxy func(*http.Request) (*url.URL, error)
}

// Client is a [ports.Voiceflow]. It is safe for concurrent use.
//
// The key of a call goes into the header Authorization of requests to the host of the service's base
// URL: a personal access token after Bearer, any other key without a scheme. It goes nowhere else:
// redirects are not followed, and no error contains it. Each request of an Export or a CheckPersonal
// has its own connection. So the extra bytes of a broken
// server can't become the answer to another request. Forwarded calls share the connections of
// their service.
type Client struct {
	base     *url.URL
	origins  domain.Origins
	timeout  time.Duration
	now      ports.Clock
	wait     func(context.Context, time.Duration) error
	http     *http.Client
	services map[domain.Service]*service

	forwardTimeout, forwardIdle, breakerPause time.Duration
	maxAnswer                                 int64
}

// New creates a client. It does no I/O.
//
// A base URL must be an absolute URL of https, without user, query and fragment. http is allowed
// for loopback, or with AllowHTTP. Returns Invalid for any other base URL, and for a negative
// time or size.
func New(o Options) (*Client, error) {
	for _, d := range []time.Duration{o.Timeout, o.ForwardTimeout, o.ForwardIdle, o.BreakerPause} {
		if d < 0 {
			return nil, &domain.Error{Kind: domain.Invalid, Public: "a timeout for Voiceflow is negative"}
		}
	}
	if o.MaxAnswer < 0 {
		return nil, &domain.Error{Kind: domain.Invalid, Public: "the size of Voiceflow's answers is negative"}
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
		origins:        make(domain.Origins, len(domain.Services())),
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
		c.origins[name] = origin
		if name == domain.ServiceAPI {
			c.base = at
		}
		c.services[name] = newService(at, newTransport(o), newBreakers(c.now, c.breakerPause))
	}
	once := newTransport(o)
	once.DisableKeepAlives = true
	c.http = &http.Client{
		Transport:     once,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// newTransport returns a transport with the settings of all requests.
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

// Origins returns scheme, host and port of each service's URL. A path in a URL is no part of its
// origin.
func (c *Client) Origins() domain.Origins { return maps.Clone(c.origins) }

// Export calls GET /v2/versions/{versionID}/export
// (https://docs.voiceflow.com/api-reference/project/fetch-project), with the header projectid if
// v names a project. It retries a 408, a 429, a 5xx and a failed connection, at most twice. It
// waits as long as Retry-After says, and gives up at once if that exceeds the time that is left.
func (c *Client) Export(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, error) {
	var e domain.Export
	failed := c.retry(ctx, func(ctx context.Context) (failed *failure) {
		e, failed = c.fetch(ctx, v, key)
		return failed
	})
	if failed != nil {
		return domain.Export{}, failed
	}
	return e, nil
}

// CheckPersonal calls GET /v1/stable/project/{projectID} of the service realtime-api
// (github.com/voiceflow/cli, .speakeasy/out.openapi.yaml). It retries as Export does.
func (c *Client) CheckPersonal(ctx context.Context, project domain.VoiceflowID, token domain.Secret) error {
	if failed := c.retry(ctx, func(ctx context.Context) *failure { return c.fetchProject(ctx, project, token) }); failed != nil {
		return failed
	}
	return nil
}

// retry calls try until it succeeds, until it fails for good, or until the client's time is used
// up. It returns nil or the last error.
func (c *Client) retry(ctx context.Context, try func(context.Context) *failure) *domain.Error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	started := c.now()
	for tries := 0; ; tries++ {
		failed := try(ctx)
		if failed == nil {
			return nil
		}
		pause := max(failed.err.RetryAfter, firstWait<<tries)
		if !failed.passing || tries == maxRetries || pause >= c.timeout-c.now().Sub(started) || c.wait(ctx, pause) != nil {
			return failed.err
		}
	}
}

// fetch sends one request for an export.
func (c *Client) fetch(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, *failure) {
	header := http.Header{"Authorization": {key.Reveal()}}
	if v.Project != "" {
		header.Set("projectid", string(v.Project))
	}
	var e domain.Export
	failed := c.get(ctx, c.base.JoinPath("v2", "versions", url.PathEscape(v.Version), "export"), header, maxExport, func(body *cappedReader) (err error) {
		e, err = decodeExport(body)
		if err != nil {
			return unavailable("Voiceflow's answer is not an export", err)
		}
		// The name and the platform are stored, and shown to everyone who may use the assistant.
		if strings.Contains(e.Name, key.Reveal()) || strings.Contains(e.Platform, key.Reveal()) {
			return unavailable("Voiceflow's answer is not an export", errors.New("voiceflow: the answer contains the key"))
		}
		return nil
	})
	return e, failed
}

// fetchProject sends one request for a project.
func (c *Client) fetchProject(ctx context.Context, project domain.VoiceflowID, token domain.Secret) *failure {
	at := c.services[domain.ServiceRealtime].base.JoinPath("v1", "stable", "project", string(project))
	return c.get(ctx, at, http.Header{"Authorization": {bearer(token)}}, maxProject, func(body *cappedReader) error {
		if err := decodeProject(body, project); err != nil {
			return unavailable("Voiceflow's answer is not about this assistant", err)
		}
		return nil
	})
}

// get sends one request and reads its answer of 200, of at most that many bytes. read returns a
// *domain.Error if the answer is unusable.
func (c *Client) get(ctx context.Context, at *url.URL, header http.Header, largest int64, read func(*cappedReader) error) *failure {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return broken(ctx, err)
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "flowlatch")

	resp, err := c.http.Do(req)
	if err != nil {
		return broken(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return refused(resp, c.now())
	}
	body := &cappedReader{from: resp.Body, left: largest, held: ports.HeldIn(ctx)}
	err = read(body)
	switch unusable, _ := errors.AsType[*domain.Error](err); {
	case body.refused != nil:
		return &failure{err: body.refused}
	case body.failed != nil:
		return broken(ctx, body.failed)
	case unusable != nil:
		return &failure{err: unusable}
	}
	return nil
}

// parseBaseURL never repeats text in its errors, because it can contain a password.
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
		return refuse("is not a URL")
	}
	switch {
	case u.User != nil:
		return refuse("contains a user")
	case u.RawQuery != "" || u.ForceQuery:
		return refuse("has a query")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return refuse("has a fragment")
	case u.Scheme == "http" && !allowHTTP && !domain.IsLoopback(u.Hostname()):
		return refuse("is plain http, which would show the keys to the network; use https, or allow http for this host")
	}
	return u, origin, nil
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
