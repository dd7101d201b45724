package portstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// AuditChain checks every sentence in the comments of ports.AuditChain.
func AuditChain(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Extend puts at most limit rows into the chain, in the order of their ids, and is done if there are no others", chainRows},
		{"Extend calls extend with the end of the chain and the head as they are stored, and returns the end that it stores", chainEnds},
		{"Extend changes nothing if extend fails, and returns its error as it is", chainFails},
		{"Extend does not call extend if nothing has changed", chainNothing},
		{"Extend calls extend also without rows if the chain does not end where the head says", chainMismatch},
		{"many Extends at the same time, beside writers on several instances, make one chain", chainConcurrent},
		{"Links returns at most limit links with their rows, in the order of Seq", chainPages},
		{"Cut stores the head and the records that cut returns, and shows cut the end of the chain and the head", chainCut},
		{"Cut changes nothing if cut fails, and returns its error as it is", chainCutFails},
		{"Remove removes at most limit links, the first ones first, with their rows", chainRemoved},
		{"many Removes at the same instant, beside Extends, leave each row with its link", chainRemovedAtOnce},
		{"Waiting returns the time of the first row that is not in the chain yet, zero if there is none", chainWaiting},
		{"Strays returns no row of this program", noStrays},
	}, promises("Chain")...))
}

// extending returns an Extend that makes the hashes as they are, and a head that names its
// point.
func extending(last domain.ChainPoint, was domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
	links := last.Extend(rows)
	if len(links) > 0 {
		last = links[len(links)-1].ChainPoint
	}
	head := domain.AuditHead{ChainPoint: last, Settled: settled, Cut: was.Cut}
	head.Sealed = domain.Sealed{Key: "1886453126", Bytes: []byte("\x00\x01\xff'" + head.Text())}
	return links, head, nil
}

// append stores n records of their own, a second apart.
func (f *fixture) append(t *testing.T, n int) {
	t.Helper()
	for range n {
		f.clock.advance(time.Second)
		rec := f.record(domain.ActionForward, domain.OnProject(projectID(404)))
		wantNil(t, "preparing: Append", f.Ports.Audit.Append(t.Context(), rec))
		f.log = append(f.log, rec)
	}
}

// chainAll chains what there is, which must come to an end.
func chainAll(t *testing.T, a ports.AuditChain) {
	t.Helper()
	for range 1000 {
		_, done, err := a.Extend(t.Context(), 100, extending)
		wantNil(t, "Chain", err)
		if done {
			return
		}
	}
	t.Fatal("Chain: still not done after 1000 calls")
}

// wantChained fails the test unless the chain is complete, ends at the head, and has all records
// of f.log, in that order if inOrder.
func (f *fixture) wantChained(t *testing.T, what string, inOrder bool) []domain.ChainedRow {
	t.Helper()
	rows, err := f.Ports.Chain.Links(t.Context(), 0, 10_000)
	wantNil(t, what+": Links", err)
	var p domain.ChainPoint
	got := make([]domain.Record, len(rows))
	for i, row := range rows {
		p, err = p.Check(row)
		wantNil(t, fmt.Sprintf("%s: Check of row %d of the chain", what, i+1), err)
		got[i] = row.Row.Record
	}
	head, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, what+": Head", err)
	wantSame(t, what+": the end of the chain, as the head has it", head.ChainPoint, p)
	strays, err := f.Ports.Chain.Strays(t.Context(), 10)
	wantNil(t, what+": Strays", err)
	wantSame(t, what+": Strays", len(strays), 0)
	want := slices.Clone(f.log)
	if !inOrder {
		byRequest := func(a, b domain.Record) int { return strings.Compare(a.RequestID, b.RequestID) }
		slices.SortFunc(got, byRequest)
		slices.SortFunc(want, byRequest)
	}
	wantSame(t, what+": the requests of the rows in the chain", requests(got), requests(want))
	wantSame(t, what+": the rows in the chain", got, want)
	return rows
}

func recordsOf(rows []domain.AuditRow) []domain.Record {
	out := make([]domain.Record, len(rows))
	for i, r := range rows {
		out[i] = r.Record
	}
	return out
}

func auditPage(t *testing.T, f *fixture) {
	f.append(t, 3)
	// Four of one time, and one that is older than those before it.
	for range 4 {
		rec := f.record(domain.ActionForward, "p")
		wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), rec))
		f.log = append(f.log, rec)
	}
	late := f.record(domain.ActionForward, "p")
	late.At = late.At.Add(-time.Second)
	wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), late))

	want := []domain.Record{f.log[6], f.log[5], f.log[4], f.log[3], f.log[2], late, f.log[1], f.log[0]}
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []domain.AuditRow
		var place *domain.AuditPlace
		for range len(want) + 1 {
			page, err := f.Ports.Audit.Page(t.Context(), domain.AuditFilter{}, place, limit)
			wantNil(t, "Page", err)
			if len(page) > limit {
				t.Fatalf("Page with limit %d: got %d rows", limit, len(page))
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			last := page[len(page)-1].Place()
			place = &last
		}
		wantSame(t, fmt.Sprintf("the pages of %d", limit), recordsOf(got), want)
	}
	none, err := f.Ports.Audit.Page(t.Context(), domain.AuditFilter{}, &domain.AuditPlace{}, 10)
	wantNil(t, "Page behind the oldest", err)
	wantSame(t, "Page behind the oldest", len(none), 0)
	for _, limit := range []int{0, -1} {
		none, err := f.Ports.Audit.Page(t.Context(), domain.AuditFilter{}, nil, limit)
		wantNil(t, "Page of none", err)
		wantSame(t, "Page of none", len(none), 0)
	}
}

func auditFiltered(t *testing.T, f *fixture) {
	f.append(t, 2)
	odd := f.record(domain.ActionLogin, `it's "an" object?`)
	odd.Actor, odd.Outcome, odd.RequestID, odd.Address, odd.Count = domain.ActorNobody, "not_authenticated", "odd", "", 17
	odd.At = odd.At.Add(5 * time.Microsecond)
	wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), odd))
	for what, filter := range map[string]domain.AuditFilter{
		"actor":            {Actor: odd.Actor},
		"action":           {Action: odd.Action},
		"object":           {Object: odd.Object},
		"its first word":   {Object: "it's"},
		"a word of it":     {Object: `"an"`},
		"two words of it":  {Object: `it's "an"`},
		"its last word":    {Object: "object?"},
		"outcome":          {Outcome: odd.Outcome},
		"request_id":       {RequestID: odd.RequestID},
		"since, inclusive": {Since: odd.At},
		"all of them":      {Actor: odd.Actor, Action: odd.Action, Object: odd.Object, Outcome: odd.Outcome, RequestID: odd.RequestID, Since: odd.At, Until: odd.At.Add(time.Microsecond)},
	} {
		got, err := f.Ports.Audit.Page(t.Context(), filter, nil, 10)
		wantNil(t, "Page by "+what, err)
		wantSame(t, "Page by "+what, recordsOf(got), []domain.Record{odd})
	}
	others := []domain.Record{f.log[1], f.log[0]}
	got, err := f.Ports.Audit.Page(t.Context(), domain.AuditFilter{Until: odd.At}, nil, 10)
	wantNil(t, "Page by until, exclusive", err)
	wantSame(t, "Page by until, exclusive", recordsOf(got), others)
	for what, filter := range map[string]domain.AuditFilter{
		"another actor":    {Actor: domain.ActorOperator, Outcome: odd.Outcome},
		"a part of a word": {Object: "object"},
		"a pattern":        {Object: "%an%"},
		"since later":      {Since: odd.At.Add(time.Microsecond)},
		"until as since":   {Since: odd.At, Until: odd.At},
		"a request of no":  {RequestID: "none"},
	} {
		got, err := f.Ports.Audit.Page(t.Context(), filter, nil, 10)
		wantNil(t, "Page by "+what, err)
		wantSame(t, "Page by "+what, len(got), 0)
	}
}

func chainRows(t *testing.T, f *fixture) {
	f.addNamed(t, "p")
	f.append(t, 6)
	for i, want := range []bool{false, false, true} {
		_, done, err := f.Ports.Chain.Extend(t.Context(), 3, extending)
		wantNil(t, "Chain", err)
		rows, err := f.Ports.Chain.Links(t.Context(), 0, 100)
		wantNil(t, "Links", err)
		wantSame(t, "the rows in the chain", len(rows), min(3*(i+1), 7))
		wantSame(t, fmt.Sprintf("done after call %d", i+1), done, want)
	}
	f.wantChained(t, "after all calls", true)
	f.append(t, 1)
	chainAll(t, f.Ports.Chain)
	f.wantChained(t, "after another row", true)
}

func chainEnds(t *testing.T, f *fixture) {
	f.append(t, 2)
	ends := func(wantLast domain.ChainPoint, wantHead domain.AuditHead, wantRows []domain.Record) ports.Extend {
		return func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
			wantSame(t, "the last link", last, wantLast)
			wantSame(t, "the head", head, wantHead)
			wantSame(t, "the rows", recordsOf(rows), wantRows)
			return extending(last, head, rows, settled)
		}
	}
	for range 2 {
		head, err := f.Ports.Chain.Head(t.Context())
		wantNil(t, "Head", err)
		stored, _, err := f.Ports.Chain.Extend(t.Context(), 100, ends(head.ChainPoint, head, f.log[head.Seq:]))
		wantNil(t, "Chain", err)
		after, err := f.Ports.Chain.Head(t.Context())
		wantNil(t, "Head", err)
		wantSame(t, "the end that Extend stored", stored, after.ChainPoint)
		f.wantChained(t, "after Chain", true)
		f.append(t, 2)
	}
}

func chainFails(t *testing.T, f *fixture) {
	f.append(t, 2)
	chainAll(t, f.Ports.Chain)
	f.append(t, 2)
	before, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head", err)
	own := errors.New("a reason of the caller's")
	for _, want := range []error{own, &domain.Error{Kind: domain.Corrupt, Public: "x"}} {
		_, done, err := f.Ports.Chain.Extend(t.Context(), 100, func(domain.ChainPoint, domain.AuditHead, []domain.AuditRow, int64) ([]domain.ChainLink, domain.AuditHead, error) {
			return nil, domain.AuditHead{}, want
		})
		if err != want || done { //nolint:errorlint // as it is
			t.Fatalf("Chain whose extend fails: got %v and error %v, want false and %v", done, err, want)
		}
	}
	after, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head", err)
	wantSame(t, "the head after a Chain that failed", after, before)
	rows, err := f.Ports.Chain.Links(t.Context(), 0, 100)
	wantNil(t, "Links", err)
	wantSame(t, "the rows in the chain after a Chain that failed", len(rows), 2)
	chainAll(t, f.Ports.Chain)
	f.wantChained(t, "after a Chain that does not fail", true)
}

func chainNothing(t *testing.T, f *fixture) {
	never := func(domain.ChainPoint, domain.AuditHead, []domain.AuditRow, int64) ([]domain.ChainLink, domain.AuditHead, error) {
		t.Error("extend was called")
		return nil, domain.AuditHead{}, errors.New("called")
	}
	head, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "Head before the first Chain", err)
	wantSame(t, "Head before the first Chain", head, domain.AuditHead{})
	for range 2 {
		_, done, err := f.Ports.Chain.Extend(t.Context(), 100, never)
		wantNil(t, "Chain of nothing", err)
		wantSame(t, "done", done, true)
		f.append(t, 2)
		chainAll(t, f.Ports.Chain)
	}
}

func chainMismatch(t *testing.T, f *fixture) {
	f.append(t, 2)
	_, _, err := f.Ports.Chain.Extend(t.Context(), 100, func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
		links, head, err := extending(last, head, rows, settled)
		head.Seq++
		return links, head, err
	})
	wantNil(t, "Chain", err)
	own := errors.New("a reason of the caller's")
	_, _, err = f.Ports.Chain.Extend(t.Context(), 100, func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, _ int64) ([]domain.ChainLink, domain.AuditHead, error) {
		wantSame(t, "Seq of the last link and of the head, and how many rows", []int{int(last.Seq), int(head.Seq), len(rows)}, []int{2, 3, 0})
		return nil, domain.AuditHead{}, own
	})
	if err != own { //nolint:errorlint // as it is
		t.Fatalf("Chain of nothing behind a head that is elsewhere: got error %v, want %v", err, own)
	}
}

// chainConcurrent chains on every instance while all write, and at the end once more.
func chainConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	const writers, each = 8, 16
	recs, errs := make([]domain.Record, writers*each), make([]error, writers*each)
	for i := range recs {
		recs[i] = f.record(domain.ActionForward, "p")
	}
	var wrote atomic.Int32
	// One Extend follows each Append: calls that never pause could keep a writer from its turn
	// in a database that is not fair.
	appended := make(chan struct{}, writers*each)
	chainers := 2 * len(at)
	failed := make([]error, chainers)
	atOnce(writers+chainers, func(i int) {
		if i >= writers {
			for range appended {
				if failed[i-writers] == nil {
					_, _, failed[i-writers] = at[i%len(at)].Ports.Chain.Extend(t.Context(), 7, extending)
				}
			}
			return
		}
		for n := i * each; n < (i+1)*each; n++ {
			errs[n] = at[i%len(at)].Ports.Audit.Append(t.Context(), recs[n])
			appended <- struct{}{}
		}
		if wrote.Add(1) == writers {
			close(appended)
		}
	})
	for _, err := range append(errs, failed...) {
		wantNil(t, "an Append or Chain beside others", err)
	}
	f.log = append(f.log, recs...)
	for _, instance := range at {
		chainAll(t, instance.Ports.Chain)
	}
	f.wantChained(t, "after all have written", false)
	for range 4 {
		f.clock.advance(time.Hour)
		for _, instance := range at {
			chainAll(t, instance.Ports.Chain)
		}
		f.wantChained(t, "hours later", false)
	}
}

func chainPages(t *testing.T, f *fixture) {
	f.append(t, 7)
	chainAll(t, f.Ports.Chain)
	all := f.wantChained(t, "after Chain", true)
	for limit := 1; limit <= 8; limit++ {
		var got []domain.ChainedRow
		for after := int64(0); ; after = got[len(got)-1].Link.Seq {
			page, err := f.Ports.Chain.Links(t.Context(), after, limit)
			wantNil(t, "Links", err)
			if len(page) == 0 {
				break
			}
			wantSame(t, "the size of a page", len(page), min(limit, 7-len(got)))
			got = append(got, page...)
		}
		wantSame(t, "the pages of the chain", got, all)
	}
	none, err := f.Ports.Chain.Links(t.Context(), 0, -1)
	wantNil(t, "Links of none", err)
	wantSame(t, "Links of none", len(none), 0)
}

func chainWaiting(t *testing.T, f *fixture) {
	waits := func(what string, want time.Time) {
		t.Helper()
		got, err := f.Ports.Chain.Waiting(t.Context())
		wantNil(t, "Waiting", err)
		if !got.Equal(want) {
			t.Fatalf("Waiting %s: got %v, want %v", what, got, want)
		}
	}
	waits("in an empty store", time.Time{})
	for range 2 {
		f.append(t, 3)
		waits("before Chain", f.log[len(f.log)-3].At)
		_, _, err := f.Ports.Chain.Extend(t.Context(), 2, extending)
		wantNil(t, "Extend", err)
		waits("after a part is in the chain", f.log[len(f.log)-1].At)
		chainAll(t, f.Ports.Chain)
		waits("after Chain", time.Time{})
	}
}

// noStrays lets hours go by between the calls, so that rows settle.
func noStrays(t *testing.T, f *fixture) {
	for _, at := range f.instances(t) {
		for range 3 {
			f.append(t, 2)
			chainAll(t, at.Ports.Chain)
			f.clock.advance(time.Hour)
			f.wantChained(t, "after Chain", true)
		}
	}
}
