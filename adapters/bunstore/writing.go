package bunstore

import (
	"context"
	"errors"

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
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return s.noted(failure("check that the database can be written", s.storeAndRemove(ctx)))
}

// storeAndRemove stores a row and removes it, so that nobody sees it. There is no version 0.
func (s *Store) storeAndRemove(ctx context.Context) error {
	tx, err := s.writes.DB.BeginTx(ctx, nil)
	if busy(err) {
		return nil // another process writes, so the file can be written
	}
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if _, err := s.exec(ctx, tx, `INSERT INTO schema_versions (version, name, applied) VALUES (0, 'a check', 0)`); err != nil {
		return err
	}
	if _, err := s.exec(ctx, tx, `DELETE FROM schema_versions WHERE version = 0`); err != nil {
		return err
	}
	return tx.Commit()
}

// askForWrites asks a server of Postgres whether it can be written. If an earlier connection says
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
