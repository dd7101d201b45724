package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditLog = (*AuditLog)(nil)

// AuditLog is a ports.AuditLog, a view on a Store.
type AuditLog struct{ store *Store }

// Append stores a record.
func (v *AuditLog) Append(ctx context.Context, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.records = append(s.records, rec)
	return nil
}
