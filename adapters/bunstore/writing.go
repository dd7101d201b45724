package bunstore

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
)

// noted notes whether the last change was refused because the database can't be written. It returns
// err.
func (s *Store) noted(err error) error {
	switch {
	case err == nil:
		s.refused.Store(false)
	case domain.IsReadsOnly(err):
		s.refused.Store(true)
	}
	return err
}

// CheckWrites implements ports.Installation. It asks a server of Postgres. After a refused change,
// and on SQLite always, it stores and removes a row, since only that shows that there is room on
// the disk.
func (i *Installation) CheckWrites(ctx context.Context) error {
	s := i.store
	if s.postgres {
		if err := s.askForWrites(ctx); err != nil || !s.refused.Load() {
			return err
		}
	}
	return s.change(ctx, "check that the database can be written", func(ctx context.Context, tx bun.Tx) error {
		// There is no version 0, and nobody sees it.
		if _, err := s.exec(ctx, tx.Tx, `INSERT INTO schema_versions (version, name, applied) VALUES (0, 'a check', 0)`); err != nil {
			return err
		}
		_, err := s.exec(ctx, tx.Tx, `DELETE FROM schema_versions WHERE version = 0`)
		return err
	})
}

// askForWrites asks a server of Postgres whether it can be written. If a connection of before says
// no, the answer of a new one counts.
func (s *Store) askForWrites(ctx context.Context) error {
	const what = "ask whether the database can be written"
	ask := func() (reading bool, err error) {
		err = s.read(ctx, what, func(ctx context.Context) error {
			var answer string
			err := s.reads.DB.QueryRowContext(ctx, `SHOW transaction_read_only`).Scan(&answer)
			reading = answer == "on"
			return err
		})
		return reading, err
	}
	reading, err := ask()
	if err == nil && reading && !s.servers.onlyReads() {
		s.servers.doubt()
		reading, err = ask()
	}
	if err == nil && reading {
		err = domain.ReadsOnly(errors.New("bunstore: the server can only be read"))
	}
	return err
}
