package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Sealings reads and replaces everything that is stored sealed, so that the keys of the keyset
// can be rotated.
type Sealings interface {
	// Page returns at most limit rows that another key than except sealed and that come after
	// the place, in the order of SealedRef.Compare. Rows of projects' keys have the
	// project's name and the key's status. Conversations that are over are left out, and the
	// tokens of logins that are over. "" excepts no key. No match is no error.
	Page(ctx context.Context, except domain.KeyID, after domain.SealedRef, limit int) ([]domain.SealedRow, error)

	// Replace stores To in place of From, or forgets the row if To is zero, and returns for
	// how many rows. It passes over a row that is gone or that holds something else by now,
	// and a zero To for a kind that is not SealedKind.Forgettable. The login goes with its tokens, and
	// with what is under it. It keeps no record, since what is sealed stays the same and nothing goes
	// that could be used.
	Replace(ctx context.Context, rows []domain.Resealed) (int, error)

	// ToReenter returns how many keys of projects have the status KeyNeedsReentry.
	ToReenter(ctx context.Context) (int, error)

	// Uses returns how much each key of the keyset has sealed: the rows that Page returns,
	// the cookies of live sessions, and the handles of conversations that can be used.
	// Entries whose key is unknown are counted under "". A key that has sealed nothing is
	// left out.
	Uses(ctx context.Context) (map[domain.KeyID]domain.KeyUse, error)
}
