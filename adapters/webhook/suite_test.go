package webhook_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/webhook"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

// receiver is a server of HTTPS that keeps what it got.
type receiver struct {
	*httptest.Server

	roots *x509.CertPool

	mu     sync.Mutex
	status int
	hangs  chan struct{}
	got    []domain.WebhookMessage
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK, roots: x509.NewCertPool()}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.Config.ErrorLog = quiet
	r.StartTLS()
	r.roots.AddCert(r.Certificate())
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	seconds, _ := strconv.ParseInt(q.Header.Get("webhook-timestamp"), 10, 64)
	r.mu.Lock()
	if q.Method == http.MethodPost && q.Header.Get("Content-Type") == "application/json" {
		r.got = append(r.got, domain.WebhookMessage{
			ID: q.Header.Get("webhook-id"), At: time.Unix(seconds, 0), Body: body, Signature: q.Header.Get("webhook-signature"),
		})
	}
	status, hangs := r.status, r.hangs
	r.mu.Unlock()
	if hangs != nil {
		hangs <- struct{}{}
		<-q.Context().Done()
		return
	}
	w.Header().Set("Location", r.URL+"/elsewhere")
	w.WriteHeader(status)
}

func (r *receiver) messages() []domain.WebhookMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]domain.WebhookMessage(nil), r.got...)
}

func TestSuite(t *testing.T) {
	t.Parallel()
	portstest.WebhookSender(t, func(t *testing.T) portstest.WebhookReceiver {
		r := newReceiver(t)
		return portstest.WebhookReceiver{
			Sender: webhook.New(webhook.Options{AllowPrivate: true, RootCAs: r.roots}), URL: r.URL + "/in?a=b", Got: r.messages,
			Answer: func(status int) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.status = status
			},
			Hang: func() <-chan struct{} {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.hangs = make(chan struct{}, 1)
				return r.hangs
			},
		}
	})
}
