package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Installation keeps what a database knows about the installation that it belongs to.
type Installation interface {
	// Prepare brings the schema up to date and then lets check look at what is stored,
	// which is zero on a database that has nothing yet; Pseudonyms alone is zero on one
	// that was last prepared before there were any. check returns what is to be stored in
	// its place, a Head where there is none only; its error is returned as it is and nothing
	// is stored. Only one Prepare
	// runs at a time on one database, whatever the number of processes, and a process that
	// is killed in the middle locks nobody out. A database whose schema is newer than this
	// program knows is Conflict.
	Prepare(ctx context.Context, check func(domain.Installation) (domain.Installation, error)) error

	// Reseal stores to in the place of from, with rec, in one atomic change. It is Conflict
	// unless from is what is stored, and then nothing is changed. While a Prepare is under
	// way it waits for it; before the first it is Unavailable.
	Reseal(ctx context.Context, from, to domain.Installation, rec domain.Record) error

	// Known returns what Prepare or Reseal stored, without the Head. It is Unavailable before that, and when the
	// schema is older than this program needs.
	Known(ctx context.Context) (domain.Installation, error)
}
