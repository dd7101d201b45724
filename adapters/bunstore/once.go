package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
)

// onceRow is the use of something that can be used once.
type onceRow struct {
	bun.BaseModel `bun:"table:used_once"`

	Kind domain.OnceKind `bun:",pk"`
	ID   string          `bun:",pk"`
	Ends int64
}

// insertOnce stores a use in place of one that is forgotten. Of two transactions with the same use,
// the second one waits for the first one. Only Logout uses two kinds, and logouts take turns, so no two
// transactions lock rows in different orders.
const (
	insertOnce = `INSERT INTO used_once (kind, id, ends) VALUES ($1, $2, $3)
ON CONFLICT (kind, id) DO UPDATE SET ends = excluded.ends WHERE used_once.ends <= $4`
	findOnce = `SELECT kind, id, ends FROM used_once WHERE kind = $1 AND id = $2 AND ends > $3`
)

// useOnce remembers that once was used. Returns the error of domain.UsedOnce for what if it was used
// before. The zero Once can be used at all times.
func (s *Store) useOnce(ctx context.Context, tx bun.Tx, once domain.Once, what string) error {
	if once == (domain.Once{}) {
		return nil
	}
	n, err := s.exec(ctx, tx.Tx, insertOnce, string(once.Kind), once.ID, micros(once.Ends), micros(s.options.Now()))
	if err == nil && n == 0 {
		return domain.UsedOnce(what)
	}
	return err
}

// rememberOnce remembers once, also if it is remembered already: the later end counts. It does nothing
// for the zero Once.
func (s *Store) rememberOnce(ctx context.Context, tx bun.Tx, once domain.Once) error {
	if once == (domain.Once{}) {
		return nil
	}
	_, err := s.exec(ctx, tx.Tx, insertOnce, string(once.Kind), once.ID, micros(once.Ends), micros(once.Ends))
	return err
}

// remembered reports whether once is remembered, whatever its Ends. The zero Once never is.
func (s *Store) remembered(ctx context.Context, tx bun.Tx, once domain.Once) (bool, error) {
	if once == (domain.Once{}) {
		return false, nil
	}
	var rows []onceRow
	err := s.query(ctx, tx.Tx, &rows, findOnce, string(once.Kind), once.ID, micros(s.options.Now()))
	return len(rows) > 0, err
}
