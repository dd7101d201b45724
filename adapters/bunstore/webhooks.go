package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Webhooks = (*Webhooks)(nil)

// Webhooks is a ports.Webhooks on a Store.
type Webhooks struct{ store *Store }

type webhookRow struct {
	ID      domain.WebhookID
	URL     string `bun:"url"`
	Events  string
	KeyID   domain.KeyID
	Sealed  []byte
	Created int64
	SetAt   int64
	Gone    int64
}

func (r *webhookRow) webhook() domain.Webhook {
	return domain.Webhook{
		ID: r.ID, URL: r.URL, Events: domain.EventTypesFromText(r.Events), Secret: domain.Sealed{Key: r.KeyID, Bytes: r.Sealed},
		Created: instant(r.Created), Set: instant(r.SetAt), Gone: instantOrNever(r.Gone),
	}
}

type deliveryRow struct {
	WebhookID domain.WebhookID
	EventID   string
	Type      domain.EventType
	At        int64
	Actor     domain.Actor
	Action    domain.Action
	Object    string
	Outcome   string
	RequestID string
	Address   string
	State     domain.DeliveryState
	Tries     int
	NextTry   int64
	LastTry   int64
	Result    domain.SendResult
}

func (r *deliveryRow) delivery() domain.Delivery {
	return domain.Delivery{
		Webhook: r.WebhookID, State: r.State, Tries: r.Tries, Next: instantOrNever(r.NextTry), Last: instantOrNever(r.LastTry), Is: r.Result,
		Event: domain.Event{ID: r.EventID, Type: r.Type, Record: domain.Record{
			At: instant(r.At), Actor: r.Actor, Action: r.Action, Object: r.Object, Outcome: r.Outcome, RequestID: r.RequestID, Address: r.Address, Count: 1,
		}},
	}
}

const (
	// lockWebhooks makes changes of webhooks come one after the other, so that their number is bounded.
	// Those who only tell webhooks of an event go on.
	lockWebhooks   = `LOCK TABLE webhooks IN SHARE ROW EXCLUSIVE MODE`
	selectWebhooks = `SELECT id, url, events, key_id, sealed, created, set_at, gone FROM webhooks ORDER BY url`

	putWebhook = `INSERT INTO webhooks (id, url, events, key_id, sealed, created, set_at, gone) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
ON CONFLICT (id) DO UPDATE SET events = excluded.events, key_id = excluded.key_id, sealed = excluded.sealed, set_at = excluded.set_at, gone = 0`
	deleteWebhook = `DELETE FROM webhooks WHERE id = $1`

	deliveryColumns = `webhook_id, event_id, type, at, actor, action, object, outcome, request_id, address, state, tries, next_try, last_try, result`

	// A webhook that is removed meanwhile is left out: the lock looks at it again.
	tellWebhooks = `INSERT INTO webhook_deliveries (` + deliveryColumns + `)
SELECT w.id, $1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', 0, $3, 0, '' FROM webhooks w
WHERE w.gone = 0 AND ' ' || w.events || ' ' LIKE '% ' || $2 || ' %' AND (SELECT count(*) FROM
	(SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'waiting' LIMIT $10) waiting) < $10`
	lockTold     = ` FOR KEY SHARE OF w`
	alreadyKnows = ` ON CONFLICT (webhook_id, event_id) DO NOTHING`

	latestDeliveries = `SELECT ` + deliveryColumns + ` FROM webhook_deliveries WHERE webhook_id = $1 AND (state = 'waiting') = $2
ORDER BY at DESC, event_id DESC LIMIT $3`

	webhooksDue = `SELECT w.id FROM webhooks w WHERE EXISTS
	(SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.next_try <= $1) ORDER BY w.id`

	longestDue = `SELECT event_id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'waiting' AND next_try <= $2
	ORDER BY next_try, event_id LIMIT 1`
	beginDelivery         = `UPDATE webhook_deliveries SET tries = tries + 1, next_try = $3 WHERE webhook_id = $1 AND event_id = (` + longestDue + `) RETURNING ` + deliveryColumns
	beginDeliveryPostgres = `UPDATE webhook_deliveries SET tries = tries + 1, next_try = $3 WHERE webhook_id = $1 AND event_id = (` + longestDue + ` FOR UPDATE SKIP LOCKED) RETURNING ` + deliveryColumns

	endDelivery = `UPDATE webhook_deliveries SET state = $5, tries = $6, next_try = $7, last_try = $8, result = $9
WHERE webhook_id = $1 AND event_id = $2 AND state = 'waiting' AND tries = $3 AND next_try = $4`
	lockWebhook   = `SELECT id FROM webhooks WHERE id = $1 FOR NO KEY UPDATE`
	webhookIsGone = `UPDATE webhooks SET gone = $2 WHERE id = $1`
	endDeliveries = `UPDATE webhook_deliveries SET state = $2, next_try = 0, last_try = $3, result = $4 WHERE webhook_id = $1 AND state = 'waiting'`
	keepLatest    = `DELETE FROM webhook_deliveries WHERE webhook_id = $1 AND state <> 'waiting' AND event_id NOT IN
	(SELECT event_id FROM webhook_deliveries WHERE webhook_id = $1 AND state <> 'waiting' ORDER BY at DESC, event_id DESC LIMIT $2)`
)

// webhookIDRow is the id of a webhook.
type webhookIDRow struct{ ID domain.WebhookID }

// tell stores a delivery for each webhook that wants the event of the record, if it is one. on is the
// transaction that stores the record.
func (s *Store) tell(ctx context.Context, on handle, rec domain.Record) error {
	event, is := domain.EventOf(rec)
	if !is {
		return nil
	}
	statement := tellWebhooks
	if s.postgres {
		statement += lockTold
	}
	_, err := s.exec(ctx, on, statement+alreadyKnows, event.ID, string(event.Type), micros(event.At), string(event.Actor), string(event.Action),
		event.Object, event.Outcome, event.RequestID, event.Address, domain.MaxWaiting)
	return err
}

// isEvent reports whether webhooks are told of one of the records.
func isEvent(recs ...domain.Record) bool {
	return slices.ContainsFunc(recs, func(rec domain.Record) bool {
		_, is := domain.EventOf(rec)
		return is
	})
}

// Set implements ports.Webhooks.
func (w *Webhooks) Set(ctx context.Context, act domain.Act, hook domain.Webhook) (domain.Webhook, error) {
	s := w.store
	var set domain.Webhook
	err := s.act(ctx, "set a webhook", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := domain.Storable(string(hook.ID), hook.URL, domain.EventTypesText(hook.Events), string(hook.Secret.Key)); err != nil {
			return false, err
		}
		if s.postgres {
			if _, err := s.exec(ctx, tx.Tx, lockWebhooks); err != nil {
				return false, err
			}
		}
		var rows []webhookRow
		if err := s.query(ctx, tx.Tx, &rows, selectWebhooks); err != nil {
			return false, err
		}
		var err error
		if set, err = hook.SetIn(webhooksOf(rows)); err != nil {
			return false, err
		}
		_, err = s.exec(ctx, tx.Tx, putWebhook, string(set.ID), set.URL, domain.EventTypesText(set.Events), string(set.Secret.Key), set.Secret.Bytes,
			micros(set.Created), micros(set.Set))
		return true, err
	})
	if err != nil {
		return domain.Webhook{}, err
	}
	set.Events, set.Secret.Bytes = slices.Clone(set.Events), slices.Clone(set.Secret.Bytes)
	return set, nil
}

// Remove implements ports.Webhooks.
func (w *Webhooks) Remove(ctx context.Context, act domain.Act, id domain.WebhookID) error {
	s := w.store
	return s.act(ctx, "remove a webhook", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		n, err := s.exec(ctx, tx.Tx, deleteWebhook, string(id))
		if err == nil && n == 0 {
			err = domain.NoSuch("webhook")
		}
		return true, err
	})
}

// List implements ports.Webhooks.
func (w *Webhooks) List(ctx context.Context) ([]domain.Webhook, error) {
	s := w.store
	var rows []webhookRow
	err := s.read(ctx, "find the webhooks", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, selectWebhooks)
	})
	if err != nil {
		return nil, err
	}
	return webhooksOf(rows), nil
}

func webhooksOf(rows []webhookRow) []domain.Webhook {
	list := make([]domain.Webhook, len(rows))
	for i := range rows {
		list[i] = rows[i].webhook()
	}
	return list
}

// Deliveries implements ports.Webhooks.
func (w *Webhooks) Deliveries(ctx context.Context, id domain.WebhookID, limit int) ([]domain.Delivery, error) {
	s := w.store
	var waiting, ended []deliveryRow
	err := s.read(ctx, "find the deliveries of a webhook", func(ctx context.Context) error {
		waiting, ended = nil, nil
		if err := s.lookUp(ctx, &waiting, latestDeliveries, string(id), true, max(limit, 0)); err != nil {
			return err
		}
		return s.lookUp(ctx, &ended, latestDeliveries, string(id), false, max(limit, 0))
	})
	if err != nil {
		return nil, err
	}
	list := make([]domain.Delivery, 0, len(waiting)+len(ended))
	for len(waiting) > 0 || len(ended) > 0 {
		from := &waiting
		if len(waiting) == 0 || len(ended) > 0 && (ended[0].At > waiting[0].At || ended[0].At == waiting[0].At && ended[0].EventID > waiting[0].EventID) {
			from = &ended
		}
		list, *from = append(list, (*from)[0].delivery()), (*from)[1:]
	}
	return list, nil
}

// Due implements ports.Webhooks.
func (w *Webhooks) Due(ctx context.Context, now time.Time) ([]domain.WebhookID, error) {
	s := w.store
	var rows []webhookIDRow
	err := s.read(ctx, "find the webhooks to tell", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, webhooksDue, micros(now))
	})
	if err != nil {
		return nil, err
	}
	due := make([]domain.WebhookID, len(rows))
	for i, row := range rows {
		due[i] = row.ID
	}
	return due, nil
}

// Begin implements ports.Webhooks.
func (w *Webhooks) Begin(ctx context.Context, id domain.WebhookID, now time.Time) (domain.Delivery, error) {
	s := w.store
	statement, lease := beginDelivery, domain.Delivery{}.Begun(now).Next
	if s.postgres {
		statement = beginDeliveryPostgres
	}
	var rows []deliveryRow
	err := s.write(ctx, "begin to tell a webhook", func(ctx context.Context, on handle) error {
		rows = nil
		return s.query(ctx, on, &rows, statement, string(id), micros(now), micros(lease))
	})
	switch {
	case err != nil:
		return domain.Delivery{}, err
	case len(rows) == 0:
		return domain.Delivery{}, domain.NoSuch("delivery that is due")
	}
	return rows[0].delivery(), nil
}

// End implements ports.Webhooks.
func (w *Webhooks) End(ctx context.Context, begun, d domain.Delivery) error {
	s := w.store
	return s.change(ctx, "note that a webhook was told", func(ctx context.Context, tx bun.Tx) error {
		id := string(d.Webhook)
		if d.Gone() && s.postgres { // the webhook is locked before its deliveries
			var rows []webhookIDRow
			if err := s.query(ctx, tx.Tx, &rows, lockWebhook, id); err != nil {
				return err
			}
		}
		n, err := s.exec(ctx, tx.Tx, endDelivery, id, d.Event.ID, begun.Tries, microsOrNever(begun.Next),
			string(d.State), d.Tries, microsOrNever(d.Next), microsOrNever(d.Last), string(d.Is))
		if err != nil || n == 0 || d.State == domain.DeliveryWaiting {
			return err
		}
		if d.Gone() {
			if _, err := s.exec(ctx, tx.Tx, webhookIsGone, id, micros(d.Last)); err != nil {
				return err
			}
			if _, err := s.exec(ctx, tx.Tx, endDeliveries, id, string(d.State), micros(d.Last), string(d.Is)); err != nil {
				return err
			}
		}
		_, err = s.exec(ctx, tx.Tx, keepLatest, id, domain.KeptDeliveries)
		return err
	})
}
