package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// hook sets a webhook and returns its id.
func (w *world) hook(t testing.TB, address string, events ...string) string {
	t.Helper()
	set, err := w.service.SetWebhook(t.Context(), w.operator(t), app.SetWebhook{URL: address, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return string(set.Webhook.ID)
}

var signingSecret = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{44}`)

// TestWebhooks takes a webhook from the form to its end.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sender := w.ports.Webhooks.(*memory.WebhookSender)
	const address = "https://alerts.example/in?a=<b>"
	shown := "https://alerts.example/in?a=&lt;b&gt;"
	w.admin.get(t, "/console/webhooks").want(t, http.StatusOK, "There are no webhooks.", `aria-current="page">Webhooks`)
	w.admin.get(t, "/console/webhooks/new").want(t, http.StatusOK, `value="key.rejected" checked`, `value="login.locked" checked`).wantNo(t, "readonly")
	for _, tc := range []struct {
		name   string
		fields []string
		text   string
	}{
		{"no URL", []string{"events", "admin.made"}, "Url is missing."},
		{"no event", []string{"url", address}, "Choose at least one event."},
		{"an unknown event", []string{"url", address, "events", "x"}, "can only contain"},
		{"no TLS", []string{"url", "http://alerts.example", "events", "admin.made"}, "must begin with https://"},
	} {
		w.admin.post(t, "/console/webhooks", tc.fields...).want(t, http.StatusBadRequest, tc.text, `action="/console/webhooks"`)
	}
	made := w.admin.post(t, "/console/webhooks", "url", address, "events", "admin.made").want(t, http.StatusOK, "Copy the signing secret now.", shown)
	secret := signingSecret.FindString(html.UnescapeString(made.text))
	if secret == "" || made.header.Get("Content-Encoding") != "" {
		t.Fatalf("the page has no secret, or is compressed:\n%s", made.text)
	}

	w.createUser(t, "eve", "admin")
	if err := w.service.Webhooks().Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.service.Webhooks().Wait()
	list := w.admin.get(t, "/console/webhooks").want(t, http.StatusOK, shown, "admin.made", "delivered", "accepted").wantNo(t, secret, "There are no webhooks")
	_, below, _ := strings.Cut(list.text, `id="url-`)
	id, _, _ := strings.Cut(below, `"`)
	path := "/console/webhooks/" + id

	w.admin.post(t, path+"/test").wantTo(t, "/console/webhooks")
	w.admin.get(t, "/console/webhooks").want(t, http.StatusOK, "The receiver accepted the test event.")
	for status, text := range map[int]string{301: "redirect", 404: "from 400 to 499", 410: "gone for good (410)", 500: "from 500 on"} {
		sender.Answer(sender.Got()[0].URL, status)
		w.admin.post(t, path+"/test").wantTo(t, "/console/webhooks")
		w.admin.get(t, "/console/webhooks").want(t, http.StatusOK, "did not accept the test event", text)
	}

	w.admin.get(t, path+"/change").want(t, http.StatusOK, shown, "readonly", `value="admin.made" checked`).wantNo(t, `value="key.rejected" checked`, secret)
	again := w.admin.post(t, "/console/webhooks", "url", address, "known", "true", "events", "key.rejected", "events", "admin.made").want(t, http.StatusOK, "key.rejected")
	if other := signingSecret.FindString(html.UnescapeString(again.text)); other == "" || other == secret {
		t.Errorf("got the secret %q again", other)
	}
	w.admin.get(t, path+"/delete").want(t, http.StatusOK, "Delete this webhook?", shown)
	w.admin.post(t, path+"/delete").wantTo(t, "/console/webhooks")
	w.admin.get(t, "/console/webhooks").want(t, http.StatusOK, "The webhook was deleted.", "There are no webhooks.")
	w.admin.post(t, path+"/test").want(t, http.StatusNotFound, "There is no such webhook.")
	w.admin.get(t, path+"/change").want(t, http.StatusNotFound)
}

// TestEveryResultHasWords checks that a page can say how each try ended.
func TestEveryResultHasWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sender := w.ports.Webhooks.(*memory.WebhookSender)
	id := w.hook(t, "https://alerts.example/", "admin.made")
	for _, status := range []int{301, 404, 410, 500} {
		sender.Answer("https://alerts.example/", status)
		w.admin.post(t, "/console/webhooks/"+id+"/test").wantTo(t, "/console/webhooks")
		w.admin.get(t, "/console/webhooks").wantNo(t, "event: .")
	}
	private := w.hook(t, "https://10.0.0.1/", "admin.made")
	w.admin.post(t, "/console/webhooks/"+private+"/test").wantTo(t, "/console/webhooks")
	w.admin.get(t, "/console/webhooks").want(t, http.StatusOK, "only addresses that are not allowed")
	full := url.Values{"url": {"https://z.example/"}}
	for _, event := range domain.EventTypes() {
		full.Add("events", string(event))
	}
	w.admin.send(t, http.MethodPost, "/console/webhooks", full).want(t, http.StatusOK, "login.locked")
}
