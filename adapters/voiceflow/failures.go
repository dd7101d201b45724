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

// longestRetryAfter is the most that is passed on of what Voiceflow asks for.
const longestRetryAfter = 24 * time.Hour

// failure is why a try failed, and whether it may pass.
type failure struct {
	err     *domain.Error
	passing bool
}

func unavailable(public string, cause error) *domain.Error {
	return &domain.Error{Kind: domain.VoiceflowUnavailable, Public: public, Cause: cause}
}

// kindOf is the only place where a status of Voiceflow's becomes a kind of ours.
// A bad key shows as 400, 401, 403 or 404, depending on the service, so these are
// not told apart. Whoever calls has handled the 200.
func kindOf(status int) (kind domain.Kind, passing bool) {
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return domain.VoiceflowUnavailable, true
	case status >= 400:
		return domain.VoiceflowRejected, false
	}
	return domain.VoiceflowUnavailable, false
}

// refused translates an answer that is no 200. Its body stays unread: Voiceflow has
// more than six forms of errors, and nothing of them is passed on.
func refused(resp *http.Response, now time.Time) *failure {
	kind, passing := kindOf(resp.StatusCode)
	status := fmt.Errorf("voiceflow: status %d", resp.StatusCode)
	if kind == domain.VoiceflowRejected {
		return &failure{err: &domain.Error{Kind: kind, Public: "Voiceflow refused the key or does not know the version", Cause: status}}
	}
	e := unavailable("Voiceflow gave no answer that can be used", status)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	return &failure{err: e, passing: passing}
}

// broken translates an exchange that failed before the answer was whole.
func broken(ctx context.Context, err error) *failure {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &failure{err: unavailable("Voiceflow did not answer in time", ctx.Err())}
	case ctx.Err() != nil:
		return &failure{err: unavailable("the call to Voiceflow was given up", ctx.Err())}
	}
	return &failure{err: unavailable("the connection to Voiceflow failed", harmless(err)), passing: true}
}

// harmless keeps of a transport's error what the other side had no hand in. The
// rest may quote an answer, and with it the key, if it was echoed; a *url.Error,
// which all of them come in, holds the URL.
func harmless(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	// What a certificate says was sent before the key was.
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return errors.New("voiceflow: the exchange broke off")
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3). Zero, which Voiceflow
// sends too, what lies in the past and what can't be read are no wait at all.
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
