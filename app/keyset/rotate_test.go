package keyset_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// known is what the store knows of its installation.
func (w *world) known(t *testing.T) domain.Installation {
	t.Helper()
	is, err := w.Store.Ports().Installation.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestOnlyAnAdminRotatesKeys(t *testing.T) {
	w := newWorld(t)
	ben := w.Member()
	keys := w.Cipher.Keys()
	_, err := w.keys.Rotate(t.Context(), ben)
	testworld.WantKind(t, err, domain.NotAllowed)
	if got := w.Cipher.Keys(); len(got) != len(keys) {
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
	before := copied{w.Cipher, w.Cipher.Keys()}
	key, err := w.keys.Rotate(t.Context(), w.Admin)
	if err != nil {
		t.Fatal(err)
	}
	p := w.ports()
	p.Cipher, p.Keyring = before, before
	_, err = keyset.Open(t.Context(), p)
	testworld.WantKind(t, err, domain.Corrupt)
	if err == nil || !strings.Contains(err.Error(), "set the keyset that has key "+string(key)) {
		t.Errorf("got %v, want it to name the key %v", err, key)
	}
}

func TestARotationThatIsNotKnownDoesNotSeal(t *testing.T) {
	w := newWorld(t)
	old, before := w.Cipher.Keys()[0], len(w.Store.Records())
	w.Store.Break()
	_, err := w.keys.Rotate(t.Context(), w.Admin)
	testworld.WantKind(t, err, domain.Unavailable)
	w.Store.Mend()
	if got := w.Cipher.Keys()[0]; got != old {
		t.Errorf("key %v seals, want %v as before", got, old)
	}
	testworld.WantActions(t, w.Actions(before))
	if is := w.known(t); is.Known.Key != old {
		t.Errorf("the known value is sealed with %v, want %v as before", is.Known.Key, old)
	}
}

// unwritable is a Keyring that can't write its keyset once the new key is known.
type unwritable struct{ ports.Keyring }

func (c unwritable) Rotate(ctx context.Context, known func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error) {
	return c.Keyring.Rotate(ctx, func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error {
		return errors.Join(known(seal), testworld.ErrBoom)
	})
}

func TestARotationThatFailsIsRecordedAsThat(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	p.Keyring = unwritable{w.Cipher}
	keys, err := keyset.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	old, before := w.Cipher.Keys()[0], len(w.Store.Records())
	if _, err := keys.Rotate(t.Context(), w.Operator()); !errors.Is(err, testworld.ErrBoom) {
		t.Errorf("got error %v", err)
	}
	if got := w.Cipher.Keys()[0]; got != old {
		t.Errorf("key %v seals, want %v as before", got, old)
	}
	rows := w.Store.Records()[before:]
	if len(rows) != 2 || rows[0].Outcome != domain.OutcomeOK || rows[1].Outcome != domain.OutcomeFailed ||
		rows[1].Action != domain.ActionRotateKeys || rows[1].Object != rows[0].Object || rows[1].RequestID != rows[0].RequestID {
		t.Errorf("got the rows %+v, want that of the rotation and one that says that it failed", rows)
	}
}

func TestOpenReencryptsTheKnownValueAfterARotationByHand(t *testing.T) {
	w := newWorld(t)
	key := w.Rotate(t)
	w.open(t, w.ports())
	if is := w.known(t); is.Known.Key != key || is.Pseudonyms.Key != key {
		t.Errorf("the known value is sealed with %v and the key of the pseudonyms with %v, want %v", is.Known.Key, is.Pseudonyms.Key, key)
	}
	is := w.known(t)
	w.open(t, w.ports())
	if again := w.known(t); string(again.Known.Bytes) != string(is.Known.Bytes) {
		t.Error("the next start re-encrypted the known value again")
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
	p.Keyring = startingBeside{w.Cipher, func() {
		beside := w.ports()
		another := w.Cipher.Another()
		beside.Cipher, beside.Keyring = another, another
		w.open(t, beside)
		started = true
	}}
	key, err := w.open(t, p).Rotate(t.Context(), w.Admin)
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
		p, old := w.ports(), w.Cipher.Keys()[0]
		beside := &changedBeside{w.Store.Ports().Installation, t, times}
		p.Installation = beside
		key, err := w.open(t, p).Rotate(t.Context(), w.Admin)
		testworld.WantKind(t, err, want)
		if want == "" && w.known(t).Known.Key != key || want != "" && w.Cipher.Keys()[0] != old {
			t.Errorf("%d changes: key %v seals, and the known value is sealed with %v", times, w.Cipher.Keys()[0], w.known(t).Known.Key)
		}
	}
}
