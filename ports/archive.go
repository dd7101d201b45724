package ports

import (
	"context"
	"iter"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// Archive reads all that a database keeps for good, and fills another one with it.
type Archive interface {
	// Snapshot calls each for every row of archive.Tables that is stored, in the order of
	// archive.Row.After, which is the same for every database. All rows are of one moment,
	// whatever is written meanwhile, and no writer waits for it. It goes on until ctx ends.
	// An error of each ends it and is returned as it is.
	Snapshot(ctx context.Context, each func(row archive.Row) error) error

	// Restore stores rows, which come in the order of Snapshot, and after them the record of
	// the act. It brings the schema up to date. It replaces the installation, usage and audit
	// of a database that has no user and no project yet. All of this is one change. It goes
	// on until ctx ends. Only one Restore or Prepare runs at a time on one database.
	//
	// Returns Conflict if the database has a user or a project, and if its schema is newer
	// than this program knows. Returns Corrupt for a row of an unknown table, with values of
	// other types, out of order, there twice, or about something that does not exist. An
	// error among rows ends it and is returned as it is.
	Restore(ctx context.Context, rows iter.Seq2[archive.Row, error], act domain.Act) error
}
