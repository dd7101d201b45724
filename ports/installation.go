package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Installation keeps what a database knows about the installation that it belongs to.
type Installation interface {
	// Prepare brings the schema up to date and then calls check with what is stored. That is
	// zero in a new database; Pseudonyms alone is zero in a database that was last prepared
	// before there were any. check returns the value to store; it may set Head only if none
	// is stored. Its error is returned as it is, and nothing is stored.
	//
	// Only one Prepare runs at a time on one database, whatever the number of processes. A
	// process that is killed in the middle locks nobody out. Returns Conflict if the schema
	// is newer than this program knows.
	Prepare(ctx context.Context, check func(domain.Installation) (domain.Installation, error)) error

	// Reseal replaces from with to, the same values re-encrypted. It waits for a Prepare that
	// is under way. Returns Conflict, and changes nothing, unless from is what is stored.
	// Returns Unavailable before the first Prepare.
	Reseal(ctx context.Context, act domain.Act, from, to domain.Installation) error

	// Get returns what Prepare or Reseal stored, without the Head. Returns Unavailable before
	// the first Prepare, and if the schema is older than this program needs.
	Get(ctx context.Context) (domain.Installation, error)

	// CheckWrites returns nil if the database can be written now. Returns the error of
	// domain.ReadsOnly if it can be read only. Returns Unavailable if it does not answer. It
	// may write something that nobody sees.
	CheckWrites(ctx context.Context) error
}
