package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditLog keeps the audit: the records that other views store with their changes, the records
// of what is about to be done elsewhere, and the records of what changes nothing here. A row is
// never changed.
type AuditLog interface {
	// Append stores the records in their order, all of them or none.
	Append(ctx context.Context, recs ...domain.Record) error

	// AppendOnce stores the record and remembers that once was used, unless it was used before and is
	// remembered. It returns whether it has stored the record. Of several calls at the same instant, on
	// any instances, one does.
	AppendOnce(ctx context.Context, once domain.Once, rec domain.Record) (stored bool, err error)

	// Begin stores the record of the act and changes nothing else. The caller of Begin then
	// carries the act out elsewhere.
	Begin(ctx context.Context, act domain.Act) error

	// Find returns the row with that id and its link in the chain, which is zero if the row is not in
	// the chain yet. Returns NotFound if there is no such row.
	Find(ctx context.Context, id int64) (domain.ChainedRow, error)

	// Page returns at most limit rows that match the filter and come after before, or from
	// the newest if it is nil. The newest come first; of those of one time the one with the
	// higher id comes first. No match is no error.
	Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error)
}
