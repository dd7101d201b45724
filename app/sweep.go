package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// sweepBatch is how much is deleted in one change.
const sweepBatch = 500

// Sweep deletes the sessions and conversations that are over, and the usage of days that are no longer kept,
// in small batches, and returns how many there were. Start calls it once a minute.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	over, err := inBatches(func() (int, error) { return s.ports.Store.Sweeper.Sweep(ctx, sweepBatch) })
	if err != nil || s.usageKeepDays == 0 {
		return over, err
	}
	before := domain.KeptFrom(s.ports.Clock(), s.usageKeepDays)
	old, err := inBatches(func() (int, error) { return s.ports.Store.Usage.Forget(ctx, before, sweepBatch) })
	return over + old, err
}

// inBatches calls sweep until nothing is left, and returns how much it has deleted.
func inBatches(sweep func() (int, error)) (int, error) {
	total := 0
	for n := sweepBatch; n == sweepBatch; {
		var err error
		if n, err = sweep(); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
