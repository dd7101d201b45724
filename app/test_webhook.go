package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// TestWebhook makes one try to tell the webhook of the URL of a test event, and returns what came of it. It
// takes domain.SendTimeLimit at most. The test is not among the deliveries, and is not tried again. Only an
// admin may, or an access token with the scope manage: NotAllowed. Returns Invalid if url can be no
// webhook's, and NotFound if there is no such webhook or this program does not send events.
func (s *Service) TestWebhook(ctx context.Context, call domain.Call, url string) (domain.SendResult, error) {
	if err := s.mayUseWebhooks(call); err != nil {
		return "", err
	}
	url, err := domain.ParseWebhookURL(url)
	if err != nil {
		return "", err
	}
	w, err := s.webhookAt(ctx, url)
	if err != nil {
		return "", err
	}
	act := s.act(call, domain.NeedsAdmin(), domain.ActionTestWebhook, domain.OnWebhook(w.ID))
	if err := s.ports.Store.Audit.Begin(ctx, act); err != nil {
		return "", err
	}
	return s.webhooks.Send(ctx, w, domain.TestEvent(act.Record))
}
