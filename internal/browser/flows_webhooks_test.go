package browser

import (
	"net/http"
	"regexp"
	"testing"
)

// TestWebhooks sets a webhook, tests, changes and deletes it. Its host is this machine, which is not told of
// anything by default.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	w.bothWays(func(w *world, s Settings, tag string) {
		at := "https://127.0.0.1:9/" + tag
		tab := w.login(s, "ada", adminPassword)
		tab.Follow("Webhooks")
		tab.WaitText("There are no webhooks.")
		tab.Follow("Add a webhook")
		tab.Fill("url", at+" ")
		tab.Submit("Set the webhook")
		first := shownSecret(tab, s)
		tab.Check("main", "navigation")
		tab.Follow("I have copied it")
		tab.WaitText(at)
		tab.WaitGone(first)

		tab.Submit("Test " + at)
		wantNotice(tab, "The receiver did not accept the test event: the host has only addresses that are not allowed.")
		tab.Follow("Change " + at)
		wantValue(tab, "url", at)
		tab.Submit("Set the webhook")
		if second := shownSecret(tab, s); second == first {
			w.t.Error("a webhook that is set again has its old secret")
		}
		tab.Open("/console/webhooks")
		tab.Follow("Delete " + at + "…")
		tab.Check("main", "navigation")
		tab.Submit("Delete the webhook")
		wantNotice(tab, "The webhook was deleted.")
		tab.WaitText("There are no webhooks.")

		tab.Open("/console/webhooks/new")
		tab.Fill("url", "https://somebody@alerts.example/")
		tab.Submit("Set the webhook")
		wantRefused(tab, http.StatusBadRequest, "url")
		wantValue(tab, "url", "https://somebody@alerts.example/")
	})
}

// shownSecret returns the new signing secret that the page shows. With scripts it is copied.
func shownSecret(tab *Tab, s Settings) string {
	tab.t.Helper()
	tab.WaitText("It is not shown again")
	text := regexp.MustCompile(`whsec_[A-Za-z0-9+/]{32,}=*`).FindString(tab.Text())
	if text == "" {
		tab.fail("the page shows no signing secret")
	}
	if !s.NoScripts {
		wantCopied(tab, func() { tab.Click("Copy") })
	}
	return text
}
