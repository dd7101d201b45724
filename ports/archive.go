package ports

import (
	"context"
	"iter"

	"github.com/flowlatch/flowlatch/domain"
)

// Archive reads all that a database keeps for good, and fills another one with it.
type Archive interface {
	// Snapshot calls each for every row that is kept of domain.ArchiveTables, in the order
	// of domain.ArchiveRow.Behind, which is the same whatever the database. All rows are
	// of one moment, whatever is written meanwhile, and nobody who writes waits for it. It
	// goes on until ctx ends. An error of each ends it and is returned as it is.
	Snapshot(ctx context.Context, each func(row domain.ArchiveRow) error) error

	// Restore makes the database one that keeps rows, which come in the order in which
	// Snapshot gives them, and the record behind them. It brings the schema up to date,
	// and what a database has before there is any user or project makes way: its
	// installation, usage and audit. All of this is one change. It goes on until ctx ends,
	// and only one Restore runs at a time on one database, beside no Prepare. With a user
	// or a project in the database it is Conflict, as with a schema that is newer than
	// this program knows. Rows that can't be are Corrupt: of no table, with values of
	// other types, out of order, there twice, or about something that is not there. An
	// error among rows ends it and is returned as it is.
	Restore(ctx context.Context, rows iter.Seq2[domain.ArchiveRow, error], act domain.Act) error
}
