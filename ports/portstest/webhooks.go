package portstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Webhooks checks every sentence in the comment of ports.Webhooks.
func Webhooks(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Set stores a webhook, and List returns all in the order of their URLs", webhooksSet},
		{"Set of a URL that is there replaces its events and its secret, and nothing else", webhookSetAgain},
		{"Set of a URL that is there with another id is Conflict", webhookOtherID},
		{"there are at most domain.MaxWebhooks, also if they are set at the same instant", webhooksMany},
		{"Remove removes a webhook with its deliveries", webhookRemoved},
		{"each view tells the webhooks that want an event in the change that causes it", eventsOfViews},
		{"a change that fails tells nobody", eventsOfNothing},
		{"records that are no events, and webhooks that want other events or are gone, get no delivery", eventsUnwanted},
		{"a webhook for which many deliveries wait gets no further ones", eventsBounded},
		{"AppendOnce that stores nothing tells nobody", eventsOnce},
		{"an event and a Remove of its webhook at the same instant come one after the other", eventsBesideRemove},
		{"Begin begins the try that is due longest, and nobody else begins it before it counts as lost", tryBegins},
		{"of several Begins at the same instant each gets another delivery", triesAtOnce},
		{"End stores how a try ended, and the next try is due then", tryEnds},
		{"End of a try that counts as lost changes nothing once another one has begun", tryEndsLate},
		{"a receiver that is gone for good gets nothing until the webhook is set again", receiverGone},
		{"of the deliveries that have ended the latest are kept", deliveriesKept},
		{"the signing secrets are among what is sealed", secretsSealed},
	}, promises("Webhooks")...))
}

func webhookID(n int) domain.WebhookID {
	return domain.WebhookID(fmt.Sprintf("01890000-0000-7000-c000-%012x", n))
}

// webhook returns a new webhook, not stored.
func (f *fixture) webhook(events ...domain.EventType) domain.Webhook {
	n, now := f.next(), domain.Instant(f.clock.now())
	return domain.Webhook{
		ID: webhookID(n), URL: fmt.Sprintf("https://alerts.example/%06d?a=1&b='", n), Events: events, Created: now, Set: now, Secret: signingSecret(n),
	}
}

// signingSecret returns a new sealed signing secret.
func signingSecret(n int) domain.Sealed {
	return domain.Sealed{Key: theKey, Bytes: []byte(fmt.Sprintf("\x00\x01\xff\xfe'\"\\\n sealed secret %d", n))}
}

// setHook stores the webhook.
func (f *fixture) setHook(t *testing.T, w domain.Webhook) domain.Webhook {
	t.Helper()
	act := f.act(domain.ActionSetWebhook, domain.OnWebhook(w.ID))
	set, err := f.Ports.Webhooks.Set(t.Context(), act, w)
	wantNil(t, "Webhooks.Set", err)
	f.log = append(f.log, act.Record)
	return set
}

// hook stores a new webhook for the events.
func (f *fixture) hook(t *testing.T, events ...domain.EventType) domain.Webhook {
	t.Helper()
	return f.setHook(t, f.webhook(events...))
}

// usedUp returns a new record that is an event.
func (f *fixture) usedUp() domain.Record {
	rec := f.record(domain.ActionMarkCredits, domain.OnProject(projectID(f.next())))
	rec.Outcome = string(domain.CreditsUsedUp)
	return rec
}

// event appends a new event and returns its delivery to the webhook.
func (f *fixture) event(t *testing.T, w domain.Webhook) domain.Delivery {
	t.Helper()
	rec := f.usedUp()
	wantNil(t, "Audit.Append", f.Ports.Audit.Append(t.Context(), rec))
	f.log = append(f.log, rec)
	return deliveryOf(w, rec)
}

// deliveryOf returns what the webhook is to be told of the record.
func deliveryOf(w domain.Webhook, rec domain.Record) domain.Delivery {
	event, is := domain.EventOf(rec)
	if !is {
		panic("the suite has a record that is no event")
	}
	return domain.NewDelivery(w.ID, event)
}

// wantHooks fails the test unless every instance has exactly these webhooks.
func (f *fixture) wantHooks(t *testing.T, what string, want ...domain.Webhook) {
	t.Helper()
	for _, at := range f.instances(t) {
		got, err := at.Ports.Webhooks.List(t.Context())
		wantNil(t, what+": List", err)
		wantSame(t, what+": the webhooks", got, want)
	}
}

// wantDeliveries fails the test unless every instance has exactly these deliveries of the webhook.
func (f *fixture) wantDeliveries(t *testing.T, what string, w domain.Webhook, want ...domain.Delivery) {
	t.Helper()
	for _, at := range f.instances(t) {
		got, err := at.Ports.Webhooks.Deliveries(t.Context(), w.ID, 10_000)
		wantNil(t, what+": Deliveries", err)
		wantSame(t, what+": the deliveries", got, want)
	}
}

func webhooksSet(t *testing.T, f *fixture) {
	f.wantHooks(t, "of none")
	one, two, three := f.webhook(domain.EventTypes()...), f.webhook(domain.EventAdminMade), f.webhook(domain.EventAuditBroken)
	one.URL, two.URL, three.URL = "https://b.example/", "https://a.example/?句", "https://B.example/"
	for _, w := range []domain.Webhook{one, two, three} {
		wantSame(t, "what Set returns", f.setHook(t, w), w)
	}
	f.wantHooks(t, "after Set", three, two, one)
	f.wantRecords(t, "after Set")
}

func webhookSetAgain(t *testing.T, f *fixture) {
	other := f.hook(t, domain.EventAdminMade)
	w := f.hook(t, domain.EventCreditsUsedUp)
	first := f.event(t, w)
	f.clock.advance(time.Minute)
	again := f.webhook(domain.EventKeyRejected, domain.EventLoginLocked)
	again.ID, again.URL = w.ID, w.URL
	want := again
	want.Created = w.Created
	wantSame(t, "what Set returns", f.setHook(t, again), want)
	f.wantHooks(t, "after another Set", other, want)
	f.wantDeliveries(t, "after another Set", w, first)
	f.wantRecords(t, "after another Set")
}

func webhookOtherID(t *testing.T, f *fixture) {
	w := f.hook(t, domain.EventAdminMade)
	sameURL, sameID := f.webhook(domain.EventAdminMade), f.webhook(domain.EventAdminMade)
	sameURL.URL, sameID.ID = w.URL, w.ID
	for _, other := range []domain.Webhook{sameURL, sameID} {
		_, err := f.Ports.Webhooks.Set(t.Context(), f.act(domain.ActionSetWebhook, "x"), other)
		wantKind(t, "Set", err, domain.Conflict)
	}
	f.wantHooks(t, "after Conflict", w)
	f.wantRecords(t, "after Conflict")
}

func webhooksMany(t *testing.T, f *fixture) {
	at := f.instances(t)
	all, errs := make([]domain.Webhook, domain.MaxWebhooks+8), make([]error, domain.MaxWebhooks+8)
	for i := range all {
		all[i] = f.webhook(domain.EventAdminMade)
	}
	atOnce(len(all), func(i int) {
		_, errs[i] = at[i%len(at)].Ports.Webhooks.Set(t.Context(), byOperator(domain.Record{Action: domain.ActionSetWebhook, RequestID: all[i].URL}), all[i])
	})
	var set []domain.Webhook
	for i, err := range errs {
		if err == nil {
			set = append(set, all[i])
		} else {
			wantKind(t, "Set of too many", err, domain.Conflict)
		}
	}
	wantSame(t, "how many were set", len(set), domain.MaxWebhooks)
	f.wantHooks(t, "after all", set...)
	again := set[0]
	again.Secret = signingSecret(f.next())
	_, err := f.Ports.Webhooks.Set(t.Context(), f.act(domain.ActionSetWebhook, "x"), again)
	wantNil(t, "Set of one that is there", err)
}

func webhookRemoved(t *testing.T, f *fixture) {
	w, other := f.hook(t, domain.EventCreditsUsedUp), f.hook(t, domain.EventCreditsUsedUp)
	d := f.event(t, w)
	d.Webhook = other.ID
	act := f.act(domain.ActionDeleteWebhook, domain.OnWebhook(w.ID))
	wantNil(t, "Remove", f.Ports.Webhooks.Remove(t.Context(), act, w.ID))
	f.log = append(f.log, act.Record)
	wantKind(t, "Remove again", f.Ports.Webhooks.Remove(t.Context(), f.act(domain.ActionDeleteWebhook, "x"), w.ID), domain.NotFound)
	f.wantHooks(t, "after Remove", other)
	f.wantDeliveries(t, "after Remove", w)
	f.wantDeliveries(t, "of the other one after Remove", other, d)
	f.wantRecords(t, "after Remove")
}

// eventsOfViews has a cause of an event in each view that has one.
func eventsOfViews(t *testing.T, f *fixture) {
	f.install(t)
	w := f.hook(t, domain.EventTypes()...)
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	var want []domain.Delivery
	caused := func(what string, rec domain.Record) {
		t.Helper()
		f.clock.advance(time.Second)
		want = append([]domain.Delivery{deliveryOf(w, rec)}, want...)
		f.wantDeliveries(t, "after "+what, w, want...)
	}
	made := func(rec domain.Record, user domain.UserID) domain.Record {
		rec, _ = rec.MakesAdmin(domain.User{}, domain.User{ID: user, Role: domain.RoleAdmin})
		return rec
	}

	caused("Audit.Append", f.event(t, w).Event.Record)
	rec, second := f.usedUp(), f.usedUp()
	second.Action, second.Object = domain.ActionVerifyAudit, "audit"
	second.Outcome = domain.OutcomeBroken
	wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), f.record(domain.ActionForward, "x"), second, f.record(domain.ActionForward, "y")))
	caused("Audit.Append of several", second)
	once := domain.Once{Kind: domain.OnceLocked, ID: "u", Ends: domain.Instant(f.clock.now().Add(time.Hour))}
	_, err := f.Ports.Audit.AppendOnce(t.Context(), once, rec)
	wantNil(t, "AppendOnce", err)
	caused("Audit.AppendOnce", rec)
	begun := f.act(domain.ActionLockLogin, domain.OnUser("u"))
	wantNil(t, "Begin", f.Ports.Audit.Begin(t.Context(), begun))
	caused("Audit.Begin", begun.Record)

	broken := f.record(domain.ActionVerifyAudit, "audit")
	broken.Outcome = domain.OutcomeBroken
	_, err = f.Ports.Checks.Put(t.Context(), domain.Sealed{}, f.checked(), broken)
	wantNil(t, "Put", err)
	caused("Checks.Put", broken)

	for status, id := range map[domain.KeyStatus]domain.ProjectID{domain.KeyRejected: p.ID, domain.KeyNeedsReentry: q.ID} {
		rec := f.record(domain.ActionMarkKey, domain.OnSlot(id, domain.SlotPrimary))
		rec.Outcome = string(status)
		wantNil(t, "Note", f.Ports.Projects.Note(t.Context(), id, func(p *domain.Project) bool {
			p.Primary.Status = status
			return true
		}, rec))
		caused("Projects.Note", rec)
	}

	u := f.user("boss", domain.RoleAdmin)
	act := f.act(domain.ActionCreateUser, domain.OnUser(u.ID))
	wantNil(t, "Create", f.Ports.Users.Create(t.Context(), act, u))
	caused("Users.Create", made(act.Record, u.ID))
	m := f.member(t, "ana")
	act = f.act(domain.ActionUpdateUser, domain.OnUser(m.ID))
	_, err = f.Ports.Users.Update(t.Context(), act, m.ID, changing(func(u *domain.User) { u.Role = domain.RoleAdmin }), domain.Kept{})
	wantNil(t, "Update", err)
	caused("Users.Update", made(act.Record, m.ID))

	o := f.opening(f.signOn(f.linked(t, "ben", domain.RoleMember), "bosses"))
	o.in.Policy.Admins = []string{"bosses"}
	_, err = f.Ports.SignOns.Open(t.Context(), o.in, o.login, o.kept, o.once, o.rec)
	wantNil(t, "Open", err)
	promoted := o.rec
	promoted.Actor = domain.ActorProvider
	caused("SignOns.Open", made(promoted, o.in.User))

	from, err := f.Ports.Installation.Get(t.Context())
	wantNil(t, "Get", err)
	to := installationOf(f.next())
	act = f.act(domain.ActionRotateKeys, domain.OnKey(to.Known.Key))
	wantNil(t, "Reseal", f.Ports.Installation.Reseal(t.Context(), act, from, to))
	caused("Installation.Reseal", act.Record)
}

func eventsOfNothing(t *testing.T, f *fixture) {
	w := f.hook(t, domain.EventTypes()...)
	bad := f.record(domain.ActionForward, "a\x00b")
	wantKind(t, "Append", f.Ports.Audit.Append(t.Context(), f.usedUp(), bad), domain.Invalid)
	rec := f.usedUp()
	wantKind(t, "Note", f.Ports.Projects.Note(t.Context(), projectID(404), func(*domain.Project) bool { return true }, rec), domain.NotFound)
	p := f.addNamed(t, "p")
	wantNil(t, "Note", f.Ports.Projects.Note(t.Context(), p.ID, func(*domain.Project) bool { return false }, rec))
	u := f.admin(t, "boss")
	act := f.act(domain.ActionCreateUser, domain.OnUser(u.ID))
	first := deliveryOf(w, f.log[len(f.log)-2])
	wantKind(t, "Create", f.Ports.Users.Create(t.Context(), act, u), domain.Conflict)
	f.wantDeliveries(t, "after what failed", w, first)
}

func eventsUnwanted(t *testing.T, f *fixture) {
	w, gone := f.hook(t, domain.EventKeyRejected, domain.EventAdminMade), f.hook(t, domain.EventTypes()...)
	d := f.event(t, gone)
	begun := f.begin(t, gone, d)
	f.endTry(t, "of one that is gone", begun, begun.Ended(domain.SentGone, f.clock.now(), 0))
	f.event(t, w)
	wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), f.record(domain.ActionMarkKey, domain.OnSlot(projectID(1), domain.SlotPrimary))))
	f.wantDeliveries(t, "of what is not wanted", w)
	got, err := f.Ports.Webhooks.Deliveries(t.Context(), gone.ID, 100)
	wantNil(t, "Deliveries", err)
	wantSame(t, "the deliveries of one that is gone", len(got), 1)
}

func eventsBounded(t *testing.T, f *fixture) {
	w := f.hook(t, domain.EventCreditsUsedUp)
	for range domain.MaxWaiting/100 + 1 {
		recs := make([]domain.Record, 100)
		for i := range recs {
			recs[i] = f.usedUp()
		}
		wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), recs...))
	}
	got, err := f.Ports.Webhooks.Deliveries(t.Context(), w.ID, 2*domain.MaxWaiting)
	wantNil(t, "Deliveries", err)
	wantSame(t, "how many deliveries wait", len(got), domain.MaxWaiting)
}

func eventsOnce(t *testing.T, f *fixture) {
	w := f.hook(t, domain.EventCreditsUsedUp)
	once := domain.Once{Kind: domain.OnceLocked, ID: "u", Ends: domain.Instant(f.clock.now().Add(time.Hour))}
	rec := f.usedUp()
	for n := range 3 {
		stored, err := f.Ports.Audit.AppendOnce(t.Context(), once, rec)
		wantNil(t, "AppendOnce", err)
		wantSame(t, "whether AppendOnce stored the record", stored, n == 0)
	}
	f.log = append(f.log, rec)
	f.wantDeliveries(t, "after AppendOnce", w, deliveryOf(w, rec))
	f.wantRecords(t, "after AppendOnce")
}

// eventsBesideRemove fails for an adapter whose event is refused since its webhook is gone.
func eventsBesideRemove(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		w := f.hook(t, domain.EventCreditsUsedUp)
		rec, act := f.usedUp(), f.act(domain.ActionDeleteWebhook, domain.OnWebhook(w.ID))
		var appended, removed error
		atOnce(2, func(i int) {
			if i == 0 {
				appended = at[0].Ports.Audit.Append(t.Context(), rec)
			} else {
				removed = at[len(at)-1].Ports.Webhooks.Remove(t.Context(), act, w.ID)
			}
		})
		wantNil(t, "an event beside a Remove", appended)
		wantNil(t, "a Remove beside an event", removed)
		f.wantDeliveries(t, "after a Remove", w)
	}
}

func secretsSealed(t *testing.T, f *fixture) {
	rows := f.install(t)
	w := f.hook(t, domain.EventCreditsUsedUp)
	row := domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedWebhook, ID: string(w.ID)}, Sealed: w.Secret}
	f.wantSealed(t, "with a webhook", append(rows, row))
	f.replaced(t, "of a signing secret", []domain.Resealed{resealedBy(row, "new")}, 1)
	f.replaced(t, "of what has changed", []domain.Resealed{resealedBy(row, "other")}, 0)
	forgotten := domain.Resealed{Ref: row.Ref, From: sealedAgain(w.Secret, "new")}
	f.replaced(t, "by nothing", []domain.Resealed{forgotten}, 0)
	w.Secret = sealedAgain(w.Secret, "new")
	f.wantHooks(t, "after Replace", w)
	uses, err := f.Ports.Sealings.Uses(t.Context())
	wantNil(t, "Uses", err)
	wantSame(t, "what the new key has sealed", uses["new"], domain.KeyUse{Rows: 1})
}

var webhookCalls = []call{
	{method: "Webhooks.Set", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		w := f.webhook(domain.EventKeyRejected, domain.EventAdminMade)
		w.ID = f.fewHooks(t).ID
		w.URL = fmt.Sprintf("https://alerts.example/%s", w.ID)
		want := w
		want.Events, want.Secret.Bytes = slices.Clone(w.Events), slices.Clone(w.Secret.Bytes)
		return attempt{needs: domain.NeedsAdmin(), check: returns(want), args: []any{&w}, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
			return at.Webhooks.Set(ctx, act, w)
		}}
	}},
	{method: "Webhooks.Remove", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return removesHook(f.fewHooks(t).ID)
	}},
	failing(domain.NotFound, call{method: "Webhooks.Remove", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return removesHook(webhookID(404))
	}}),
	{method: "Webhooks.List", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) { return at.Webhooks.List(ctx) }}
	}},
	{method: "Webhooks.Deliveries", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		w := f.fewHooks(t)
		f.event(t, w)
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Webhooks.Deliveries(ctx, w.ID, 10)
		}}
	}},
	reads("Webhooks.Deliveries", "of an unknown id", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Webhooks.Deliveries(ctx, webhookID(404), 10)
	}),
	reads("Webhooks.Due", "", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Webhooks.Due(ctx, time.UnixMicro(0))
	}),
	{method: "Webhooks.Begin", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		w, now := f.fewHooks(t), f.clock.now()
		f.event(t, w)
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Webhooks.Begin(ctx, w.ID, now)
		}}
	}},
	failing(domain.NotFound, call{method: "Webhooks.Begin", way: "of nothing", ready: func(*testing.T, *fixture, actor) attempt {
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Webhooks.Begin(ctx, webhookID(404), time.UnixMicro(1))
		}}
	}}),
	{method: "Webhooks.End", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		w := f.fewHooks(t)
		begun := f.begin(t, w, f.event(t, w))
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error {
			return at.Webhooks.End(ctx, begun, begun.Ended(domain.SentFailed, f.clock.now(), 0))
		})
	}},
	{method: "Webhooks.End", way: "of what is gone", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		begun := deliveryOf(domain.Webhook{ID: webhookID(404)}, f.usedUp()).Begun(f.clock.now())
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error {
			return at.Webhooks.End(ctx, begun, begun.Ended(domain.SentOK, f.clock.now(), 0))
		})
	}},
	{method: "Audit.AppendOnce", record: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return appendsOnce(domain.Once{Kind: domain.OnceLocked, ID: string(f.username()), Ends: domain.Instant(f.clock.now().Add(time.Hour))}, true)
	}},
	{method: "Audit.AppendOnce", way: "again", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		once := domain.Once{Kind: domain.OnceLocked, ID: string(f.username()), Ends: domain.Instant(f.clock.now().Add(time.Hour))}
		rec := f.record(domain.ActionForward, "once")
		_, err := f.Ports.Audit.AppendOnce(t.Context(), once, rec)
		wantNil(t, "preparing: Audit.AppendOnce", err)
		f.log = append(f.log, rec)
		return appendsOnce(once, false)
	}},
}

// fewHooks stores a new webhook for events of the suite. If there are nearly too many, the oldest one
// goes: nobody needs it any longer.
func (f *fixture) fewHooks(t *testing.T) domain.Webhook {
	t.Helper()
	all, err := f.Ports.Webhooks.List(t.Context())
	wantNil(t, "preparing: Webhooks.List", err)
	if len(all) == domain.MaxWebhooks {
		act := f.act(domain.ActionDeleteWebhook, domain.OnWebhook(all[0].ID))
		err := f.Ports.Webhooks.Remove(t.Context(), act, all[0].ID)
		if !errors.Is(err, domain.NotFound) {
			wantNil(t, "preparing: Webhooks.Remove", err)
			f.log = append(f.log, act.Record)
		}
	}
	w := f.webhook(domain.EventCreditsUsedUp)
	w.URL = fmt.Sprintf("https://alerts.example/%s", w.ID)
	return f.setHook(t, w)
}

func removesHook(id domain.WebhookID) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Webhooks.Remove(ctx, act, id)
	})
}

func appendsOnce(once domain.Once, want bool) attempt {
	return attempt{check: returns(want), do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.Audit.AppendOnce(ctx, once, act.Record)
	}}
}
