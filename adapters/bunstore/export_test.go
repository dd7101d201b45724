package bunstore

import "context"

// StopWrites makes SQLite refuse changes, as on a file system that is read-only.
func (s *Store) StopWrites(ctx context.Context) { s.pragma(ctx, "PRAGMA query_only = ON") }

// AllowWrites ends what StopWrites began.
func (s *Store) AllowWrites(ctx context.Context) { s.pragma(ctx, "PRAGMA query_only = OFF") }

// pragma changes a connection that writes.
func (s *Store) pragma(ctx context.Context, text string) {
	if _, err := s.writes.DB.ExecContext(ctx, text); err != nil {
		panic(err)
	}
}

// StopWritesHere makes a connection to Postgres refuse changes, as after a change of the server's
// configuration. With MaxConns 1 it is the only one.
func (s *Store) StopWritesHere(ctx context.Context) {
	s.pragma(ctx, "SET default_transaction_read_only = on")
}
