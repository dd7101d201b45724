package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// WebhookTold is a webhook and what it was told, or is to be told.
type WebhookTold struct {
	Webhook    domain.Webhook    // without its sealed secret
	Deliveries []domain.Delivery // the latest events first
}

// GetWebhooks returns all webhooks in the order of their URLs. Each has the latest domain.KeptDeliveries
// deliveries that wait, and as many that have ended. Only an admin may: NotAllowed. Returns NotFound if this
// program does not send events.
func (s *Service) GetWebhooks(ctx context.Context, call domain.Call) ([]WebhookTold, error) {
	if err := s.mayUseWebhooks(call, domain.ScopeManageAudit); err != nil {
		return nil, err
	}
	all, err := s.ports.Store.Webhooks.List(ctx)
	if err != nil {
		return nil, err
	}
	told := make([]WebhookTold, len(all))
	for i, w := range all {
		w.Secret = domain.Sealed{}
		told[i].Webhook = w
		if told[i].Deliveries, err = s.ports.Store.Webhooks.Deliveries(ctx, w.ID, domain.KeptDeliveries); err != nil {
			return nil, err
		}
	}
	return told, nil
}
