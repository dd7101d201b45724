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
				Where("c.token_id IS NULL AND c.expires <= ?", now).Order("c.expires"), "UPDATE OF c SKIP LOCKED")},
			{(*conversationRow)(nil), s.lock(tx.NewSelect().TableExpr("access_tokens t CROSS JOIN conversations c").Column("c.id").
				Where("t.expires <= ? AND c.token_id = t.id", now), "UPDATE OF c SKIP LOCKED")},
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
		if swept >= limit {
			return nil
		}
		ended := s.lock(tx.NewSelect().TableExpr("access_tokens t").Column("t.id").
			Where("t.previous_hash IS NOT NULL AND t.previous_expires <= ?", now).Order("t.previous_expires"), "UPDATE SKIP LOCKED")
		n, err := changed(tx.NewUpdate().Model((*tokenRow)(nil)).Set("previous_hash = NULL").Set("previous_expires = 0").
			Where("id IN (?)", ended.Limit(int64(limit-swept))).Exec(ctx))
		if swept += int(n); err != nil || swept >= limit {
			return err
		}
		used := s.lock(tx.NewSelect().TableExpr("used_once o").Column("o.kind", "o.id").
			Where("o.ends <= ?", now).Order("o.ends"), "UPDATE SKIP LOCKED")
		n, err = changed(tx.NewDelete().Model((*onceRow)(nil)).Where("(kind, id) IN (?)", used.Limit(int64(limit-swept))).Exec(ctx))
		swept += int(n)
		return err
	})
	if err != nil {
		return 0, err
	}
	return swept, nil
}
