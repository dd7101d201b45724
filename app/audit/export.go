package audit

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// Export chains the rows that are not in the chain yet. Then it gives each row of the chain to
// write, in the order of the chain, with the hash of the row before it. It leaves an audit
// row, which is among those that are written. Only an admin or the operator may: NotAllowed.
//
// Export verifies nothing. If a row is gone, or the chain can't be extended, it writes the
// rows that are left and then returns Corrupt with the
// first of these. An error of write is returned as it is.
func (a *Audit) Export(ctx context.Context, call domain.Call, write func(row domain.ChainedRow, previous domain.AuditHash) error) error {
	if err := call.Caller.MayManage(); err != nil {
		return err
	}
	rec := call.Record(a.ports.Clock(), domain.ActionExportAudit, domain.OnAudit(domain.ChainPoint{}))
	if err := a.ports.Log.Append(ctx, rec); err != nil {
		return err
	}
	broken := a.drainChain(ctx)
	if broken != nil && domain.KindOf(broken) != domain.Corrupt {
		return broken
	}
	var last domain.ChainPoint
	for {
		rows, err := a.ports.Chain.Links(ctx, last.Seq, paging.Max)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return broken
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
