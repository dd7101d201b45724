package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// webhooks is a ports.Webhooks.
type webhooks struct{ store *Store }

// Set stores the webhook in place of one with its URL.
func (v webhooks) Set(ctx context.Context, act domain.Act, w domain.Webhook) (domain.Webhook, error) {
	s := v.store
	if _, err := s.begin(ctx, act, string(w.ID), w.URL, domain.EventTypesText(w.Events), string(w.Secret.Key)); err != nil {
		return domain.Webhook{}, err
	}
	defer s.leave()
	set, err := w.SetIn(slices.Collect(maps.Values(s.webhooks)))
	if err != nil {
		return domain.Webhook{}, err
	}
	s.webhooks[set.ID] = cloneWebhook(set)
	s.record(act.Record)
	return cloneWebhook(set), nil
}

// Remove forgets the webhook and its deliveries. Returns NotFound if there is none.
func (v webhooks) Remove(ctx context.Context, act domain.Act, id domain.WebhookID) error {
	s := v.store
	if _, err := s.begin(ctx, act, string(id)); err != nil {
		return err
	}
	defer s.leave()
	if _, there := s.webhooks[id]; !there {
		return domain.NoSuch("webhook")
	}
	delete(s.webhooks, id)
	delete(s.deliveries, id)
	s.record(act.Record)
	return nil
}

// List returns all webhooks in the order of their URLs.
func (v webhooks) List(ctx context.Context) ([]domain.Webhook, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var all []domain.Webhook
	for _, w := range s.webhooks {
		all = append(all, cloneWebhook(w))
	}
	slices.SortFunc(all, func(a, b domain.Webhook) int { return strings.Compare(a.URL, b.URL) })
	return all, nil
}

// Deliveries returns the latest deliveries of the webhook that wait, and those that have ended.
func (v webhooks) Deliveries(ctx context.Context, id domain.WebhookID, limit int) ([]domain.Delivery, error) {
	s := v.store
	if err := s.enter(ctx, string(id)); err != nil {
		return nil, err
	}
	defer s.leave()
	all := slices.Clone(s.deliveries[id])
	slices.SortFunc(all, latestFirst)
	n := map[bool]int{}
	return slices.DeleteFunc(all, func(d domain.Delivery) bool {
		waits := d.State == domain.DeliveryWaiting
		n[waits]++
		return n[waits] > limit
	}), nil
}

// latestFirst orders deliveries by the time of their events, the latest first.
func latestFirst(a, b domain.Delivery) int {
	return cmp.Or(b.Event.At.Compare(a.Event.At), strings.Compare(b.Event.ID, a.Event.ID))
}

// Due returns the webhooks that have a delivery that is due.
func (v webhooks) Due(ctx context.Context, now time.Time) ([]domain.WebhookID, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var due []domain.WebhookID
	for id, all := range s.deliveries {
		if slices.ContainsFunc(all, func(d domain.Delivery) bool { return d.Due(now) }) {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	return due, nil
}

// Begin begins a try of the delivery that is due longest. Returns NotFound if none is due.
func (v webhooks) Begin(ctx context.Context, id domain.WebhookID, now time.Time) (domain.Delivery, error) {
	s := v.store
	if err := s.enterToWrite(ctx, string(id)); err != nil {
		return domain.Delivery{}, err
	}
	defer s.leave()
	all := s.deliveries[id]
	first := -1
	for i, d := range all {
		if d.Due(now) && (first < 0 || cmp.Or(d.Next.Compare(all[first].Next), strings.Compare(d.Event.ID, all[first].Event.ID)) < 0) {
			first = i
		}
	}
	if first < 0 {
		return domain.Delivery{}, domain.NoSuch("delivery that is due")
	}
	all[first] = all[first].Begun(now)
	return all[first], nil
}

// End stores how a try has ended, unless another one has begun meanwhile.
func (v webhooks) End(ctx context.Context, begun, d domain.Delivery) error {
	s := v.store
	if err := s.enterToWrite(ctx, string(d.Webhook), d.Event.ID, string(d.State), string(d.Is)); err != nil {
		return err
	}
	defer s.leave()
	all := s.deliveries[d.Webhook]
	at := slices.IndexFunc(all, func(there domain.Delivery) bool {
		return there.Event.ID == d.Event.ID && there.State == domain.DeliveryWaiting && there.Tries == begun.Tries && there.Next.Equal(begun.Next)
	})
	if at < 0 {
		return nil
	}
	all[at].State, all[at].Tries, all[at].Next, all[at].Last, all[at].Is = d.State, d.Tries, d.Next, d.Last, d.Is
	if d.Gone() {
		s.goneForGood(d)
	}
	s.keepLatest(d.Webhook)
	return nil
}

// goneForGood notes that the receiver of the webhook of d is gone.
func (s *Store) goneForGood(d domain.Delivery) {
	w := s.webhooks[d.Webhook]
	w.Gone = d.Last
	s.webhooks[w.ID] = w
	for i, other := range s.deliveries[w.ID] {
		if other.State == domain.DeliveryWaiting {
			other.State, other.Next, other.Last, other.Is = d.State, d.Next, d.Last, d.Is
			s.deliveries[w.ID][i] = other
		}
	}
}

// keepLatest forgets deliveries that have ended, but for the latest ones.
func (s *Store) keepLatest(id domain.WebhookID) {
	ended := slices.DeleteFunc(slices.Clone(s.deliveries[id]), func(d domain.Delivery) bool { return d.State == domain.DeliveryWaiting })
	if len(ended) <= domain.KeptDeliveries {
		return
	}
	slices.SortFunc(ended, latestFirst)
	for _, old := range ended[domain.KeptDeliveries:] {
		s.deliveries[id] = slices.DeleteFunc(s.deliveries[id], func(d domain.Delivery) bool { return d.Event.ID == old.Event.ID })
	}
}

// tell stores a delivery for each webhook that wants the event of the record, if it is one.
func (s *Store) tell(rec domain.Record) {
	event, is := domain.EventOf(rec)
	if !is {
		return
	}
	for id, w := range s.webhooks {
		waiting, there := 0, false
		for _, d := range s.deliveries[id] {
			there = there || d.Event.ID == event.ID
			if d.State == domain.DeliveryWaiting {
				waiting++
			}
		}
		if w.Wants(event.Type) && !there && waiting < domain.MaxWaiting {
			s.deliveries[id] = append(s.deliveries[id], domain.NewDelivery(id, event))
		}
	}
}

func cloneWebhook(w domain.Webhook) domain.Webhook {
	w.Secret, w.Events = clone(w.Secret), slices.Clone(w.Events)
	return w
}

// archivedWebhook returns the values of the webhook's row.
func archivedWebhook(w domain.Webhook) []any {
	return []any{
		string(w.ID), w.URL, domain.EventTypesText(w.Events), w.Secret.Key, slices.Clone(w.Secret.Bytes), micros(w.Created), micros(w.Set), micros(w.Gone),
	}
}

// restoreWebhook stores a webhook of a backup. It returns false if there is one of its URL.
func (s *Store) restoreWebhook(c *cells) bool {
	w := domain.Webhook{
		ID: domain.WebhookID(c.text()), URL: c.text(), Events: domain.EventTypesFromText(c.text()), Secret: c.sealed(),
		Created: c.instant(), Set: c.instant(), Gone: c.instant(),
	}
	for _, there := range s.webhooks {
		if there.URL == w.URL {
			return false
		}
	}
	s.webhooks[w.ID] = w
	return true
}
