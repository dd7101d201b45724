package memory_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestWebhookSender(t *testing.T) {
	t.Parallel()
	portstest.WebhookSender(t, func(*testing.T) portstest.WebhookReceiver {
		const url = "https://alerts.example/in"
		s := memory.NewWebhookSender()
		return portstest.WebhookReceiver{
			Sender: s, URL: url, Got: s.Got,
			Answer: func(status int) { s.Answer(url, status) }, Hang: func() <-chan struct{} { return s.Hang(url) },
		}
	})
}
