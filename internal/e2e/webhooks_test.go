package e2e

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// alarm is a receiver of events over HTTPS, with a certificate that only those know who are told.
type alarm struct {
	*httptest.Server

	mu       sync.Mutex
	secret   string
	hang     chan struct{} // gets an element for each message that is not answered; nil if all are answered
	accepted []domain.WebhookMessage
	wrong    []string
	bodies   strings.Builder // of all messages
}

func startAlarm(t *testing.T) (a *alarm, authority string) {
	t.Helper()
	a = &alarm{}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	authority = filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return a, authority
}

func (a *alarm) serve(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	seconds, _ := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	m := domain.WebhookMessage{ID: r.Header.Get("webhook-id"), At: time.Unix(seconds, 0), Body: text, Signature: r.Header.Get("webhook-signature")}
	a.mu.Lock()
	_, _ = a.bodies.Write(text)
	signature, err := domain.SignWebhook(domain.NewSecret(a.secret), m.ID, m.At, m.Body)
	if err != nil || signature != m.Signature {
		a.wrong = append(a.wrong, m.Signature)
	}
	hang := a.hang
	if hang == nil {
		a.accepted = append(a.accepted, m)
	}
	a.mu.Unlock()
	if hang != nil {
		hang <- struct{}{}
		<-r.Context().Done()
	}
}

// hangs makes the receiver answer nothing until answers. The channel gets an element for each message.
func (a *alarm) hangs() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hang = make(chan struct{}, 100)
	return a.hang
}

func (a *alarm) answers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hang = nil
}

// told returns how often the receiver accepted each event, by id.
func (a *alarm) told() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := map[string]int{}
	for _, m := range a.accepted {
		ids[m.ID]++
	}
	return ids
}

// delivered are the latest deliveries of the only webhook.
func delivered(t *testing.T, admin *browser) (all []struct{ ID, Event, State, Result string }) {
	t.Helper()
	var said struct {
		Webhooks []struct {
			Deliveries []struct{ ID, Event, State, Result string }
		}
	}
	if err := json.Unmarshal([]byte(admin.want(admin.get("/get_webhooks"), "200").text), &said); err != nil || len(said.Webhooks) != 1 {
		t.Fatalf("got %d webhooks and error %v", len(said.Webhooks), err)
	}
	return said.Webhooks[0].Deliveries
}

// TestARejectedKeyIsTold lets Voiceflow reject a key. The receiver is told once, whatever becomes of the
// service meanwhile.
func TestARejectedKeyIsTold(t *testing.T) {
	eachDatabase(t, rejectedKeyIsTold)
}

func rejectedKeyIsTold(t *testing.T, database string) {
	a, authority := startAlarm(t)
	pizza := newAssistant("Pizza Palace")
	k := &knownKeys{place: &place{voiceflow: startVoiceflow(t, pizza)}, t: t, assistant: pizza}
	m := newMachine(t, k.voiceflow).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_WEBHOOK_ALLOW_PRIVATE", "true", "SSL_CERT_FILE", authority)
	s := serving(t, m)
	k.boss = s.admin()
	k.id = k.boss.want(k.boss.post("/add_project", adding(pizza)), "200").added(t).ID
	set := k.boss.want(k.boss.post("/set_webhook", body{"url": a.URL + "/in", "events": []string{"key.rejected"}}), "200")
	var said struct{ Secret string }
	if err := json.Unmarshal([]byte(set.text), &said); err != nil || !strings.HasPrefix(said.Secret, domain.SecretPrefix) {
		t.Fatalf("got error %v and no secret", err)
	}
	a.mu.Lock()
	a.secret = said.Secret
	a.mu.Unlock()
	if got := k.boss.want(k.boss.post("/test_webhook", body{"url": a.URL + "/in"}), "200"); !strings.Contains(got.text, `"delivered":true`) {
		t.Fatalf("the test was not delivered: %s", got.text)
	}

	events := 0
	reject := func() { // and the key works again
		t.Helper()
		k.atVoiceflow(voiceflowtest.NewKey())
		k.check()
		k.check() // which is no news
		k.atVoiceflow(pizza.Key)
		k.check()
		events++
	}
	toldAll := func(what string) {
		t.Helper()
		eventually(t, what, func() bool { return len(a.told()) == 1+events }) // with the test
	}

	reject()
	toldAll("a rejected key is told")

	arrives := a.hangs()
	reject()
	<-arrives
	s.kill()
	a.answers()
	s = m.start("serve")
	k.boss = k.boss.at(s.url)
	toldAll("an event is told after a crash")

	arrives = a.hangs()
	reject()
	<-arrives
	s.stop() // does not wait for the receiver
	a.answers()
	s = m.start("serve")
	k.boss = k.boss.at(s.url)
	toldAll("an event is told after a restart")

	if database != "" {
		m.start("serve")
		for range 5 {
			reject()
		}
		toldAll("events are told by two instances")
	}
	eventually(t, "all deliveries have ended", func() bool {
		for _, d := range delivered(t, k.boss) {
			if d.Event != "key.rejected" || d.State != "delivered" || d.Result != "ok" {
				return false
			}
		}
		return true
	})
	if got := len(delivered(t, k.boss)); got != events {
		t.Errorf("got %d deliveries, want %d", got, events)
	}
	for id, times := range a.told() {
		if times != 1 {
			t.Errorf("%s was accepted %d times", id, times)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.wrong) > 0 {
		t.Errorf("%d messages have wrong signatures", len(a.wrong))
	}
	for form, trace := range tracesOf(pizza.Key) {
		if strings.Contains(a.bodies.String(), trace) {
			t.Errorf("the key is in an event, %s", form)
		}
	}
	for where, text := range map[string]string{"what was printed and logged": m.said.String(), "what is kept": contentOf(t, m.data())} {
		if strings.Contains(text, strings.TrimPrefix(said.Secret, domain.SecretPrefix)) {
			t.Errorf("the signing secret is in %s", where)
		}
	}
}

// TestNothingAtAPrivateAddressIsTold has a receiver on this machine, and no setting that allows it.
func TestNothingAtAPrivateAddressIsTold(t *testing.T) {
	a, authority := startAlarm(t)
	m := newMachine(t, startVoiceflow(t)).with("SSL_CERT_FILE", authority)
	s := serving(t, m)
	admin := s.admin()
	admin.want(admin.post("/set_webhook", body{"url": a.URL, "events": []string{"admin.made"}}), "200")
	if got := admin.want(admin.post("/test_webhook", body{"url": a.URL}), "200").text; !strings.Contains(got, `"delivered":false,"result":"private_address"`) {
		t.Errorf("test_webhook answers %s", got)
	}
	m.must(memberPassword+"\n", "user", "create", "--admin", "eve")
	eventually(t, "the service has tried to tell of the new admin", func() bool {
		all := delivered(t, admin)
		return len(all) == 1 && all[0].Result == "private_address" && all[0].State == "waiting"
	})
	if got := a.told(); len(got) > 0 {
		t.Errorf("the receiver was told of %v", got)
	}
	member := s.member()
	member.want(member.post("/set_webhook", body{"url": a.URL, "events": []string{}}), "403 not_allowed")
	admin.want(admin.post("/set_webhook", body{"url": "http://127.0.0.1/", "events": []string{"admin.made"}}), "400 invalid_request")
	admin.want(admin.post("/set_webhook", body{"url": a.URL, "events": []string{}}), "200")
}
