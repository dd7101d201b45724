package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
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
	key, err := w.RotateKeys(t.Context(), operator)
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
	wantKind(t, w.Ready(t.Context()), "")
	again := w.open(t, w.ports())
	wantKind(t, again.Ready(t.Context()), "")
	if is := w.known(t); is.Known.Key != key {
		t.Errorf("after a start the known value is sealed with %v, want %v", is.Known.Key, key)
	}
}

// The pseudonyms of before and after must be the same, or conversations are lost.
func TestPseudonymsStayThroughARotation(t *testing.T) {
	w := newWorld(t)
	came := w.voiceflow.forwardTo(fine)
	_, ben := w.talker(t, "ben", w.project(t, "Bot", versionID))
	talk := func() {
		t.Helper()
		if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
	}
	talk()
	if _, err := w.RotateKeys(t.Context(), w.admin); err != nil {
		t.Fatal(err)
	}
	talk()
	w.Service = w.open(t, w.ports())
	talk()
	for i, s := range came() {
		if s.userID == "" || s.userID != came()[0].userID {
			t.Errorf("turn %d is of %q at Voiceflow, want %q", i+1, s.userID, came()[0].userID)
		}
	}
}

func TestOnlyAnAdminRotatesKeys(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "ben", "member")
	ben, _ := w.login(t, "ben", false)
	keys := w.cipher.Keys()
	_, err := w.RotateKeys(t.Context(), ben)
	wantKind(t, err, domain.NotAllowed)
	if got := w.cipher.Keys(); len(got) != len(keys) {
		t.Errorf("keys are %v, want %v as before", got, keys)
	}
}

// copied is a cipher that has the keys that another had when it was copied, as a keyset
// from a backup has.
type copied struct {
	*memory.Cipher
	keys []domain.KeyID
}

func (c copied) Keys() []domain.KeyID { return c.keys }

func (c copied) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	for _, key := range c.keys {
		if s.Key == key {
			return c.Cipher.Open(s, to)
		}
	}
	return domain.Secret{}, &domain.Error{Kind: domain.Corrupt}
}

func TestTheKeysetOfBeforeARotationIsRefused(t *testing.T) {
	w := newWorld(t)
	before := copied{w.cipher, w.cipher.Keys()}
	key, err := w.RotateKeys(t.Context(), w.admin)
	if err != nil {
		t.Fatal(err)
	}
	p := w.ports()
	p.Cipher, p.Keyring = before, before
	_, err = app.Open(t.Context(), p, app.Options{})
	wantKind(t, err, domain.Corrupt)
	if err == nil || !strings.Contains(err.Error(), "wants the one with key "+string(key)) {
		t.Errorf("got %v, want it to name the key %v", err, key)
	}
}

func TestARotationThatIsNotKnownDoesNotSeal(t *testing.T) {
	w := newWorld(t)
	old, before := w.cipher.Keys()[0], len(w.store.Records())
	w.store.Break()
	_, err := w.RotateKeys(t.Context(), w.admin)
	wantKind(t, err, domain.Unavailable)
	w.store.Mend()
	if got := w.cipher.Keys()[0]; got != old {
		t.Errorf("key %v seals, want %v as before", got, old)
	}
	wantActions(t, w.actions(before))
	if is := w.known(t); is.Known.Key != old {
		t.Errorf("the known value is sealed with %v, want %v as before", is.Known.Key, old)
	}
}

// rotateByHand makes another key the current one, of which the database knows nothing.
func rotateByHand(t *testing.T, c *memory.Cipher) domain.KeyID {
	t.Helper()
	key, err := c.Rotate(t.Context(), func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOpenSealsTheKnownValueAnewAfterARotationByHand(t *testing.T) {
	w := newWorld(t)
	key := rotateByHand(t, w.cipher)
	w.open(t, w.ports())
	if is := w.known(t); is.Known.Key != key || is.Pseudonyms.Key != key {
		t.Errorf("the known value is sealed with %v and the key of the pseudonyms with %v, want %v", is.Known.Key, is.Pseudonyms.Key, key)
	}
	is := w.known(t)
	w.open(t, w.ports())
	if again := w.known(t); string(again.Known.Bytes) != string(is.Known.Bytes) {
		t.Error("the next start sealed the known value anew once more")
	}
}

// startingBeside is a keyring in whose rotation a start-up check comes between what makes
// the new key known and the moment at which it seals.
type startingBeside struct {
	*memory.Cipher
	start func()
}

func (c startingBeside) Rotate(ctx context.Context, known func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error) {
	return c.Cipher.Rotate(ctx, func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error {
		err := known(seal)
		c.start()
		return err
	})
}

func TestAStartInTheMiddleOfARotationUndoesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	started := false
	p.Keyring = startingBeside{w.cipher, func() {
		beside := w.ports()
		another := w.cipher.Another()
		beside.Cipher, beside.Keyring = another, another
		w.open(t, beside)
		started = true
	}}
	key, err := w.open(t, p).RotateKeys(t.Context(), w.admin)
	if err != nil || !started {
		t.Fatalf("got error %v, and a start beside: %v", err, started)
	}
	if is := w.known(t); is.Known.Key != key {
		t.Errorf("the known value is sealed with %v, want %v", is.Known.Key, key)
	}
}

// changedBeside is an installation that something else changes before each Reseal.
type changedBeside struct {
	ports.Installation
	t     *testing.T
	times int
}

func (i *changedBeside) Reseal(ctx context.Context, act domain.Act, from, to domain.Installation) error {
	if i.times > 0 {
		i.times--
		err := i.Prepare(ctx, func(is domain.Installation) (domain.Installation, error) {
			is.Known.Bytes = append(is.Known.Bytes, 0)
			return is, nil
		})
		if err != nil {
			i.t.Error(err)
		}
	}
	return i.Installation.Reseal(ctx, act, from, to)
}

func TestARotationGetsOverChangesBesideIt(t *testing.T) {
	for times, want := range map[int]domain.Kind{0: "", 2: "", 3: domain.Conflict} {
		w := newWorld(t)
		p, old := w.ports(), w.cipher.Keys()[0]
		beside := &changedBeside{w.store.Ports().Installation, t, times}
		p.Store.Installation = beside
		key, err := w.open(t, p).RotateKeys(t.Context(), w.admin)
		wantKind(t, err, want)
		if want == "" && w.known(t).Known.Key != key || want != "" && w.cipher.Keys()[0] != old {
			t.Errorf("%d changes: key %v seals, and the known value is sealed with %v", times, w.cipher.Keys()[0], w.known(t).Known.Key)
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

func TestRunTakesOverWhatOthersHaveMadeOfTheKeyset(t *testing.T) {
	w := newWorld(t)
	p, refreshed := w.ports(), make(chan struct{})
	p.Keyring = looked{w.cipher, refreshed}
	s := w.open(t, p)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); s.Run(ctx, nil) }()
	for range 2 { // it goes on
		select {
		case <-refreshed:
		case <-time.After(20 * time.Second):
			t.Fatal("the keyset is not looked at")
		}
	}
	stop()
	<-ran
}
