package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditChecks keeps what the verifications of the audit have found, and whose turn it is to do background
// work on the audit. Of all instances on one database, one does it for all.
type AuditChecks interface {
	// Claim gives the turn to the holder until ends, and reports whether it did. It does if the turn is
	// free, if the holder has it already, and if domain.Claimable allows it. Of several calls at the
	// same instant by different holders, one succeeds. ends that is not in the future frees the turn. It
	// keeps no record.
	Claim(ctx context.Context, turn domain.Turn, holder string, ends time.Time) (bool, error)

	// Get returns the domain.AuditCheck that the last Put stored, sealed. It is zero before the first.
	Get(ctx context.Context) (domain.Sealed, error)

	// Put stores to in place of from, together with the records, and reports whether it did. It changes
	// nothing if something else than from is stored. A zero from means that nothing is stored.
	Put(ctx context.Context, from, to domain.Sealed, recs ...domain.Record) (bool, error)
}
