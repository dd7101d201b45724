package bunstore

import "context"

// StopWrites makes SQLite refuse changes, as on a file system that is read-only.
func (s *Store) StopWrites(ctx context.Context) { s.pragma(ctx, "PRAGMA query_only = ON") }

// AllowWrites ends what StopWrites began.
func (s *Store) AllowWrites(ctx context.Context) { s.pragma(ctx, "PRAGMA query_only = OFF") }

// pragma changes the only connection that writes.
func (s *Store) pragma(ctx context.Context, text string) {
	if _, err := s.writes.DB.ExecContext(ctx, text); err != nil {
		panic(err)
	}
}
