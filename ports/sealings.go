package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Sealings looks at everything that is stored sealed, whatever it belongs to, so that the
// keys of the keyset can turn over. It is a view on the database that ProjectRepository is
// one of.
type Sealings interface {
	// Page returns at most limit rows that another key than except has sealed and that come
	// after the place, in the order of SealedRef.Compare, those of projects with the
	// project's name and what is known of the key in that slot, and without conversations
	// that are over. "" excepts none. None is no error.
	Page(ctx context.Context, except domain.KeyID, after domain.SealedRef, limit int) ([]domain.SealedRow, error)

	// Replace puts To in the place of From and returns in how many rows. A row that is gone
	// or in which something else is stored by now is passed over. It keeps no record, since
	// what is sealed stays the same.
	Replace(ctx context.Context, rows []domain.Resealed) (int, error)

	// Forget forgets the conversations whose session key is still the one that is given,
	// and returns how many. Rows of another kind are passed over. It keeps no record, since
	// nothing that could be used goes.
	Forget(ctx context.Context, rows []domain.SealedRow) (int, error)

	// Mark records whether the key of a project opens: as KeyNeedsReentry of its slot where
	// it does not, and as KeyUnchecked in the place of that where it does. It changes
	// nothing where that is known already, where another key is stored by now or none, and
	// for a row of another kind.
	Mark(ctx context.Context, row domain.SealedRow, opens bool, rec domain.Record) error

	// ToReenter returns how many slots are marked as KeyNeedsReentry.
	ToReenter(ctx context.Context) (int, error)

	// Uses returns how much each key has sealed: the rows that Page returns, the cookies of
	// sessions that are not over, and the handles of conversations of which neither they
	// nor the session, if one made them, are over. Under "" is that of which the key is not known. A key
	// that has sealed nothing is left out.
	Uses(ctx context.Context) (map[domain.KeyID]domain.KeyUse, error)

	// EndSealedBy ends the sessions whose cookie the key sealed, and what is under them, and
	// if handles forgets the conversations whose handle it sealed; for "" those of which the
	// key is not known. It returns how many sessions of the key and conversations that were.
	// Where there is nothing of that it succeeds and changes nothing.
	EndSealedBy(ctx context.Context, key domain.KeyID, handles bool, rec domain.Record) (domain.KeyUse, error)
}
