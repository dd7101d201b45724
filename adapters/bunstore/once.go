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
// the second one waits for the first one. Each method uses a kind of its own, so no two methods lock one
// row in different orders.
const insertOnce = `INSERT INTO used_once (kind, id, ends) VALUES ($1, $2, $3)
ON CONFLICT (kind, id) DO UPDATE SET ends = excluded.ends WHERE used_once.ends <= $4`

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
