package app

import "context"

// Sweep forgets the sessions and conversations that are over, in small batches, and
// returns how many went. Run calls it once a minute.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	const batch = 500
	total := 0
	for _, sweep := range []func(context.Context, int) (int, error){s.ports.Conversations.Sweep, s.ports.Sessions.Sweep} {
		for n := batch; n == batch; {
			var err error
			if n, err = sweep(ctx, batch); err != nil {
				return total, err
			}
			total += n
		}
	}
	return total, nil
}
