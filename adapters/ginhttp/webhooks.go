package ginhttp

import (
	"net/http"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// setWebhookBody is what POST /set_webhook reads.
type setWebhookBody struct {
	URL    text    `json:"url"`
	Events *[]text `json:"events"`
}

func (a *api) setWebhook(x *exchange) error {
	var in setWebhookBody
	if err := x.decode(&in); err != nil {
		return err
	}
	set, err := a.service.SetWebhook(x.ctx(), x.call, app.SetWebhook{URL: string(in.URL), Events: textsIfAny(in.Events)})
	if err != nil {
		return err
	}
	if set.Deleted {
		return x.ok("the webhook was deleted, with what waited for it")
	}
	b := say("the webhook is set; this is its signing secret, keep it, because it is not shown again")
	b = b.member("secret").text(set.Secret.Reveal()).member("webhook").webhook(set.Webhook)
	x.send(http.StatusOK, append(b, '}'))
	return nil
}

// getWebhooks answers with all webhooks, which are domain.MaxWebhooks at most, and what each was told.
func (a *api) getWebhooks(x *exchange) error {
	all, err := a.service.GetWebhooks(x.ctx(), x.call)
	if err != nil {
		return err
	}
	b := array(say("these are the webhooks").member("webhooks"), all, func(b answer, told app.WebhookTold) answer {
		b = b.webhook(told.Webhook).member("Deliveries")
		return append(array(b, told.Deliveries, answer.delivery), '}')
	})
	if err := x.held.Add(cap(b)); err != nil {
		return err
	}
	x.send(http.StatusOK, b)
	return nil
}

// testWebhookBody is what POST /test_webhook reads.
type testWebhookBody struct {
	URL text `json:"url"`
}

// testWebhook answers with 200 if the test could be made, whatever came of it.
func (a *api) testWebhook(x *exchange) error {
	var in testWebhookBody
	if err := x.decode(&in); err != nil {
		return err
	}
	is, err := a.service.TestWebhook(x.ctx(), x.call, string(in.URL))
	if err != nil {
		return err
	}
	message := "the receiver accepted the test event"
	if is != domain.SentOK {
		message = "the receiver did not accept the test event; result says why"
	}
	b := say(message).member("delivered")
	b = strconv.AppendBool(b, is == domain.SentOK)
	x.send(http.StatusOK, b.member("result").text(string(is)))
	return nil
}

// webhook appends a webhook without its closing brace.
func (b answer) webhook(w domain.Webhook) answer {
	b = append(b, `{"Id":`...).text(string(w.ID))
	b = b.member("Url").text(w.URL).member("Events")
	b = array(b, w.Events, func(b answer, t domain.EventType) answer { return b.text(string(t)) })
	return b.member("Created").instant(w.Created).member("Set").instant(w.Set).member("Gone").instant(w.Gone)
}

// delivery appends an event that a webhook was told, or is to be told.
func (b answer) delivery(d domain.Delivery) answer {
	b = append(b, `{"Id":`...).text(d.Event.ID)
	b = b.member("Event").text(string(d.Event.Type)).member("Time").instant(d.Event.At).member("Object").text(d.Event.Object)
	b = b.member("State").text(string(d.State)).member("Tries")
	b = strconv.AppendInt(b, int64(d.Tries), 10)
	b = b.member("Next").instant(d.Next).member("Last").instant(d.Last).member("Result").textOrNull(string(d.Is))
	return append(b, '}')
}
