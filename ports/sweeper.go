package ports

import "context"

// Sweeper tidies the database up.
type Sweeper interface {
	// Sweep forgets at most limit sessions, conversations, previous texts of access tokens and uses of
	// domain.Once that are over and returns how many. A login stays while its assistant session is not over. Sweep
	// keeps no record, since nothing goes that could still be used.
	Sweep(ctx context.Context, limit int) (int, error)
}
