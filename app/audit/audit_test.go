package audit_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// world is an installation whose start-up check has succeeded, and its audit.
type world struct {
	*testworld.World
	audit *audit.Audit
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testworld.New(t)}
	w.audit = open(t, w.World)
	return w
}

// open returns the audit of another instance.
func open(t *testing.T, w *testworld.World) *audit.Audit {
	t.Helper()
	store := w.Store.Ports()
	_, err := keyset.Open(t.Context(), keyset.Ports{
		Installation: store.Installation, Sealings: store.Sealings, Projects: store.Projects, Sessions: store.Sessions, Audit: store.Audit,
		Cipher: w.Cipher, Keyring: w.Cipher, Pseudonyms: w.Pseudonyms, Origins: testworld.Origins(), Clock: w.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return audit.New(audit.Ports{
		Log: store.Audit, Chain: store.Chain, Checks: store.Checks, Projects: store.Projects, Users: store.Users, Cipher: w.Cipher, Clock: w.Now,
	})
}

// verified is what Verify returns, which must be well.
func (w *world) verified(t *testing.T, noted string) domain.ChainPoint {
	t.Helper()
	rows := len(w.Store.Records())
	end, err := w.audit.Verify(t.Context(), w.Operator(), noted)
	if err != nil {
		t.Fatal(err)
	}
	if end.Seq != int64(rows) {
		t.Fatalf("got %d rows, want all %d", end.Seq, rows)
	}
	return end.ChainPoint
}

func TestVerifyCountsEveryRow(t *testing.T) {
	w := newWorld(t)
	first := w.verified(t, "")
	w.Project(t, "Bot")
	last := w.verified(t, first.String())
	w.verified(t, last.String())
	w.verified(t, domain.ChainPoint{}.String())
	records := w.Store.Records()
	if rec := records[len(records)-2]; rec.Action != domain.ActionVerifyAudit || rec.Actor != domain.ActorOperator || rec.Outcome != "ok" ||
		!strings.HasPrefix(rec.Object, "audit:") {
		t.Errorf("got the row %+v", rec)
	}
	member := domain.Call{Caller: domain.Caller{ID: "x"}}
	_, err := w.audit.Verify(t.Context(), member, "")
	testworld.WantKind(t, err, domain.NotAllowed)
	testworld.WantKind(t, w.audit.Export(t.Context(), member, nil), domain.NotAllowed)
	_, err = w.audit.Events(t.Context(), member, audit.EventQuery{}, domain.Cursor{}, 1)
	testworld.WantKind(t, err, domain.NotAllowed)
	_, err = w.audit.Verify(t.Context(), w.Admin, "x")
	testworld.WantKind(t, err, domain.Invalid)
}

// Tampering of each sort, in what is stored. chains says that the service goes on to chain
// afterwards: it can't see what is further back than the end.
func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
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
		}, "this keyset did not sign the head", false},
		{"so, with the head sealed under another keyset", func(t *testing.T, _ *world, r records, l links, h head) {
			*r, *l = (*r)[:4], (*l)[:4]
			h.ChainPoint, h.Settled = (*l)[3].ChainPoint, 4
			sign(t, foreign, h)
		}, "this keyset did not sign the head", false},
		{"the head removed", func(_ *testing.T, _ *world, _ records, _ links, h head) { *h = domain.AuditHead{} }, "removed", false},
		{"the links and the head removed, but for what is settled", func(_ *testing.T, _ *world, _ records, l links, h head) {
			*l, h.ChainPoint = nil, domain.ChainPoint{}
		}, "this keyset did not sign the head", false},
		{"the settled made lower", func(_ *testing.T, _ *world, _ records, _ links, h head) { h.Settled-- }, "this keyset did not sign the head", false},
		{"the head an older one", func(t *testing.T, w *world, _ records, l links, h head) {
			h.ChainPoint, h.Settled = (*l)[3].ChainPoint, 4
			sign(t, w.Cipher, h) // as it was once
		}, "the links from seq 5 on", false},
		{"a link that somebody else wrote", func(_ *testing.T, _ *world, r records, l links, _ head) {
			*r = append(*r, (*r)[0])
			*l = append(*l, (*l)[len(*l)-1].After(domain.AuditRow{ID: int64(len(*r)), Record: (*r)[0]}))
		}, "its signed head says", false},
		{"all of it removed, so that it begins again", func(_ *testing.T, _ *world, r records, l links, h head) {
			*r, *l, *h = nil, nil, domain.AuditHead{}
		}, "it had a chain and has none now", false},
		{"the chain and its head removed, and a row changed", func(_ *testing.T, _ *world, r records, l links, h head) {
			(*r)[1].Actor, *l, *h = "user:framed", nil, domain.AuditHead{}
		}, "it had a chain and has none now", false},
		{"a row that is in no chain", func(t *testing.T, w *world, r records, _ links, h head) {
			*r = append(*r, (*r)[0])
			h.Settled++
			sign(t, w.Cipher, h) // as if it had been settled before the row was put in
		}, "is not in the chain", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			for range 4 {
				w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
			}
			w.verified(t, "")
			w.verified(t, "")
			if err := w.audit.Chain(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) { tc.tamper(t, w, r, l, h) })

			// Another instance, which has seen nothing of it, is not fooled either.
			other := open(t, w.World)
			_, err := other.Verify(t.Context(), w.Operator(), "")
			if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got error %v, want a Corrupt with %q", err, tc.says)
			}
			records := w.Store.Records()
			if rec := records[len(records)-1]; rec.Action != domain.ActionVerifyAudit || rec.Outcome != domain.OutcomeBroken {
				t.Errorf("got the row %+v", rec)
			}
			if err := other.Chain(t.Context()); (err == nil) != tc.chains || err != nil && domain.KindOf(err) != domain.Corrupt {
				t.Errorf("Chain afterwards: got error %v, want none: %v", err, tc.chains)
			}
			if _, err := other.Verify(t.Context(), w.Operator(), ""); domain.KindOf(err) != domain.Corrupt {
				t.Errorf("after Chain: got error %v, want Corrupt", err)
			}
		})
	}
}

// A row that is removed before it is in the chain leaves no trace there, but for whom it
// tells of.
func TestVerifyMissesTheBeginningOfAUser(t *testing.T) {
	w := newWorld(t)
	eve := domain.OnUser(w.User(t, "eve", domain.RoleMember))
	w.Project(t, "Bot")
	w.Store.Tamper(func(r *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		*r = slices.DeleteFunc(*r, func(rec domain.Record) bool { return rec.Action == domain.ActionCreateUser && rec.Object == eve })
	})
	_, err := w.audit.Verify(t.Context(), w.Operator(), "")
	if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), eve+" exists, but no row tells how it began") {
		t.Errorf("got error %v", err)
	}
}

// A database that is taken back as a whole is seen by whoever has noted the head, and by
// an instance that has seen it, once.
func TestARollbackIsSeenByANotedHead(t *testing.T) {
	w := newWorld(t)
	if err := w.audit.Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var records []domain.Record
	var links []domain.ChainLink
	var head domain.AuditHead
	w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
		records, links, head = slices.Clone(*r), slices.Clone(*l), *h
	})
	w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	noted := w.verified(t, "")
	w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, h *domain.AuditHead) {
		*r, *l, *h = records, links, head
	})

	w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	err := w.audit.Chain(t.Context())
	if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), "set back to an earlier state") {
		t.Errorf("the instance that has seen more: got error %v", err)
	}
	if err := w.audit.Chain(t.Context()); err != nil {
		t.Errorf("the second time: got error %v", err)
	}
	w.verified(t, "")
	w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	_, err = w.audit.Verify(t.Context(), w.Operator(), noted.String())
	if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), noted.String()) {
		t.Errorf("with what was noted: got error %v", err)
	}
}

func TestChainSignsWithTheKeyThatSeals(t *testing.T) {
	w := newWorld(t)
	first := w.verified(t, "")
	w.Rotate(t)
	w.verified(t, first.String())
	head, err := w.Store.Ports().Chain.Head(t.Context())
	if err != nil || head.Sealed.Key != w.Cipher.Keys()[0] {
		t.Errorf("the head is sealed by %q and error %v, want %q", head.Sealed.Key, err, w.Cipher.Keys()[0])
	}
}

func TestChainInBatches(t *testing.T) {
	w := newWorld(t)
	rec := domain.Record{At: w.Now(), Actor: domain.ActorOperator, Action: "x", Count: 1}
	if err := w.Store.Ports().Audit.Append(t.Context(), slices.Repeat([]domain.Record{rec}, 2500)...); err != nil {
		t.Fatal(err)
	}
	w.verified(t, "")
}

func TestUnfinishedCallsHaveNoSecondRow(t *testing.T) {
	w := newWorld(t)
	row := func(request, object, outcome string) domain.Record {
		return domain.Record{At: w.Now(), Actor: "user:x", Action: domain.ActionForward, Object: object, Outcome: outcome, RequestID: request, Count: 1}
	}
	const upload = "project:p POST api/v1/knowledge-base/docs/upload"
	err := w.Store.Ports().Audit.Append(t.Context(),
		row("done", upload, domain.OutcomeBegun), row("killed", upload, domain.OutcomeBegun), row("done", upload, domain.OutcomeOK),
		row("before there were two rows", upload, domain.OutcomeOK), row("lost", upload, domain.OutcomeBegun), row("last", upload, domain.OutcomeBegun),
		row("lost", "POST /v1/knowledge-base/docs/upload", string(domain.NotAuthenticated)), // how the caller was refused
		row("last", upload, domain.OutcomeUnknown))
	if err != nil {
		t.Fatal(err)
	}
	before := len(w.Store.Records())
	rows, err := w.audit.Unfinished(t.Context(), w.Operator())
	var got []string
	for _, r := range rows {
		got = append(got, r.Row.RequestID)
	}
	if want := []string{"killed", "lost"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	if len(w.Store.Records()) != before {
		t.Error("it left a row")
	}
	_, err = w.audit.Unfinished(t.Context(), w.Member())
	testworld.WantKind(t, err, domain.NotAllowed)
	w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, _ *domain.AuditHead) {
		*r, *l = (*r)[:len(*r)-1], (*l)[:len(*l)-1]
	})
	rows, err = w.audit.Unfinished(t.Context(), w.Operator())
	testworld.WantKind(t, err, domain.Corrupt)
	if len(rows) != 3 {
		t.Errorf("of a broken audit: got %d rows, want 3", len(rows))
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	w.Project(t, "Bot")
	export := func() ([]domain.ChainedRow, error) {
		var rows []domain.ChainedRow
		var last domain.ChainPoint
		err := w.audit.Export(t.Context(), w.Admin, func(row domain.ChainedRow, previous domain.AuditHash) error {
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
	if err != nil || len(rows) != len(w.Store.Records()) || rows[len(rows)-1].Row.Action != domain.ActionExportAudit {
		t.Errorf("got %d rows and error %v, want %d, the last one of the export", len(rows), err, len(w.Store.Records()))
	}
	boom := w.audit.Export(t.Context(), w.Admin, func(domain.ChainedRow, domain.AuditHash) error { return testworld.ErrBoom })
	if !errors.Is(boom, testworld.ErrBoom) {
		t.Errorf("got error %v, want that of write", boom)
	}
	w.Store.Tamper(func(r *[]domain.Record, l *[]domain.ChainLink, _ *domain.AuditHead) { *r, *l = (*r)[:2], (*l)[:3] })
	// The new row has the number of one that was cut off.
	rows, err = export()
	if domain.KindOf(err) != domain.Corrupt || len(rows) != 3 {
		t.Errorf("of a broken chain: got %d rows and error %v, want 3 and Corrupt", len(rows), err)
	}
}
