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

// Installation checks the sentences in the comments of ports.Installation. It can't check that a
// killed process locks nobody out, because it has no process to kill. For this suite alone, open
// may return a Store that is not prepared: a database without a schema.
func Installation(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Prepare hands zeros to check on a database that has nothing yet, and stores what check returns", prepareFirst},
		{"Prepare hands what is stored to check, and replaces it by what check returns", prepareAgain},
		{"Pseudonyms alone is zero on a database that was last prepared before there were any", preparePseudonyms},
		{"a Head is stored only if none is stored, and is shown to check and not by Get", prepareHead},
		{"the error of check is returned as it is, and nothing is stored", prepareError},
		{"only one Prepare runs at a time, and of many on an empty database all see the same value", prepareAtOnce},
		{"a Prepare that waits for another returns promptly after its context is done", prepareWaits},
		{"a Prepare that is interrupted locks nobody out and stores nothing", prepareBroken},
		{"Prepare of a schema that is newer than known is Conflict", prepareNewer},
		{"Reseal replaces from with to, together with the record", resealStores},
		{"Reseal is Conflict, and changes nothing, unless from is what is stored", resealConflict},
		{"of many Reseals from one value exactly one succeeds", resealAtOnce},
		{"Reseal waits for a Prepare that is under way", resealWaits},
		{"Get and Reseal are Unavailable before Prepare", knownBefore},
		{"the other ports can be used after Prepare", prepareReady},
		{"arguments are neither kept nor modified, and results are the caller's own", installationArguments},
	}, promises("Installation")...))
}

// installationOf returns a new installation at origin.
func installationOf(n int) domain.Installation {
	return domain.Installation{
		Known:      domain.Sealed{Key: domain.KeyID(fmt.Sprintf("key-%d", n)), Bytes: []byte(fmt.Sprintf("\x00\xff'\"\\ known value %d", n))},
		Origin:     origin,
		Pseudonyms: domain.Sealed{Key: domain.KeyID(fmt.Sprintf("key-%d0", n)), Bytes: []byte(fmt.Sprintf("\x00\xff'\"\\ pseudonyms %d", n))},
	}
}

const elsewhere = domain.Origin("https://voiceflow.example.com:8443")

type checkFunc = func(domain.Installation) (domain.Installation, error)

// keep returns a check that stores value if nothing is stored, and otherwise keeps what is
// stored.
func keep(value domain.Installation) checkFunc {
	return func(known domain.Installation) (domain.Installation, error) {
		if known.Known.IsZero() {
			return value, nil
		}
		return known, nil
	}
}

// put returns a check that stores value, whatever is stored.
func put(value domain.Installation) checkFunc {
	return func(domain.Installation) (domain.Installation, error) { return value, nil }
}

// prepare stores value, and fails the test unless check was handed before.
func (f *fixture) prepare(t *testing.T, what string, before, value domain.Installation) {
	t.Helper()
	called := 0
	err := f.Ports.Installation.Prepare(t.Context(), func(known domain.Installation) (domain.Installation, error) {
		called++
		if d := difference(known, before); d != "" {
			t.Errorf("%s: what check was handed: %s", what, d)
		}
		return value, nil
	})
	wantNil(t, what+": Prepare", err)
	if called != 1 {
		t.Fatalf("%s: Prepare: got %d calls of check, want 1", what, called)
	}
	f.wantKnown(t, what, value)
}

func (f *fixture) wantKnown(t *testing.T, what string, value domain.Installation) {
	t.Helper()
	got, err := f.Ports.Installation.Get(t.Context())
	wantNil(t, what+": Get", err)
	wantSame(t, what+": what Get returned", got, value)
}

// wantNothingKnown fails the test unless Get is as before any Prepare.
func (f *fixture) wantNothingKnown(t *testing.T, what string) {
	t.Helper()
	got, err := f.Ports.Installation.Get(t.Context())
	wantKind(t, what+": Get", err, domain.Unavailable)
	wantSame(t, what+": what Get returned beside the error", got, domain.Installation{})
}

func prepareFirst(t *testing.T, f *fixture) {
	f.prepare(t, "the first time", domain.Installation{}, installationOf(1))
}

// prepareAgain changes each part alone, and then all.
func prepareAgain(t *testing.T, f *fixture) {
	is := installationOf(1)
	f.prepare(t, "the first time", domain.Installation{}, is)
	f.prepare(t, "with the same again", is, is)
	for _, step := range []struct {
		name   string
		change func(i *domain.Installation)
	}{
		{"with another known value", func(i *domain.Installation) { i.Known = installationOf(2).Known }},
		{"with another origin", func(i *domain.Installation) { i.Origin = elsewhere }},
		{"with another key of the pseudonyms", func(i *domain.Installation) { i.Pseudonyms = installationOf(3).Pseudonyms }},
		{"with the key of the pseudonyms sealed by another key", func(i *domain.Installation) { i.Pseudonyms.Key = "another" }},
		{"with the known value sealed by another key", func(i *domain.Installation) { i.Known.Key = "another" }},
		{"with all others", func(i *domain.Installation) { *i = installationOf(4) }},
	} {
		was := is
		step.change(&is)
		f.prepare(t, step.name, was, is)
	}
}

// preparePseudonyms is what a database of an earlier program goes through.
func preparePseudonyms(t *testing.T, f *fixture) {
	before, after := installationOf(1), installationOf(1)
	before.Pseudonyms = domain.Sealed{}
	f.prepare(t, "before there are pseudonyms", domain.Installation{}, before)
	f.prepare(t, "without pseudonyms again", before, before)
	f.prepare(t, "with the first pseudonyms", before, after)
	f.prepare(t, "with the same pseudonyms again", after, after)
}

// prepareError refuses on an empty database and on one that has a value: neither may take
// what came with the error.
func prepareHead(t *testing.T, f *fixture) {
	headOf := func(n byte) domain.AuditHead {
		return domain.AuditHead{
			ChainPoint: domain.ChainPoint{Hash: domain.AuditHash{n}}, Sealed: domain.Sealed{Key: "1", Bytes: []byte{0, n}},
		}
	}
	var want domain.AuditHead
	for n := range byte(3) {
		err := f.Ports.Installation.Prepare(t.Context(), func(is domain.Installation) (domain.Installation, error) {
			wantSame(t, "the Head that check is shown", is.Head, want)
			if want = is.Head; n > 0 {
				is = installationOf(int(n))
				is.Head = headOf(n)
			} else {
				is = installationOf(0)
			}
			return is, nil
		})
		wantNil(t, "Prepare", err)
		if n == 1 {
			want = headOf(1)
		}
		head, err := f.Ports.Chain.Head(t.Context())
		wantNil(t, "Head", err)
		wantSame(t, "the Head of the audit", head, want)
		known, err := f.Ports.Installation.Get(t.Context())
		wantNil(t, "Get", err)
		wantSame(t, "Get", known, installationOf(int(n)))
	}
}

func prepareError(t *testing.T, f *fixture) {
	ours := &domain.Error{Kind: domain.Corrupt, Public: "the keyset is another one"}
	refuse := func(what string) {
		t.Helper()
		for _, refusal := range []error{errRefused, ours} {
			err := f.Ports.Installation.Prepare(t.Context(), func(domain.Installation) (domain.Installation, error) {
				return installationOf(9), refusal
			})
			if err != refusal { //nolint:errorlint // the very error is what is promised
				t.Fatalf("Prepare %s whose check fails: got error %v, want %v as it is", what, err, refusal)
			}
		}
	}
	refuse("on an empty database")
	f.wantNothingKnown(t, "after check failed on an empty database")
	f.prepare(t, "after check failed on an empty database", domain.Installation{}, installationOf(1))
	refuse("again")
	f.wantKnown(t, "after check failed", installationOf(1))
	f.prepare(t, "after check failed", installationOf(1), installationOf(2))
}

// prepareAtOnce is several first starts on one empty database. If two saw none, each would
// make a keyset, and what one of them seals would be lost.
func prepareAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	const n = 16
	var inside, made atomic.Int32
	errs, seen := make([]error, n), make([]domain.Installation, n)
	together := make([]bool, n)
	atOnce(n, func(i int) {
		errs[i] = at[i%len(at)].Ports.Installation.Prepare(t.Context(), func(known domain.Installation) (domain.Installation, error) {
			together[i] = inside.Add(1) > 1
			defer inside.Add(-1)
			linger()
			if known.Known.IsZero() {
				made.Add(1)
				known = installationOf(i)
			}
			seen[i] = known
			seen[i].Known.Bytes, seen[i].Pseudonyms.Bytes = bytes.Clone(known.Known.Bytes), bytes.Clone(known.Pseudonyms.Bytes)
			return known, nil
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
		wantSame(t, "what is stored, as each of the Prepares saw it", s, seen[0])
	}
	f.wantKnown(t, "after all", seen[0])
}

// prepareWaits holds one Prepare in the middle of its check.
func prepareWaits(t *testing.T, f *fixture) {
	at := f.instances(t)
	// With the schema there already, others wait for the check and not for that.
	f.prepare(t, "the first time", domain.Installation{}, installationOf(1))
	inside, leave := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	first := make(chan error, 1)
	go func() {
		first <- f.Ports.Installation.Prepare(t.Context(), func(domain.Installation) (domain.Installation, error) {
			close(inside)
			<-leave
			return installationOf(2), nil
		})
	}()
	<-inside

	for _, instance := range at {
		ctx, cancel := context.WithTimeout(t.Context(), shortly)
		defer cancel()
		returned := make(chan struct{})
		var err error
		var entered atomic.Bool
		go func() {
			defer close(returned)
			err = instance.Ports.Installation.Prepare(ctx, func(known domain.Installation) (domain.Installation, error) {
				entered.Store(true)
				return known, nil
			})
		}()
		wantReturn(t, "Prepare beside another", returned)
		wantKind(t, "Prepare whose context ended while it waited for another", err, domain.Unavailable)
		if entered.Load() {
			t.Fatal("Prepare beside another: got a call of check, want none while the other's goes on")
		}
	}
	release()
	wantNil(t, "the Prepare for which others waited", <-first)
	f.wantKnown(t, "after all", installationOf(2))
}

func prepareBroken(t *testing.T, f *fixture) {
	at := f.instances(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := f.Ports.Installation.Prepare(ctx, func(domain.Installation) (domain.Installation, error) {
		cancel()
		return installationOf(1), nil
	})
	// The end of the context may come too late to stop it, but not half.
	if err == nil {
		f.wantKnown(t, "after Prepare that succeeded though its context ended", installationOf(1))
	} else {
		wantKind(t, "Prepare whose context ends in the middle", err, domain.Unavailable)
		f.wantNothingKnown(t, "after Prepare whose context ended in the middle")
	}
	for _, instance := range at {
		wantNil(t, "Prepare after one that was broken off", instance.Ports.Installation.Prepare(t.Context(), keep(installationOf(1))))
	}
	f.wantKnown(t, "after all", installationOf(1))
}

// prepareNewer goes on with Get: an older program that runs already is not stopped.
func prepareNewer(t *testing.T, f *fixture) {
	if f.Outgrow == nil {
		t.Log("not checked: there is no schema that could be newer")
		return
	}
	f.prepare(t, "the first time", domain.Installation{}, installationOf(1))
	f.Outgrow(t)
	for range 2 {
		err := f.Ports.Installation.Prepare(t.Context(), put(installationOf(2)))
		wantKind(t, "Prepare of a schema that is newer", err, domain.Conflict)
		if e, _ := errors.AsType[*domain.Error](err); e.Public == "" {
			t.Fatalf("Prepare of a schema that is newer: got an error without a sentence (%q), want one", err)
		}
	}
	f.wantKnown(t, "after Prepare of a schema that is newer", installationOf(1))
}

func knownBefore(t *testing.T, f *fixture) {
	for range 2 {
		f.wantNothingKnown(t, "before Prepare")
		err := f.Ports.Installation.Reseal(t.Context(), f.act(domain.ActionRotateKeys, "key:1"), domain.Installation{}, installationOf(1))
		wantKind(t, "Reseal before Prepare", err, domain.Unavailable)
	}
}

func prepareReady(t *testing.T, f *fixture) {
	for n := range 3 {
		wantNil(t, "Prepare", f.Ports.Installation.Prepare(t.Context(), keep(installationOf(1))))
		f.addNamed(t, fmt.Sprintf("added after %d Prepares", n+1))
	}
	got, err := f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{}, domain.Cursor{}, 10)
	wantNil(t, "Page", err)
	wantSame(t, "how many projects are there after Prepare between Adds", len(got), 3)
}

// installationArguments changes arguments and results after each call.
func installationArguments(t *testing.T, f *fixture) {
	value := installationOf(1)
	wantNil(t, "Prepare", f.Ports.Installation.Prepare(t.Context(), put(value)))
	wantSame(t, "what check returned, afterwards", value, installationOf(1))
	clear(value.Known.Bytes)
	clear(value.Pseudonyms.Bytes)
	f.wantKnown(t, "after the caller cleared the bytes that check had returned", installationOf(1))
	got, err := f.Ports.Installation.Get(t.Context())
	wantNil(t, "Get", err)
	clear(got.Known.Bytes)
	clear(got.Pseudonyms.Bytes)
	f.wantKnown(t, "after the caller cleared the bytes that Get had returned", installationOf(1))
	err = f.Ports.Installation.Prepare(t.Context(), func(known domain.Installation) (domain.Installation, error) {
		clear(known.Known.Bytes)
		clear(known.Pseudonyms.Bytes)
		return domain.Installation{}, errRefused
	})
	if !errors.Is(err, errRefused) {
		t.Fatalf("Prepare whose check fails: got error %v, want %v", err, errRefused)
	}
	f.wantKnown(t, "after check cleared the bytes that it was handed", installationOf(1))
	from, to := installationOf(1), installationOf(2)
	wantNil(t, "Reseal", f.Ports.Installation.Reseal(t.Context(), f.act(domain.ActionRotateKeys, "key:2"), from, to))
	wantSame(t, "what Reseal was given, afterwards", []domain.Installation{from, to}, []domain.Installation{installationOf(1), installationOf(2)})
	clear(to.Known.Bytes)
	clear(to.Pseudonyms.Bytes)
	f.wantKnown(t, "after the caller cleared the bytes that Reseal was given", installationOf(2))
}

// reseal reseals, and notes the record.
func (f *fixture) reseal(t *testing.T, what string, from, to domain.Installation) {
	t.Helper()
	rec := f.record(domain.ActionRotateKeys, domain.OnKey(to.Known.Key))
	wantNil(t, what+": Reseal", f.Ports.Installation.Reseal(t.Context(), byOperator(rec), from, to))
	f.log = append(f.log, rec)
	f.wantKnown(t, what, to)
	f.wantRecords(t, what)
}

func resealStores(t *testing.T, f *fixture) {
	is := installationOf(1)
	f.prepare(t, "the first time", domain.Installation{}, is)
	for n := 2; n < 5; n++ {
		to := installationOf(n)
		f.reseal(t, "another", is, to)
		is = to
	}
	without := installationOf(5)
	without.Pseudonyms = domain.Sealed{}
	f.reseal(t, "one without pseudonyms", is, without)
	f.reseal(t, "one with pseudonyms again", without, installationOf(6))
	f.prepare(t, "after Reseal", installationOf(6), installationOf(7))
}

// resealConflict changes each part of from alone.
func resealConflict(t *testing.T, f *fixture) {
	refused := func(what string, from domain.Installation) {
		t.Helper()
		err := f.Ports.Installation.Reseal(t.Context(), f.act(domain.ActionRotateKeys, "key:9"), from, installationOf(9))
		wantKind(t, "Reseal from "+what, err, domain.Conflict)
	}
	f.prepare(t, "the first time", domain.Installation{}, installationOf(1))
	for what, change := range map[string]func(i *domain.Installation){
		"another known value":                       func(i *domain.Installation) { i.Known.Bytes = []byte("other") },
		"a known value sealed by another key":       func(i *domain.Installation) { i.Known.Key = "another" },
		"another origin":                            func(i *domain.Installation) { i.Origin = elsewhere },
		"another key of the pseudonyms":             func(i *domain.Installation) { i.Pseudonyms.Bytes = []byte("other") },
		"a key of pseudonyms sealed by another key": func(i *domain.Installation) { i.Pseudonyms.Key = "another" },
		"no key of the pseudonyms":                  func(i *domain.Installation) { i.Pseudonyms = domain.Sealed{} },
		"nothing":                                   func(i *domain.Installation) { *i = domain.Installation{} },
	} {
		from := installationOf(1)
		change(&from)
		refused(what, from)
		f.wantKnown(t, "after Reseal from "+what, installationOf(1))
	}
	f.wantRecords(t, "after all")
}

func resealAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	f.prepare(t, "the first time", domain.Installation{}, installationOf(1))
	const n = 16
	errs, records := make([]error, n), make([]domain.Record, n)
	for i := range records {
		records[i] = f.record(domain.ActionRotateKeys, fmt.Sprintf("key:%d", i))
	}
	atOnce(n, func(i int) {
		errs[i] = at[i%len(at)].Ports.Installation.Reseal(t.Context(), byOperator(records[i]), installationOf(1), installationOf(2+i))
	})
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			f.log = append(f.log, records[i])
			f.wantKnown(t, "after all", installationOf(2+i))
			continue
		}
		wantKind(t, "a Reseal beside others", err, domain.Conflict)
	}
	wantSame(t, "how many Reseals from one value succeeded", won, 1)
	f.wantRecords(t, "after all")
}

// resealWaits reseals while a Prepare is in its check. It reseals the value from before the
// Prepare until its time is over, and then the value that Prepare stores.
func resealWaits(t *testing.T, f *fixture) {
	at := f.instances(t)
	last := at[len(at)-1].Ports.Installation
	f.prepare(t, "the first time", domain.Installation{}, installationOf(1))
	rec := f.record(domain.ActionRotateKeys, "key:3")
	done := make(chan error, 1)
	wantNil(t, "Prepare", at[0].Ports.Installation.Prepare(t.Context(), func(domain.Installation) (domain.Installation, error) {
		ctx, cancel := context.WithTimeout(t.Context(), shortly)
		defer cancel()
		if problem := otherThan(last.Reseal(ctx, byOperator(rec), installationOf(1), installationOf(9)), domain.Unavailable); problem != "" {
			t.Errorf("Reseal whose context ended while it waited for a Prepare: %s", problem)
		}
		go func() { done <- last.Reseal(t.Context(), byOperator(rec), installationOf(2), installationOf(3)) }()
		linger()
		return installationOf(2), nil
	}))
	wantNil(t, "Reseal of what a Prepare has stored meanwhile", <-done)
	f.log = append(f.log, rec)
	f.wantKnown(t, "after Reseal", installationOf(3))
	f.wantRecords(t, "after Reseal")
}
