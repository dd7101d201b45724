package ginhttp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
)

func TestWebhooks(t *testing.T) {
	w := newWorld(t)
	sender := w.ports.Webhooks.(*memory.WebhookSender)
	const url = "https://alerts.example/in?a=%22"
	set := func(body string) *reply { return w.admin.do(t, "POST", "/set_webhook", body) }
	for _, bad := range []string{
		`{"events":["admin.made"]}`, `{"url":"` + url + `"}`, `{"url":"` + url + `","events":null}`, `{"url":"http://alerts.example","events":["admin.made"]}`,
		`{"url":"https://u:p@alerts.example","events":["admin.made"]}`, `{"url":"` + url + `#f","events":["admin.made"]}`, `{"url":"` + url + `","events":["webhook.test"]}`,
		`{"url":"` + url + `","events":["admin.made","admin.made"]}`, `{"url":"https://` + strings.Repeat("x", 2048) + `","events":["admin.made"]}`, `{"url":["x"],"events":["admin.made"]}`,
	} {
		set(bad).want(t, 400, "invalid_request")
	}
	if got := w.admin.do(t, "GET", "/get_webhooks", "").want(t, 200, ""); !strings.Contains(string(got.raw), `"webhooks":[]`) {
		t.Errorf("got %s, want no webhooks", got.raw)
	}
	made := set(`{"url":" `+url+` ","events":["admin.made","key.rejected"]}`).want(t, 200, "")
	secret := made.body["secret"].(string)
	hook := made.body["webhook"].(map[string]any)
	if !strings.HasPrefix(secret, "whsec_") || hook["Url"] != url || hook["Gone"] != nil || cmp.Diff([]any{"key.rejected", "admin.made"}, hook["Events"]) != "" {
		t.Errorf("got %s", made.raw)
	}
	again := set(`{"url":"`+url+`","events":["admin.made"]}`).want(t, 200, "")
	if again.body["secret"] == secret || again.body["webhook"].(map[string]any)["Id"] != hook["Id"] {
		t.Errorf("set again: got %s", again.raw)
	}

	id := w.createUser(t, "boss", "admin")
	if err := w.service.Webhooks().Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.service.Webhooks().Wait()
	if got := sender.Got(); len(got) != 1 || !strings.Contains(string(got[0].Body), `"username":"boss"`) {
		t.Fatalf("got %d messages", len(got))
	}
	all := w.admin.do(t, "GET", "/get_webhooks", "").want(t, 200, "")
	only := all.body["webhooks"].([]any)[0].(map[string]any)
	told := only["Deliveries"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"Event": "admin.made", "Object": "user:" + id, "State": "delivered", "Tries": 1.0, "Next": nil, "Result": "ok", "Id": sender.Got()[0].ID,
	} {
		if told[name] != want {
			t.Errorf("%s is %v, want %v", name, told[name], want)
		}
	}
	if told["Time"] == nil || told["Last"] == nil || only["Url"] != url || strings.Contains(string(all.raw), "whsec_") {
		t.Errorf("got %s", all.raw)
	}

	for status, want := range map[int]string{204: "ok", 308: "status_3xx", 403: "status_4xx", 410: "gone", 500: "status_5xx"} {
		sender.Answer(url, status)
		got := w.admin.do(t, "POST", "/test_webhook", `{"url":"`+url+`"}`).want(t, 200, "")
		if got.body["delivered"] != (want == "ok") || got.body["result"] != want {
			t.Errorf("%d: got %s, want %s", status, got.raw, want)
		}
	}
	w.admin.do(t, "POST", "/test_webhook", `{"url":"https://other.example"}`).want(t, 404, "not_found")
	set(`{"url":"https://other.example","events":[]}`).want(t, 404, "not_found")
	gone := set(`{"url":"`+url+`","events":[]}`).want(t, 200, "")
	if gone.body["secret"] != nil || gone.body["webhook"] != nil {
		t.Errorf("got %s", gone.raw)
	}
	for n := range domain.MaxWebhooks {
		set(fmt.Sprintf(`{"url":"https://%d.example","events":["admin.made"]}`, n)).want(t, 200, "")
	}
	set(`{"url":"`+url+`","events":["admin.made"]}`).want(t, 409, "conflict")
}
