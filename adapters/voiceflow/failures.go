package voiceflow

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// longestRetryAfter is the longest Retry-After of Voiceflow that is passed on.
const longestRetryAfter = 24 * time.Hour

// failure is the error of a request, and whether a retry may help.
type failure struct {
	err     *domain.Error
	passing bool
	status  int // of the answer; 0 without one
}

func unavailable(public string, cause error) *domain.Error {
	return &domain.Error{Kind: domain.VoiceflowUnavailable, Public: public, Cause: cause}
}

// kindOf turns a status of Voiceflow into a domain.Kind; nothing else does. A bad key causes
// 400, 401, 403 or 404, depending on the service, so these have the same kind. The caller has
// handled the 200.
func kindOf(status int) (kind domain.Kind, passing bool) {
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return domain.VoiceflowUnavailable, true
	case status >= 400:
		return domain.VoiceflowRejected, false
	}
	return domain.VoiceflowUnavailable, false
}

// refused translates an answer that is not a 200. It does not read the body. Voiceflow has more
// than six forms of errors, and none of them is passed on.
func refused(resp *http.Response, now time.Time) *failure {
	kind, passing := kindOf(resp.StatusCode)
	status := fmt.Errorf("voiceflow: status %d", resp.StatusCode)
	if kind == domain.VoiceflowRejected {
		return &failure{err: &domain.Error{Kind: kind, Public: "Voiceflow rejected the key or does not know the environment; check both", Cause: status}, status: resp.StatusCode}
	}
	e := unavailable("Voiceflow gave no usable answer; try again later", status)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	return &failure{err: e, passing: passing, status: resp.StatusCode}
}

// broken translates an exchange that failed before the answer was complete.
func broken(ctx context.Context, err error) *failure {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &failure{err: unavailable("Voiceflow did not answer in time", ctx.Err())}
	case ctx.Err() != nil:
		return &failure{err: unavailable("the call to Voiceflow was canceled", ctx.Err())}
	}
	return &failure{err: unavailable("the connection to Voiceflow failed", harmless(err)), passing: true}
}

// unconnected reports whether a request failed before there was a connection to send it on.
// net/http names the operation: dial, or proxyconnect for a proxy (net/http, transport.go).
func unconnected(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// harmless removes from a transport's error everything that the other side can influence. That
// can quote an answer, and with it the key if the server echoed it. All such errors are
// *url.Error, which contains the URL.
func harmless(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	// The certificate was sent before the key, so it can't contain the key.
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return errors.New("voiceflow: the exchange broke off")
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3). It returns zero for 0, which
// Voiceflow sends too, for a time in the past, and for an invalid text.
func retryAfter(text string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), longestRetryAfter)
}
