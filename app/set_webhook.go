package app

import (
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// SetWebhook is the input of Service.SetWebhook, as the caller gave it.
type SetWebhook struct {
	URL    string
	Events []string // nil is missing; none deletes the webhook
}

// WebhookSet is the outcome of Service.SetWebhook.
type WebhookSet struct {
	Webhook domain.Webhook // without its sealed secret
	Secret  domain.Secret  // shown once; zero if the webhook was deleted
	Deleted bool
}

// SetWebhook tells a URL of events from now on, and makes a new signing secret. Without events it deletes
// the webhook with what waits for it. Only an admin may, or an access token with the scope manage:
// NotAllowed. Returns Invalid if the input breaks a rule, Conflict if there are too many webhooks, and
// NotFound if there is none to delete. Returns NotFound if this program does not send events.
func (s *Service) SetWebhook(ctx context.Context, call domain.Call, in SetWebhook) (WebhookSet, error) {
	if err := s.mayUseWebhooks(call); err != nil {
		return WebhookSet{}, err
	}
	url, err := domain.ParseWebhookURL(in.URL)
	if err != nil {
		return WebhookSet{}, err
	}
	if in.Events == nil {
		return WebhookSet{}, &domain.Error{Kind: domain.Invalid, Public: "events is missing"}
	}
	events, err := domain.ParseEventTypes(in.Events)
	if err != nil {
		return WebhookSet{}, err
	}
	if len(events) == 0 {
		return s.deleteWebhook(ctx, call, url)
	}
	// Somebody else may set the URL meanwhile. The secret is sealed for the id, which is then another one.
	const tries = 3
	for try := 1; ; try++ {
		set, err := s.setWebhook(ctx, call, url, events)
		if domain.KindOf(err) != domain.Conflict || try == tries {
			return set, err
		}
	}
}

func (s *Service) setWebhook(ctx context.Context, call domain.Call, url string, events []domain.EventType) (WebhookSet, error) {
	all, err := s.ports.Store.Webhooks.List(ctx)
	if err != nil {
		return WebhookSet{}, err
	}
	now := s.ports.Clock()
	w := domain.Webhook{URL: url, Events: events, Created: now, Set: now}
	if w.ID, err = domain.NewWebhookID(now, s.ports.Random); err != nil {
		return WebhookSet{}, err
	}
	if at := slices.IndexFunc(all, func(w domain.Webhook) bool { return w.URL == url }); at >= 0 {
		w.ID = all[at].ID
	}
	secret, err := domain.NewWebhookSecret(s.ports.Random)
	if err != nil {
		return WebhookSet{}, err
	}
	if w.Secret, err = s.ports.Cipher.Seal(secret, domain.BindWebhook(w.ID)); err != nil {
		return WebhookSet{}, err
	}
	act := s.act(call, domain.NeedsAdmin(), domain.ActionSetWebhook, domain.OnWebhook(w.ID))
	if w, err = s.ports.Store.Webhooks.Set(ctx, act, w); err != nil {
		return WebhookSet{}, err
	}
	w.Secret = domain.Sealed{}
	return WebhookSet{Webhook: w, Secret: secret}, nil
}

func (s *Service) deleteWebhook(ctx context.Context, call domain.Call, url string) (WebhookSet, error) {
	w, err := s.webhookAt(ctx, url)
	if err != nil {
		return WebhookSet{}, err
	}
	act := s.act(call, domain.NeedsAdmin(), domain.ActionDeleteWebhook, domain.OnWebhook(w.ID))
	if err := s.ports.Store.Webhooks.Remove(ctx, act, w.ID); err != nil {
		return WebhookSet{}, err
	}
	w.Secret = domain.Sealed{}
	return WebhookSet{Webhook: w, Deleted: true}, nil
}

// webhookAt returns the webhook of the URL. Returns NotFound if there is none.
func (s *Service) webhookAt(ctx context.Context, url string) (domain.Webhook, error) {
	all, err := s.ports.Store.Webhooks.List(ctx)
	if err != nil {
		return domain.Webhook{}, err
	}
	at := slices.IndexFunc(all, func(w domain.Webhook) bool { return w.URL == url })
	if at < 0 {
		return domain.Webhook{}, domain.NoSuch("webhook")
	}
	return all[at], nil
}

// SendsEvents reports whether this program sends events to webhooks.
func (s *Service) SendsEvents() bool { return s.ports.Webhooks != nil }

// mayUseWebhooks returns NotAllowed unless the caller may manage the parts, and NotFound if this program
// sends no events. Without parts, an access token needs the scope manage: one for a part can't silence an
// alarm.
func (s *Service) mayUseWebhooks(call domain.Call, parts ...domain.Scope) error {
	if err := call.Caller.MayManage(parts...); err != nil {
		return err
	}
	if !s.SendsEvents() {
		return &domain.Error{Kind: domain.NotFound, Public: "this program does not send events to webhooks"}
	}
	return nil
}
