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
)

const (
	// idleConnections is the number of idle connections that are kept for each service. As many
	// calls at the same time need no new connection.
	idleConnections = 256
	// trialTimeout is the time limit of a call that tries whether a service is back. It is
	// longer than the 20 s after which Voiceflow itself ends a turn.
	trialTimeout = 30 * time.Second
)

// service is one of Voiceflow's services that calls are forwarded to.
type service struct {
	base     *url.URL
	path     string // the path of base, with its percent-encoding and without a slash at its end
	http     *http.Transport
	breakers *breakers
}

func newService(base *url.URL, t *http.Transport, b *breakers) *service {
	t.MaxIdleConnsPerHost = idleConnections
	// Voiceflow's load balancers close an idle connection after a minute or more. Only the next
	// use shows that a connection was closed, and a turn can't be sent again then.
	t.IdleConnTimeout = 90 * time.Second
	// The client decodes answers itself, within the limits of the exchange.
	t.DisableCompression = true
	// A new connection may serve any later call, so no context of a call ends it.
	t.DialContext = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	// All calls may share one connection of HTTP/2. A dead connection must not be used again.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return &service{base: base, path: strings.TrimRight(base.EscapedPath(), "/"), http: t, breakers: b}
}

// Forward sends a call of domain.Endpoints to its service.
//
// A failure is no answer in time, or 502, 503 and 504. After 20 failures of an assistant in a row,
// its calls to the service are held off for BreakerPause. After that one call tries the service,
// and the assistant's other calls fail until that call has ended. The calls of all assistants are
// held off so if the service fails 20 times in a row. At most 7 of these count for one assistant.
//
// Forward may close r.Body before or after it returns. If ctx ends, Forward still waits for a
// Read of r.Body that has begun, as net/http does.
func (c *Client) Forward(ctx context.Context, f domain.Forward, r *http.Request, credential domain.Secret) (ports.Answer, error) {
	f.UserIDs = remembered(f.UserIDs)
	endpoint := f.Route.Endpoint
	s := c.services[endpoint.Service]
	out, err := newOutgoing(ctx, s, f, r, credential)
	if err != nil {
		return ports.Answer{}, err
	}
	limit, trial := c.forwardTimeout, s.breakers.heldOff(f.Project.ID)
	if trial {
		// One call finds out for others whether the service is back. So it must wait neither for
		// its own caller nor for long.
		limit = min(limit, trialTimeout)
	}
	if err := c.prepare(ctx, f, &out, trial); err != nil {
		return ports.Answer{}, err
	}
	tell, allowed := s.breakers.begin(f.Project.ID)
	if !allowed {
		return ports.Answer{}, c.shed()
	}
	defer tell(tellsNothing) // unless it was told before
	if f.Begin != nil {
		if err := f.Begin(ctx); err != nil {
			return ports.Answer{}, err
		}
	}
	x := c.begin(ctx, endpoint, limit)
	answer, err := s.send(out.request.WithContext(x.ctx)) //nolint:bodyclose // the exchange closes it
	tell(x.verdict(endpoint, out, answer, err))
	if err != nil {
		defer x.over()
		if failed := out.failed(); failed != nil && context.Cause(x.ctx) == nil {
			return ports.Answer{Sent: true}, unreadable(failed)
		}
		return ports.Answer{Sent: !unconnected(err)}, x.broken(err)
	}
	x.body = answer.Body
	passed, err := c.pass(x, f, answer, out.userID, credential)
	if err != nil {
		_ = x.Close()
		return ports.Answer{Sent: true}, err
	}
	return passed, nil
}

// prepare reads as much of the caller's body as must be read before the call begins, and reserves
// the memory for its answer.
func (c *Client) prepare(ctx context.Context, f domain.Forward, out *outgoing, trial bool) error {
	held := ports.HeldIn(ctx)
	if trial || out.small {
		if whole, err := out.readAhead(held); err != nil {
			return err
		} else if !whole {
			return c.shed()
		}
	}
	if f.Begin != nil {
		if err := out.peek(); err != nil {
			return err
		}
	}
	// The answer of a call that was carried out must not fail for want of memory.
	return held.Add(maxHeld)
}

var errHeldOff = errors.New("voiceflow: the assistant or the service failed too often just now")

// shed returns the error for a call that is held off.
func (c *Client) shed() error {
	e := unavailable("Voiceflow does not answer now; try again later", errHeldOff)
	e.RetryAfter = c.breakerPause
	return e
}

// send sends the request. It sends a GET once more if no answer came.
func (s *service) send(r *http.Request) (*http.Response, error) {
	answer, err := s.http.RoundTrip(r)
	if err != nil && r.Method == http.MethodGet && r.Body == nil && r.Context().Err() == nil {
		answer, err = s.http.RoundTrip(r)
	}
	return answer, err
}

var (
	// errTooLate ends an exchange whose time is used up.
	errTooLate = fmt.Errorf("voiceflow: the call took too long: %w", context.DeadlineExceeded)
	// errClosed ends an exchange whose answer was closed.
	errClosed = errors.New("voiceflow: the answer was closed")
	// errTooLong ends an exchange whose answer is too large.
	errTooLong = errors.New("voiceflow: the answer is larger than the limit")
)

// exchange is one call, from the time when it is sent until its answer is closed. As a reader it
// is the body of the answer, within its limits.
type exchange struct {
	ctx   context.Context // done if the caller leaves, the time is used up, or the answer is closed
	end   context.CancelCauseFunc
	timer *time.Timer
	idle  time.Duration // the longest time between two pieces of a stream; 0 for any other answer
	left  int64         // bytes that may still come; not counted in a stream
	held  *ports.Held   // what the request holds in memory
	body  io.ReadCloser // the body of the answer
}

func (c *Client) begin(ctx context.Context, e *domain.Endpoint, limit time.Duration) *exchange {
	x := &exchange{left: c.maxAnswer, held: ports.HeldIn(ctx)}
	if e.Scope == domain.ScopeExport {
		x.left = max(c.maxAnswer, maxExport)
	}
	x.ctx, x.end = context.WithCancelCause(ctx)
	x.timer = time.AfterFunc(limit, func() { x.end(errTooLate) })
	return x
}

// verdict returns what the exchange tells about its service.
func (x *exchange) verdict(e *domain.Endpoint, out outgoing, answer *http.Response, err error) verdict {
	switch cause := context.Cause(x.ctx); {
	case e.Retired, cause != nil && !errors.Is(cause, errTooLate):
		return tellsNothing
	case err == nil && (answer.StatusCode < http.StatusBadGateway || answer.StatusCode > http.StatusGatewayTimeout):
		return answered
	case err != nil && !out.sent():
		return tellsNothing // a caller who is slow to send could make any service look down
	}
	return didNotAnswer
}

// stream replaces the limits of a whole answer with those of a stream.
func (x *exchange) stream(idle time.Duration) {
	x.timer.Stop()
	x.idle = idle
}

// Read reads the answer. Every error but io.EOF is a *domain.Error.
func (x *exchange) Read(p []byte) (int, error) {
	if x.idle > 0 {
		// Only the wait for Voiceflow counts. The caller may read slowly.
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

// failed returns the error of a Read that ended with err.
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

// broken translates the error that ended the exchange before the answer was complete.
func (x *exchange) broken(err error) *domain.Error {
	switch cause := context.Cause(x.ctx); {
	case cause == nil:
		return unavailable("the connection to Voiceflow failed", harmless(err))
	case errors.Is(cause, errTooLate):
		return unavailable("Voiceflow did not answer in time", cause)
	default:
		return unavailable("the call to Voiceflow was canceled", cause)
	}
}

// Close ends the exchange, also at Voiceflow.
func (x *exchange) Close() error {
	// An answer that was read to its end leaves a connection that can be used again. Any other
	// answer is cut.
	_ = x.body.Close()
	x.over()
	return nil
}

// over ends an exchange without an answer to close.
func (x *exchange) over() {
	x.timer.Stop()
	x.end(errClosed)
}
