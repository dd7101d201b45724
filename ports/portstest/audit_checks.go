package portstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// AuditChecks checks every sentence in the comments of ports.AuditChecks.
func AuditChecks(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Claim gives a turn that is free, and that the holder has already", turnFree},
		{"Claim gives nobody the turn of another holder before it ends", turnTaken},
		{"Claim gives the turn of another holder that ends too far away", turnTooLong},
		{"of many Claims at the same instant, one succeeds", turnAtOnce},
		{"Get returns what the last Put stored, zero before the first", checkStored},
		{"Put changes nothing and keeps no record if something else than from is stored", checkOther},
		{"of many Puts in place of the same, one succeeds", checkAtOnce},
	}, promises("Checks")...))
}

func (f *fixture) claim(t *testing.T, at ports.Store, turn domain.Turn, holder string, ends time.Time, want bool) {
	t.Helper()
	got, err := at.Checks.Claim(t.Context(), turn, holder, ends)
	wantNil(t, "Claim", err)
	wantSame(t, fmt.Sprintf("Claim of %s by %s", turn, holder), got, want)
}

func turnFree(t *testing.T, f *fixture) {
	minute := func() time.Time { return f.clock.now().Add(time.Minute) }
	f.claim(t, f.Ports, "a", "one", minute(), true)
	f.claim(t, f.Ports, "a", "one", minute(), true)
	f.claim(t, f.Ports, "b", "two", minute(), true)
	f.claim(t, f.Ports, "a", "one", f.clock.now(), true) // frees it
	f.claim(t, f.Ports, "a", "two", minute(), true)
	f.wantRecords(t, "after Claims, which keep none")
}

func turnTaken(t *testing.T, f *fixture) {
	ends := domain.Instant(f.clock.now().Add(time.Minute))
	f.claim(t, f.Ports, "a", "one", ends, true)
	for _, at := range f.instances(t) {
		f.claim(t, at.Ports, "a", "two", ends, false)
	}
	f.clock.set(ends.Add(-time.Microsecond))
	f.claim(t, f.Ports, "a", "two", ends.Add(time.Minute), false)
	f.clock.set(ends)
	f.claim(t, f.Ports, "a", "two", ends.Add(time.Minute), true)
	f.claim(t, f.Ports, "a", "one", ends.Add(time.Minute), false)
}

func turnTooLong(t *testing.T, f *fixture) {
	f.claim(t, f.Ports, "a", "one", f.clock.now().Add(domain.MaxTurn), true)
	f.claim(t, f.Ports, "a", "two", f.clock.now().Add(time.Minute), false)
	f.claim(t, f.Ports, "a", "one", f.clock.now().Add(domain.MaxTurn+time.Second), true)
	f.claim(t, f.Ports, "a", "two", f.clock.now().Add(time.Minute), true)
}

func turnAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		got, errs := make([]bool, 8), make([]error, 8)
		f.clock.advance(time.Hour)
		atOnce(8, func(i int) {
			got[i], errs[i] = at[i%len(at)].Ports.Checks.Claim(t.Context(), "a", fmt.Sprintf("holder %d", i), f.clock.now().Add(time.Minute))
		})
		n := 0
		for i := range got {
			wantNil(t, "one of 8 Claims at the same instant", errs[i])
			if got[i] {
				n++
			}
		}
		wantSame(t, "how many of 8 Claims succeeded", n, 1)
	}
}

// checked is a check as it is stored.
func (f *fixture) checked() domain.Sealed {
	return domain.Sealed{Key: "1886453126", Bytes: fmt.Appendf(nil, "\x00\x01\xff' check %d", f.next())}
}

// put stores to in place of what is stored.
func (f *fixture) putCheck(t *testing.T, to domain.Sealed) {
	t.Helper()
	from, err := f.Ports.Checks.Get(t.Context())
	wantNil(t, "preparing: Checks.Get", err)
	put, err := f.Ports.Checks.Put(t.Context(), from, to)
	wantNil(t, "preparing: Checks.Put", err)
	wantSame(t, "preparing: Checks.Put", put, true)
}

func checkStored(t *testing.T, f *fixture) {
	got, err := f.Ports.Checks.Get(t.Context())
	wantNil(t, "Get before the first Put", err)
	wantSame(t, "Get before the first Put", got, domain.Sealed{})
	for range 3 {
		to, recs := f.checked(), []domain.Record{f.record(domain.ActionVerifyAudit, "audit"), f.record(domain.ActionVerifyAudit, "more")}
		put, err := f.Ports.Checks.Put(t.Context(), got, to, recs...)
		wantNil(t, "Put", err)
		wantSame(t, "Put in place of what is stored", put, true)
		f.log = append(f.log, recs...)
		for _, at := range f.instances(t) {
			got, err = at.Ports.Checks.Get(t.Context())
			wantNil(t, "Get", err)
			wantSame(t, "Get after Put", got, to)
		}
	}
	f.wantRecords(t, "after Puts with two records each")
}

func checkOther(t *testing.T, f *fixture) {
	refused := func(what string, from domain.Sealed) {
		t.Helper()
		put, err := f.Ports.Checks.Put(t.Context(), from, f.checked(), f.record(domain.ActionVerifyAudit, "audit"))
		wantNil(t, "Put in place of "+what, err)
		wantSame(t, "Put in place of "+what, put, false)
	}
	refused("something, before the first", f.checked())
	is := f.checked()
	f.putCheck(t, is)
	refused("nothing", domain.Sealed{})
	refused("other bytes", domain.Sealed{Key: is.Key, Bytes: f.checked().Bytes})
	refused("bytes of another key", domain.Sealed{Key: "2", Bytes: is.Bytes})
	got, err := f.Ports.Checks.Get(t.Context())
	wantNil(t, "Get", err)
	wantSame(t, "Get after Puts that did nothing", got, is)
	f.wantRecords(t, "after Puts that did nothing")
}

func checkAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	from := domain.Sealed{}
	for range rounds {
		got, errs, to, recs := make([]bool, 8), make([]error, 8), make([]domain.Sealed, 8), make([]domain.Record, 8)
		for i := range to {
			to[i], recs[i] = f.checked(), f.record(domain.ActionVerifyAudit, "audit")
		}
		atOnce(8, func(i int) { got[i], errs[i] = at[i%len(at)].Ports.Checks.Put(t.Context(), from, to[i], recs[i]) })
		n := 0
		for i := range got {
			wantNil(t, "one of 8 Puts at the same instant", errs[i])
			if got[i] {
				n++
				from = to[i]
				f.log = append(f.log, recs[i])
			}
		}
		wantSame(t, "how many of 8 Puts succeeded", n, 1)
	}
	f.wantRecords(t, "after Puts at the same instant")
}

var checkCalls = []call{
	{method: "Checks.Claim", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		turn := domain.Turn(fmt.Sprintf("turn %d", f.next()))
		return attempt{check: returns(true), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Checks.Claim(ctx, turn, "holder", f.clock.now().Add(time.Minute))
		}}
	}},
	reads("Checks.Get", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Checks.Get(ctx) }),
	{method: "Checks.Put", changes: true, record: true, alone: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		f.putCheck(t, f.checked())
		from, err := f.Ports.Checks.Get(t.Context())
		wantNil(t, "preparing: Checks.Get", err)
		to := f.checked()
		return attempt{check: returns(true), args: []any{&from, &to}, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
			return at.Checks.Put(ctx, from, to, act.Record)
		}}
	}},
	{method: "Checks.Put", way: "in place of what is not stored", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		from, to := f.checked(), f.checked()
		return attempt{check: returns(false), args: []any{&from, &to}, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
			return at.Checks.Put(ctx, from, to, act.Record)
		}}
	}},
}
