package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ExportAudit chains what is left of the audit and gives each row of the chain to write,
// in the order of the chain, with the hash of the row before it. It proves nothing: a row
// that is gone is left out, and makes it Corrupt at the end, as does a chain that can't
// be extended. Errors of write are returned as they are. Only an admin or the operator
// may: NotAllowed. It leaves a row, which is in what is written.
func (s *Service) ExportAudit(ctx context.Context, call Call, write func(row domain.ChainedRow, previous domain.AuditHash) error) error {
	if err := call.Caller.MayManage(); err != nil {
		return err
	}
	if err := s.ports.Store.Audit.Append(ctx, s.record(call, domain.ActionExportAudit, domain.OnAudit(domain.ChainPoint{}))); err != nil {
		return err
	}
	broken := s.drainChain(ctx)
	if broken != nil && domain.KindOf(broken) != domain.Corrupt {
		return broken
	}
	var last domain.ChainPoint
	for {
		rows, err := s.ports.Store.Chain.Links(ctx, last.Seq, MaxPage)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return broken
		}
		for _, row := range rows {
			if row.Gone {
				_, broken = last.Check(row)
			} else if err := write(row, last.Hash); err != nil {
				return err
			}
			last = row.Link.ChainPoint
		}
	}
}
