package portstest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// cutAt is a cut at the row of that Seq.
func cutAt(t *testing.T, f *fixture, seq int64) domain.AuditCut {
	t.Helper()
	rows, err := f.Ports.Chain.Links(t.Context(), seq-1, 1)
	wantNil(t, "preparing: Links", err)
	at := domain.Instant(f.clock.now())
	return domain.AuditCut{ChainPoint: rows[0].Link.ChainPoint, Rows: seq, At: at, Before: at.Add(-time.Hour)}
}

func chainCut(t *testing.T, f *fixture) {
	f.append(t, 5)
	chainAll(t, f.Ports.Chain)
	before, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head", err)
	cut := cutAt(t, f, 3)
	recs := []domain.Record{f.record(domain.ActionCutAudit, domain.OnAudit(cut.ChainPoint)), f.record(domain.ActionForward, "p")}
	want := before
	want.Cut, want.Sealed = cut, domain.Sealed{Key: "2", Bytes: []byte("signed again")}
	wantNil(t, "Cut", f.Ports.Chain.Cut(t.Context(), func(last domain.ChainPoint, head domain.AuditHead) (domain.AuditHead, []domain.Record, error) {
		wantSame(t, "the last link", last, before.ChainPoint)
		wantSame(t, "the head", head, before)
		return want, recs, nil
	}))
	f.log = append(f.log, recs...)
	for _, at := range f.instances(t) {
		got, err := at.Ports.Chain.Head(t.Context())
		wantNil(t, "Head", err)
		wantSame(t, "the head after Cut", got, want)
	}
	f.wantRecords(t, "after Cut with two records")
	f.append(t, 1)
	chainAll(t, f.Ports.Chain)
	f.wantChained(t, "after Cut and Extend", true)
	after, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head", err)
	wantSame(t, "the cut after Extend", after.Cut, cut)
}

func chainCutFails(t *testing.T, f *fixture) {
	f.append(t, 2)
	chainAll(t, f.Ports.Chain)
	before, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head", err)
	own := errors.New("a reason of the caller's")
	for _, want := range []error{own, &domain.Error{Kind: domain.Corrupt, Public: "x"}} {
		err := f.Ports.Chain.Cut(t.Context(), func(_ domain.ChainPoint, head domain.AuditHead) (domain.AuditHead, []domain.Record, error) {
			return head, []domain.Record{f.record(domain.ActionCutAudit, "audit")}, want
		})
		if err != want { //nolint:errorlint // as it is
			t.Fatalf("Cut that fails: got error %v, want %v", err, want)
		}
	}
	after, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head", err)
	wantSame(t, "the head after a Cut that failed", after, before)
	f.wantRecords(t, "after Cuts that failed")
}

func chainRemoved(t *testing.T, f *fixture) {
	f.append(t, 7)
	chainAll(t, f.Ports.Chain)
	remove := func(upTo int64, limit, want int, left ...int64) {
		t.Helper()
		n, err := f.Ports.Chain.Remove(t.Context(), upTo, limit)
		wantNil(t, "Remove", err)
		wantSame(t, fmt.Sprintf("how many Remove removes up to %d, at most %d", upTo, limit), n, want)
		f.log = f.log[n:]
		f.wantRecords(t, "after Remove")
		for _, at := range f.instances(t) {
			rows, err := at.Ports.Chain.Links(t.Context(), 0, 100)
			wantNil(t, "Links", err)
			var got []int64
			for _, row := range rows {
				got = append(got, row.Link.Seq)
				wantSame(t, "a row that is gone, with a link", row.Gone, false)
			}
			wantSame(t, "the links that are left", got, left)
			strays, err := at.Ports.Chain.Strays(t.Context(), 10)
			wantNil(t, "Strays", err)
			wantSame(t, "Strays", len(strays), 0)
		}
	}
	remove(0, 10, 0, 1, 2, 3, 4, 5, 6, 7)
	remove(5, 0, 0, 1, 2, 3, 4, 5, 6, 7)
	remove(5, 3, 3, 4, 5, 6, 7)
	remove(5, 3, 2, 6, 7)
	remove(5, 3, 0, 6, 7)
	remove(6, 100, 1, 7)
	f.append(t, 2)
	chainAll(t, f.Ports.Chain)
	rows, err := f.Ports.Chain.Links(t.Context(), 7, 100)
	wantNil(t, "Links", err)
	wantSame(t, "the links that follow", len(rows), 2)
	wantSame(t, "the place of the last one", rows[1].Link.Seq, int64(9))
}

func chainRemovedAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	const n = 60
	f.append(t, n+1)
	chainAll(t, f.Ports.Chain)
	counts, errs := make([]int, 8), make([]error, 8)
	atOnce(16, func(i int) {
		if i >= 8 {
			_, _, _ = at[i%len(at)].Ports.Chain.Extend(t.Context(), 7, extending)
			return
		}
		counts[i], errs[i] = at[i%len(at)].Ports.Chain.Remove(t.Context(), n, 7)
	})
	total := 0
	for i := range counts {
		wantNil(t, "one of 8 Removes at the same instant", errs[i])
		total += counts[i]
	}
	for {
		more, err := at[0].Ports.Chain.Remove(t.Context(), n, 7)
		wantNil(t, "Remove of what they left", err)
		if total += more; more == 0 {
			break
		}
	}
	wantSame(t, "how many were removed", total, n)
	f.log = f.log[n:]
	f.wantRecords(t, "after all Removes")
	rows, err := f.Ports.Chain.Links(t.Context(), 0, 100)
	wantNil(t, "Links", err)
	wantSame(t, "how many links are left", len(rows), 1)
}
