package portstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

type sealFunc = func(domain.Secret, domain.Binding) (domain.Sealed, error)

// knownToNobody is a known that seals nothing.
func knownToNobody(sealFunc) error { return nil }

// allowAll is an allow that accepts all keys.
func allowAll([]domain.KeyID) error { return nil }

// rotate rotates, and returns the new key.
func rotate(t *testing.T, c KeysetInstance) domain.KeyID {
	t.Helper()
	key, err := c.Rotate(t.Context(), knownToNobody)
	wantNil(t, "Rotate", err)
	return key
}

func keyringRotate(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
	before := c.Keys()
	old := seal(t, c, aKey, keyBinding)
	key := rotate(t, c)
	if slices.Contains(before, key) {
		t.Fatalf("Rotate: got the key %q, which was there before, want a new one", key)
	}
	for name, instance := range map[string]KeysetInstance{"the same instance": c, "one that is prepared afterwards": prepared(t, k)} {
		wantSame(t, name+": the key that seals", seal(t, instance, aKey, keyBinding).Key, key)
		wantSame(t, name+": Keys", instance.Keys(), append([]domain.KeyID{key}, before...))
		wantOpens(t, name+", sealed before the rotation", instance, old, keyBinding, aKey)
	}
}

// keyringKnown uses all instances inside known. If an instance sealed with a key too early, the
// others could not open that.
func keyringKnown(t *testing.T, open OpenKeyset) {
	k := open(t)
	c, there := prepared(t, k), prepared(t, k)
	was := c.Keys()[0]
	called := 0
	var known domain.Sealed
	key, err := c.Rotate(t.Context(), func(seal sealFunc) error {
		called++
		var err error
		known, err = seal(aKey, keyBinding)
		wantNil(t, "Seal under the new key", err)
		_, err = seal(aKey, domain.Binding{})
		wantKind(t, "Seal under the new key, to the zero Binding", err, domain.Invalid)
		for name, instance := range map[string]KeysetInstance{"the same instance": c, "another": there, "one that is prepared meanwhile": prepared(t, k)} {
			wantOpens(t, name+", within known", instance, known, keyBinding, aKey)
			wantNil(t, name+", within known: Refresh", instance.Refresh(t.Context()))
			if got, err := instance.Seal(aKey, keyBinding); err != nil || got.Key != was {
				t.Errorf("%s: Seal within known: got the key %q and error %v, want %q", name, got.Key, err, was)
			}
		}
		return nil
	})
	wantNil(t, "Rotate", err)
	wantSame(t, "how often known was called", called, 1)
	wantSame(t, "the key that known sealed with", known.Key, key)
	wantOpens(t, "what known sealed, afterwards", there, known, keyBinding, aKey)
}

func keyringKnownFails(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
	was := c.Keys()[0]
	ours := &domain.Error{Kind: domain.Conflict, Public: "no"}
	for _, refusal := range []error{errRefused, ours} {
		_, err := c.Rotate(t.Context(), func(sealFunc) error { return refusal })
		if err != refusal { //nolint:errorlint // the very error is what is promised
			t.Fatalf("Rotate whose known fails: got error %v, want %v as it is", err, refusal)
		}
		for _, instance := range []KeysetInstance{c, prepared(t, k)} {
			wantSame(t, "the key that seals after known failed", seal(t, instance, aKey, keyBinding).Key, was)
		}
	}
	key := rotate(t, c)
	wantSame(t, "the key that seals after a Rotate that succeeded", seal(t, c, aKey, keyBinding).Key, key)
}

func keyringRotations(t *testing.T, open OpenKeyset) {
	const n = 8
	k := open(t)
	all := make([]KeysetInstance, n)
	for i := range all {
		all[i] = prepared(t, k)
	}
	first := all[0].Keys()
	keys, errs, known := make([]domain.KeyID, n), make([]error, n), make([]domain.Sealed, n)
	atOnce(n, func(i int) {
		keys[i], errs[i] = all[i].Rotate(t.Context(), func(seal sealFunc) (err error) {
			known[i], err = seal(aKey, keyBinding)
			return err
		})
	})
	c := prepared(t, k)
	for i := range all {
		wantNil(t, fmt.Sprintf("one of %d rotations at once", n), errs[i])
		wantNil(t, "Refresh", all[i].Refresh(t.Context()))
		wantSame(t, "Keys of one that rotated at once with others", all[i].Keys(), c.Keys())
		wantOpens(t, "sealed with the key of one of the rotations", c, known[i], keyBinding, aKey)
	}
	wantSame(t, "the keys after all", sorted(c.Keys()), sorted(append(keys, first...)))
}

func sorted(keys []domain.KeyID) []domain.KeyID { return slices.Sorted(slices.Values(keys)) }

func keyringRetire(t *testing.T, open OpenKeyset) {
	k := open(t)
	c, there := prepared(t, k), prepared(t, k)
	old := seal(t, c, aKey, keyBinding)
	second := rotate(t, c)
	middle := seal(t, c, aKey, keyBinding)
	third := rotate(t, c)
	var told []domain.KeyID
	retired, err := c.Retire(t.Context(), []domain.KeyID{old.Key, old.Key}, func(keys []domain.KeyID) error {
		told = slices.Clone(keys)
		clear(keys) // they are the caller's own
		return nil
	})
	wantNil(t, "Retire", err)
	wantSame(t, "what Retire returned", retired, []domain.KeyID{old.Key})
	wantSame(t, "what allow was told", told, []domain.KeyID{old.Key})
	wantNil(t, "Refresh", there.Refresh(t.Context()))
	for name, instance := range map[string]KeysetInstance{"the same instance": c, "another": there, "one that is prepared afterwards": prepared(t, k)} {
		wantSame(t, name+": Keys", instance.Keys(), []domain.KeyID{third, second})
		wantCorrupt(t, name+", sealed with the key that was retired", instance, old, keyBinding)
		wantOpens(t, name+", sealed with a key that stays", instance, middle, keyBinding, aKey)
	}
}

func keyringRetireAll(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	first := c.Keys()[0]
	none := func(keys []domain.KeyID) error {
		t.Errorf("Retire where there is one key: allow was called with %q, want no call", keys)
		return nil
	}
	retired, err := c.Retire(t.Context(), nil, none)
	wantNil(t, "Retire where there is one key", err)
	wantSame(t, "what Retire returned where there is one key", len(retired), 0)
	second := rotate(t, c)
	third := rotate(t, c)
	var told []domain.KeyID
	retired, err = c.Retire(t.Context(), nil, func(keys []domain.KeyID) error { told = keys; return nil })
	wantNil(t, "Retire", err)
	wantSame(t, "what Retire returned", sorted(retired), sorted([]domain.KeyID{first, second}))
	wantSame(t, "what allow was told", sorted(told), sorted(retired))
	wantSame(t, "Keys", c.Keys(), []domain.KeyID{third})
}

// keyringAllow seals on an instance that was not told of the rotation.
func keyringAllow(t *testing.T, open OpenKeyset) {
	k := open(t)
	c, there := prepared(t, k), prepared(t, k)
	old := seal(t, there, aKey, keyBinding).Key
	key := rotate(t, c)
	called := 0
	_, err := c.Retire(t.Context(), nil, func([]domain.KeyID) error {
		called++
		for name, instance := range map[string]KeysetInstance{"the same instance": c, "another": there} {
			got, err := instance.Seal(aKey, keyBinding)
			if err != nil || got.Key != key {
				t.Errorf("%s: Seal within allow: got the key %q and error %v, want %q and not %q", name, got.Key, err, key, old)
			}
		}
		return nil
	})
	wantNil(t, "Retire", err)
	wantSame(t, "how often allow was called", called, 1)
}

func keyringAllowFails(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
	old := seal(t, c, aKey, keyBinding)
	rotate(t, c)
	before := c.Keys()
	ours := &domain.Error{Kind: domain.Conflict, Public: "a row still needs it"}
	for _, refusal := range []error{errRefused, ours} {
		retired, err := c.Retire(t.Context(), nil, func([]domain.KeyID) error { return refusal })
		if err != refusal || len(retired) > 0 { //nolint:errorlint // the very error is what is promised
			t.Fatalf("Retire whose allow fails: got %q and error %v, want none and %v as it is", retired, err, refusal)
		}
		for _, instance := range []KeysetInstance{c, prepared(t, k)} {
			wantSame(t, "Keys after allow failed", instance.Keys(), before)
			wantOpens(t, "after allow failed", instance, old, keyBinding, aKey)
		}
	}
}

func keyringRetireRefused(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	old := c.Keys()[0]
	key := rotate(t, c)
	before := c.Keys()
	never := func(keys []domain.KeyID) error {
		t.Errorf("allow was called with %q, want no call", keys)
		return nil
	}
	for _, tc := range []struct {
		what string
		keys []domain.KeyID
		want domain.Kind
	}{
		{"the current key", []domain.KeyID{key}, domain.Conflict},
		{"the current key behind another", []domain.KeyID{old, key}, domain.Conflict},
		{"a key that does not exist", []domain.KeyID{"1"}, domain.NotFound},
		{"a key that does not exist behind another", []domain.KeyID{old, "' OR 1=1"}, domain.NotFound},
	} {
		retired, err := c.Retire(t.Context(), tc.keys, never)
		wantKind(t, "Retire of "+tc.what, err, tc.want)
		wantSame(t, "what Retire returned beside the error", len(retired), 0)
		wantSame(t, "Keys after Retire of "+tc.what, c.Keys(), before)
	}
}

func keyringFixed(t *testing.T, open OpenKeyset) {
	k := open(t)
	if k.Fixed == nil {
		t.Log("not checked: every keyset can be changed from here")
		return
	}
	c := k.Fixed(t)
	before := c.Keys()
	for what, do := range map[string]func() error{
		"Rotate": func() error {
			_, err := c.Rotate(t.Context(), func(sealFunc) error {
				t.Error("known was called, want no call")
				return nil
			})
			return err
		},
		"Retire": func() error {
			_, err := c.Retire(t.Context(), nil, func([]domain.KeyID) error {
				t.Error("allow was called, want no call")
				return nil
			})
			return err
		},
	} {
		err := do()
		wantKind(t, what+" of a keyset that can't be changed from here", err, domain.Conflict)
		if e, _ := errors.AsType[*domain.Error](err); !strings.Contains(e.Public, "by hand") {
			t.Fatalf("%s of a keyset that can't be changed from here: got %q, want it to say how to do it by hand", what, err)
		}
	}
	wantNil(t, "Refresh", c.Refresh(t.Context()))
	wantSame(t, "Keys afterwards", c.Keys(), before)
}

func keyringNotNow(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
	rotate(t, c)
	before := c.Keys()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, on := range map[string]struct {
		ctx context.Context
		c   KeysetInstance
	}{
		"before Prepare":         {t.Context(), k.Open(t)},
		"under an ended context": {ended, c},
	} {
		wantKind(t, "Refresh "+what, on.c.Refresh(on.ctx), domain.Unavailable)
		_, err := on.c.Rotate(on.ctx, knownToNobody)
		wantKind(t, "Rotate "+what, err, domain.Unavailable)
		_, err = on.c.Retire(on.ctx, nil, allowAll)
		wantKind(t, "Retire "+what, err, domain.Unavailable)
	}
	wantNil(t, "Refresh", c.Refresh(t.Context()))
	wantSame(t, "Keys afterwards", c.Keys(), before)
}
