package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Webhooks keeps the webhooks and what they are to be told of. Every method of every view that stores a
// record of which domain.EventOf makes an event stores a delivery of it for each webhook that wants it
// (domain.Webhook.Wants), in the same change. A webhook for which domain.MaxWaiting deliveries wait gets
// none.
type Webhooks interface {
	// Set stores what Webhook.SetIn makes of w and the webhooks that are stored, and returns it. The
	// record is kept in any case. Deliveries of a webhook that is set again stay. Returns the error of
	// Webhook.SetIn.
	Set(ctx context.Context, act domain.Act, w domain.Webhook) (domain.Webhook, error)

	// Remove removes the webhook with that id, with its deliveries. Returns NotFound if there is none.
	Remove(ctx context.Context, act domain.Act, id domain.WebhookID) error

	// List returns all webhooks with their sealed secrets, in the order of the bytes of their URLs.
	List(ctx context.Context) ([]domain.Webhook, error)

	// Deliveries returns the deliveries of the webhook: at most limit that wait, and at most limit that
	// have ended, the latest events first. No match is no error.
	Deliveries(ctx context.Context, id domain.WebhookID, limit int) ([]domain.Delivery, error)

	// Due returns the webhooks that have a delivery that is due at now, in the order of their ids.
	Due(ctx context.Context, now time.Time) ([]domain.WebhookID, error)

	// Begin begins a try of the delivery of the webhook that is due longest at now. It stores
	// Delivery.Begun and returns it. Of several calls, on any instances, each gets another delivery.
	// Returns NotFound if none is due.
	Begin(ctx context.Context, id domain.WebhookID, now time.Time) (domain.Delivery, error)

	// End stores d, whose try has ended or was dropped: Begin returned it, and Delivery.Ended or
	// Delivery.Dropped changed it. begun is what Begin returned. If another try has begun meanwhile, or the delivery is
	// gone, nothing changes. If the receiver is gone for good, the webhook is noted as gone at d.Last, and
	// its other deliveries end as d did. Of the deliveries of a webhook that have ended, the latest
	// domain.KeptDeliveries are kept.
	End(ctx context.Context, begun, d domain.Delivery) error
}
