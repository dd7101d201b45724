package console

import (
	"slices"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// webhooksPage is what the list of webhooks shows.
type webhooksPage struct {
	Webhooks []webhookRow
	Most     int // how many there can be
}

// webhookRow is a webhook as the pages show it.
type webhookRow struct {
	domain.Webhook

	Deliveries []deliveryRow
}

// deliveryRow is a delivery as the pages show it.
type deliveryRow struct {
	domain.Delivery

	Result string // of the last try, in words; "" if none has ended
}

const (
	webhooksTitle = "Webhooks"
	webhooksPath  = "/console/webhooks"
	newHookTitle  = "Add a webhook"
)

// results are the results of a try in words, as the end of a sentence.
var results = map[domain.SendResult]string{
	domain.SentOK: "accepted", domain.SentRedirect: "it answered with a redirect, which is not followed", domain.SentRefused: "it answered with a status from 400 to 499",
	domain.SentFailed: "it answered with a status from 500 on", domain.SentGone: "it answered that it is gone for good (410)", domain.SendTimeout: "it did not answer in time",
	domain.SendNoHost: "the host of the URL is unknown", domain.SendPrivate: "the host has only addresses that are not allowed",
	domain.SendTLS: "its certificate is not valid, or it does not speak TLS", domain.SendUnreachable: "there was no connection, or it was lost",
	domain.SendUnsigned: "the signing secret can't be decrypted; set the webhook again",
}

func (x *request) webhooks() error {
	page, err := x.webhooksPage()
	if err != nil {
		return err
	}
	return x.show("webhooks", webhooksTitle, page)
}

func (x *request) webhooksPage() (webhooksPage, error) {
	all, err := x.console.service.GetWebhooks(x.Context(), x.Call())
	page := webhooksPage{Most: domain.MaxWebhooks}
	for _, told := range all {
		row := webhookRow{Webhook: told.Webhook}
		for _, d := range told.Deliveries {
			row.Deliveries = append(row.Deliveries, deliveryRow{d, results[d.Is]})
		}
		page.Webhooks = append(page.Webhooks, row)
	}
	return page, err
}

// webhook returns the webhook that the path names.
func (x *request) webhook() (webhookRow, error) {
	page, err := x.webhooksPage()
	if err != nil {
		return webhookRow{}, err
	}
	at := slices.IndexFunc(page.Webhooks, func(w webhookRow) bool { return string(w.ID) == x.Param("id") })
	if at < 0 {
		return webhookRow{}, domain.NoSuch("webhook")
	}
	return page.Webhooks[at], nil
}

// webhookForm is what the page for a webhook shows.
type webhookForm struct {
	URL    string
	Known  bool // the URL is that of a webhook, which changes
	Events []eventChoice
}

// eventChoice is an event that a form offers.
type eventChoice struct {
	Type    domain.EventType
	Explain string
	Chosen  bool
}

// eventsExplained says what each event means.
var eventsExplained = map[domain.EventType]string{
	domain.EventKeyRejected:     "Voiceflow has begun to reject a key of an assistant.",
	domain.EventKeyNeedsReentry: "A key of an assistant can't be decrypted any longer.",
	domain.EventCreditsUsedUp:   "The credits of an assistant are used up.",
	domain.EventAdminMade:       "Somebody is an admin now who was none.",
	domain.EventAuditBroken:     "A verification found the audit tampered with.",
	domain.EventKeysetRotated:   "The keyset has another current key.",
	domain.EventLoginLocked:     "Too many logins of a user have failed. It is told once an hour for each user.",
}

func eventChoices(chosen []string) []eventChoice {
	var choices []eventChoice
	for _, t := range domain.EventTypes() {
		choices = append(choices, eventChoice{Type: t, Explain: eventsExplained[t], Chosen: slices.Contains(chosen, string(t))})
	}
	return choices
}

func (x *request) newWebhook() error {
	var all []string
	for _, t := range domain.EventTypes() {
		all = append(all, string(t))
	}
	if _, err := x.console.service.GetWebhooks(x.Context(), x.Call()); err != nil { // such as that there are none
		return err
	}
	return x.show("webhooks_new", newHookTitle, webhookForm{Events: eventChoices(all)})
}

func (x *request) changeWebhook() error {
	w, err := x.webhook()
	if err != nil {
		return err
	}
	var chosen []string
	for _, t := range w.Events {
		chosen = append(chosen, string(t))
	}
	return x.show("webhooks_new", "Change a webhook", webhookForm{URL: w.URL, Known: true, Events: eventChoices(chosen)})
}

// webhookMade is what the page shows that has a new signing secret. No other page and no log has it.
type webhookMade struct {
	Secret  string
	Webhook domain.Webhook
}

func (x *request) setWebhook() error {
	in, err := x.fields()
	form := webhookForm{URL: in.shown("url"), Known: in.checked("known"), Events: eventChoices(in.texts("events"))}
	var set app.WebhookSet
	if err == nil {
		if len(in.texts("events")) == 0 { // which deletes the webhook, and that has a page of its own
			err = &domain.Error{Kind: domain.Invalid, Public: "choose at least one event"}
		} else {
			set, err = x.console.service.SetWebhook(x.Context(), x.Call(), app.SetWebhook{URL: in.text("url"), Events: in.texts("events")})
		}
	}
	if err != nil {
		return x.again(err, "webhooks_new", newHookTitle, form)
	}
	return x.show("webhooks_made", "The signing secret", webhookMade{Secret: set.Secret.Reveal(), Webhook: set.Webhook})
}

func (x *request) testWebhook() error {
	w, err := x.webhook()
	var is domain.SendResult
	if err == nil {
		is, err = x.console.service.TestWebhook(x.Context(), x.Call(), w.URL)
	}
	if err != nil {
		return x.webhooksAgain(err)
	}
	if is == domain.SentOK {
		return x.done(webhooksPath, "The receiver accepted the test event.")
	}
	return x.done(webhooksPath, "The receiver did not accept the test event: "+results[is]+".")
}

func (x *request) confirmDeleteWebhook() error {
	w, err := x.webhook()
	if err != nil {
		return err
	}
	return x.show("webhooks_delete", "Delete this webhook?", w)
}

func (x *request) deleteWebhook() error {
	w, err := x.webhook()
	if err == nil {
		_, err = x.console.service.SetWebhook(x.Context(), x.Call(), app.SetWebhook{URL: w.URL, Events: []string{}})
	}
	if err != nil {
		return x.webhooksAgain(err)
	}
	return x.done(webhooksPath, "The webhook was deleted.")
}

// webhooksAgain is again for the list.
func (x *request) webhooksAgain(err error) error {
	page, failed := x.webhooksPage()
	if failed != nil {
		return failed
	}
	return x.again(err, "webhooks", webhooksTitle, page)
}
