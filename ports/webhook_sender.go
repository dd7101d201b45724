package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// WebhookSender sends events to webhooks. It is safe for concurrent use.
type WebhookSender interface {
	// Send makes one try and says how it ended. It takes domain.SendTimeLimit at most, and less if ctx
	// ends. The try is a POST of the body as application/json, with the headers webhook-id,
	// webhook-timestamp and webhook-signature of Standard Webhooks.
	//
	// Send speaks HTTPS only, and trusts a certificate only for the host of the URL. It follows no
	// redirect, uses no proxy, and connects to no address that domain.MaySendTo does not allow, whatever a
	// name resolves to. Nothing of the answer but its status counts, and nothing of it is kept.
	Send(ctx context.Context, m domain.WebhookMessage) domain.SendResult
}
