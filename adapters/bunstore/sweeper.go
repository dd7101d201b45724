package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Sweeper = (*Sweeper)(nil)

// Sweeper is a ports.Sweeper on a Store.
type Sweeper struct{ store *Store }

// Sweep implements ports.Sweeper.
func (w *Sweeper) Sweep(ctx context.Context, limit int) (int, error) {
	s := w.store
	now := micros(s.options.Now())
	swept := 0
	err := s.change(ctx, "sweep", func(ctx context.Context, tx bun.Tx) error {
		swept = 0
		// A locked row is skipped: somebody else uses, replaces or sweeps it.
		for _, pass := range []struct {
			model any
			over  *bun.SelectQuery
		}{
			{(*conversationRow)(nil), s.lock(tx.NewSelect().TableExpr("conversations c").Column("c.id").
				Where("c.expires <= ?", now).Order("c.expires"), "UPDATE OF c SKIP LOCKED")},
			{(*sessionRow)(nil), s.lock(tx.NewSelect().TableExpr("sessions s").Column("s.id").
				Where("s.ends <= ? AND s.kind = ?", now, domain.AssistantSession).Order("s.ends"), "UPDATE OF s SKIP LOCKED")},
			{(*sessionRow)(nil), s.lock(tx.NewSelect().TableExpr("sessions s").Column("s.id").
				Where("s.ends <= ? AND s.kind = ?", now, domain.LoginSession).
				Where("NOT EXISTS (SELECT 1 FROM sessions a WHERE a.login_id = s.id)").Order("s.ends"), "UPDATE OF s SKIP LOCKED")},
		} {
			if swept >= limit { // bun takes a limit of 0 for no limit
				return nil
			}
			n, err := changed(tx.NewDelete().Model(pass.model).Where("id IN (?)", pass.over.Limit(int64(limit-swept))).Exec(ctx))
			if err != nil {
				return err
			}
			swept += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return swept, nil
}
