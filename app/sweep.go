package app

import "context"

// Sweep forgets the sessions that are over, in small batches, and returns how many
// went. The program that runs the service calls it now and then.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	const batch = 500
	for total := 0; ; {
		n, err := s.ports.Sessions.Sweep(ctx, batch)
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}
