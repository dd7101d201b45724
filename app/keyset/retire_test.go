package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

func TestRetireWaitsForWhatNeedsTheKey(t *testing.T) {
	w := newWorld(t)
	w.Projects(t, 3)
	old := w.Cipher.Keys()[0]
	current := w.Rotate(t)
	retire := func(endSessions bool, keys ...domain.KeyID) (keyset.Retired, error) {
		return w.keys.Retire(t.Context(), w.Operator(), keys, endSessions)
	}
	refused := func(err error, says ...string) {
		t.Helper()
		testworld.WantKind(t, err, domain.Conflict)
		for _, text := range says {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("the error %q does not say %q", err, text)
			}
		}
		if keys := w.Cipher.Keys(); !slices.Equal(keys, []domain.KeyID{current, old}) {
			t.Fatalf("the keys are %v, want %v and %v", keys, current, old)
		}
	}
	before := len(w.Store.Records())
	_, err := retire(false)
	refused(err, "key "+string(old)+" is needed by 6 rows", "1 session")
	_, err = retire(true) // rows come first: no session is ended in vain
	refused(err, "6 rows")
	_, err = retire(false, current)
	refused(err)
	_, err = retire(false, "no such key")
	testworld.WantKind(t, err, domain.NotFound)
	testworld.WantActions(t, w.Actions(before))

	if _, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil); err != nil {
		t.Fatal(err)
	}
	_, err = retire(false, old)
	refused(err, "1 session")

	// Another login, whose cookie the new key has sealed, goes on.
	kept := domain.NewLogin("01890000-0000-7000-a000-000000000001", w.Admin.Caller.ID, false, w.Now(),
		domain.Lifetimes{Idle: time.Hour, Absolute: time.Hour, Remember: time.Hour}, "", "")
	kept.SealedBy = current
	u, err := w.Store.Ports().Users.Find(t.Context(), domain.UserRef{ID: w.Admin.Caller.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Ports().Sessions.OpenLogin(t.Context(), kept, u.PasswordHash, domain.Record{}); err != nil {
		t.Fatal(err)
	}
	before = len(w.Store.Records())
	got, err := retire(true)
	if err != nil || !slices.Equal(got.Keys, []domain.KeyID{old}) || got.Ended != (domain.KeyUse{Logins: 1}) {
		t.Errorf("got %+v, %v", got, err)
	}
	testworld.WantActions(t, w.Actions(before), "operator end_sessions", "operator retire_keys")
	if keys := w.Cipher.Keys(); !slices.Equal(keys, []domain.KeyID{current}) {
		t.Errorf("the keys are %v, want %v", keys, current)
	}
	if w.Session(t, u.ID, w.Admin.Caller.Login.ID).ID != "" || w.Session(t, u.ID, kept.ID).ID != kept.ID {
		t.Error("the login of the old key goes on, or the other one was ended")
	}
	w.wantAllSealedBy(t, current)

	if got, err := retire(false); err != nil || len(got.Keys) != 0 {
		t.Errorf("where there is no key to retire: got %+v, %v", got, err)
	}
}

// The handle of a conversation is never re-encrypted, so it needs its own key alone.
func TestAHandleNeedsItsOwnKeyAlone(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	first := w.Cipher.Keys()[0]
	second := w.Rotate(t)
	third := w.Rotate(t)
	token := w.Token(t, p)
	for i, key := range []domain.KeyID{first, second} {
		c := domain.Conversation{
			ID: domain.ConversationID(fmt.Sprintf("01890000-0000-7000-8001-00000000000%d", i)), Project: p.ID, UserID: fmt.Sprint(i),
			Expires: w.Now().Add(time.Hour), HandleSealedBy: key, Token: token.ID,
		}
		var err error
		if c.Key, err = w.Cipher.Seal(domain.NewSecret("x"), domain.BindConversation(c.ID, testworld.Origin)); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.Ports().Conversations.Open(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil); err != nil {
		t.Fatal(err)
	}
	_, err := w.keys.Retire(t.Context(), w.Operator(), []domain.KeyID{second}, false)
	testworld.WantKind(t, err, domain.Conflict)
	for _, says := range []string{"1 session, 1 conversation", "--end-sessions", "never re-encrypted"} {
		if err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("the error %q does not say %q", err, says)
		}
	}
	out, err := w.keys.Retire(t.Context(), w.Operator(), []domain.KeyID{second}, true)
	if err != nil || out.Ended != (domain.KeyUse{Logins: 1, Handles: 1}) {
		t.Errorf("got %+v, %v, want that the session ended, and one of two conversations", out, err)
	}
	status, err := w.keys.Status(t.Context(), w.Operator())
	if err != nil || len(status.Keys) != 2 || status.Keys[0].ID != third || status.Keys[1].KeyUse != (domain.KeyUse{Handles: 1}) {
		t.Errorf("Status: got %+v, %v, want the other conversation", status, err)
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
	w.Rotate(t)
	if _, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil); err != nil {
		t.Fatal(err)
	}
	p := w.ports()
	p.Sealings = left{p.Sealings}
	got, err := w.open(t, p).Retire(t.Context(), w.Operator(), nil, true)
	if err != nil || got.Ended != (domain.KeyUse{Logins: 1}) {
		t.Errorf("got %+v, %v, want that the one session was ended that was there", got, err)
	}
}

// wornOut is a Keyring that can't write its keyset.
type wornOut struct{ ports.Keyring }

func (c wornOut) Retire(ctx context.Context, keys []domain.KeyID, allow func([]domain.KeyID) error) ([]domain.KeyID, error) {
	_, err := c.Keyring.Retire(ctx, keys, func(keys []domain.KeyID) error { return errors.Join(allow(keys), testworld.ErrBoom) })
	return nil, err
}

func TestARetirementThatFailsIsRecordedAsThat(t *testing.T) {
	w := newWorld(t)
	w.Rotate(t)
	if _, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil); err != nil {
		t.Fatal(err)
	}
	p := w.ports()
	p.Keyring = wornOut{w.Cipher}
	s, before := w.open(t, p), len(w.Store.Records())
	if _, err := s.Retire(t.Context(), w.Operator(), nil, true); !errors.Is(err, testworld.ErrBoom) {
		t.Errorf("got error %v, want %v", err, testworld.ErrBoom)
	}
	var outcomes []string
	for _, r := range w.Store.Records()[before:] {
		if r.Action == domain.ActionRetireKeys {
			outcomes = append(outcomes, r.Outcome)
		}
	}
	if !slices.Equal(outcomes, []string{domain.OutcomeOK, domain.OutcomeFailed}) {
		t.Errorf("audit has %v", outcomes)
	}
}
