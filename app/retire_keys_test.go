package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestRetireWaitsForWhatNeedsTheKey(t *testing.T) {
	w := newWorld(t)
	w.projects(t, 3)
	old := w.cipher.Keys()[0]
	current := w.rotate(t)
	retire := func(endSessions bool, keys ...domain.KeyID) (app.Retired, error) {
		return w.RetireKeys(t.Context(), w.operator(t), keys, endSessions)
	}
	refused := func(err error, says ...string) {
		t.Helper()
		wantKind(t, err, domain.Conflict)
		for _, text := range says {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("the error %q does not say %q", err, text)
			}
		}
		if keys := w.cipher.Keys(); !slices.Equal(keys, []domain.KeyID{current, old}) {
			t.Fatalf("the keys are %v, want %v and %v", keys, current, old)
		}
	}
	before := len(w.store.Records())
	_, err := retire(false)
	refused(err, "key "+string(old)+" is needed by 6 rows", "1 session")
	_, err = retire(true) // rows come first: no session is ended in vain
	refused(err, "6 rows")
	_, err = retire(false, current)
	refused(err)
	_, err = retire(false, "no such key")
	wantKind(t, err, domain.NotFound)
	wantActions(t, w.actions(before))

	if _, err := w.RewrapKeys(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	_, err = retire(false, old)
	refused(err, "1 session")

	// Another login, whose cookie the new key has sealed, goes on.
	kept := domain.NewLogin("01890000-0000-7000-a000-000000000001", w.admin.Caller.ID, false, w.now(),
		domain.Lifetimes{Idle: time.Hour, Absolute: time.Hour, Remember: time.Hour}, "", "")
	kept.SealedBy = current
	u, err := w.store.Ports().Users.Find(t.Context(), domain.UserRef{ID: w.admin.Caller.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Ports().Sessions.OpenLogin(t.Context(), kept, u.PasswordHash, domain.Record{}); err != nil {
		t.Fatal(err)
	}
	before = len(w.store.Records())
	got, err := retire(true)
	if err != nil || !slices.Equal(got.Keys, []domain.KeyID{old}) || got.Ended != (domain.KeyUse{Logins: 1}) {
		t.Errorf("got %+v, %v", got, err)
	}
	wantActions(t, w.actions(before), "operator end_sessions", "operator retire_keys")
	if keys := w.cipher.Keys(); !slices.Equal(keys, []domain.KeyID{current}) {
		t.Errorf("the keys are %v, want %v", keys, current)
	}
	if w.session(t, u.ID, w.admin.Caller.Login.ID).ID != "" || w.session(t, u.ID, kept.ID).ID != kept.ID {
		t.Error("the login of the old key goes on, or the other one was ended")
	}
	w.wantAllSealedBy(t, current)

	if got, err := retire(false); err != nil || len(got.Keys) != 0 {
		t.Errorf("where there is no key to retire: got %+v, %v", got, err)
	}
}

// wantNeeded fails the test unless KeyStatus says that so many sessions need each key, the
// current one first and then the oldest first.
func (w *world) wantNeeded(t *testing.T, want ...int) {
	t.Helper()
	status, err := w.KeyStatus(t.Context(), w.operator(t))
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
	if _, err := w.RewrapKeys(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	w.wantNeeded(t, 1, 2, 2, 2) // the admin's login too
	for _, key := range []domain.KeyID{first, second, third} {
		_, err := w.RetireKeys(t.Context(), w.operator(t), []domain.KeyID{key}, false)
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
	_, err := w.RetireKeys(t.Context(), w.operator(t), nil, false)
	wantKind(t, err, domain.Conflict)
	out, err := w.RetireKeys(t.Context(), w.operator(t), []domain.KeyID{second}, true)
	if err != nil || out.Ended != (domain.KeyUse{Logins: 1}) {
		t.Errorf("got %+v, %v, want that the admin's login was ended", out, err)
	}
	if got, err := w.RetireKeys(t.Context(), w.operator(t), nil, false); err != nil || !slices.Equal(got.Keys, []domain.KeyID{third}) {
		t.Errorf("got %+v, %v", got, err)
	}
	identified(t, w.Service, back)
	if w.session(t, kept.Caller.ID, kept.Caller.Login.ID).ID == "" {
		t.Error("a login of the current key was ended")
	}
}

// The handle of a conversation is never sealed anew, so it needs its own key alone.
func TestAHandleNeedsItsOwnKeyAlone(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	first := w.sealing()
	second := w.rotate(t)
	third := w.rotate(t)
	token, err := w.CreateAccessToken(t.Context(), w.admin, app.CreateAccessToken{Name: "a program", Project: string(p.ID)})
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range []domain.KeyID{first, second} {
		c := domain.Conversation{
			ID: domain.ConversationID(fmt.Sprintf("01890000-0000-7000-8001-00000000000%d", i)), Project: p.ID, UserID: fmt.Sprint(i),
			Expires: w.now().Add(time.Hour), HandleSealedBy: key, Token: token.AccessToken.ID,
		}
		if c.Key, err = w.cipher.Seal(domain.NewSecret("x"), domain.BindConversation(c.ID, w.voiceflow.Origin())); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Ports().Conversations.Open(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.RewrapKeys(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.RetireKeys(t.Context(), w.operator(t), []domain.KeyID{second}, false)
	wantKind(t, err, domain.Conflict)
	for _, says := range []string{"1 session, 1 conversation", "--end-sessions", "never sealed anew"} {
		if err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("the error %q does not say %q", err, says)
		}
	}
	out, err := w.RetireKeys(t.Context(), w.operator(t), []domain.KeyID{second}, true)
	if err != nil || out.Ended != (domain.KeyUse{Logins: 1, Handles: 1}) {
		t.Errorf("got %+v, %v, want that the session ended, and one of two conversations", out, err)
	}
	status, err := w.KeyStatus(t.Context(), w.operator(t))
	if err != nil || len(status.Keys) != 2 || status.Keys[0].ID != third || status.Keys[1].KeyUse != (domain.KeyUse{Handles: 1}) {
		t.Errorf("KeyStatus: got %+v, %v, want the other conversation", status, err)
	}
}

// left are Sealings where everybody has left between a count and an end.
type left struct{ ports.Sealings }

func (l left) Uses(ctx context.Context) (map[domain.KeyID]domain.KeyUse, error) {
	uses, err := l.Sealings.Uses(ctx)
	for key, use := range uses {
		use.Logins += 7
		uses[key] = use
	}
	return uses, err
}

func TestRetireTellsWhatItHasEnded(t *testing.T) {
	w := newWorld(t)
	w.rotate(t)
	if _, err := w.RewrapKeys(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	p := w.ports()
	p.Store.Sealings = left{p.Store.Sealings}
	got, err := w.open(t, p).RetireKeys(t.Context(), w.operator(t), nil, true)
	if err != nil || got.Ended != (domain.KeyUse{Logins: 1}) {
		t.Errorf("got %+v, %v, want that the one session was ended that was there", got, err)
	}
}

// wornOut is a Keyring that can't write its keyset.
type wornOut struct{ ports.Keyring }

func (c wornOut) Retire(ctx context.Context, keys []domain.KeyID, allow func([]domain.KeyID) error) ([]domain.KeyID, error) {
	_, err := c.Keyring.Retire(ctx, keys, func(keys []domain.KeyID) error { return errors.Join(allow(keys), errBoom) })
	return nil, err
}

func TestARetirementThatFailsIsRecordedAsThat(t *testing.T) {
	w := newWorld(t)
	w.rotate(t)
	if _, err := w.RewrapKeys(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	p := w.ports()
	p.Keyring = wornOut{w.cipher}
	s, before := w.open(t, p), len(w.store.Records())
	if _, err := s.RetireKeys(t.Context(), w.operator(t), nil, true); !errors.Is(err, errBoom) {
		t.Errorf("got error %v, want %v", err, errBoom)
	}
	var outcomes []string
	for _, r := range w.store.Records()[before:] {
		if r.Action == domain.ActionRetireKeys {
			outcomes = append(outcomes, r.Outcome)
		}
	}
	if !slices.Equal(outcomes, []string{domain.OutcomeOK, domain.OutcomeFailed}) {
		t.Errorf("audit has %v", outcomes)
	}
}
