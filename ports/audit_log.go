package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditLog keeps the audit: the records that other views store with their changes, those
// of what changes nothing here, and the chain over all of them.
//
// A row is never changed. Its place in the chain is given to it by Chain after it was
// written, in a record of its own.
type AuditLog interface {
	// Append stores the records in their order, all of them or none.
	Append(ctx context.Context, recs ...domain.Record) error

	// Page returns at most limit of the rows that the filter picks and that come behind
	// before, or from the newest where it is nil: newest first, and of those of one time
	// the one with the higher id first. None is no error.
	Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error)

	// Chain puts at most limit rows that are not in the chain yet into it, as extend says,
	// and replaces the head, in one change. extend is called with the end of the chain and
	// the rows in the order of their ids, unless there is nothing to do; also without rows
	// where the end is not where the head says. It may be called more than once, and its
	// error is returned as it is, with nothing changed.
	//
	// done says that there are no others: all rows that were there before the call are in
	// the chain, but for those whose writing took longer than a second, which may come up to
	// five seconds later. While another call of anybody's is at it, on any instance, Chain
	// may do nothing and is not done. When an instance dies in the middle nothing has
	// changed, and another can go on.
	Chain(ctx context.Context, limit int, extend Extend) (done bool, err error)

	// Chained returns at most limit links with their rows, in the order of Seq, behind the
	// link after; 0 is before the first.
	Chained(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error)

	// Head returns what the last Chain stored as the head; zero before the first.
	Head(ctx context.Context) (domain.AuditHead, error)

	// Strays returns at most limit rows that are not in the chain and that Chain will not
	// find either, in the order of their ids: those that somebody else put in below rows
	// that were all in it, and those whose links somebody else removed. Rows of this
	// program are none, however late they were written.
	Strays(ctx context.Context, limit int) ([]domain.AuditRow, error)
}

// Extend makes the links of rows behind the end of the chain, which is the last link,
// zero where there is none, and the head as it is stored; and it makes the new head, with
// settled in it.
type Extend func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) (
	[]domain.ChainLink, domain.AuditHead, error)
