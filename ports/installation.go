package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Installation is what a database knows about the installation that it belongs to:
// a known value, sealed with the installation's keyset, and the Voiceflow that its
// keys are for.
type Installation interface {
	// Prepare brings the schema up to date and then lets check look at the known value
	// that is stored; both are zero on a database that has none yet. check returns the
	// value and the origin to be stored there, which replace what was there; its error is
	// returned as it is and nothing is stored. Only one Prepare runs at a time on one
	// database, whatever the number of processes, and a process that is killed in the
	// middle locks nobody out. A database whose schema is newer than this program knows
	// is Conflict.
	Prepare(ctx context.Context, check func(known domain.Sealed, at domain.Origin) (domain.Sealed, domain.Origin, error)) error

	// Known returns what Prepare stored. It is Unavailable before that, and when the
	// schema is older than this program needs.
	Known(ctx context.Context) (domain.Sealed, domain.Origin, error)
}
