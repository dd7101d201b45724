package bunstore

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditLog = (*AuditLog)(nil)

// AuditLog is a ports.AuditLog on a Store.
type AuditLog struct{ store *Store }

// NewAuditLog returns the AuditLog of s.
func NewAuditLog(s *Store) *AuditLog { return &AuditLog{s} }

// Append implements ports.AuditLog.
func (a *AuditLog) Append(ctx context.Context, rec domain.Record) error {
	s := a.store
	return s.write(ctx, "append to the audit", func(ctx context.Context, on handle) error {
		return s.audit(ctx, on, rec)
	})
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
