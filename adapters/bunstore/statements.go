package bunstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
)

// handle runs bound statements. It is the pool or a transaction, below bun.
type handle interface {
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
}

// query runs a statement with bound values, and bun scans its rows into dest, a pointer to a
// slice.
func (s *Store) query(ctx context.Context, on handle, dest any, statement string, args ...any) error {
	args, err := s.bind(args)
	if err != nil {
		return err
	}
	rows, err := on.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	return s.reads.ScanRows(ctx, rows, dest)
}

// lookUp is query outside a transaction. It keeps the statement prepared, since SQLite takes
// longer to prepare such a statement than to run it. On Postgres, pgx does the same.
func (s *Store) lookUp(ctx context.Context, dest any, statement string, args ...any) error {
	if s.postgres {
		return s.query(ctx, s.reads.DB, dest, statement, args...)
	}
	args, err := s.bind(args)
	if err != nil {
		return err
	}
	prepared, err := s.prepare(ctx, statement) //nolint:sqlclosecheck // kept prepared until the pool is closed
	if err != nil {
		return err
	}
	rows, err := prepared.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return s.reads.ScanRows(ctx, rows, dest)
}

// prepare returns the prepared statement, and prepares it the first time. The texts are those
// in this package, so there are not many.
func (s *Store) prepare(ctx context.Context, statement string) (*sql.Stmt, error) {
	if prepared, there := s.prepared.Load(statement); there {
		return prepared.(*sql.Stmt), nil
	}
	prepared, err := s.reads.DB.PrepareContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	first, there := s.prepared.LoadOrStore(statement, prepared)
	if there {
		err = prepared.Close() //nolint:sqlclosecheck // the other one is kept
	}
	return first.(*sql.Stmt), err
}

// exec runs a statement with bound values and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, on handle, statement string, args ...any) (int64, error) {
	args, err := s.bind(args)
	if err != nil {
		return 0, err
	}
	return changed(on.ExecContext(ctx, statement, args...))
}

// changed returns the number of rows that a statement changed.
func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// bind makes the arguments for the driver. They tell pgx how to send the statement. Returns Invalid
// for text that can't be stored.
func (s *Store) bind(values []any) ([]any, error) {
	for _, value := range values {
		if text, ok := value.(string); ok {
			if err := domain.Storable(text); err != nil {
				return nil, err
			}
		}
	}
	if !s.postgres {
		return values, nil
	}
	args := make([]any, 0, len(values)+1)
	return append(append(args, s.options.boundMode()), values...), nil
}

// maxTries is how often a call is tried at most, if it is safe to retry.
const maxTries = 3

// read runs a look-up, and runs it again if the connection was lost. look changes nothing in
// the database, and replaces what an earlier run filled in.
func (s *Store) read(ctx context.Context, what string, look func(ctx context.Context) error) error {
	return s.try(ctx, what, look, func(err error) bool { return lost(err) || busy(err) || collided(err) })
}

// write runs one statement that changes something, with its audit row. On SQLite it runs in a
// transaction, since only transactions wait for their turn. Behind a pooler it does so too, since
// only transactions have limits of time.
func (s *Store) write(ctx context.Context, what string, do func(ctx context.Context, on handle) error) error {
	if !s.postgres || s.options.Pooler == PoolerTransaction {
		return s.changeOn(ctx, what, do)
	}
	return s.noted(s.try(ctx, what, func(ctx context.Context) error { return do(ctx, s.writes.DB) }, s.rolledBack))
}

// changeOn is change for statements that can also run in no transaction.
func (s *Store) changeOn(ctx context.Context, what string, do func(ctx context.Context, on handle) error) error {
	return s.change(ctx, what, func(ctx context.Context, tx bun.Tx) error { return do(ctx, tx.Tx) })
}

// change runs do in a transaction. do may run more than once.
func (s *Store) change(ctx context.Context, what string, do func(ctx context.Context, tx bun.Tx) error) error {
	return s.noted(s.try(ctx, what, func(ctx context.Context) error {
		tx, err := s.begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after Commit
		if err := do(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	}, s.rolledBack))
}

// rolledBack reports whether a change was rolled back for a reason that another try may not meet:
// it collided with another one, or it came to a server that can't be written any longer.
func (s *Store) rolledBack(err error) bool {
	return collided(err) || refusedToWrite(err) && s.servers != nil && !s.servers.onlyReads()
}

// try runs do within the time that a call has. It runs do again, a few times, while again
// reports for the error that this helps. It translates the error.
func (s *Store) try(ctx context.Context, what string, do func(ctx context.Context) error, again func(error) bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	err := do(ctx)
	for tries := 1; err != nil && tries < maxTries && ctx.Err() == nil && again(err); tries++ {
		s.doubt(err)
		err = do(ctx)
	}
	s.doubt(err)
	return failure(what, err)
}

// doubt looks at an error. If a connection to Postgres was lost, the others are not used again.
func (s *Store) doubt(err error) {
	if s.servers != nil && err != nil && lost(err) {
		s.servers.doubt()
	}
}

// begin begins a transaction. On SQLite it is the only one that writes.
func (s *Store) begin(ctx context.Context) (bun.Tx, error) {
	var options sql.TxOptions
	behind := s.options.Pooler == PoolerTransaction && s.postgres
	if behind {
		options.Isolation = sql.LevelReadCommitted // by default, connections of ours have it
	}
	for tries := 1; ; tries++ {
		tx, err := s.writes.BeginTx(ctx, &options)
		if err == nil && behind {
			if err = s.limitLocally(ctx, tx.Tx); err != nil {
				_ = tx.Rollback() // the connection is lost
			}
		}
		s.doubt(err)
		again := lost(err) && tries < maxTries || busy(err) && pause(ctx, time.Millisecond)
		if !again || ctx.Err() != nil {
			return tx, err
		}
	}
}

// lock locks the rows that q finds, on Postgres. On SQLite, a transaction that writes has the
// whole database to itself.
func (s *Store) lock(q *bun.SelectQuery, strength string) *bun.SelectQuery {
	if s.postgres {
		return q.For(strength)
	}
	return q
}

// pause waits for d. It returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nullable returns an optional text as it is bound: NULL for "".
func nullable(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// micros returns a time as it is stored.
func micros(t time.Time) int64 { return t.UnixMicro() }

// instant reverses micros.
func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

// microsOrNever is micros of a time that may be zero, which is stored as 0.
func microsOrNever(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

// instantOrNever reverses microsOrNever.
func instantOrNever(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return instant(us)
}
