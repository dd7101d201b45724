package app_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// known is what the store knows of its installation.
func (w *world) known(t *testing.T) domain.Installation {
	t.Helper()
	is, err := w.store.Ports().Installation.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestRotateKeys(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, cookie := w.login(t, "ada", true)
	set := w.set(t, w.admin, p)
	operator, err := w.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	before, old := len(w.store.Records()), w.cipher.Keys()[0]
	key, err := w.Keyset().Rotate(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.cipher.Keys(); len(got) != 2 || got[0] != key || got[1] != old {
		t.Errorf("keys are %v, want %v and then %v", got, key, old)
	}
	records := w.store.Records()[before:]
	if len(records) != 1 || records[0].Action != domain.ActionRotateKeys || records[0].Object != "key:"+string(key) || records[0].Actor != domain.ActorOperator {
		t.Errorf("audit has %+v, want the rotation", records)
	}
	if is := w.known(t); is.Known.Key != key || is.Pseudonyms.Key != key {
		t.Errorf("the known value is sealed with %v and the key of the pseudonyms with %v, want %v", is.Known.Key, is.Pseudonyms.Key, key)
	}
	w.call(t, cookie)
	if got := w.isSet(t, w.admin, set); got != p.ID {
		t.Errorf("the cookie of before sets %q, want %q", got, p.ID)
	}
	wantKind(t, w.Keyset().Ready(t.Context()), "")
	again := w.open(t, w.ports())
	wantKind(t, again.Keyset().Ready(t.Context()), "")
	if is := w.known(t); is.Known.Key != key {
		t.Errorf("after a start the known value is sealed with %v, want %v", is.Known.Key, key)
	}
}

// The pseudonyms of before and after must be the same, or conversations are lost.
func TestPseudonymsStayThroughARotation(t *testing.T) {
	w := newWorld(t)
	came := w.voiceflow.Answer(testworld.Fine)
	_, ben := w.talker(t, "ben", w.project(t, "Bot", versionID))
	talk := func() {
		t.Helper()
		if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
	}
	talk()
	if _, err := w.Keyset().Rotate(t.Context(), w.admin); err != nil {
		t.Fatal(err)
	}
	talk()
	w.Service = w.open(t, w.ports())
	talk()
	for i, s := range came() {
		if s.UserID == "" || s.UserID != came()[0].UserID {
			t.Errorf("turn %d is of %q at Voiceflow, want %q", i+1, s.UserID, came()[0].UserID)
		}
	}
}

// looked is a keyring that tells when it is refreshed.
type looked struct {
	*memory.Cipher
	refreshed chan struct{}
}

func (c looked) Refresh(ctx context.Context) error {
	select {
	case c.refreshed <- struct{}{}:
	default:
	}
	return c.Cipher.Refresh(ctx)
}

func TestStartTakesOverWhatOthersHaveMadeOfTheKeyset(t *testing.T) {
	w := newWorld(t)
	p, refreshed := w.ports(), make(chan struct{})
	p.Keyring = looked{w.cipher, refreshed}
	s := w.open(t, p)
	t.Cleanup(s.Start(nil))
	for range 2 { // it goes on
		select {
		case <-refreshed:
		case <-time.After(20 * time.Second):
			t.Fatal("the keyset is not looked at")
		}
	}
}

// wantNeeded fails the test unless KeyStatus says that so many sessions need each key, the
// current one first and then the oldest first.
func (w *world) wantNeeded(t *testing.T, want ...int) {
	t.Helper()
	status, err := w.Keyset().Status(t.Context(), w.operator(t))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]int, len(status.Keys))
	for i, k := range status.Keys {
		got[i] = k.Logins
	}
	if !slices.Equal(got, want) {
		t.Errorf("so many sessions need the keys: %v, want %v", got, want)
	}
}

// A browser may hold a cookie that it was sent and that has not come back yet.
func TestACookieThatWasSentNeedsItsKey(t *testing.T) {
	w := newWorld(t)
	_, cookie := w.login(t, "ada", true)
	first := w.sealing()
	second := w.rotate(t)
	sent := identified(t, w.Service, cookie).Cookie.Text
	third := w.rotate(t)
	w.rotate(t)
	kept, _ := w.login(t, "ada", false) // which is of the current key
	if _, err := w.Keyset().Reencrypt(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	w.wantNeeded(t, 1, 2, 2, 2) // the admin's login too
	for _, key := range []domain.KeyID{first, second, third} {
		_, err := w.Keyset().Retire(t.Context(), w.operator(t), []domain.KeyID{key}, false)
		wantKind(t, err, domain.Conflict)
		if err != nil && !strings.Contains(err.Error(), "key "+string(key)+" is needed by 2 sessions") {
			t.Errorf("the error %q does not say that 2 sessions need the key %s", err, key)
		}
	}
	back := identified(t, w.Service, sent).Cookie.Text
	w.wantNeeded(t, 1, 2, 2, 2)
	identified(t, w.Service, back)
	w.wantNeeded(t, 2, 1, 1, 1)

	// A session whose key is gone may hold a cookie of any that is left.
	if _, err := w.cipher.Retire(t.Context(), []domain.KeyID{first}, func([]domain.KeyID) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.wantNeeded(t, 2, 1, 1)
	_, err := w.Keyset().Retire(t.Context(), w.operator(t), nil, false)
	wantKind(t, err, domain.Conflict)
	out, err := w.Keyset().Retire(t.Context(), w.operator(t), []domain.KeyID{second}, true)
	if err != nil || out.Ended != (domain.KeyUse{Logins: 1}) {
		t.Errorf("got %+v, %v, want that the admin's login was ended", out, err)
	}
	if got, err := w.Keyset().Retire(t.Context(), w.operator(t), nil, false); err != nil || !slices.Equal(got.Keys, []domain.KeyID{third}) {
		t.Errorf("got %+v, %v", got, err)
	}
	identified(t, w.Service, back)
	if w.session(t, kept.Caller.ID, kept.Caller.Login.ID).ID == "" {
		t.Error("a login of the current key was ended")
	}
}

func TestStartMarksKeysThatDoNotOpen(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.spoil(t, p, domain.SlotPrimary)
	t.Cleanup(w.Start(nil))
	deadline, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for w.stored(t, p).Primary.Status != domain.KeyNeedsReentry {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("Start does not mark a key that does not open")
		}
	}
}
