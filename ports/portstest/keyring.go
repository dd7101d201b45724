package portstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// KeysetInstance is one instance on a keyset, as one process has it: a Cipher and a Keyring.
type KeysetInstance struct {
	ports.Cipher
	ports.Keyring
}

// Keyset is the place of one keyset. It has no keyset at first.
type Keyset struct {
	// Open returns another instance on this place, not prepared, as another process would
	// have.
	Open func(t *testing.T) KeysetInstance

	// Fixed returns a prepared instance on a keyset that can't be changed from here. It is
	// nil if every keyset can be changed.
	Fixed func(t *testing.T) KeysetInstance

	// Spoil makes the keyset unusable. It is nil if that can't happen.
	Spoil func(t *testing.T)
}

// OpenKeyset returns a place for a keyset. Each call returns another place.
type OpenKeyset func(t *testing.T) Keyset

// Keyring checks every sentence in the comments of ports.Keyring, and the sentences of
// ports.Cipher about rotation.
func Keyring(t *testing.T, open OpenKeyset) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenKeyset)
	}{
		{"before Prepare nothing is sealed or opened", keyringUnprepared},
		{"Prepare creates a missing keyset if fresh, and calls at the same time get the same keyset", keyringFresh},
		{"Prepare is Corrupt, with a sentence, if the keyset is missing though it must exist, and creates none", keyringMissing},
		{"Prepare is Corrupt, with a sentence, if the keyset can't be used", keyringSpoilt},
		{"Prepare uses an existing keyset, fresh or not", keyringThere},
		{"preparing again changes nothing", keyringAgain},
		{"Prepare under an ended context is Unavailable and creates no keyset", keyringEnded},
		{"Open opens with any key of the keyset", keyringTurned},
		{"Open is Unavailable for an unknown key while the keyset can't be read", keyringOutage},
		{"sealing and opening go on while others prepare", keyringConcurrent},
		{"Keys returns the current key first, then the keys that only open", keyringKeys},
		{"Keys returns the keys that only open in the order in which they were added", keyringKeysByAge},
		{"Refresh makes the current key the one that another instance made current", keyringRefresh},
		{"what any instance sealed opens on every other without Refresh", keyringOpensOthers},
		{"Rotate adds a key and makes it the current one", keyringRotate},
		{"known is called when every instance opens what it seals, and before anything else is sealed with the new key", keyringKnown},
		{"the error of known is returned as it is, and the current key stays", keyringKnownFails},
		{"rotations at the same time run one after the other, and each keeps the keys of the others", keyringRotations},
		{"Retire removes the named keys, each once, and returns them", keyringRetire},
		{"Retire without names removes all but the current key, and may find none", keyringRetireAll},
		{"allow is called when no instance seals with the keys", keyringAllow},
		{"the error of allow is returned as it is, and nothing changes", keyringAllowFails},
		{"Retire is Conflict for the current key and NotFound for a key that does not exist", keyringRetireRefused},
		{"a keyset that this program can't change is Conflict for Rotate and Retire, with a sentence", keyringFixed},
		{"Refresh, Rotate and Retire are Unavailable before Prepare and under an ended context", keyringNotNow},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

// prepared returns an instance on k that is prepared.
func prepared(t *testing.T, k Keyset) KeysetInstance {
	t.Helper()
	c := k.Open(t)
	wantNil(t, "preparing: Prepare(fresh)", c.Prepare(t.Context(), true))
	return c
}

// keyringUnprepared tries an instance that could have a key, since another made one.
func keyringUnprepared(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := k.Open(t)
	got, err := c.Seal(aKey, keyBinding)
	wantKind(t, "Seal before Prepare", err, domain.Unavailable)
	if !got.IsZero() {
		t.Fatal("Seal before Prepare: got sealed bytes with the error, want none")
	}
	s := seal(t, prepared(t, k), aKey, keyBinding)
	if plain, err := c.Open(s, keyBinding); err == nil || !plain.IsZero() {
		t.Fatalf("Open before Prepare: got a secret: %v, error %v; want an error alone", !plain.IsZero(), err)
	} else if problem := otherThan(err, domain.Unavailable, domain.Corrupt); problem != "" {
		t.Fatalf("Open before Prepare: %s", problem)
	}
}

// keyringFresh is several first starts at the same time. If one of them made a keyset of its
// own, no other could open what it seals.
func keyringFresh(t *testing.T, open OpenKeyset) {
	k := open(t)
	all, errs := make([]KeysetInstance, 16), make([]error, 16)
	for i := range all {
		all[i] = k.Open(t)
	}
	atOnce(len(all), func(i int) { errs[i] = all[i].Prepare(t.Context(), true) })
	for _, err := range errs {
		wantNil(t, "one of 16 instances that prepare at once", err)
	}
	for i, c := range all {
		s := seal(t, c, aKey, keyBinding)
		wantOpens(t, "sealed by another that prepared at once", all[(i+1)%len(all)], s, keyBinding, aKey)
	}
}

// wantSentence fails the test unless err is Corrupt and says something to the operator.
func wantSentence(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, domain.Corrupt)
	if e, _ := errors.AsType[*domain.Error](err); strings.TrimSpace(e.Public) == "" {
		t.Fatalf("%s: got an error without a sentence (%q), want one for the operator in Public", what, err)
	}
}

// keyringMissing would show a keyring that replaces a lost keyset with a new one, under which
// nothing opens.
func keyringMissing(t *testing.T, open OpenKeyset) {
	k := open(t)
	for range 2 {
		c := k.Open(t)
		wantSentence(t, "Prepare without a keyset, not fresh", c.Prepare(t.Context(), false))
		wantSentence(t, "Prepare without a keyset, not fresh, again", c.Prepare(t.Context(), false))
		_, err := c.Seal(aKey, keyBinding)
		wantKind(t, "Seal after Prepare failed", err, domain.Unavailable)
		wantNil(t, "Prepare of that instance once it is told that nothing was ever sealed", open(t).Open(t).Prepare(t.Context(), true))
	}
	c := k.Open(t)
	wantSentence(t, "Prepare without a keyset, not fresh", c.Prepare(t.Context(), false))
	wantNil(t, "Prepare of the same instance, now fresh", c.Prepare(t.Context(), true))
	wantOpens(t, "after all", c, seal(t, c, aKey, keyBinding), keyBinding, aKey)
}

func keyringSpoilt(t *testing.T, open OpenKeyset) {
	k := open(t)
	if k.Spoil == nil {
		t.Log("not checked: this keyset can't be spoilt")
		return
	}
	s := seal(t, prepared(t, k), aKey, keyBinding)
	k.Spoil(t)
	for _, fresh := range []bool{false, true} {
		c := k.Open(t)
		wantSentence(t, fmt.Sprintf("Prepare(fresh: %v) on a keyset that can't be used", fresh), c.Prepare(t.Context(), fresh))
		if _, err := c.Open(s, keyBinding); err == nil {
			t.Fatal("Open after Prepare failed: got success, want an error")
		}
	}
}

func keyringThere(t *testing.T, open OpenKeyset) {
	k := open(t)
	first := prepared(t, k)
	s := seal(t, first, aKey, keyBinding)
	for _, fresh := range []bool{false, true} {
		c := k.Open(t)
		what := fmt.Sprintf("another instance, Prepare(fresh: %v)", fresh)
		wantNil(t, what, c.Prepare(t.Context(), fresh))
		wantOpens(t, what, c, s, keyBinding, aKey)
		back := seal(t, c, aKey, keyBinding)
		wantOpens(t, "the first instance, sealed by "+what, first, back, keyBinding, aKey)
		wantSame(t, what+": the name of the key", back.Key, s.Key)
	}
}

func keyringAgain(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	s := seal(t, c, aKey, keyBinding)
	for _, fresh := range []bool{true, false, true} {
		what := fmt.Sprintf("Prepare(fresh: %v) again", fresh)
		wantNil(t, what, c.Prepare(t.Context(), fresh))
		wantOpens(t, "after "+what, c, s, keyBinding, aKey)
		wantSame(t, "the name of the key after "+what, seal(t, c, aKey, keyBinding).Key, s.Key)
	}
}

func keyringEnded(t *testing.T, open OpenKeyset) {
	k := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := k.Open(t)
	wantKind(t, "Prepare under an ended context", c.Prepare(ctx, true), domain.Unavailable)
	wantSentence(t, "Prepare afterwards, not fresh", c.Prepare(t.Context(), false))
}

// keyringTurned turns the keyset over several times, and opens what each key sealed.
func keyringTurned(t *testing.T, open OpenKeyset) {
	k := open(t)
	first := prepared(t, k)
	var all []domain.Sealed
	names := map[domain.KeyID]bool{}
	for turn := range 4 {
		if turn > 0 {
			rotate(t, first)
		}
		c := prepared(t, k)
		s := seal(t, c, aKey, keyBinding)
		if names[s.Key] {
			t.Fatalf("Seal after %d turns: got the key %q, which sealed before a turn, want the current one", turn, s.Key)
		}
		names[s.Key] = true
		all = append(all, s)
		for age, old := range slices.Backward(all) {
			wantOpens(t, fmt.Sprintf("sealed under the %d. key, opened after %d turns", age+1, turn), c, old, keyBinding, aKey)
		}
		if len(all) > 1 {
			renamed := all[0]
			renamed.Key = s.Key
			wantCorrupt(t, "sealed under the first key, under the name of the current one", c, renamed, keyBinding)
		}
	}
}

func keyringOutage(t *testing.T, open OpenKeyset) {
	k := open(t)
	if k.Spoil == nil {
		t.Log("not checked: this keyset can't be spoilt")
		return
	}
	here, there := prepared(t, k), prepared(t, k)
	known := seal(t, here, aKey, keyBinding)
	rotate(t, there)
	s := seal(t, there, aKey, keyBinding)
	k.Spoil(t)
	got, err := here.Open(s, keyBinding)
	wantKind(t, "Open under a key of another instance", err, domain.Unavailable)
	if !got.IsZero() {
		t.Fatal("Open is Unavailable and also returned something, want the zero Secret")
	}
	wantOpens(t, "under a key that is known", here, known, keyBinding, aKey)
	wantCorrupt(t, "under a key that is known, for another binding", here, known, domain.BindCookie(domain.LoginSession))
}

func keyringConcurrent(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
	problems := make([]error, crowd)
	atOnce(crowd, func(i int) {
		plain := domain.NewSecret(fmt.Sprintf("secret %d", i))
		to := domain.BindKey(projectID(i), domain.SlotPrimary, origin)
		for range 16 {
			s, err := c.Seal(plain, to)
			if err != nil {
				problems[i] = err
				return
			}
			got, err := c.Open(s, to)
			if err == nil && !got.Equal(plain) {
				err = errors.New("another secret came out than went in")
			}
			if err != nil {
				problems[i] = err
				return
			}
			if i%16 == 0 {
				problems[i] = c.Prepare(t.Context(), i%32 == 0)
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "sealing and opening beside others", err)
	}
}

func keyringKeys(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := k.Open(t)
	if got := c.Keys(); len(got) > 0 {
		t.Fatalf("Keys before Prepare: got %q, want none", got)
	}
	wantNil(t, "Prepare", c.Prepare(t.Context(), true))
	var were []domain.KeyID
	for range 4 {
		keys := c.Keys()
		if len(keys) != len(were)+1 {
			t.Fatalf("Keys after %d rotations: got %q, want one more than %q", len(were), keys, were)
		}
		wantSame(t, "the first of Keys", keys[0], seal(t, c, aKey, keyBinding).Key)
		for _, key := range were {
			if !slices.Contains(keys[1:], key) {
				t.Fatalf("Keys: got %q, want %q among those that only open", keys, key)
			}
		}
		were = slices.Clone(keys)
		clear(keys) // they are the caller's own
		rotate(t, c)
	}
}

// keyringKeysByAge has keys that never sealed, since their rotation failed, and one that is
// gone from among others.
func keyringKeysByAge(t *testing.T, open OpenKeyset) {
	k := open(t)
	c, there := prepared(t, k), prepared(t, k)
	byAge := c.Keys()
	check := func(what string, current domain.KeyID) {
		t.Helper()
		want := []domain.KeyID{current}
		for _, key := range byAge {
			if key != current {
				want = append(want, key)
			}
		}
		wantNil(t, "Refresh", there.Refresh(t.Context()))
		for name, instance := range map[string]KeysetInstance{"the same instance": c, "another": there, "one that is prepared afterwards": prepared(t, k)} {
			wantSame(t, name+": Keys "+what, instance.Keys(), want)
		}
	}
	current := byAge[0]
	for range 3 {
		before := c.Keys()
		_, err := c.Rotate(t.Context(), func(sealFunc) error { return errRefused })
		if !errors.Is(err, errRefused) {
			t.Fatalf("Rotate whose known fails: got error %v, want %v", err, errRefused)
		}
		for _, key := range c.Keys() {
			if !slices.Contains(before, key) { // which it may leave
				byAge = append(byAge, key)
			}
		}
		check("after a rotation that failed", current)
		current = rotate(t, c)
		byAge = append(byAge, current)
		check("after a rotation", current)
	}
	gone := byAge[len(byAge)/2]
	_, err := c.Retire(t.Context(), []domain.KeyID{gone}, allowAll)
	wantNil(t, "Retire", err)
	byAge = slices.DeleteFunc(byAge, func(key domain.KeyID) bool { return key == gone })
	check("after one in the middle was retired", current)
	current = rotate(t, c)
	byAge = append(byAge, current)
	check("at the end", current)
}

func keyringRefresh(t *testing.T, open OpenKeyset) {
	k := open(t)
	here, there := prepared(t, k), prepared(t, k)
	wantNil(t, "Refresh where nothing happened", here.Refresh(t.Context()))
	for range 3 {
		key := rotate(t, there)
		wantNil(t, "Refresh", here.Refresh(t.Context()))
		wantSame(t, "the key that seals after Refresh", seal(t, here, aKey, keyBinding).Key, key)
		wantSame(t, "Keys after Refresh", here.Keys(), there.Keys())
	}
	retired, err := there.Retire(t.Context(), nil, allowAll)
	wantNil(t, "Retire", err)
	wantNil(t, "Refresh after Retire", here.Refresh(t.Context()))
	wantSame(t, "how many keys were retired", len(retired), 3)
	wantSame(t, "Keys after Refresh", here.Keys(), there.Keys())
}

func keyringOpensOthers(t *testing.T, open OpenKeyset) {
	k := open(t)
	here, there := prepared(t, k), prepared(t, k)
	for range 3 {
		rotate(t, there)
		wantOpens(t, "sealed by another instance after it rotated", here, seal(t, there, aKey, keyBinding), keyBinding, aKey)
		wantOpens(t, "sealed by an instance that did not rotate", there, seal(t, here, aKey, keyBinding), keyBinding, aKey)
	}
}
