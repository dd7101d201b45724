package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

const day = 24 * time.Hour

// keeping is a world whose audit keeps rows of ten days.
type keeping struct {
	*world
	files *memory.AuditFiles
	ports audit.Ports
}

// newKeeping returns a world whose audit stores files, unless without.
func newKeeping(t *testing.T, without bool) *keeping {
	t.Helper()
	k := &keeping{world: newWorld(t), files: &memory.AuditFiles{}}
	store := k.Store.Ports()
	k.ports = audit.Ports{
		Log: store.Audit, Chain: store.Chain, Checks: store.Checks, Projects: store.Projects, Users: store.Users, Cipher: k.Cipher, Clock: k.Now,
		KeepDays: 10, Files: k.files,
	}
	if without {
		k.ports.Files = nil
	}
	k.audit = audit.New(k.ports)
	return k
}

// rows adds n rows, an hour apart, and chains them.
func (k *keeping) rows(t *testing.T, n int) {
	t.Helper()
	for range n {
		k.login(t)
		k.After(time.Hour)
	}
}

// cut removes what is old.
func (k *keeping) cut(t *testing.T) {
	t.Helper()
	if err := k.audit.CutInTurn(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// head returns the head of the chain.
func (w *world) head(t *testing.T) domain.AuditHead {
	t.Helper()
	if err := w.audit.Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
	head, err := w.Store.Ports().Chain.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// whole verifies the audit.
func (w *world) whole(t *testing.T, noted string) audit.Verified {
	t.Helper()
	got, err := w.audit.Verify(t.Context(), w.Operator(), noted)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOldRowsAreStoredInAFileAndRemoved(t *testing.T) {
	k := newKeeping(t, false)
	k.rows(t, 20)
	old := k.head(t)
	k.After(5 * day)
	k.rows(t, 3)
	k.cut(t)
	if got := k.head(t); got.Cut != (domain.AuditCut{}) {
		t.Fatalf("before they are old: got the cut %+v", got.Cut)
	}
	k.After(6 * day)
	before := len(k.Store.Records())
	k.cut(t)
	got := k.head(t)
	if got.Cut.ChainPoint != old.ChainPoint || got.Cut.Rows != old.Seq || !got.Cut.At.Equal(domain.Instant(k.Now())) || !got.Cut.Before.Equal(k.Now().UTC().Truncate(day).Add(-10*day)) {
		t.Errorf("got the cut %+v, want one at %v", got.Cut, old.ChainPoint)
	}
	records := k.Store.Records()
	last := records[len(records)-1]
	if len(records) != before-int(old.Seq)+1 || last.Action != domain.ActionCutAudit || last.Actor != domain.ActorService || last.Object != domain.OnAudit(old.ChainPoint) {
		t.Errorf("got %d rows, the last %+v, want %d and one about the cut", len(records), last, before-int(old.Seq)+1)
	}
	end := k.whole(t, "")
	if end.Begins != got.Cut || end.Seq != got.Seq {
		t.Errorf("got %+v, want the chain from %+v to %d", end, got.Cut, got.Seq)
	}

	name := domain.AuditFileName(1, old.Seq)
	span, err := audit.ReadSpan(bytes.NewReader(k.files.Content(name)))
	if err != nil || span.From != (domain.ChainPoint{}) || span.To != old.ChainPoint {
		t.Errorf("the file has %+v and error %v, want the rows up to %v", span, err, old.ChainPoint)
	}
	if _, err := k.audit.VerifySpans(t.Context(), k.Operator(), []audit.Span{span}); err != nil {
		t.Error(err)
	}

	// A day later nothing is old, and days later the next rows are.
	k.After(day)
	k.cut(t)
	if again := k.head(t).Cut; again != got.Cut {
		t.Errorf("got the cut %+v, want that of before", again)
	}
	k.After(4 * day)
	k.cut(t)
	next := k.head(t).Cut
	second, err := audit.ReadSpan(bytes.NewReader(k.files.Content(domain.AuditFileName(old.Seq+1, next.Seq))))
	if err != nil || second.From != old.ChainPoint || second.To != next.ChainPoint || next.Rows != next.Seq-old.Seq {
		t.Errorf("the next file has %+v and error %v, want the rows up to %+v", second, err, next)
	}
	k.whole(t, "")
	all, err := k.audit.VerifySpans(t.Context(), k.Operator(), []audit.Span{span, second})
	if err != nil || all.To != next.ChainPoint {
		t.Errorf("got %+v and error %v", all, err)
	}
	for what, files := range map[string][]audit.Span{"the last file is missing": {span}, "the order": {second, span}, "none": nil} {
		_, err := k.audit.VerifySpans(t.Context(), k.Operator(), files)
		if domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got error %v, want %s", what, err, domain.Invalid)
		}
	}
	forged := second
	forged.To.Hash[0]++
	_, err = k.audit.VerifySpans(t.Context(), k.Operator(), []audit.Span{span, forged})
	testworld.WantKind(t, err, domain.Corrupt)
	_, err = k.audit.VerifySpans(t.Context(), k.Member(), []audit.Span{span})
	testworld.WantKind(t, err, domain.NotAllowed)
}

func TestWithoutAPlaceForFilesRowsAreRemovedAllTheSame(t *testing.T) {
	k := newKeeping(t, true)
	k.rows(t, 3)
	k.After(20 * day)
	k.rows(t, 1)
	k.cut(t)
	if got := k.head(t).Cut; got.Seq == 0 {
		t.Errorf("got the cut %+v, want one", got)
	}
	k.whole(t, "")
	k.inTurn(t)
	k.wantHealth(t, "after a cut", k.Now(), k.Now(), false)
}

func TestTheLastRowStaysHoweverOldItIs(t *testing.T) {
	k := newKeeping(t, true)
	k.rows(t, 3)
	end := k.head(t)
	k.After(100 * day)
	k.cut(t)
	if got := k.head(t).Cut.Seq; got != end.Seq-1 {
		t.Errorf("the cut is at %d, want %d", got, end.Seq-1)
	}
	k.whole(t, "")
}

// Rows that are missing without a valid signature of the cut are removed rows.
func TestAForgedOrOlderCutIsBroken(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(k *keeping, older domain.AuditHead, r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead)
	}{
		{"a later cut", func(_ *keeping, _ domain.AuditHead, _ *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
			h.Cut.ChainPoint = (*l)[1].ChainPoint
			*l = (*l)[2:]
		}},
		{"no cut", func(_ *keeping, _ domain.AuditHead, _ *[]domain.Record, _ *[]domain.ChainLink, h *domain.AuditHead) {
			h.Cut = domain.AuditCut{}
		}},
		{"an older head, with its cut", func(_ *keeping, older domain.AuditHead, _ *[]domain.Record, _ *[]domain.ChainLink, h *domain.AuditHead) {
			*h = older
		}},
		{"the first rows after the cut removed", func(_ *keeping, _ domain.AuditHead, _ *[]domain.Record, l *[]domain.ChainLink, _ *domain.AuditHead) {
			*l = (*l)[1:]
		}},
		{"another number of rows", func(_ *keeping, _ domain.AuditHead, _ *[]domain.Record, _ *[]domain.ChainLink, h *domain.AuditHead) {
			h.Cut.Rows++
		}},
		{"a later time", func(_ *keeping, _ domain.AuditHead, _ *[]domain.Record, _ *[]domain.ChainLink, h *domain.AuditHead) {
			h.Cut.Before = h.Cut.Before.Add(day)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKeeping(t, true)
			k.rows(t, 5)
			older := k.head(t)
			k.After(20 * day)
			k.rows(t, 5)
			k.cut(t)
			k.head(t) // the row about the cut is in the chain
			k.whole(t, "")
			k.head(t)
			k.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) { tc.tamper(k, older, r, l, h) })
			other := audit.New(k.ports) // it has seen no head
			_, err := other.Verify(t.Context(), k.Operator(), "")
			testworld.WantKind(t, err, domain.Corrupt)
			k.After(day)
			if err := other.CutInTurn(t.Context()); err == nil {
				t.Error("CutInTurn of a broken audit: got no error")
			}
			if err := other.CutInTurn(t.Context()); err != nil {
				t.Errorf("CutInTurn, the second time: got error %v, want it told once", err)
			}
			health, err := other.Health(t.Context())
			if err != nil || !health.Broken || health.NotCut == "" {
				t.Errorf("got %+v and error %v, want that nothing is cut", health, err)
			}
		})
	}
}

func TestAPlaceForFilesThatCantBeWrittenKeepsTheRows(t *testing.T) {
	k := newKeeping(t, false)
	k.rows(t, 3)
	k.After(20 * day)
	k.rows(t, 1)
	k.files.Break(true)
	testworld.WantKind(t, k.audit.CutInTurn(t.Context()), domain.Unavailable)
	for range 3 {
		k.After(10 * time.Minute)
		if err := k.audit.CutInTurn(t.Context()); err != nil {
			t.Errorf("got error %v, want it told once", err)
		}
	}
	if got := k.head(t).Cut; got != (domain.AuditCut{}) {
		t.Errorf("got the cut %+v, want none", got)
	}
	k.inTurn(t)
	if got := k.stateNow(t); got.NotCut == "" || got.Broken != "" {
		t.Errorf("got %+v, want that nothing is cut", got)
	}
	k.files.Break(false)
	k.After(10 * time.Minute)
	k.cut(t)
	if got := k.head(t).Cut; got.Seq == 0 {
		t.Errorf("got the cut %+v, want one", got)
	}
	if got, err := k.audit.Health(t.Context()); err != nil || got.NotCut != "" {
		t.Errorf("got %+v and error %v", got, err)
	}
}

// dying is a chain and a place for files of a process that dies at a step.
type dying struct {
	ports.AuditChain
	ports.AuditFiles
	at string
}

func (d *dying) dies(at string) error {
	if d.at != at {
		return nil
	}
	return testworld.ErrBoom
}

func (d *dying) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := d.dies("before the file"); err != nil {
		return err
	}
	if err := d.AuditFiles.Put(ctx, name, write); err != nil {
		return err
	}
	return d.dies("after the file")
}

func (d *dying) Cut(ctx context.Context, cut ports.Cut) error {
	if err := d.AuditChain.Cut(ctx, cut); err != nil {
		return err
	}
	return d.dies("after the signature")
}

func (d *dying) Remove(ctx context.Context, upTo int64, limit int) (int, error) {
	n, err := d.AuditChain.Remove(ctx, upTo, min(limit, 2))
	if err == nil {
		err = d.dies("after some rows")
	}
	return n, err
}

// A process that dies leaves the rows, or the file. Another one goes on, even a day later, when more rows are
// old.
func TestAnotherInstanceGoesOnWithTheCutOfADeadOne(t *testing.T) {
	for _, at := range []string{"before the file", "after the file", "after the signature", "after some rows"} {
		for _, later := range []time.Duration{10 * time.Minute, 2 * day} {
			t.Run(fmt.Sprintf("%s, %v later", at, later), func(t *testing.T) {
				k := newKeeping(t, false)
				k.rows(t, 5)
				k.After(20 * day)
				k.rows(t, 30) // some of them get old soon
				k.After(9 * day)
				k.rows(t, 1)
				all := k.Store.Records()
				dead := k.ports
				d := &dying{k.ports.Chain, k.files, at}
				dead.Chain, dead.Files = d, d
				if err := audit.New(dead).CutInTurn(t.Context()); err == nil {
					t.Fatal("got no error")
				}
				k.whole(t, "")
				k.After(later)
				k.cut(t)
				k.whole(t, "")
				k.After(day)
				k.cut(t)
				end := k.whole(t, "")
				if end.Begins.Seq == 0 {
					t.Fatal("nothing was cut")
				}
				var spans []audit.Span
				names, err := k.files.Names(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range names {
					span, err := audit.ReadSpan(bytes.NewReader(k.files.Content(name)))
					if err != nil {
						t.Fatal(err)
					}
					spans = append(spans, span)
				}
				if got, err := k.audit.VerifySpans(t.Context(), k.Operator(), spans); err != nil || got.From.Seq != 0 || got.To != end.Begins.ChainPoint {
					t.Errorf("the files %v have %+v and error %v, want each row once up to %v", names, got, err, end.Begins.ChainPoint)
				}
				left := k.Store.Records()
				if !slices.Contains(left, all[len(all)-1]) || slices.Contains(left, all[0]) {
					t.Error("the newest row is gone, or the oldest one is not")
				}
			})
		}
	}
}

func TestOneInstanceCutsForAll(t *testing.T) {
	k := newKeeping(t, false)
	k.rows(t, 5)
	k.After(20 * day)
	k.rows(t, 1)
	var all sync.WaitGroup
	for range 8 {
		instance := audit.New(k.ports)
		all.Go(func() {
			if err := instance.CutInTurn(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	k.cut(t)
	n := 0
	for _, rec := range k.Store.Records() {
		if rec.Action == domain.ActionCutAudit {
			n++
		}
	}
	if names, err := k.files.Names(t.Context(), ""); err != nil || len(names) != 1 || n != 1 {
		t.Errorf("got %d rows about cuts, the files %v and error %v, want one of each", n, names, err)
	}
}

// forwards adds the row of a forwarded call.
func (k *keeping) forwards(t *testing.T, request, outcome string) {
	t.Helper()
	rec := domain.Call{Caller: k.Admin.Caller, RequestID: request}.Record(k.Now(), domain.ActionForward, "project:p "+request)
	rec.Outcome = outcome
	if err := k.Store.Ports().Audit.Append(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

func TestACallWhoseOutcomeIsUnknownStaysKnown(t *testing.T) {
	k := newKeeping(t, true)
	k.forwards(t, "done", domain.OutcomeBegun)
	k.forwards(t, "done", "ok")
	k.forwards(t, "lost", domain.OutcomeBegun)
	k.forwards(t, "late", domain.OutcomeBegun)
	k.rows(t, 3)
	k.After(20 * day)
	k.forwards(t, "late", "ok")
	unfinished := func() []domain.Record {
		t.Helper()
		rows, err := k.audit.Unfinished(t.Context(), k.Operator())
		if err != nil {
			t.Fatal(err)
		}
		var recs []domain.Record
		for _, row := range rows {
			recs = append(recs, row.Row.Record)
		}
		return recs
	}
	want := unfinished()
	if len(want) != 1 || want[0].RequestID != "lost" {
		t.Fatalf("got %+v, want the lost call", want)
	}
	for range 3 {
		k.rows(t, 2)
		k.cut(t)
		if got := k.head(t).Cut; got.Seq == 0 {
			t.Fatal("nothing was cut")
		}
		if got := unfinished(); !slices.Equal(got, want) {
			t.Errorf("after a cut: got %+v, want %+v", got, want)
		}
		k.whole(t, "")
		k.After(20 * day)
	}
}

func TestAHeadThatWasNotedBeforeTheCutIsNoTampering(t *testing.T) {
	k := newKeeping(t, true)
	k.rows(t, 3)
	early := k.head(t).ChainPoint
	k.rows(t, 3)
	at := k.head(t).ChainPoint
	k.After(20 * day)
	k.rows(t, 1)
	k.cut(t)
	if got := k.whole(t, early.String()); !got.NotedIsCut {
		t.Errorf("a head before the cut: got %+v, want that it was cut", got)
	}
	if got := k.whole(t, at.String()); got.NotedIsCut || got.Begins.ChainPoint != at {
		t.Errorf("the head at the cut: got %+v, want that it is there", got)
	}
	at.Hash[0]++
	_, err := k.audit.Verify(t.Context(), k.Operator(), at.String())
	testworld.WantKind(t, err, domain.Corrupt)
}

// Rows are cut between two pages of a verification and of an export.
func TestRowsThatAreCutMeanwhileAreNotMissing(t *testing.T) {
	k := newKeeping(t, false)
	k.rows(t, 2500)
	k.After(20 * day)
	k.rows(t, 1)
	for name, read := range map[string]func(a *audit.Audit) (int64, error){
		"a verification": func(a *audit.Audit) (int64, error) {
			end, err := a.Verify(t.Context(), k.Operator(), "")
			return end.Seq, err
		},
		"an export": func(a *audit.Audit) (n int64, err error) {
			err = a.Export(t.Context(), k.Operator(), func(row domain.ChainedRow, previous domain.AuditHash) error {
				if (domain.ChainPoint{Seq: row.Link.Seq - 1, Hash: previous}).After(row.Row) != row.Link {
					t.Errorf("row %d does not follow the one that was named", row.Link.Seq)
				}
				n = row.Link.Seq
				return nil
			})
			return n, err
		},
	} {
		slow := k.ports
		chain := &cutting{AuditChain: k.ports.Chain, cut: func() { k.After(day); k.cut(t) }}
		slow.Chain = chain
		got, err := read(audit.New(slow))
		if err != nil || got < k.head(t).Seq-2 {
			t.Errorf("%s: got seq %d and error %v, want the whole audit", name, got, err)
		}
	}
}

// cutting is a chain that is cut after its first page was read.
type cutting struct {
	ports.AuditChain
	cut func()
}

func (c *cutting) Links(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error) {
	rows, err := c.AuditChain.Links(ctx, after, limit)
	if cut := c.cut; cut != nil {
		c.cut = nil
		cut()
	}
	return rows, err
}

func TestAFileThatWasTamperedWithIsNamed(t *testing.T) {
	k := newKeeping(t, false)
	k.rows(t, 4)
	k.After(20 * day)
	k.rows(t, 1)
	k.cut(t)
	file := string(k.files.Content(domain.AuditFileName(1, k.head(t).Cut.Seq)))
	lines := strings.SplitAfter(file, "\n")
	for _, tc := range []struct {
		name, file string
		want       domain.Kind
	}{
		{"a changed row", strings.Replace(file, `"Outcome":"ok"`, `"Outcome":"no"`, 1), domain.Corrupt},
		{"a removed row", lines[0] + strings.Join(lines[2:], ""), domain.Corrupt},
		{"two rows swapped", lines[1] + lines[0] + strings.Join(lines[2:], ""), domain.Corrupt},
		{"a changed previous hash", lines[0] + strings.Replace(lines[1], `"Previous":"`, `"Previous":"0`, 1), domain.Invalid},
		{"a row of something else", lines[0] + "{}\n", domain.Invalid},
		{"another member", strings.Replace(file, `"Count":1`, `"Count":1,"More":1`, 1), domain.Invalid},
		{"nothing", "", domain.Invalid},
		{"a long line", strings.Repeat("x", 2<<20), domain.Invalid},
	} {
		_, err := audit.ReadSpan(strings.NewReader(tc.file))
		if domain.KindOf(err) != tc.want {
			t.Errorf("%s: got error %v, want %s", tc.name, err, tc.want)
		}
	}
}
