package app_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// verified is what VerifyAudit returns, which must be well.
func (w *world) verified(t *testing.T, noted string) domain.ChainPoint {
	t.Helper()
	rows := len(w.store.Records())
	end, err := w.VerifyAudit(t.Context(), w.operator(t), noted)
	if err != nil {
		t.Fatal(err)
	}
	if end.Seq != int64(rows) {
		t.Fatalf("got %d rows, want all %d", end.Seq, rows)
	}
	return end
}

func TestVerifyAuditCountsEveryRow(t *testing.T) {
	w := newWorld(t)
	first := w.verified(t, "")
	w.project(t, "Bot", versionID)
	last := w.verified(t, first.String())
	w.verified(t, last.String())
	w.verified(t, domain.ChainPoint{}.String())
	records := w.store.Records()
	if rec := records[len(records)-2]; rec.Action != domain.ActionVerifyAudit || rec.Actor != domain.ActorOperator || rec.Outcome != "ok" ||
		!strings.HasPrefix(rec.Object, "audit:") {
		t.Errorf("got the row %+v", rec)
	}
	member := app.Call{Caller: domain.Caller{ID: "x"}}
	_, err := w.VerifyAudit(t.Context(), member, "")
	wantKind(t, err, domain.NotAllowed)
	wantKind(t, w.ExportAudit(t.Context(), member, nil), domain.NotAllowed)
	_, err = w.GetAuditEvents(t.Context(), member, app.GetAuditEvents{}, domain.Cursor{}, 1)
	wantKind(t, err, domain.NotAllowed)
	_, err = w.VerifyAudit(t.Context(), w.admin, "x")
	wantKind(t, err, domain.Invalid)
}

// Tampering of each sort, in what is stored. chains says that the service goes on to chain
// afterwards: it can't see what is further back than the end.
func TestVerifyAuditFindsWhatWasTamperedWith(t *testing.T) {
	foreign := memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	sign := func(t *testing.T, cipher *memory.Cipher, head *domain.AuditHead) {
		t.Helper()
		var err error
		if head.Sealed, err = cipher.Seal(domain.NewSecret(head.Text()), domain.BindAuditHead()); err != nil {
			t.Fatal(err)
		}
	}
	type records = *[]domain.Record
	type links = *[]domain.ChainLink
	type head = *domain.AuditHead
	for _, tc := range []struct {
		name   string
		tamper func(t *testing.T, w *world, r records, l links, h head)
		says   string
		chains bool
	}{
		{"a field changed", func(_ *testing.T, _ *world, r records, _ links, _ head) { (*r)[2].Outcome = "x" }, "row 3 (seq 3)", true},
		{"two rows swapped", func(_ *testing.T, _ *world, r records, _ links, _ head) { (*r)[1], (*r)[2] = (*r)[2], (*r)[1] }, "row 2 (seq 2)", true},
		{"a link removed", func(_ *testing.T, _ *world, _ records, l links, _ head) { *l = slices.Delete(*l, 2, 3) }, "from seq 2 to seq 4 (row 4)", true},
		{"a row inserted in the middle", func(_ *testing.T, _ *world, r records, _ links, _ head) {
			*r = slices.Insert(*r, 2, (*r)[0])
		}, "row 3 (seq 3)", true},
		{"the last row removed", func(_ *testing.T, _ *world, r records, _ links, _ head) { *r = (*r)[:len(*r)-1] }, "was removed", true},
		{"the last rows and their links removed", func(_ *testing.T, _ *world, r records, l links, _ head) {
			*r, *l = (*r)[:4], (*l)[:4]
		}, "the rows from seq 5 on were cut off", false},
		{"so, with the head made to fit", func(_ *testing.T, _ *world, r records, l links, h head) {
			*r, *l = (*r)[:4], (*l)[:4]
			h.ChainPoint, h.Settled = (*l)[3].ChainPoint, 4
		}, "was not signed by this keyset", false},
		{"so, with the head sealed under another keyset", func(t *testing.T, _ *world, r records, l links, h head) {
			*r, *l = (*r)[:4], (*l)[:4]
			h.ChainPoint, h.Settled = (*l)[3].ChainPoint, 4
			sign(t, foreign, h)
		}, "was not signed by this keyset", false},
		{"the head removed", func(_ *testing.T, _ *world, _ records, _ links, h head) { *h = domain.AuditHead{} }, "removed", false},
		{"the links and the head removed, but for what is settled", func(_ *testing.T, _ *world, _ records, l links, h head) {
			*l, h.ChainPoint = nil, domain.ChainPoint{}
		}, "was not signed by this keyset", false},
		{"the settled made lower", func(_ *testing.T, _ *world, _ records, _ links, h head) { h.Settled-- }, "was not signed by this keyset", false},
		{"the head an older one", func(t *testing.T, w *world, _ records, l links, h head) {
			h.ChainPoint, h.Settled = (*l)[3].ChainPoint, 4
			sign(t, w.cipher, h) // as it was once
		}, "the links from seq 5 on", false},
		{"a link that somebody else wrote", func(_ *testing.T, _ *world, r records, l links, _ head) {
			*r = append(*r, (*r)[0])
			*l = append(*l, (*l)[len(*l)-1].After(domain.AuditRow{ID: int64(len(*r)), Record: (*r)[0]}))
		}, "its signed head says", false},
		{"all of it removed, so that it begins anew", func(_ *testing.T, _ *world, r records, l links, h head) {
			*r, *l, *h = nil, nil, domain.AuditHead{}
		}, "it had a chain, and now there is none", false},
		{"the chain and its head removed, and a row changed", func(_ *testing.T, _ *world, r records, l links, h head) {
			(*r)[1].Actor, *l, *h = "user:framed", nil, domain.AuditHead{}
		}, "it had a chain, and now there is none", false},
		{"a row that is in no chain", func(t *testing.T, w *world, r records, _ links, h head) {
			*r = append(*r, (*r)[0])
			h.Settled++
			sign(t, w.cipher, h) // as if it had been settled before the row was put in
		}, "is not in the chain", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			for range 4 {
				w.login(t, "ada", false)
			}
			w.verified(t, "")
			w.verified(t, "")
			if err := w.ChainAudit(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) { tc.tamper(t, w, r, l, h) })

			// Another instance, which has seen nothing of it, is not fooled either.
			other := w.open(t, w.ports())
			_, err := other.VerifyAudit(t.Context(), w.operator(t), "")
			if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got error %v, want a Corrupt with %q", err, tc.says)
			}
			records := w.store.Records()
			if rec := records[len(records)-1]; rec.Action != domain.ActionVerifyAudit || rec.Outcome != domain.OutcomeBroken {
				t.Errorf("got the row %+v", rec)
			}
			if err := other.ChainAudit(t.Context()); (err == nil) != tc.chains || err != nil && domain.KindOf(err) != domain.Corrupt {
				t.Errorf("ChainAudit afterwards: got error %v, want none: %v", err, tc.chains)
			}
			if _, err := other.VerifyAudit(t.Context(), w.operator(t), ""); domain.KindOf(err) != domain.Corrupt {
				t.Errorf("after ChainAudit: got error %v, want Corrupt", err)
			}
		})
	}
}

// A row that is removed before it is in the chain leaves no trace there, but for whom it
// tells of.
func TestVerifyAuditMissesTheBeginningOfAUser(t *testing.T) {
	w := newWorld(t)
	eve := domain.OnUser(w.user(t, w.admin, "eve", "member"))
	w.project(t, "Bot", versionID)
	w.store.Tamper(func(r *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		*r = slices.DeleteFunc(*r, func(rec domain.Record) bool { return rec.Action == domain.ActionCreateUser && rec.Object == eve })
	})
	_, err := w.VerifyAudit(t.Context(), w.operator(t), "")
	if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), "no row tells how "+eve+" began") {
		t.Errorf("got error %v", err)
	}
}

// A database that is taken back as a whole is seen by whoever has noted the head, and by
// an instance that has seen it, once.
func TestARollbackIsSeenByANotedHead(t *testing.T) {
	w := newWorld(t)
	if err := w.ChainAudit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var records []domain.Record
	var links []domain.ChainLink
	var head domain.AuditHead
	w.store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
		records, links, head = slices.Clone(*r), slices.Clone(*l), *h
	})
	w.login(t, "ada", false)
	noted := w.verified(t, "")
	w.store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
		*r, *l, *h = records, links, head
	})

	w.login(t, "ada", false)
	err := w.ChainAudit(t.Context())
	if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("the instance that has seen more: got error %v", err)
	}
	if err := w.ChainAudit(t.Context()); err != nil {
		t.Errorf("the second time: got error %v", err)
	}
	w.verified(t, "")
	w.login(t, "ada", false)
	_, err = w.VerifyAudit(t.Context(), w.operator(t), noted.String())
	if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), noted.String()) {
		t.Errorf("with what was noted: got error %v", err)
	}
}

func TestChainAuditSignsWithTheKeyThatSeals(t *testing.T) {
	w := newWorld(t)
	first := w.verified(t, "")
	if _, err := w.cipher.Rotate(t.Context(), func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.verified(t, first.String())
	head, err := w.store.Ports().Chain.Head(t.Context())
	if err != nil || head.Sealed.Key != w.cipher.Keys()[0] {
		t.Errorf("the head is sealed by %q and error %v, want %q", head.Sealed.Key, err, w.cipher.Keys()[0])
	}
}

func TestChainAuditInBatches(t *testing.T) {
	w := newWorld(t)
	rec := domain.Record{At: w.now(), Actor: domain.ActorOperator, Action: "x", Count: 1}
	if err := w.store.Ports().Audit.Append(t.Context(), slices.Repeat([]domain.Record{rec}, 2500)...); err != nil {
		t.Fatal(err)
	}
	w.verified(t, "")
}

func TestExportAudit(t *testing.T) {
	w := newWorld(t)
	w.project(t, "Bot", versionID)
	export := func() ([]domain.ChainedRow, error) {
		var rows []domain.ChainedRow
		var last domain.ChainPoint
		err := w.ExportAudit(t.Context(), w.admin, func(row domain.ChainedRow, previous domain.AuditHash) error {
			if previous != last.Hash {
				t.Errorf("row %d: got the previous hash %v, want %v", row.Row.ID, previous, last.Hash)
			}
			last = row.Link.ChainPoint
			rows = append(rows, row)
			return nil
		})
		return rows, err
	}
	rows, err := export()
	if err != nil || len(rows) != len(w.store.Records()) || rows[len(rows)-1].Row.Action != domain.ActionExportAudit {
		t.Errorf("got %d rows and error %v, want %d, the last of which is of the export", len(rows), err, len(w.store.Records()))
	}
	boom := w.ExportAudit(t.Context(), w.admin, func(domain.ChainedRow, domain.AuditHash) error { return errBoom })
	if !errors.Is(boom, errBoom) {
		t.Errorf("got error %v, want that of write", boom)
	}
	w.store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, _ *domain.AuditHead) { *r, *l = (*r)[:2], (*l)[:3] })
	// The new row has the number of one that was cut off.
	rows, err = export()
	if domain.KindOf(err) != domain.Corrupt || len(rows) != 3 {
		t.Errorf("of a broken chain: got %d rows and error %v, want 3 and Corrupt", len(rows), err)
	}
}

// Run chains what is written, and at its end stores the refusals that share a row and
// chains those.
func TestRunChains(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	failed, ran := make(chan error, 1000), make(chan struct{})
	go func() {
		defer close(ran)
		w.Run(ctx, func(_ string, err error) { failed <- err })
	}()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for head := (domain.AuditHead{}); head.Seq < int64(len(w.store.Records())); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("Run does not chain")
		}
		var err error
		if head, err = w.store.Ports().Chain.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.login(t, "ada", false)
	if err := w.Refused(t.Context(), app.Call{Address: "192.0.2.1"}, "x", "", "not_allowed"); err != nil {
		t.Fatal(err)
	}
	if err := w.Refused(t.Context(), app.Call{Address: "192.0.2.1"}, "x", "", "not_allowed"); err != nil {
		t.Fatal(err)
	}
	stop()
	<-ran
	records := w.store.Records()
	if rec := records[len(records)-1]; rec.Action != "x" || rec.Count != 1 {
		t.Errorf("at the end the audit has %+v, want the other refusal", rec)
	}
	if head, err := w.store.Ports().Chain.Head(t.Context()); err != nil || head.Seq != int64(len(records)) {
		t.Errorf("at the end %d rows are chained and error %v, want %d", head.Seq, err, len(records))
	}
	if len(failed) > 0 {
		t.Errorf("Run failed: %v", <-failed)
	}
}
