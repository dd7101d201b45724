package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Installation = (*Installation)(nil)

// Installation is a ports.Installation on a Store.
type Installation struct{ store *Store }

// installationRow is what the database knows about the installation.
type installationRow struct {
	KeyID           domain.KeyID
	Known           []byte
	Origin          domain.Origin
	PseudonymsKeyID domain.KeyID
	Pseudonyms      []byte
}

func (r *installationRow) installation() domain.Installation {
	return domain.Installation{
		Known:      domain.Sealed{Key: r.KeyID, Bytes: r.Known},
		Origin:     r.Origin,
		Pseudonyms: domain.Sealed{Key: r.PseudonymsKeyID, Bytes: r.Pseudonyms},
	}
}

// schemaRow is the version of the schema.
type schemaRow struct{ Schema int }

const (
	selectSchema = `SELECT max(version) AS schema FROM schema_versions`

	selectInstallation = `SELECT key_id, known, origin, pseudonyms_key_id, pseudonyms FROM installation`

	putInstallation = `INSERT INTO installation (id, key_id, known, origin, pseudonyms_key_id, pseudonyms) VALUES (1, $1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, known = excluded.known, origin = excluded.origin,
	pseudonyms_key_id = excluded.pseudonyms_key_id, pseudonyms = excluded.pseudonyms`

	resealInstallation = `UPDATE installation SET key_id = $1, known = $2, origin = $3, pseudonyms_key_id = $4, pseudonyms = $5
WHERE id = 1 AND key_id = $6 AND known = $7 AND origin = $8 AND pseudonyms_key_id IS NOT DISTINCT FROM $9
	AND pseudonyms IS NOT DISTINCT FROM $10`
)

func notPrepared() error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the database is not prepared yet; start the service once, or try again later"}
}

// Prepare implements ports.Installation. The schema and the stored values change together. If
// check fails, the schema stays as it was. Prepare goes on until ctx ends, whatever the
// Timeout of the Store is. check must not use the Store.
func (i *Installation) Prepare(ctx context.Context, check func(domain.Installation) (domain.Installation, error)) error {
	s := i.store
	return failure("prepare the database", s.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.upgrade(ctx, tx); err != nil {
			return err
		}
		var rows []installationRow
		if err := s.query(ctx, tx.Tx, &rows, selectInstallation); err != nil {
			return err
		}
		var heads []headRow
		if err := s.query(ctx, tx.Tx, &heads, selectHead); err != nil {
			return err
		}
		var was domain.Installation
		if len(rows) == 1 {
			was = rows[0].installation()
		}
		if len(heads) == 1 {
			was.Head = heads[0].head()
		}
		is, err := check(was)
		if err != nil {
			return verdict{err}
		}
		is = was.Changed(is)
		if len(heads) == 0 && !is.Head.Sealed.IsZero() {
			if _, err := s.exec(ctx, tx.Tx, putHead, headValues(is.Head)...); err != nil {
				return err
			}
		}
		if len(rows) == 1 && is.Origin == was.Origin && is.Known.Equal(was.Known) && is.Pseudonyms.Equal(was.Pseudonyms) {
			return nil
		}
		_, err = s.exec(ctx, tx.Tx, putInstallation, installationValues(is)...)
		return err
	}))
}

// Reseal implements ports.Installation. Reseal and Prepare take turns.
func (i *Installation) Reseal(ctx context.Context, act domain.Act, from, to domain.Installation) error {
	s := i.store
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return failure("reseal the installation", s.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := s.allowed(ctx, tx, act, shared); err != nil {
			return err
		}
		n, err := s.exec(ctx, tx.Tx, resealInstallation, append(installationValues(to), installationValues(from)...)...)
		if err != nil {
			return err
		}
		if n == 0 {
			var rows []installationRow
			if err := s.query(ctx, tx.Tx, &rows, selectInstallation); err != nil {
				return err
			}
			if len(rows) == 0 {
				return notPrepared()
			}
			return &domain.Error{Kind: domain.Conflict, Public: "another process changed the installation; try again"}
		}
		return s.audit(ctx, tx.Tx, act.Record)
	}))
}

// installationValues returns the values of the row, in the order of its columns.
func installationValues(is domain.Installation) []any {
	var pseudonyms any // NULL if there are none
	if !is.Pseudonyms.IsZero() {
		pseudonyms = is.Pseudonyms.Bytes
	}
	return []any{string(is.Known.Key), is.Known.Bytes, string(is.Origin), nullable(string(is.Pseudonyms.Key)), pseudonyms}
}

// Get implements ports.Installation.
func (i *Installation) Get(ctx context.Context) (domain.Installation, error) {
	s := i.store
	all, _, err := s.known()
	if err != nil {
		return domain.Installation{}, failure("list the migrations", err)
	}
	var schema []schemaRow
	var rows []installationRow
	err = s.read(ctx, "read what is known of the installation", func(ctx context.Context) error {
		// The schema comes first: an older one lacks columns that are read then.
		if err := s.lookUp(ctx, &schema, selectSchema); err != nil || schema[0].Schema < len(all) {
			return err
		}
		return s.lookUp(ctx, &rows, selectInstallation)
	})
	switch {
	case err != nil:
		return domain.Installation{}, err
	case schema[0].Schema < len(all):
		return domain.Installation{}, &domain.Error{Kind: domain.Unavailable, Public: "the database schema is older than this program needs; run 'flowlatch migrate up'"}
	case len(rows) == 0:
		return domain.Installation{}, notPrepared()
	}
	return rows[0].installation(), nil
}
