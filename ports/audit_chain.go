package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditChain keeps the chain over the rows of the AuditLog. A row gets its place in the
// chain after it was written, in a record of its own.
type AuditChain interface {
	// Extend puts at most limit rows that are not in the chain yet into it, as extend says,
	// and replaces the head, in one change. extend is called with the end of the chain and
	// the rows in the order of their ids. It is not called if there is nothing to do, and
	// called without rows if the end is not where the head says. It may be called more than
	// once, so it must not have effects outside. Its error is returned as it is, and nothing is
	// changed.
	//
	// stored is the end of the chain that this call stored, zero if it stored none.
	//
	// done reports that nothing is left: all rows from before the call are in the chain,
	// except those whose writing took longer than a second, which may follow up to five
	// seconds later. While another call extends the chain, on any instance, Extend may do
	// nothing and is not done. If an instance dies in the middle, nothing has changed and
	// another one can go on.
	Extend(ctx context.Context, limit int, extend Extend) (stored domain.ChainPoint, done bool, err error)

	// Cut replaces the head by the one that cut returns, and stores the records, in one change. cut is
	// called with the end of the chain and the head as they are stored. It may be called more than once,
	// so it must not have effects outside. Its error is returned as it is, and nothing is changed. Cut
	// waits for a call that extends the chain. It removes no row.
	Cut(ctx context.Context, cut Cut) error

	// Remove removes at most limit links with a Seq up to upTo, the first ones first, together with their
	// rows, and returns how many. It keeps no record, and does not look at the head.
	Remove(ctx context.Context, upTo int64, limit int) (int, error)

	// Links returns at most limit links with their rows, in the order of Seq, that come after
	// the link with that Seq; 0 is before the first.
	Links(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error)

	// Head returns the head that the last Extend stored; zero before the first.
	Head(ctx context.Context) (domain.AuditHead, error)

	// Waiting returns the time of the first row, in the order of the ids, that Extend has yet to put into
	// the chain. It is zero if all rows are in the chain.
	Waiting(ctx context.Context) (time.Time, error)

	// Strays returns at most limit rows that are not in the chain and that Extend will not
	// find, in the order of their ids. Somebody else inserted them below rows that were
	// chained, or removed their links. Rows of this program are never strays, however late
	// they were written.
	Strays(ctx context.Context, limit int) ([]domain.AuditRow, error)
}

// Cut makes the new head and the records that tell of it. last is the last link, zero if there is none;
// head is the stored head.
type Cut func(last domain.ChainPoint, head domain.AuditHead) (domain.AuditHead, []domain.Record, error)

// Extend makes the links of rows after the end of the chain, and the new head with settled in
// it. last is the last link, zero if there is none; head is the stored head.
type Extend func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) (
	[]domain.ChainLink, domain.AuditHead, error)
