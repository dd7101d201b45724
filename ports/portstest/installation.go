package portstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// Installation checks every sentence in the comments of ports.Installation but that a
// killed process locks nobody out, which needs one to kill. Unlike for the other suites
// open returns a Store that is not prepared: a database without a schema. It needs
// Installation of the Store alone.
func Installation(t *testing.T, open OpenStore) {
	check(t, open, installation, []sentence{
		{"Prepare hands zeros to check on a database that has no known value, and stores what check returns", 0, prepareFirst},
		{"Prepare hands what is stored to check, and replaces it by what check returns", 0, prepareAgain},
		{"the error of check is returned as it is, and nothing is stored", 0, prepareError},
		{"only one Prepare runs at a time, and of many on an empty database all see one value", 0, prepareAtOnce},
		{"a Prepare that waits for another returns promptly once its context is done", 0, prepareWaits},
		{"a Prepare that is broken off locks nobody out and stores nothing", 0, prepareBroken},
		{"Prepare of a schema that is newer than known is Conflict", 0, prepareNewer},
		{"Known is Unavailable before Prepare", 0, knownBefore},
		{"the other ports can be used after Prepare", projects, prepareReady},
		{"what one instance writes another sees at once", 0, installationElsewhere},
		{"arguments are neither kept nor modified, and results are the caller's own", 0, installationArguments},
		{"an outage and an ended context are Unavailable, and change nothing", 0, installationUnavailable},
	})
}

// knownValue is a known value of its own.
func knownValue(n int) domain.Sealed {
	return domain.Sealed{Key: domain.KeyID(fmt.Sprintf("key-%d", n)), Bytes: []byte(fmt.Sprintf("\x00\xff'\"\\ known value %d", n))}
}

const elsewhere = domain.Origin("https://voiceflow.example.com:8443")

type checkFunc = func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error)

// keep is a check that stores value at origin if there is none, and leaves it otherwise.
func keep(value domain.Sealed, at domain.Origin) checkFunc {
	return func(known domain.Sealed, there domain.Origin) (domain.Sealed, domain.Origin, error) {
		if known.IsZero() {
			return value, at, nil
		}
		return known, there, nil
	}
}

// prepare stores value at origin, and fails the test unless check was handed before.
func (f *fixture) prepare(t *testing.T, what string, before domain.Sealed, beforeAt domain.Origin, value domain.Sealed, at domain.Origin) {
	t.Helper()
	called := 0
	err := f.Installation.Prepare(t.Context(), func(known domain.Sealed, there domain.Origin) (domain.Sealed, domain.Origin, error) {
		called++
		if d := difference(known, before); d != "" {
			t.Errorf("%s: the known value that check was handed: %s", what, d)
		}
		if there != beforeAt {
			t.Errorf("%s: the origin that check was handed: got %q, want %q", what, there, beforeAt)
		}
		return value, at, nil
	})
	wantNil(t, what+": Prepare", err)
	if called != 1 {
		t.Fatalf("%s: Prepare: got %d calls of check, want 1", what, called)
	}
	f.wantKnown(t, what, value, at)
}

func (f *fixture) wantKnown(t *testing.T, what string, value domain.Sealed, at domain.Origin) {
	t.Helper()
	got, gotAt, err := f.Installation.Known(t.Context())
	wantNil(t, what+": Known", err)
	wantSame(t, what+": the value that Known returned", got, value)
	wantSame(t, what+": the origin that Known returned", gotAt, at)
}

// wantNothingKnown fails the test unless Known is as before any Prepare.
func (f *fixture) wantNothingKnown(t *testing.T, what string) {
	t.Helper()
	got, at, err := f.Installation.Known(t.Context())
	wantKind(t, what+": Known", err, domain.Unavailable)
	if !got.IsZero() || at != "" {
		t.Fatalf("%s: Known: got a value with the error, want none", what)
	}
}

func prepareFirst(t *testing.T, f *fixture) {
	f.prepare(t, "the first time", domain.Sealed{}, "", knownValue(1), origin)
}

func prepareAgain(t *testing.T, f *fixture) {
	f.prepare(t, "the first time", domain.Sealed{}, "", knownValue(1), origin)
	f.prepare(t, "with the same again", knownValue(1), origin, knownValue(1), origin)
	f.prepare(t, "with another value", knownValue(1), origin, knownValue(2), origin)
	f.prepare(t, "with another origin", knownValue(2), origin, knownValue(2), elsewhere)
	f.prepare(t, "with both others", knownValue(2), elsewhere, knownValue(3), origin)
}

// prepareError refuses on an empty database and on one that has a value: neither may take
// what came with the error.
func prepareError(t *testing.T, f *fixture) {
	ours := &domain.Error{Kind: domain.Corrupt, Public: "the keyset is another one"}
	refuse := func(what string) {
		t.Helper()
		for _, refusal := range []error{errRefused, ours} {
			err := f.Installation.Prepare(t.Context(), func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
				return knownValue(9), elsewhere, refusal
			})
			if err != refusal { //nolint:errorlint // the very error is what is promised
				t.Fatalf("Prepare %s whose check fails: got error %v, want %v as it is", what, err, refusal)
			}
		}
	}
	refuse("on an empty database")
	f.wantNothingKnown(t, "after check failed on an empty database")
	f.prepare(t, "after check failed on an empty database", domain.Sealed{}, "", knownValue(1), origin)
	refuse("again")
	f.wantKnown(t, "after check failed", knownValue(1), origin)
	f.prepare(t, "after check failed", knownValue(1), origin, knownValue(2), origin)
}

// prepareAtOnce is several first starts on one empty database. If two saw none, each would
// make a keyset, and what one of them seals would be lost.
func prepareAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	const n = 16
	var inside, made atomic.Int32
	errs, seen := make([]error, n), make([]domain.Sealed, n)
	together := make([]bool, n)
	atOnce(n, func(i int) {
		errs[i] = at[i%len(at)].Installation.Prepare(t.Context(), func(known domain.Sealed, there domain.Origin) (domain.Sealed, domain.Origin, error) {
			together[i] = inside.Add(1) > 1
			defer inside.Add(-1)
			linger()
			if known.IsZero() {
				made.Add(1)
				known, there = knownValue(i), origin
			}
			seen[i] = domain.Sealed{Key: known.Key, Bytes: bytes.Clone(known.Bytes)}
			return known, there, nil
		})
	})
	for i, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Prepares at the same instant on an empty database", n), err)
		if together[i] {
			t.Fatalf("%d Prepares at the same instant: got one whose check ran beside another's, want one at a time", n)
		}
	}
	if got := made.Load(); got != 1 {
		t.Fatalf("%d Prepares at the same instant on an empty database: got %d that were handed none, want exactly the first", n, got)
	}
	for _, s := range seen {
		wantSame(t, "the known value, as each of the Prepares saw it", s, seen[0])
	}
	f.wantKnown(t, "after all", seen[0], origin)
}

// prepareWaits holds one Prepare in the middle of its check.
func prepareWaits(t *testing.T, f *fixture) {
	at := f.instances(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	first := make(chan error, 1)
	go func() {
		first <- f.Installation.Prepare(t.Context(), func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
			close(inside)
			<-leave
			return knownValue(1), origin, nil
		})
	}()
	<-inside

	for _, instance := range at {
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan struct{})
		var err error
		var entered atomic.Bool
		go func() {
			defer close(returned)
			err = instance.Installation.Prepare(ctx, func(known domain.Sealed, at domain.Origin) (domain.Sealed, domain.Origin, error) {
				entered.Store(true)
				return known, at, nil
			})
		}()
		linger() // so that it most likely waits by then
		cancel()
		wantReturn(t, "Prepare beside another", returned)
		wantKind(t, "Prepare whose context ended while it waited for another", err, domain.Unavailable)
		if entered.Load() {
			t.Fatal("Prepare beside another: got a call of check, want none while the other's goes on")
		}
	}
	release()
	wantNil(t, "the Prepare for which others waited", <-first)
	f.wantKnown(t, "after all", knownValue(1), origin)
}

func prepareBroken(t *testing.T, f *fixture) {
	at := f.instances(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := f.Installation.Prepare(ctx, func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
		cancel()
		return knownValue(1), origin, nil
	})
	// The end of the context may come too late to stop it, but not half.
	if err == nil {
		f.wantKnown(t, "after Prepare that succeeded though its context ended", knownValue(1), origin)
	} else {
		wantKind(t, "Prepare whose context ends in the middle", err, domain.Unavailable)
		f.wantNothingKnown(t, "after Prepare whose context ended in the middle")
	}
	for _, instance := range at {
		wantNil(t, "Prepare after one that was broken off", instance.Installation.Prepare(t.Context(), keep(knownValue(1), origin)))
	}
	f.wantKnown(t, "after all", knownValue(1), origin)
}

// prepareNewer goes on with Known: an older program that runs already is not stopped.
func prepareNewer(t *testing.T, f *fixture) {
	if f.Outgrow == nil {
		t.Log("not checked: there is no schema that could be newer")
		return
	}
	f.prepare(t, "the first time", domain.Sealed{}, "", knownValue(1), origin)
	f.Outgrow(t)
	for range 2 {
		err := f.Installation.Prepare(t.Context(), func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
			return knownValue(2), elsewhere, nil
		})
		wantKind(t, "Prepare of a schema that is newer", err, domain.Conflict)
		if e, _ := errors.AsType[*domain.Error](err); e.Public == "" {
			t.Fatalf("Prepare of a schema that is newer: got an error without a sentence (%q), want one", err)
		}
	}
	f.wantKnown(t, "after Prepare of a schema that is newer", knownValue(1), origin)
}

func knownBefore(t *testing.T, f *fixture) {
	for range 2 {
		f.wantNothingKnown(t, "before Prepare")
	}
}

func prepareReady(t *testing.T, f *fixture) {
	for n := range 3 {
		wantNil(t, "Prepare", f.Installation.Prepare(t.Context(), keep(knownValue(1), origin)))
		f.addNamed(t, fmt.Sprintf("added after %d Prepares", n+1))
	}
	got, err := f.Projects.Page(t.Context(), everything, domain.Cursor{}, 10)
	wantNil(t, "Page", err)
	wantSame(t, "how many projects are there after Prepare between Adds", len(got), 3)
}

func installationElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	there := at[len(at)-1].Installation
	f.prepare(t, "here", domain.Sealed{}, "", knownValue(1), origin)
	for n := 2; n < 5; n++ {
		wantNil(t, "Prepare on the other instance", there.Prepare(t.Context(), func(known domain.Sealed, at domain.Origin) (domain.Sealed, domain.Origin, error) {
			if d := difference(known, knownValue(n-1)); d != "" {
				t.Errorf("the known value that check was handed on the other instance: %s", d)
			}
			return knownValue(n), at, nil
		}))
		f.wantKnown(t, "after Prepare on the other instance", knownValue(n), origin)
	}
}

// installationArguments alters what it handed in and what it was given.
func installationArguments(t *testing.T, f *fixture) {
	value := knownValue(1)
	wantNil(t, "Prepare", f.Installation.Prepare(t.Context(), keep(value, origin)))
	wantSame(t, "the value that check returned, afterwards", value, knownValue(1))
	clear(value.Bytes)
	f.wantKnown(t, "after the caller cleared the bytes that check had returned", knownValue(1), origin)
	got, _, err := f.Installation.Known(t.Context())
	wantNil(t, "Known", err)
	clear(got.Bytes)
	f.wantKnown(t, "after the caller cleared the bytes that Known had returned", knownValue(1), origin)
}

func installationUnavailable(t *testing.T, f *fixture) {
	f.prepare(t, "the first time", domain.Sealed{}, "", knownValue(1), origin)
	f.wantUnavailable(t, func(t *testing.T) { f.wantKnown(t, "after calls under ended contexts", knownValue(1), origin) },
		call{"Prepare", func(ctx context.Context) error {
			return f.Installation.Prepare(ctx, func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
				return knownValue(2), elsewhere, nil
			})
		}},
		call{"Known", func(ctx context.Context) error {
			_, _, err := f.Installation.Known(ctx)
			return err
		}},
	)
}
