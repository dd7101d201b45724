package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditLog = (*AuditLog)(nil)

// AuditLog is a ports.AuditLog on a Store.
type AuditLog struct{ store *Store }

// NewAuditLog returns the AuditLog of s.
func NewAuditLog(s *Store) *AuditLog { return &AuditLog{s} }

// Append implements ports.AuditLog.
func (a *AuditLog) Append(ctx context.Context, recs ...domain.Record) error {
	s := a.store
	if len(recs) == 1 {
		return s.write(ctx, "append to the audit", func(ctx context.Context, on handle) error {
			return s.audit(ctx, on, recs[0])
		})
	}
	return s.change(ctx, "append to the audit", func(ctx context.Context, tx bun.Tx) error {
		for _, rec := range recs {
			if err := s.audit(ctx, tx.Tx, rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// Page implements ports.AuditLog. A filter other than by time goes through all rows of
// that time until there are enough.
func (a *AuditLog) Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error) {
	if limit <= 0 { // bun takes such a limit for none
		return nil, nil
	}
	texts := []struct{ column, value string }{
		{"actor", string(f.Actor)}, {"action", string(f.Action)}, {"object", f.Object}, {"outcome", f.Outcome}, {"request_id", f.RequestID},
	}
	for _, t := range texts {
		if err := storable(t.value); err != nil {
			return nil, err
		}
	}
	s := a.store
	var rows []auditRow
	err := s.read(ctx, "read the audit", func(ctx context.Context) error {
		rows = nil
		page := s.reads.NewSelect().Model(&rows).Order("at DESC", "id DESC").Limit(int64(limit))
		for _, t := range texts {
			if t.value != "" {
				page.Where("? = ?", bun.Ident(t.column), t.value)
			}
		}
		if !f.Since.IsZero() {
			page.Where("at >= ?", micros(f.Since))
		}
		if !f.Until.IsZero() {
			page.Where("at < ?", micros(f.Until))
		}
		if before != nil {
			page.Where("(at, id) < (?, ?)", micros(before.At), before.ID)
		}
		return page.Scan(ctx)
	})
	return auditRows(rows), err
}

const insertAudit = `INSERT INTO audit (at, actor, action, object, outcome, request_id, address, count) `

// audit stores the record of the change that the transaction tx is about.
func (s *Store) audit(ctx context.Context, tx handle, rec domain.Record) error {
	_, err := s.exec(ctx, tx, insertAudit+`VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, recordValues(rec)...)
	return err
}

// recordValues are the values of an audit row, in the order of insertAudit.
func recordValues(r domain.Record) []any {
	return []any{micros(r.At), string(r.Actor), string(r.Action), r.Object, r.Outcome, r.RequestID, r.Address, r.Count}
}
