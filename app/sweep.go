package app

import "context"

// Sweep deletes the sessions and conversations that are over, in small batches, and returns how
// many there were. Start calls it once a minute.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	const batch = 500
	total := 0
	for n := batch; n == batch; {
		var err error
		if n, err = s.ports.Store.Sweeper.Sweep(ctx, batch); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
