package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditChecks = (*AuditChecks)(nil)

// AuditChecks is a ports.AuditChecks on a Store. A turn is a row with an end, and not a lock, so that it
// outlives a connection and works behind a pooler.
type AuditChecks struct{ store *Store }

const (
	// claimTurn says what domain.Claimable says.
	claimTurn = `INSERT INTO audit_turns (name, holder, ends) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, ends = excluded.ends
WHERE audit_turns.holder = excluded.holder OR audit_turns.ends <= $4 OR audit_turns.ends > $5`

	selectCheck = `SELECT key_id, sealed FROM audit_check WHERE id = 1`

	firstCheck = `INSERT INTO audit_check (id, key_id, sealed) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING`

	nextCheck = `UPDATE audit_check SET key_id = $3, sealed = $4 WHERE id = 1 AND key_id = $1 AND sealed = $2`
)

// Claim implements ports.AuditChecks.
func (a *AuditChecks) Claim(ctx context.Context, turn domain.Turn, holder string, ends time.Time) (bool, error) {
	s := a.store
	var claimed int64
	err := s.write(ctx, "claim a turn", func(ctx context.Context, on handle) (err error) {
		now := s.options.Now()
		claimed, err = s.exec(ctx, on, claimTurn, string(turn), holder, micros(ends), micros(now), micros(now.Add(domain.MaxTurn)))
		return err
	})
	return err == nil && claimed > 0, err
}

// Get implements ports.AuditChecks.
func (a *AuditChecks) Get(ctx context.Context) (domain.Sealed, error) {
	s := a.store
	var rows []resealableRow
	err := s.read(ctx, "read what the last verification found", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, selectCheck)
	})
	if err != nil || len(rows) == 0 {
		return domain.Sealed{}, err
	}
	return domain.Sealed{Key: rows[0].KeyID, Bytes: rows[0].Sealed}, nil
}

// Put implements ports.AuditChecks.
func (a *AuditChecks) Put(ctx context.Context, from, to domain.Sealed, recs ...domain.Record) (bool, error) {
	s := a.store
	if err := domain.Storable(string(from.Key)); err != nil {
		return false, err
	}
	var put int64
	err := s.change(ctx, "store what a verification found", func(ctx context.Context, tx bun.Tx) (err error) {
		if from.IsZero() {
			put, err = s.exec(ctx, tx.Tx, firstCheck, string(to.Key), to.Bytes)
		} else {
			put, err = s.exec(ctx, tx.Tx, nextCheck, string(from.Key), from.Bytes, string(to.Key), to.Bytes)
		}
		for _, rec := range recs {
			if err != nil || put == 0 {
				break
			}
			err = s.audit(ctx, tx.Tx, rec)
		}
		return err
	})
	return err == nil && put > 0, err
}
