package domain_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

func TestParseWebhookURL(t *testing.T) {
	long := "https://a.example/" + strings.Repeat("x", domain.MaxWebhookURL)
	for text, want := range map[string]string{
		"https://alerts.example":                     "https://alerts.example/",
		" HTTPS://Alerts.Example:443/a/?b=c&d ":      "https://alerts.example/a/?b=c&d",
		"https://alerts.example:8443/%2e/a%20b?":     "https://alerts.example:8443/%2e/a%20b",
		"https://xn--bcher-kva.example/":             "https://xn--bcher-kva.example/",
		"https://[2001:DB8::0001]:8443/":             "https://[2001:db8::1]:8443/",
		"https://127.0.0.1/":                         "https://127.0.0.1/", // refused when it is connected to
		long[:domain.MaxWebhookURL]:                  long[:domain.MaxWebhookURL],
		"https://hooks.example/services/T0/B0/XXXXX": "https://hooks.example/services/T0/B0/XXXXX",

		"": "", "alerts.example": "", "//alerts.example/": "", "http://alerts.example/": "", "ftp://alerts.example/": "", "https:alerts.example": "",
		"https://": "", "https:///path": "", "https://user@alerts.example/": "", "https://user:pw@alerts.example/": "", "https://@alerts.example/": "",
		"https://alerts.example/#": "", "https://alerts.example/#f": "", "https://alerts.example:/": "", "https://alerts.example:0/": "",
		"https://alerts.example:65536/": "", "https://alerts.example:0443/": "", "https://b\u00fccher.example/": "", "https://alerts.example/\u00e9": "",
		"https://alerts.example/a b": "", "https://a\x00b.example/": "", "https://[fe80::1%25eth0]/": "", "https://alerts.example/%zz": "", long: "",
		"https://alerts.example/?key=VF.DM.6371c9b4e1a5b2c3d4e5f607.x": "", "https://alerts.example/flk_abc": "",
	} {
		got, err := domain.ParseWebhookURL(text)
		if got != want || (err == nil) != (want != "") || err != nil && domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: got %q and error %v, want %q", text, got, err, want)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: the error repeats it: %v", text, err)
		}
		if err == nil {
			if again, err := domain.ParseWebhookURL(got); again != got || err != nil {
				t.Errorf("%q, read again: got %q and error %v", got, again, err)
			}
		}
	}
}

func FuzzParseWebhookURL(f *testing.F) {
	for _, seed := range []string{"https://alerts.example:8443/a?b=c", "https://[::1]/", "https://a@b/", "HTTPS://A.B:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := domain.ParseWebhookURL(text)
		if err != nil {
			return
		}
		if again, err := domain.ParseWebhookURL(got); again != got || err != nil || !strings.HasPrefix(got, "https://") || len(got) > domain.MaxWebhookURL {
			t.Errorf("%q: got %q, and read again %q and error %v", text, got, again, err)
		}
	})
}

func TestParseEventTypes(t *testing.T) {
	got, err := domain.ParseEventTypes([]string{" admin.made ", "key.rejected"})
	if want := []domain.EventType{domain.EventKeyRejected, domain.EventAdminMade}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	if back := domain.EventTypesFromText(domain.EventTypesText(got)); !slices.Equal(back, got) {
		t.Errorf("as text and back: got %v, want %v", back, got)
	}
	if got, err := domain.ParseEventTypes(nil); err != nil || len(got) != 0 {
		t.Errorf("none: got %v and error %v", got, err)
	}
	for _, bad := range [][]string{{""}, {"webhook.test"}, {"key"}, {"KEY.REJECTED"}, {"admin.made", "admin.made"}} {
		if _, err := domain.ParseEventTypes(bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%v: got error %v, want Invalid", bad, err)
		}
	}
}

// TestWhichRecordsAreEvents has each action of the project. Only news is recorded, so a mark that is no
// news is no event.
func TestWhichRecordsAreEvents(t *testing.T) {
	at := time.UnixMicro(1_700_000_000_000_001).UTC()
	seen := map[domain.EventType]bool{}
	for _, tc := range []struct {
		action  domain.Action
		outcome string
		want    domain.EventType
	}{
		{domain.ActionMarkKey, "rejected", domain.EventKeyRejected}, {domain.ActionMarkKey, "needs_reentry", domain.EventKeyNeedsReentry},
		{domain.ActionMarkKey, "ok", ""}, {domain.ActionMarkKey, "unchecked", ""},
		{domain.ActionMarkCredits, "used_up", domain.EventCreditsUsedUp}, {domain.ActionMarkCredits, "ok", ""},
		{domain.ActionMakeAdmin, "ok", domain.EventAdminMade}, {domain.ActionCreateUser, "ok", ""}, {domain.ActionUpdateUser, "ok", ""},
		{domain.ActionVerifyAudit, "broken", domain.EventAuditBroken}, {domain.ActionVerifyAudit, "ok", ""},
		{domain.ActionRotateKeys, "ok", domain.EventKeysetRotated}, {domain.ActionRotateKeys, "failed", domain.EventKeysetRotated},
		{domain.ActionLockLogin, "ok", domain.EventLoginLocked},
		{domain.ActionLogin, "too_many_requests", ""}, {domain.ActionForward, "rejected", ""}, {domain.ActionSetWebhook, "ok", ""},
		{domain.ActionTestWebhook, "ok", ""}, {domain.ActionSetProject, "ok", ""},
	} {
		rec := domain.Record{At: at, Actor: "user:u", Action: tc.action, Object: "project:p", Outcome: tc.outcome, RequestID: "r", Count: 1}
		got, is := domain.EventOf(rec)
		if got.Type != tc.want || is != (tc.want != "") {
			t.Errorf("%s with %s: got %q and %v, want %q", tc.action, tc.outcome, got.Type, is, tc.want)
		}
		if is {
			seen[got.Type] = true
			again, _ := domain.EventOf(rec)
			rec.RequestID = "s"
			if other, _ := domain.EventOf(rec); again.ID != got.ID || other.ID == got.ID || !strings.HasPrefix(got.ID, "msg_") || strings.Contains(got.ID, ".") {
				t.Errorf("%s: got the ids %s, %s and %s", tc.action, got.ID, again.ID, other.ID)
			}
		}
	}
	for _, want := range domain.EventTypes() {
		if !seen[want] {
			t.Errorf("no record is the event %s", want)
		}
	}
}

func TestTheBodyOfAnEventHasWhatAnOperatorNeeds(t *testing.T) {
	names := domain.EventNames{
		Projects: map[domain.ProjectID]string{"p": "Support"}, Users: map[domain.UserID]domain.Username{"u": "ada", "v": "ben"}, Tokens: map[domain.TokenID]string{"t": "nightly"},
	}
	for _, tc := range []struct {
		rec  domain.Record
		want map[string]string
	}{
		{domain.Record{Action: domain.ActionMarkKey, Object: domain.OnSlot("p", domain.SlotSecondary), Outcome: "rejected", Actor: domain.ActorToken("t")},
			map[string]string{"project_id": "p", "project_name": "Support", "slot": "secondary", "actor_name": "nightly"}},
		{domain.Record{Action: domain.ActionMarkKey, Object: domain.OnSlot("gone", domain.SlotPrimary), Outcome: "rejected", Actor: domain.ActorService},
			map[string]string{"project_id": "gone", "project_name": "", "actor_name": ""}},
		{domain.Record{Action: domain.ActionMakeAdmin, Object: domain.OnUser("v"), Actor: domain.ActorUser("u"), Address: "192.0.2.1", RequestID: "r"},
			map[string]string{"user_id": "v", "username": "ben", "actor": "user:u", "actor_name": "ada", "address": "192.0.2.1", "request_id": "r"}},
		{domain.Record{Action: domain.ActionRotateKeys, Object: domain.OnKey("17"), Actor: domain.ActorOperator}, map[string]string{"key_id": "17", "object": "key:17"}},
		{domain.Record{Action: domain.ActionRotateAccessToken, Object: "project:p user:v token:t", Outcome: "95_percent"},
			map[string]string{"project_name": "Support", "username": "ben", "token_id": "t", "token_name": "nightly", "outcome": "95_percent"}},
	} {
		tc.rec.At = time.UnixMicro(1_700_000_000_000_001)
		event := domain.TestEvent(tc.rec)
		var body struct {
			Type, Timestamp string
			Data            map[string]string
		}
		if err := json.Unmarshal(event.Body(names), &body); err != nil {
			t.Fatal(err)
		}
		if body.Type != "webhook.test" || body.Timestamp != "2023-11-14T22:13:20.000001Z" {
			t.Errorf("%s: got %+v", tc.rec.Object, body)
		}
		for name, want := range tc.want {
			if got := body.Data[name]; got != want {
				t.Errorf("%s: %s is %q, want %q", tc.rec.Object, name, got, want)
			}
		}
	}
}

// TestSignaturesAreThoseOfStandardWebhooks has the example of its reference libraries.
func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	got, err := domain.SignWebhook(domain.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 999), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want || err != nil {
		t.Errorf("got %s and error %v, want %s", got, err, want)
	}
	for _, bad := range []string{"", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		_, err := domain.SignWebhook(domain.NewSecret(bad), "m", time.Unix(1, 0), nil)
		if domain.KindOf(err) != domain.Corrupt || bad != "" && bad != "whsec_" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: got error %v, want Corrupt", bad, err)
		}
	}
}

func TestRetriesGrowWithinADay(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999999} {
		at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		d := domain.NewDelivery("w", domain.TestEvent(domain.Record{At: at}))
		last, began := time.Duration(0), at
		for n := 1; n <= domain.MaxTries; n++ {
			if !d.Due(at) || d.Due(at.Add(-time.Microsecond)) {
				t.Fatalf("try %d is not due exactly at %v", n, at)
			}
			d = d.Begun(at)
			if d.Due(at.Add(domain.SendTimeLimit)) {
				t.Fatalf("try %d can be begun again before it has ended", n)
			}
			at = at.Add(domain.SendTimeLimit)
			d = d.Ended(domain.SendTimeout, at, jitter)
			if n == domain.MaxTries {
				break
			}
			pause := d.Next.Sub(at)
			if pause <= last || n == 1 && pause >= 9*time.Second {
				t.Errorf("the pause after try %d is %v, the one before it was %v", n, pause, last)
			}
			last, at = pause, d.Next
		}
		if d.State != domain.DeliveryFailed || !d.Next.IsZero() || at.Sub(began) >= 24*time.Hour {
			t.Errorf("after all tries: got %+v after %v", d, at.Sub(began))
		}
	}
}

func TestSendResultOf(t *testing.T) {
	for status, want := range map[int]domain.SendResult{
		100: domain.SentFailed, 199: domain.SentFailed, 200: domain.SentOK, 299: domain.SentOK, 300: domain.SentRedirect, 399: domain.SentRedirect,
		400: domain.SentRefused, 410: domain.SentGone, 499: domain.SentRefused, 500: domain.SentFailed, 999: domain.SentFailed, 0: domain.SentFailed,
	} {
		if got := domain.SendResultOf(status); got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::808:808"} {
		if !domain.IsPublic(netip.MustParseAddr(public)) {
			t.Errorf("%s is not public", public)
		}
	}
	private := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
		"192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
		"2002:7f00:1::", "3fff::1", "4000::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1",
	}
	for _, text := range private {
		if domain.IsPublic(netip.MustParseAddr(text)) || domain.MaySendTo(netip.MustParseAddr(text), false) {
			t.Errorf("%s is public", text)
		}
	}
	for _, text := range []string{"127.0.0.1", "::1", "10.0.0.1", "fd12::1", "169.254.1.1", "1.1.1.1"} {
		if !domain.MaySendTo(netip.MustParseAddr(text), true) {
			t.Errorf("%s is refused, though private addresses are allowed", text)
		}
	}
	for _, ip := range []netip.Addr{{}, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::"), netip.MustParseAddr("::ffff:0.0.0.0"), netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("ff02::1"), netip.MustParseAddr("255.255.255.255")} {
		if domain.MaySendTo(ip, true) || domain.IsPublic(ip) {
			t.Errorf("%v is allowed", ip)
		}
	}
}

func TestSetInKeepsTheNumberOfWebhooks(t *testing.T) {
	var has []domain.Webhook
	for n := range domain.MaxWebhooks {
		w := domain.Webhook{ID: domain.WebhookID(rune('a' + n)), URL: "https://a.example/" + string(rune('a'+n)), Created: time.Unix(int64(n+1), 0)}
		set, err := w.SetIn(has)
		if err != nil {
			t.Fatal(err)
		}
		has = append(has, set)
	}
	for name, w := range map[string]domain.Webhook{
		"one more": {ID: "z", URL: "https://a.example/z"}, "the URL of another": {ID: "z", URL: "https://a.example/a"}, "the id of another": {ID: "a", URL: "https://a.example/z"},
	} {
		if _, err := w.SetIn(has); domain.KindOf(err) != domain.Conflict {
			t.Errorf("%s: got error %v, want Conflict", name, err)
		}
	}
	again, err := domain.Webhook{ID: "b", URL: "https://a.example/b", Created: time.Unix(99, 0), Set: time.Unix(99, 0), Gone: time.Unix(1, 0)}.SetIn(has)
	if err != nil || !again.Created.Equal(time.Unix(2, 0)) || !again.Set.Equal(time.Unix(99, 0)) || !again.Gone.IsZero() {
		t.Errorf("set again: got %+v and error %v", again, err)
	}
}
