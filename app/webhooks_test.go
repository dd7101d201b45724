package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

const alerts = "https://alerts.example/flowlatch"

// setWebhook sets a webhook and returns its secret.
func (w *world) setWebhook(t *testing.T, url string, events ...string) app.WebhookSet {
	t.Helper()
	set, err := w.SetWebhook(t.Context(), w.admin, app.SetWebhook{URL: url, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// deliver makes the tries that are due, and waits for them.
func (w *world) deliver(t *testing.T) {
	t.Helper()
	if err := w.Webhooks().Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Webhooks().Wait()
}

// usedUp notes that the credits of an assistant are used up, or that they are not.
func (w *world) usedUp(t *testing.T, p domain.Project, credits domain.Credits) {
	t.Helper()
	rec := w.admin.Record(w.now(), domain.ActionMarkCredits, domain.OnProject(p.ID))
	rec.Outcome = string(credits)
	err := w.store.Ports().Projects.Note(t.Context(), p.ID, func(p *domain.Project) bool { return p.MarkCredits(credits) }, rec)
	if err != nil {
		t.Fatal(err)
	}
}

// deliveries returns the deliveries of the only webhook.
func (w *world) deliveries(t *testing.T) []domain.Delivery {
	t.Helper()
	told, err := w.GetWebhooks(t.Context(), w.admin)
	if err != nil || len(told) != 1 {
		t.Fatalf("got %d webhooks and error %v, want one", len(told), err)
	}
	if !told[0].Webhook.Secret.IsZero() {
		t.Error("a list shows the sealed secret")
	}
	return told[0].Deliveries
}

func TestAWebhookIsToldOfAnEventWithASignature(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot <1>", versionID)
	set := w.setWebhook(t, alerts, "credits.used_up")
	if set.Deleted || set.Webhook.URL != alerts || !set.Webhook.Secret.IsZero() {
		t.Errorf("got %+v", set)
	}
	w.usedUp(t, p, domain.CreditsUsedUp)
	w.deliver(t)
	w.deliver(t)
	got := w.webhooks.Got()
	if len(got) != 1 || got[0].URL != alerts || !got[0].At.Equal(w.now()) {
		t.Fatalf("got %+v, want one message", got)
	}
	m := got[0]
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(set.Secret.Reveal(), "whsec_"))
	if err != nil || len(key) != 32 {
		t.Fatalf("the secret has %d bytes, and the error is %v", len(key), err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", m.ID, strconv.FormatInt(w.now().Unix(), 10), m.Body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); m.Signature != want {
		t.Errorf("got the signature %s, want %s", m.Signature, want)
	}
	var body struct {
		Type      string
		Timestamp time.Time
		Data      map[string]string
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "credits.used_up" || !body.Timestamp.Equal(w.now()) || body.Data["project_id"] != string(p.ID) || body.Data["project_name"] != "Bot <1>" ||
		body.Data["actor_name"] != "ada" {
		t.Errorf("got %s", m.Body)
	}
	if d := w.deliveries(t); len(d) != 1 || d[0].State != domain.DeliveryDone || d[0].Tries != 1 || d[0].Is != domain.SentOK {
		t.Errorf("got %+v, want one that is delivered", d)
	}
}

func TestAFailedDeliveryIsTriedAgainForLessThanADay(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.setWebhook(t, alerts, "credits.used_up")
	w.webhooks.Answer(alerts, 500)
	w.usedUp(t, p, domain.CreditsUsedUp)
	began := w.now()
	for n := 1; n <= domain.MaxTries; n++ {
		w.deliver(t)
		d := w.deliveries(t)[0]
		if len(w.webhooks.Got()) != n || d.Tries != n || d.Is != domain.SentFailed {
			t.Fatalf("after try %d: got %d messages and %+v", n, len(w.webhooks.Got()), d)
		}
		if n == 1 && d.Next.Sub(w.now()) > 8*time.Second {
			t.Errorf("the first retry comes after %v", d.Next.Sub(w.now()))
		}
		if n < domain.MaxTries {
			w.after(d.Next.Sub(w.now()))
		}
	}
	if took := w.now().Sub(began); took >= 24*time.Hour {
		t.Errorf("all tries took %v", took)
	}
	w.after(48 * time.Hour)
	w.deliver(t)
	if d := w.deliveries(t)[0]; len(w.webhooks.Got()) != domain.MaxTries || d.State != domain.DeliveryFailed {
		t.Errorf("got %d messages and %+v, want it failed", len(w.webhooks.Got()), d)
	}
	ids := map[string]bool{}
	for _, m := range w.webhooks.Got() {
		ids[m.ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("got %d ids of one event", len(ids))
	}
}

func TestAReceiverThatHangsDelaysNobodyElse(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	const other = "https://other.example/"
	w.setWebhook(t, alerts, "credits.used_up")
	w.setWebhook(t, other, "credits.used_up")
	hangs := w.webhooks.Hang(alerts)
	ctx, stop := context.WithCancel(t.Context())
	for range 10 {
		w.usedUp(t, p, domain.CreditsUsedUp)
		w.usedUp(t, p, domain.CreditsOK)
		w.after(time.Microsecond)
	}
	if err := w.Webhooks().Deliver(ctx); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		<-hangs
	}
	waitFor(t, func() bool {
		n := 0
		for _, m := range w.webhooks.Got() {
			if m.URL == other {
				n++
			}
		}
		return n == 10
	})
	stop()
	w.Webhooks().Wait()
	told, err := w.GetWebhooks(t.Context(), w.admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range told[0].Deliveries {
		if d.Tries != 0 || d.State != domain.DeliveryWaiting || d.Next.After(w.now()) {
			t.Errorf("got %+v after the service stopped, want it due without a try", d)
		}
	}
	w.webhooks.Answer(alerts, 200)
	w.deliver(t)
	if d := w.deliveriesOf(t, alerts); len(d) != 10 || slices.ContainsFunc(d, func(d domain.Delivery) bool { return d.State != domain.DeliveryDone }) {
		t.Errorf("got %+v, want all delivered", d)
	}
}

// deliveriesOf returns the deliveries of the webhook of the URL.
func (w *world) deliveriesOf(t *testing.T, url string) []domain.Delivery {
	t.Helper()
	told, err := w.GetWebhooks(t.Context(), w.admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range told {
		if one.Webhook.URL == url {
			return one.Deliveries
		}
	}
	return nil
}

// waitFor waits until the condition holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatal("the condition did not hold in time")
		}
		<-tick.C
	}
}

func TestAReceiverThatIsGoneIsToldNothing(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	first := w.setWebhook(t, alerts, "credits.used_up")
	w.webhooks.Answer(alerts, 410)
	w.usedUp(t, p, domain.CreditsUsedUp)
	w.deliver(t)
	told, err := w.GetWebhooks(t.Context(), w.admin)
	if err != nil || told[0].Webhook.Gone.IsZero() || told[0].Deliveries[0].State != domain.DeliveryFailed {
		t.Fatalf("got %+v and error %v, want it gone", told, err)
	}
	w.usedUp(t, p, domain.CreditsOK)
	w.usedUp(t, p, domain.CreditsUsedUp)
	w.deliver(t)
	if n := len(w.webhooks.Got()); n != 1 {
		t.Errorf("got %d messages, want the one that was refused", n)
	}
	again := w.setWebhook(t, strings.ToUpper(alerts[:20])+alerts[20:], "credits.used_up", "admin.made")
	if again.Webhook.ID != first.Webhook.ID || again.Secret.Equal(first.Secret) || !again.Webhook.Gone.IsZero() {
		t.Errorf("set again: got %+v, want the same webhook with another secret", again)
	}
}

func TestWebhooksAreForAdmins(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "ben", "member")
	ben, _ := w.login(t, "ben", false)
	w.setWebhook(t, alerts, "admin.made")
	token := func(scopes ...domain.Scope) domain.Call {
		call := w.admin
		call.Caller = domain.CallerByToken(domain.AccessToken{ID: "t", User: w.admin.Caller.ID, Scopes: domain.ScopesOf(scopes...)}, domain.RoleAdmin)
		return call
	}
	for name, call := range map[string]domain.Call{"a member": ben, "a token for the audit": token(domain.ScopeManageAudit), "a token for all parts": token(
		domain.ScopeManageAudit, domain.ScopeManageGrants, domain.ScopeManageProjects, domain.ScopeManageUsers)} {
		_, set := w.SetWebhook(t.Context(), call, app.SetWebhook{URL: alerts, Events: []string{}})
		_, tested := w.TestWebhook(t.Context(), call, alerts)
		for _, err := range []error{set, tested} {
			if domain.KindOf(err) != domain.NotAllowed {
				t.Errorf("%s: got error %v, want NotAllowed", name, err)
			}
		}
		if _, err := w.GetWebhooks(t.Context(), call); (domain.KindOf(err) == domain.NotAllowed) != (name == "a member") {
			t.Errorf("%s: GetWebhooks returned %v", name, err)
		}
	}
	// Whoever is demoted after their request began changes nothing.
	w.user(t, w.admin, "cem", "admin")
	cem, _ := w.login(t, "cem", false)
	member := "member"
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(cem.Caller.ID), Role: &member}); err != nil {
		t.Fatal(err)
	}
	_, set := w.SetWebhook(t.Context(), cem, app.SetWebhook{URL: "https://evil.example/", Events: []string{"admin.made"}})
	_, deleted := w.SetWebhook(t.Context(), cem, app.SetWebhook{URL: alerts, Events: []string{}})
	_, tested := w.TestWebhook(t.Context(), cem, alerts)
	for _, err := range []error{set, deleted, tested} {
		wantKind(t, err, domain.NotAllowed)
	}
	if n := len(w.webhooks.Got()); n != 0 {
		t.Errorf("got %d messages", n)
	}
}

func TestAWebhookIsTested(t *testing.T) {
	w := newWorld(t)
	set := w.setWebhook(t, alerts, "admin.made")
	for status, want := range map[int]domain.SendResult{200: domain.SentOK, 302: domain.SentRedirect, 404: domain.SentRefused, 503: domain.SentFailed} {
		w.webhooks.Answer(alerts, status)
		is, err := w.TestWebhook(t.Context(), w.admin, " "+alerts+" ")
		if err != nil || is != want {
			t.Errorf("status %d: got %q and error %v, want %q", status, is, err, want)
		}
	}
	got := w.webhooks.Got()
	if len(got) != 4 || !strings.Contains(string(got[0].Body), `"type":"webhook.test"`) || strings.Contains(string(got[0].Body), set.Secret.Reveal()) {
		t.Errorf("got %s", got[0].Body)
	}
	if d := w.deliveries(t); len(d) != 0 {
		t.Errorf("got the deliveries %+v, want none", d)
	}
	_, err := w.TestWebhook(t.Context(), w.admin, "https://other.example/")
	wantKind(t, err, domain.NotFound)
	_, err = w.TestWebhook(t.Context(), w.admin, "http://other.example/")
	wantKind(t, err, domain.Invalid)
}

func TestALockedLoginIsToldOnceAnHour(t *testing.T) {
	w := newWorld(t)
	w.setWebhook(t, alerts, "login.locked")
	w.user(t, w.admin, "ben", "member")
	fail := func(name string, times int) {
		t.Helper()
		for range times {
			_, err := w.Login(t.Context(), domain.Call{RequestID: "r", Address: "192.0.2.9"}, app.Login{Username: name, Password: domain.NewSecret("wrong")})
			wantKind(t, err, domain.NotAuthenticated)
		}
		_, err := w.Login(t.Context(), domain.Call{RequestID: "r", Address: "192.0.2.9"}, app.Login{Username: name, Password: domain.NewSecret("wrong")})
		wantKind(t, err, domain.TooManyRequests)
		if err := w.FlushLocked(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.deliver(t)
	}
	fail("nobody", 3)
	if n := len(w.webhooks.Got()); n != 0 {
		t.Fatalf("got %d messages about a name that no user has", n)
	}
	fail("ben", 0)
	fail("ben", 0)
	w.after(59 * time.Minute)
	fail("ben", 0)
	if n := len(w.webhooks.Got()); n != 1 {
		t.Fatalf("got %d messages within an hour, want 1", n)
	}
	if body := string(w.webhooks.Got()[0].Body); !strings.Contains(body, `"username":"ben"`) || !strings.Contains(body, `"address":"192.0.2.9"`) {
		t.Errorf("got %s", body)
	}
	w.after(time.Minute)
	w.store.Break()
	_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ben", Password: domain.NewSecret("wrong")})
	wantKind(t, err, domain.TooManyRequests)
	wantKind(t, w.FlushLocked(t.Context()), domain.Unavailable)
	w.store.Mend()
	fail("ben", 0)
	if n := len(w.webhooks.Got()); n != 2 {
		t.Errorf("got %d messages after an hour, want 2", n)
	}
}

func TestASecretThatCanNotBeOpenedIsToldAndRewrapKeepsIt(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	set := w.setWebhook(t, alerts, "credits.used_up")
	w.usedUp(t, p, domain.CreditsUsedUp)
	hook, err := w.store.Ports().Webhooks.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	garbage := hook[0]
	garbage.Secret = domain.Sealed{Key: "gone", Bytes: []byte("opens for nobody")}
	if _, err := w.store.Ports().Webhooks.Set(t.Context(), act(domain.ActionSetWebhook), garbage); err != nil {
		t.Fatal(err)
	}
	w.deliver(t)
	if d := w.deliveries(t)[0]; d.Is != domain.SendUnsigned || len(w.webhooks.Got()) != 0 {
		t.Errorf("got %+v and %d messages, want none", d, len(w.webhooks.Got()))
	}
	if _, err := w.store.Ports().Webhooks.Set(t.Context(), act(domain.ActionSetWebhook), hook[0]); err != nil {
		t.Fatal(err)
	}
	w.rotate(t)
	if _, err := w.Keyset().Reencrypt(t.Context(), w.operator(t), false, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	again, err := w.store.Ports().Webhooks.List(t.Context())
	if err != nil || again[0].Secret.Equal(hook[0].Secret) {
		t.Fatalf("the secret was not re-encrypted, error %v", err)
	}
	opened, err := w.cipher.Open(again[0].Secret, domain.BindWebhook(again[0].ID))
	if err != nil || !opened.Equal(set.Secret) {
		t.Errorf("got another secret, error %v", err)
	}
	if _, err := w.cipher.Open(again[0].Secret, domain.BindWebhook("another")); domain.KindOf(err) != domain.Corrupt {
		t.Errorf("it opens for another webhook: %v", err)
	}
}

func TestAProgramWithoutASenderHasNoWebhooks(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	p.Webhooks = nil
	s := w.open(t, p)
	_, set := s.SetWebhook(t.Context(), w.admin, app.SetWebhook{URL: alerts, Events: []string{"admin.made"}})
	_, got := s.GetWebhooks(t.Context(), w.admin)
	_, tested := s.TestWebhook(t.Context(), w.admin, alerts)
	for _, err := range []error{set, got, tested} {
		wantKind(t, err, domain.NotFound)
	}
}
