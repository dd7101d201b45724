package app

import (
	"context"
	"time"
)

// Ready says whether the service can serve: the database answers, its schema is at
// least the one that this program needs, and the keyset opens the known value. Its
// answer holds for a second, so that asking often costs nothing.
func (s *Service) Ready(ctx context.Context) error {
	s.readyMu.Lock()
	defer s.readyMu.Unlock()
	now := s.ports.Clock()
	if age := now.Sub(s.readyAt); s.readyAt.IsZero() || age >= time.Second || age < 0 {
		// The answer is for everyone who asks within the second, so one who leaves does not
		// spoil it; the store bounds how long it takes.
		s.ready = s.checkReady(context.WithoutCancel(ctx))
		s.readyAt = s.ports.Clock() // whoever waited meanwhile takes this answer
	}
	return s.ready
}

func (s *Service) checkReady(ctx context.Context) error {
	is, err := s.ports.Store.Installation.Get(ctx)
	if err != nil {
		return err
	}
	return s.opens(is)
}
