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

// verdict carries the error of a caller's function out of a transaction. failure returns that
// error as it is.
type verdict struct{ error }

// errAgain asks for the transaction to run again, because another one got in its way.
var errAgain = errors.New("bunstore: another transaction conflicts")

// failure translates every error of this package's methods. Errors of the domain stay as they
// are. An id that is taken becomes Conflict, and all others become Unavailable. what names the
// work that failed.
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
	if taken(err) {
		return domain.IDTaken()
	}
	cause := fmt.Errorf("bunstore: %s: %w", what, harmless(err))
	if refusedToWrite(err) {
		return domain.ReadsOnly(cause)
	}
	return &domain.Error{Kind: domain.Unavailable, Public: "the database could not answer; try again", Cause: cause}
}

// harmless is err for the log, without the values of the statement. The texts of database
// errors contain such values at times. What harmless returns does not wrap them either.
func harmless(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, errAgain,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[unreachable](err); ok {
		return errors.New(e.Error())
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return inWords(e)
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

// lost reports whether a connection broke that had worked. The database may be there again
// already.
func lost(err error) bool {
	if _, ok := errors.AsType[unreachable](err); ok {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// 57P01 to 57P03 mean that the server shuts down or starts. Codes that begin with 08
		// are about the connection (PostgreSQL documentation, appendix A).
		return strings.HasPrefix(e.Code, "57P0") || strings.HasPrefix(e.Code, "08")
	}
	if e, ok := errors.AsType[net.Error](err); ok {
		return !e.Timeout()
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed)
}

// collided reports whether a transaction was rolled back because of another one. Postgres
// reports a deadlock or a failed serialization to one of the two.
func collided(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40P01" || e.Code == "40001"
	}
	return errors.Is(err, errAgain)
}

// The codes of Postgres that are treated apart (PostgreSQL documentation, appendix A).
const (
	readOnlyTransaction = "25006"
	diskFull            = "53100"
)

// refusedToWrite reports whether a change failed because the database can't be written, though it
// may be read: it is a standby, or its disk is full or read-only.
func refusedToWrite(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == readOnlyTransaction || e.Code == diskFull
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL:
		return true
	case sqlite3.SQLITE_IOERR:
		return e.Code() != sqlite3.SQLITE_IOERR_READ && e.Code() != sqlite3.SQLITE_IOERR_SHORT_READ
	}
	return false
}

// taken reports whether a row was not stored because another one has its id. Statements name
// the other unique columns as the target of ON CONFLICT, or look for them first.
func taken(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505" // unique_violation (PostgreSQL documentation, appendix A)
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// busy reports whether another process has locked the SQLite file.
func busy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
