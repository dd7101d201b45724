package bunstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flowlatch/flowlatch/domain"
)

// verdict carries the error of a caller's own function out of a transaction, past the
// translation.
type verdict struct{ error }

// errAgain is for a transaction that another one got in the way of, and that should be
// done again.
var errAgain = errors.New("bunstore: another transaction got in the way")

// failure translates every error of this package's methods. Errors of the domain stay
// as they are; all others are Unavailable. what is what could not be done.
func failure(what string, err error) error {
	if err == nil {
		return nil
	}
	if v, ok := errors.AsType[verdict](err); ok {
		return v.error
	}
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e
	}
	return &domain.Error{
		Kind: domain.Unavailable, Public: "the database could not answer; try again",
		Cause: fmt.Errorf("bunstore: %s: %w", what, harmless(err)),
	}
}

// harmless is err for the log: what can be said of it without the values of the
// statement, which the texts of database errors hold now and then. It wraps nothing
// that holds them either.
func harmless(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, errAgain,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return errors.New(strings.Join(strings.Fields(e.Error()), " ")) // its own text takes several lines
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.ConstraintName != "" {
			return fmt.Errorf("SQLSTATE %s, constraint %s", e.Code, e.ConstraintName)
		}
		return fmt.Errorf("SQLSTATE %s", e.Code)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return fmt.Errorf("SQLite code %d: %s", e.Code(), sqlite.ErrorCodeString[e.Code()&0xff])
	}
	if e, ok := errors.AsType[net.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("a %T", err)
}

// lost says whether a connection broke that had worked: the database may be there
// again already.
func lost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// 57P01 to 57P03 are a server that shuts down or starts, 08 is trouble with the
		// connection (PostgreSQL documentation, appendix A).
		return strings.HasPrefix(e.Code, "57P0") || strings.HasPrefix(e.Code, "08")
	}
	if e, ok := errors.AsType[net.Error](err); ok {
		return !e.Timeout()
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed)
}

// collided says whether a transaction was rolled back because of another one: a
// deadlock or a failed serialization, which Postgres reports to one of the two.
func collided(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40P01" || e.Code == "40001"
	}
	return errors.Is(err, errAgain)
}

// busy says whether another process has the SQLite file.
func busy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
