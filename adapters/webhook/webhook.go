// Package webhook sends events to webhooks over HTTPS, in the form of Standard Webhooks
// (https://github.com/standard-webhooks/standard-webhooks).
//
// An admin chooses where events go, and names resolve to what somebody else says. So the address of each
// connection is checked when it is made, after the name was resolved. Each try has a connection of its own.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.WebhookSender = (*Sender)(nil)

// maxHeader is the largest header of an answer, in bytes.
const maxHeader = 16 << 10

// Options are the settings of a Sender. The zero Options send to public addresses only.
type Options struct {
	// AllowPrivate allows addresses that are not public (domain.MaySendTo). It does not allow plain HTTP.
	AllowPrivate bool
	// Timeout is how long a try may take. Zero means domain.SendTimeLimit.
	Timeout time.Duration
	// RootCAs are the certificate authorities to trust. Nil means those of the system.
	RootCAs *x509.CertPool
}

// Sender is a ports.WebhookSender. It is safe for concurrent use.
type Sender struct{ http *http.Client }

// New creates a Sender. It does no I/O.
func New(o Options) *Sender {
	if o.Timeout <= 0 {
		o.Timeout = domain.SendTimeLimit
	}
	dialer := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return mayConnect(address, o.AllowPrivate) }}
	return &Sender{&http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext, // and no Proxy: a proxy would resolve the name again
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
	}}
}

var (
	errAddress = errors.New("webhook: the address is not one that events may be sent to")
	errPlain   = errors.New("webhook: the URL does not begin with https://")
)

// mayConnect returns errAddress unless events may be sent to the address, an IP address and a port.
func mayConnect(address string, private bool) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !domain.MaySendTo(to.Addr(), private) {
		return errAddress
	}
	return nil
}

// Send implements ports.WebhookSender.
func (s *Sender) Send(ctx context.Context, m domain.WebhookMessage) domain.SendResult {
	status, err := s.post(ctx, m)
	if err != nil {
		return resultOf(err)
	}
	return domain.SendResultOf(status)
}

// post returns the status of the answer. Its body is not read.
func (s *Sender) post(ctx context.Context, m domain.WebhookMessage) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return 0, err
	}
	if r.URL.Scheme != "https" {
		return 0, errPlain
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Flowlatch")
	r.Header.Set("Webhook-Id", m.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(m.At.Unix(), 10))
	r.Header.Set("Webhook-Signature", m.Signature)
	answer, err := s.http.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// resultOf is where foreign errors become a domain.SendResult. An error can have the URL in it, so it is
// not passed on.
func resultOf(err error) domain.SendResult {
	var slow net.Error
	if errors.Is(err, errAddress) {
		return domain.SendPrivate
	}
	if errors.Is(err, context.Canceled) || errors.As(err, &slow) && slow.Timeout() {
		return domain.SendTimeout
	}
	if _, unknown := errors.AsType[*net.DNSError](err); unknown {
		return domain.SendNoHost
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	if certificate || record || alert || errors.Is(err, http.ErrSchemeMismatch) {
		return domain.SendTLS
	}
	return domain.SendUnreachable
}
