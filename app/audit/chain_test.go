package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// retrying is a chain whose store runs a change twice. Another instance has extended the chain
// by the second time, so nothing is stored.
type retrying struct {
	ports.AuditChain
	done bool
}

func (r retrying) Extend(ctx context.Context, _ int, extend ports.Extend) (domain.ChainPoint, bool, error) {
	head, err := r.Head(ctx)
	if err != nil {
		return domain.ChainPoint{}, false, err
	}
	rec := domain.Record{Actor: domain.ActorOperator, Action: "x", Count: 1}
	_, _, err = extend(head.ChainPoint, head, []domain.AuditRow{{ID: head.Seq + 1, Record: rec}}, head.Seq+1)
	return domain.ChainPoint{}, r.done, err
}

func TestAChangeThatTheStoreRunsAgainLeavesNothingBehind(t *testing.T) {
	for _, done := range []bool{false, true} {
		w := newWorld(t)
		if err := w.audit.Chain(t.Context()); err != nil {
			t.Fatal(err)
		}
		chain := &switching{AuditChain: w.Store.Ports().Chain}
		store := w.Store.Ports()
		a := audit.New(audit.Ports{
			Log: store.Audit, Chain: chain, Projects: store.Projects, Users: store.Users, Cipher: w.Cipher, Clock: w.Now,
		})
		chain.to = retrying{store.Chain, done}
		if err := a.Chain(t.Context()); err != nil {
			t.Fatal(err)
		}
		chain.to = store.Chain
		w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
		if err := a.Chain(t.Context()); err != nil {
			t.Errorf("done %v: got error %v, want none: nothing was taken back", done, err)
		}
	}
}

// switching is a chain whose Extend is that of another one.
type switching struct {
	ports.AuditChain
	to ports.AuditChain
}

func (s *switching) Extend(ctx context.Context, limit int, extend ports.Extend) (domain.ChainPoint, bool, error) {
	return s.to.Extend(ctx, limit, extend)
}

func TestExportReturnsTheFirstFault(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	}
	w.verified(t, "")
	gone := func(rows ...int64) {
		w.Store.Tamper(func(_ *[]domain.Record, l *[]domain.ChainLink, _ *domain.AuditHead) {
			for _, i := range rows {
				(*l)[i].Row += 1000
			}
		})
	}
	gone(1, 3)
	err := w.audit.Export(t.Context(), w.Admin, func(domain.ChainedRow, domain.AuditHash) error { return nil })
	testworld.WantKind(t, err, domain.Corrupt)
	if !strings.Contains(err.Error(), "(seq 2)") {
		t.Errorf("got error %v, want that of seq 2", err)
	}

	w.Store.Tamper(func(_ *[]domain.Record, _ *[]domain.ChainLink, h *domain.AuditHead) { h.Settled-- })
	err = w.audit.Export(t.Context(), w.Admin, func(domain.ChainedRow, domain.AuditHash) error { return nil })
	testworld.WantKind(t, err, domain.Corrupt)
	if !strings.Contains(err.Error(), "did not sign the head") {
		t.Errorf("got error %v, want that of the head, which comes first", err)
	}
}
