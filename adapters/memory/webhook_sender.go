package memory

import (
	"context"
	"net/netip"
	"net/url"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.WebhookSender = (*WebhookSender)(nil)

// WebhookSender is a ports.WebhookSender whose receivers are in memory. It keeps what they got. A receiver
// accepts everything until Answer or Hang says otherwise. It is safe for concurrent use.
type WebhookSender struct {
	mu     sync.Mutex
	status map[string]int           // by URL
	hangs  map[string]chan struct{} // by URL; gets an element for each try that hangs
	got    []domain.WebhookMessage
}

// NewWebhookSender returns a sender that has sent nothing.
func NewWebhookSender() *WebhookSender {
	return &WebhookSender{status: map[string]int{}, hangs: map[string]chan struct{}{}}
}

// Answer makes the receiver at the URL answer with the status from now on.
func (s *WebhookSender) Answer(address string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[address] = status
	delete(s.hangs, address)
}

// Hang makes the receiver at the URL accept tries and never answer. The channel gets an element for each
// try that hangs, as far as somebody receives it.
func (s *WebhookSender) Hang(address string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs[address] = make(chan struct{}, domain.MaxWaiting)
	return s.hangs[address]
}

// Got returns the messages that receivers got, in their order.
func (s *WebhookSender) Got() []domain.WebhookMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]domain.WebhookMessage(nil), s.got...)
}

// Send implements ports.WebhookSender.
func (s *WebhookSender) Send(ctx context.Context, m domain.WebhookMessage) domain.SendResult {
	u, err := url.Parse(m.URL)
	if err != nil || u.Scheme != "https" {
		return domain.SendUnreachable
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !domain.MaySendTo(ip, false) {
		return domain.SendPrivate
	}
	if ctx.Err() != nil {
		return domain.SendTimeout
	}
	s.mu.Lock()
	m.Body = append([]byte(nil), m.Body...)
	s.got = append(s.got, m)
	hangs, status := s.hangs[m.URL], s.status[m.URL]
	s.mu.Unlock()
	if hangs != nil {
		hangs <- struct{}{}
		<-ctx.Done()
		return domain.SendTimeout
	}
	if status == 0 {
		return domain.SentOK
	}
	return domain.SendResultOf(status)
}
