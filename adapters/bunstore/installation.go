package bunstore

import (
	"bytes"
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Installation = (*Installation)(nil)

// Installation is a ports.Installation on a Store.
type Installation struct{ store *Store }

// NewInstallation returns the Installation of s.
func NewInstallation(s *Store) *Installation { return &Installation{s} }

// installationRow is what the database knows of the installation.
type installationRow struct {
	KeyID  domain.KeyID
	Known  []byte
	Origin domain.Origin
	Schema int // the last step of the schema that was applied
}

const (
	selectInstallation = `SELECT key_id, known, origin, (SELECT max(version) FROM schema_versions) AS schema FROM installation`

	putInstallation = `INSERT INTO installation (id, key_id, known, origin) VALUES (1, $1, $2, $3)
ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, known = excluded.known, origin = excluded.origin`
)

// Prepare implements ports.Installation. Schema and known value are one change: where
// check fails, the schema is as it was too. It goes on until ctx ends, whatever the
// Timeout of the Store is; check must not use the Store.
func (i *Installation) Prepare(ctx context.Context, check func(known domain.Sealed, at domain.Origin) (domain.Sealed, domain.Origin, error)) error {
	s := i.store
	return failure("prepare the database", s.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.upgrade(ctx, tx); err != nil {
			return err
		}
		var rows []installationRow
		if err := s.query(ctx, tx.Tx, &rows, selectInstallation); err != nil {
			return err
		}
		var known domain.Sealed
		var at domain.Origin
		if len(rows) == 1 {
			known, at = domain.Sealed{Key: rows[0].KeyID, Bytes: rows[0].Known}, rows[0].Origin
		}
		sealed, origin, err := check(known, at)
		if err != nil {
			return verdict{err}
		}
		if len(rows) == 1 && sealed.Key == known.Key && bytes.Equal(sealed.Bytes, known.Bytes) && origin == at {
			return nil
		}
		_, err = s.exec(ctx, tx.Tx, putInstallation, string(sealed.Key), sealed.Bytes, string(origin))
		return err
	}))
}

// Known implements ports.Installation.
func (i *Installation) Known(ctx context.Context) (domain.Sealed, domain.Origin, error) {
	s := i.store
	all, _, err := s.known()
	if err != nil {
		return domain.Sealed{}, "", failure("list the migrations", err)
	}
	var rows []installationRow
	err = s.read(ctx, "read the known value", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, selectInstallation)
	})
	switch {
	case err != nil:
		return domain.Sealed{}, "", err
	case len(rows) == 0:
		return domain.Sealed{}, "", &domain.Error{Kind: domain.Unavailable, Public: "the database is not prepared yet"}
	case rows[0].Schema < len(all):
		return domain.Sealed{}, "", &domain.Error{Kind: domain.Unavailable, Public: "the schema of the database is older than this program needs"}
	}
	return domain.Sealed{Key: rows[0].KeyID, Bytes: rows[0].Known}, rows[0].Origin, nil
}
