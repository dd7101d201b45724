package voiceflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/sony/gobreaker/v2"
)

const (
	// idleConnections are kept for each service, so that as many callers at once need no
	// new ones.
	idleConnections = 256
	// maxFailures in a row, with no success between, make a service count as down.
	maxFailures = 20
	// trialTimeout is how long a call may take that tries whether a service is there again:
	// longer than the 20 s after which Voiceflow gives a turn up by itself.
	trialTimeout = 30 * time.Second
)

// service is one of Voiceflow's services, as calls are forwarded to it.
type service struct {
	base    *url.URL
	path    string // of base, with its percent-encoding and without a slash at its end
	http    *http.Transport
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
}

// What a call says about its service, for the breaker.
var (
	errDown       = errors.New("voiceflow: the service is down")
	errSaysNought = errors.New("voiceflow: the call says nothing about the service")
)

func newService(name domain.Service, base *url.URL, t *http.Transport, pause time.Duration) *service {
	t.MaxIdleConnsPerHost = idleConnections
	// Voiceflow's load balancers close an idle connection after a minute or more; that one
	// was closed shows when it is used next, and a turn can't be sent again then.
	t.IdleConnTimeout = 90 * time.Second
	// An answer passes as it was sent.
	t.DisableCompression = true
	// A connection is made for whoever comes next, too, so no context of a call ends it.
	t.DialContext = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	// All calls may share one connection of HTTP/2. When nothing comes any more it must
	// not be used on.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return &service{
		base: base, path: strings.TrimRight(base.EscapedPath(), "/"), http: t,
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name:        string(name),
			Timeout:     pause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= maxFailures },
			IsExcluded:  func(err error) bool { return errors.Is(err, errSaysNought) },
		}),
	}
}

// Forward sends a call of domain.Endpoints to the service that it is for.
//
// A service that failed 20 times in a row, by no answer in time or by 502, 503 and 504,
// is left alone for BreakerPause; then one call tries it, and all others wait for what
// that shows. It may have closed r.Body when it returns, or may yet; and when ctx ends it
// still waits for a Read of r.Body that has begun, as net/http does.
func (c *Client) Forward(ctx context.Context, f domain.Forward, r *http.Request, credential domain.Secret) (ports.Answer, error) {
	f.UserIDs = remembered(f.UserIDs)
	endpoint := f.Route.Endpoint
	s := c.services[endpoint.Service]
	out, err := newOutgoing(s, f, r, credential)
	if err != nil {
		return ports.Answer{}, err
	}
	limit, trial := c.forwardTimeout, s.breaker.State() != gobreaker.StateClosed
	if trial {
		// One call finds out for all others whether the service is there again, so it must
		// not wait for its own caller, nor for long.
		limit = min(limit, trialTimeout)
	}
	if trial || out.small() {
		if whole, err := out.readAhead(); err != nil {
			return ports.Answer{}, err
		} else if !whole {
			return ports.Answer{}, c.shed(errDown)
		}
	}
	tell, err := s.breaker.Allow()
	if err != nil {
		return ports.Answer{}, c.shed(err)
	}
	x := c.begin(ctx, endpoint, limit)
	answer, err := s.send(out.request.WithContext(x.ctx)) //nolint:bodyclose // the exchange closes it
	tell(x.verdict(endpoint, out, answer, err))
	if err != nil {
		defer x.over()
		if failed := out.failed(); failed != nil && context.Cause(x.ctx) == nil {
			return ports.Answer{Sent: true}, unreadable(failed)
		}
		return ports.Answer{Sent: true}, x.broken(err)
	}
	x.body = answer.Body
	passed, err := c.pass(x, f, answer, out.userID, credential)
	if err != nil {
		_ = x.Close()
		return ports.Answer{Sent: true}, err
	}
	return passed, nil
}

// shed is the error for a call that is not sent, since the service is known to be down.
func (c *Client) shed(cause error) error {
	e := unavailable("Voiceflow does not answer at present", cause)
	e.RetryAfter = c.breakerPause
	return e
}

// send sends the request, and a GET that brought no answer at all once more.
func (s *service) send(r *http.Request) (*http.Response, error) {
	answer, err := s.http.RoundTrip(r)
	if err != nil && r.Method == http.MethodGet && r.Body == nil && r.Context().Err() == nil {
		answer, err = s.http.RoundTrip(r)
	}
	return answer, err
}

var (
	// errTooLate ends an exchange whose time is over.
	errTooLate = fmt.Errorf("voiceflow: the time of the call is over: %w", context.DeadlineExceeded)
	// errClosed ends one whose answer nobody wants any more.
	errClosed = errors.New("voiceflow: the answer was closed")
	// errTooLong ends one whose answer is larger than answers may be.
	errTooLong = errors.New("voiceflow: the answer is larger than answers may be")
)

// exchange is one call from when it is sent until its answer is closed. As a reader it is
// the body of the answer, within its limits.
type exchange struct {
	ctx   context.Context // ends with the caller, with the time, and when the answer is closed
	end   context.CancelCauseFunc
	timer *time.Timer
	idle  time.Duration // between two pieces of a stream; 0 for what is none
	left  int64         // bytes that may still come; not counted in a stream
	body  io.ReadCloser // of the answer
}

func (c *Client) begin(ctx context.Context, e *domain.Endpoint, limit time.Duration) *exchange {
	x := &exchange{left: c.maxAnswer}
	if e.Scope == domain.ScopeExport {
		x.left = max(c.maxAnswer, maxExport)
	}
	x.ctx, x.end = context.WithCancelCause(ctx)
	x.timer = time.AfterFunc(limit, func() { x.end(errTooLate) })
	return x
}

// verdict is what the exchange says about its service.
func (x *exchange) verdict(e *domain.Endpoint, out outgoing, answer *http.Response, err error) error {
	switch cause := context.Cause(x.ctx); {
	case e.Retired, cause != nil && !errors.Is(cause, errTooLate):
		return errSaysNought
	case err == nil && (answer.StatusCode < http.StatusBadGateway || answer.StatusCode > http.StatusGatewayTimeout):
		return nil
	case err != nil && !out.sent():
		return errSaysNought // a caller who is slow to send could make any service look down
	}
	return errDown
}

// stream takes the limits of a whole answer off and puts those of a stream on.
func (x *exchange) stream(idle time.Duration) {
	x.timer.Stop()
	x.idle = idle
}

// Read reads on in the answer. All that it fails with but io.EOF is a *domain.Error.
func (x *exchange) Read(p []byte) (int, error) {
	if x.idle > 0 {
		// Only waiting for Voiceflow counts: a caller may be slow to take what came.
		x.timer.Reset(x.idle)
		n, err := x.body.Read(p)
		x.timer.Stop()
		return n, x.failed(err)
	}
	if int64(len(p)) > x.left {
		p = p[:x.left+1]
	}
	n, err := x.body.Read(p)
	if int64(n) > x.left {
		return int(x.left), unavailable("Voiceflow's answer is too large", errTooLong)
	}
	x.left -= int64(n)
	return n, x.failed(err)
}

// failed is what a Read that ended with err fails with.
func (x *exchange) failed(err error) error {
	if err == nil {
		return nil
	}
	x.timer.Stop()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return x.broken(err)
}

// broken translates what ended the exchange before the answer was whole.
func (x *exchange) broken(err error) *domain.Error {
	switch cause := context.Cause(x.ctx); {
	case cause == nil:
		return unavailable("the connection to Voiceflow failed", harmless(err))
	case errors.Is(cause, errTooLate):
		return unavailable("Voiceflow did not answer in time", cause)
	default:
		return unavailable("the call to Voiceflow was given up", cause)
	}
}

// Close ends the exchange, also at Voiceflow.
func (x *exchange) Close() error {
	// What was read to its end leaves a connection that can be used again, what was not
	// is cut.
	_ = x.body.Close()
	x.over()
	return nil
}

// over ends the exchange where nothing of an answer is to be closed.
func (x *exchange) over() {
	x.timer.Stop()
	x.end(errClosed)
}
