package portstest

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// begin begins a try of the delivery, which must be the one that is due longest.
func (f *fixture) begin(t *testing.T, w domain.Webhook, d domain.Delivery) domain.Delivery {
	t.Helper()
	want := d.Begun(f.clock.now())
	at := f.instances(t)
	got, err := at[len(at)-1].Ports.Webhooks.Begin(t.Context(), w.ID, f.clock.now())
	wantNil(t, "Begin", err)
	wantSame(t, "what Begin returns", got, want)
	return want
}

// wantNoTry fails the test unless no try of the webhook is due.
func (f *fixture) wantNoTry(t *testing.T, what string, w domain.Webhook) {
	t.Helper()
	for _, at := range f.instances(t) {
		_, err := at.Ports.Webhooks.Begin(t.Context(), w.ID, f.clock.now())
		wantKind(t, what+": Begin", err, domain.NotFound)
	}
	f.wantDue(t, what)
}

// wantDue fails the test unless exactly these webhooks have something that is due.
func (f *fixture) wantDue(t *testing.T, what string, want ...domain.Webhook) {
	t.Helper()
	var ids []domain.WebhookID
	for _, w := range want {
		ids = append(ids, w.ID)
	}
	for _, at := range f.instances(t) {
		got, err := at.Ports.Webhooks.Due(t.Context(), f.clock.now())
		wantNil(t, what+": Due", err)
		wantSame(t, what+": the webhooks with something due", got, ids)
	}
}

// endTry ends the try.
func (f *fixture) endTry(t *testing.T, what string, begun, ended domain.Delivery) {
	t.Helper()
	wantNil(t, what+": End", f.Ports.Webhooks.End(t.Context(), begun, ended))
}

func tryBegins(t *testing.T, f *fixture) {
	idle, w := f.hook(t, domain.EventAdminMade), f.hook(t, domain.EventCreditsUsedUp)
	f.wantNoTry(t, "without an event", w)
	first := f.event(t, w)
	f.clock.advance(time.Second)
	second := f.event(t, w)
	f.wantDue(t, "after events", w)
	begun := f.begin(t, w, first)
	other := f.begin(t, w, second)
	f.wantNoTry(t, "while tries are under way", w)
	f.wantDeliveries(t, "while tries are under way", w, other, begun)
	f.clock.set(begun.Next)
	again := f.begin(t, w, begun)
	f.wantDeliveries(t, "after a lost try", w, other, again)
	f.wantDeliveries(t, "of another webhook", idle)
}

func triesAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	w := f.hook(t, domain.EventCreditsUsedUp)
	const events, callers = 16, 24
	for range events {
		f.event(t, w)
	}
	got, errs := make([]domain.Delivery, callers), make([]error, callers)
	now := f.clock.now()
	atOnce(callers, func(i int) { got[i], errs[i] = at[i%len(at)].Ports.Webhooks.Begin(t.Context(), w.ID, now) })
	seen := map[string]bool{}
	for i, err := range errs {
		if err != nil { // somebody else may have it under way
			wantKind(t, "Begin at the same instant", err, domain.NotFound)
			continue
		}
		if seen[got[i].Event.ID] || got[i].Tries != 1 {
			t.Fatalf("Begin at the same instant: got try %d of %s, which another one has", got[i].Tries, got[i].Event.ID)
		}
		seen[got[i].Event.ID] = true
	}
	for len(seen) < events {
		d, err := f.Ports.Webhooks.Begin(t.Context(), w.ID, now)
		wantNil(t, "Begin of what is left", err)
		if seen[d.Event.ID] {
			t.Fatalf("Begin of what is left: got %s again", d.Event.ID)
		}
		seen[d.Event.ID] = true
	}
	f.wantNoTry(t, "after all", w)
}

func tryEnds(t *testing.T, f *fixture) {
	w := f.hook(t, domain.EventCreditsUsedUp)
	d := f.event(t, w)
	for n := 1; n < domain.MaxTries; n++ {
		begun := f.begin(t, w, d)
		f.clock.advance(time.Second)
		ended := begun.Ended(domain.SendTimeout, f.clock.now(), 0.5)
		f.endTry(t, "of a try that failed", begun, ended)
		f.wantDeliveries(t, "after a try that failed", w, ended)
		f.wantNoTry(t, "before the next try", w)
		f.clock.set(ended.Next)
		f.wantDue(t, "when the next try is due", w)
		d = ended
	}
	begun := f.begin(t, w, d)
	dropped := begun.Dropped(f.clock.now())
	f.endTry(t, "of a try that was dropped", begun, dropped)
	f.wantDeliveries(t, "after a try that was dropped", w, dropped)
	begun = f.begin(t, w, dropped)
	failed := begun.Ended(domain.SentRefused, f.clock.now(), 0)
	f.endTry(t, "of the last try", begun, failed)
	f.clock.advance(48 * time.Hour)
	f.wantNoTry(t, "after the last try", w)
	f.wantDeliveries(t, "after the last try", w, failed)

	done := f.begin(t, w, f.event(t, w))
	delivered := done.Ended(domain.SentOK, f.clock.now(), 0)
	f.endTry(t, "of a try that succeeded", done, delivered)
	f.clock.advance(48 * time.Hour)
	f.wantNoTry(t, "after a try that succeeded", w)
	f.wantDeliveries(t, "after a try that succeeded", w, delivered, failed)
}

func tryEndsLate(t *testing.T, f *fixture) {
	w := f.hook(t, domain.EventCreditsUsedUp)
	first := f.begin(t, w, f.event(t, w))
	f.clock.set(first.Next)
	second := f.begin(t, w, first)
	f.endTry(t, "of a lost try", first, first.Ended(domain.SentOK, f.clock.now(), 0))
	f.wantDeliveries(t, "after the end of a lost try", w, second)
	delivered := second.Ended(domain.SentOK, f.clock.now(), 0)
	f.endTry(t, "of the other try", second, delivered)
	f.endTry(t, "of a try that has ended", second, second.Ended(domain.SentGone, f.clock.now(), 0))
	f.wantDeliveries(t, "after all", w, delivered)
	f.wantHooks(t, "after all", w)
}

func receiverGone(t *testing.T, f *fixture) {
	w, other := f.hook(t, domain.EventCreditsUsedUp), f.hook(t, domain.EventCreditsUsedUp)
	first := f.event(t, w)
	f.clock.advance(time.Second)
	second := f.event(t, w)
	begun := f.begin(t, w, first)
	gone := begun.Ended(domain.SentGone, f.clock.now(), 0)
	f.endTry(t, "of a receiver that is gone", begun, gone)
	ended := second
	ended.State, ended.Next, ended.Last, ended.Is = gone.State, gone.Next, gone.Last, gone.Is
	f.wantDeliveries(t, "of a receiver that is gone", w, ended, gone)
	noted := w
	noted.Gone = gone.Last
	f.wantHooks(t, "after a receiver is gone", noted, other)
	f.event(t, w)
	f.wantDeliveries(t, "of a receiver that is gone", w, ended, gone)
	f.wantDue(t, "after a receiver is gone", other)
	f.setHook(t, w)
	f.clock.advance(time.Second)
	f.wantHooks(t, "after another Set", w, other)
	f.wantDeliveries(t, "after another Set", w, f.event(t, w), ended, gone)
}

func deliveriesKept(t *testing.T, f *fixture) {
	w, other := f.hook(t, domain.EventCreditsUsedUp), f.hook(t, domain.EventCreditsUsedUp)
	var want, waiting []domain.Delivery
	for range domain.KeptDeliveries + 5 {
		d := f.event(t, w)
		begun := f.begin(t, w, d)
		delivered := begun.Ended(domain.SentOK, f.clock.now(), 0)
		f.endTry(t, "of a try", begun, delivered)
		want = append([]domain.Delivery{delivered}, want...)
		d.Webhook = other.ID
		waiting = append([]domain.Delivery{d}, waiting...)
		f.clock.advance(time.Second)
	}
	f.wantDeliveries(t, "of what has ended", w, want[:domain.KeptDeliveries]...)
	f.wantDeliveries(t, "of what waits", other, waiting...)
	got, err := f.Ports.Webhooks.Deliveries(t.Context(), w.ID, 3)
	wantNil(t, "Deliveries", err)
	wantSame(t, "the latest three", got, want[:3])
	got, err = f.Ports.Webhooks.Deliveries(t.Context(), other.ID, 2)
	wantNil(t, "Deliveries", err)
	wantSame(t, "the latest two that wait", got, waiting[:2])
}
