package audit

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// Export chains the rows that are not in the chain yet. Then it gives each row of the chain to
// write, in the order of the chain, with the hash of the row before it. It leaves an audit
// row, which is among those that are written. Only an admin or the operator may: NotAllowed.
//
// Export begins where the audit begins. If rows are cut while it runs, it goes on where the audit begins then.
// It verifies nothing. If a row is gone, or the chain can't be extended, it writes the
// rows that are left and then returns Corrupt with the
// first of these. An error of write is returned as it is.
func (a *Audit) Export(ctx context.Context, call domain.Call, write func(row domain.ChainedRow, previous domain.AuditHash) error) error {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return err
	}
	rec := call.Record(a.ports.Clock(), domain.ActionExportAudit, domain.OnAudit(domain.ChainPoint{}))
	if err := a.ports.Log.Append(ctx, rec); err != nil {
		return err
	}
	return a.walk(ctx, write)
}

// Begins returns where the audit begins. It is zero if no row was removed. Only an admin or the operator may:
// NotAllowed.
func (a *Audit) Begins(ctx context.Context, call domain.Call) (domain.AuditCut, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return domain.AuditCut{}, err
	}
	return a.begins(ctx)
}

// Unfinished chains the rows that are not in the chain yet. Then it returns the rows of forwarded
// calls that have begun and have no second row, in the order of the chain. A call that is open
// now is one of them. Any other such call ended with its process, so nobody knows whether it was
// carried out. Only an admin or the operator may: NotAllowed. Returns Corrupt, with the rows, as
// Export does.
func (a *Audit) Unfinished(ctx context.Context, call domain.Call) ([]domain.ChainedRow, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return nil, err
	}
	begun := map[string]domain.ChainedRow{} // by the id of the request
	err := a.walk(ctx, func(row domain.ChainedRow, _ domain.AuditHash) error {
		switch {
		case row.Row.Outcome == domain.OutcomeBegun:
			begun[row.Row.RequestID] = row
		case row.Row.Action == domain.ActionForward && row.Row.Object == begun[row.Row.RequestID].Row.Object:
			delete(begun, row.Row.RequestID)
		}
		return nil
	})
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return nil, err
	}
	rows := slices.SortedFunc(maps.Values(begun), func(a, b domain.ChainedRow) int { return cmp.Compare(a.Link.Seq, b.Link.Seq) })
	return rows, err
}

// walk is Export without its audit row.
func (a *Audit) walk(ctx context.Context, write func(row domain.ChainedRow, previous domain.AuditHash) error) error {
	broken := a.drainChain(ctx)
	if broken != nil && domain.KindOf(broken) != domain.Corrupt {
		return broken
	}
	begins, err := a.begins(ctx)
	if err != nil {
		return err
	}
	last := begins.ChainPoint
	for {
		rows, err := a.ports.Chain.Links(ctx, last.Seq, paging.Max)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return broken
		}
		if rows[0].Link.Seq > last.Seq+1 { // rows may have been cut meanwhile
			if begins, err = a.begins(ctx); err != nil {
				return err
			}
			if begins.Seq > last.Seq {
				last = begins.ChainPoint
				continue
			}
		}
		for _, row := range rows {
			if row.Gone {
				if _, err := last.Check(row); broken == nil {
					broken = err
				}
			} else if err := write(row, last.Hash); err != nil {
				return err
			}
			last = row.Link.ChainPoint
		}
	}
}
