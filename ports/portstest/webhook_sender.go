package portstest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// WebhookReceiver is the other side of a WebhookSender, with a receiver of one test's own.
type WebhookReceiver struct {
	Sender ports.WebhookSender // may send to the receiver
	URL    string              // of the receiver, https
	// Answer makes the receiver answer with the status from now on. Before, it answers 200.
	Answer func(status int)
	// Hang makes the receiver never answer. The channel gets an element when a try has arrived.
	Hang func() <-chan struct{}
	// Got returns the messages that have arrived, without their URLs.
	Got func() []domain.WebhookMessage
}

// WebhookSender checks the sentences in the comment of ports.WebhookSender that hold for every sender.
func WebhookSender(t *testing.T, open func(t *testing.T) WebhookReceiver) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, r WebhookReceiver)
	}{
		{"Send posts the body, with id, time and signature", senderPosts},
		{"the status of the answer is the result", senderStatus},
		{"Send ends with its context", senderEnds},
		{"Send speaks HTTPS only", senderPlain},
		{"Send is safe for concurrent use", senderConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, open(t))
		})
	}
}

// message returns a message for the receiver.
func (r WebhookReceiver) message(t *testing.T, n int) domain.WebhookMessage {
	t.Helper()
	secret, err := domain.NewWebhookSecret(strings.NewReader(strings.Repeat("x", 32)))
	wantNil(t, "NewWebhookSecret", err)
	event := domain.TestEvent(domain.Record{
		At: time.UnixMicro(1_700_000_000_000_000), Actor: domain.ActorOperator, Action: domain.ActionTestWebhook, Object: "webhook:<1>", RequestID: fmt.Sprint(n),
	})
	m, err := domain.NewWebhookMessage(r.URL, event, domain.EventNames{}, secret, time.Unix(1_700_000_007, 123))
	wantNil(t, "NewWebhookMessage", err)
	return m
}

func (r WebhookReceiver) wantGot(t *testing.T, what string, want ...domain.WebhookMessage) {
	t.Helper()
	got := r.Got()
	for i := range want {
		want[i].URL, want[i].At = "", want[i].At.Truncate(time.Second).UTC()
	}
	for i := range got {
		got[i].URL, got[i].At = "", got[i].At.Truncate(time.Second).UTC()
	}
	wantSame(t, what, got, want)
}

func senderPosts(t *testing.T, r WebhookReceiver) {
	m := r.message(t, 1)
	wantSame(t, "the result", r.Sender.Send(t.Context(), m), domain.SentOK)
	r.wantGot(t, "what the receiver got", m)
}

func senderStatus(t *testing.T, r WebhookReceiver) {
	for _, status := range []int{200, 201, 204, 299, 300, 301, 302, 307, 308, 400, 401, 404, 410, 429, 499, 500, 503, 599} {
		r.Answer(status)
		wantSame(t, fmt.Sprintf("the result of %d", status), r.Sender.Send(t.Context(), r.message(t, status)), domain.SendResultOf(status))
	}
	wantSame(t, "how many messages arrived", len(r.Got()), 18) // no redirect was followed
}

func senderEnds(t *testing.T, r WebhookReceiver) {
	arrived := r.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	wantSame(t, "the result of a receiver that hangs", r.Sender.Send(ctx, r.message(t, 1)), domain.SendTimeout)
	wantSame(t, "the result under a context that has ended", r.Sender.Send(ctx, r.message(t, 2)), domain.SendTimeout)
}

func senderPlain(t *testing.T, r WebhookReceiver) {
	m := r.message(t, 1)
	m.URL = "http" + strings.TrimPrefix(m.URL, "https")
	wantSame(t, "the result without TLS", r.Sender.Send(t.Context(), m), domain.SendUnreachable)
	r.wantGot(t, "what the receiver got")
}

func senderConcurrent(t *testing.T, r WebhookReceiver) {
	var all sync.WaitGroup
	const many = 16
	for n := range many {
		all.Go(func() {
			if is := r.Sender.Send(t.Context(), r.message(t, n)); is != domain.SentOK {
				t.Errorf("message %d: got %q, want %q", n, is, domain.SentOK)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, m := range r.Got() {
		seen[m.ID] = true
	}
	wantSame(t, "how many messages arrived", len(seen), many)
}
