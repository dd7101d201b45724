package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// All connections keep temporary tables in memory. They read through mapped memory, which
	// makes look-ups in a large file as fast as in a small one.
	sqliteBoth = "&_pragma=temp_store(MEMORY)&_pragma=mmap_size(268435456)"

	// A transaction that writes takes the lock when it begins. Otherwise two of them could
	// block each other forever. With synchronous(FULL), a commit survives a power failure.
	// SQLite does not look at contexts while it waits, so the wait is short, and begin goes on
	// waiting.
	sqliteWriter = "_busy_timeout=100&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)" + sqliteBoth

	sqliteReader = "_busy_timeout=5000&_pragma=query_only(ON)" + sqliteBoth
)

// openSQLite opens the file and makes it if it is not there. One connection writes, since
// SQLite has one writer at a time, and a few connections read.
func (s *Store) openSQLite(ctx context.Context, file string) error {
	s.where = "SQLite file " + file
	if err := makeFile(file); err != nil {
		return &domain.Error{Kind: domain.Invalid, Public: "the SQLite file " + file + " does not exist and can't be created" + because(file, err), Cause: err}
	}
	for _, end := range []struct {
		db       **bun.DB
		settings string
		conns    int
	}{
		{&s.writes, sqliteWriter, 1},
		{&s.reads, sqliteReader, min(4, s.options.MaxConns)},
	} {
		connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: file}).EscapedPath() + "?" + end.settings)
		if err != nil {
			return err
		}
		pool := sql.OpenDB(connector)
		pool.SetMaxOpenConns(end.conns)
		pool.SetMaxIdleConns(end.conns)
		*end.db = bun.NewDB(pool, sqlitedialect.New())
		err = pingSQLite(ctx, pool)
		if err == nil && *end.db == s.writes {
			err = s.tryTransaction(ctx)
		}
		if _, refused := errors.AsType[*sqlite.Error](err); refused && !busy(err) {
			return &domain.Error{Kind: domain.Invalid, Public: "the SQLite file " + file + " can't be " + refusal(file, err), Cause: harmless(err)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tryTransaction makes a change and takes it back. SQLite opens a file that it may only read, and
// begins a transaction on it, without a word (sqlite.org, src/build.c, sqlite3BeginTransaction).
func (s *Store) tryTransaction(ctx context.Context) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if busy(err) {
		return nil // another process writes, so the file can be written
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `CREATE TABLE taken_back (n integer)`)
	return errors.Join(err, tx.Rollback())
}

// refusal completes the sentence that a file can't be …, with the reason as far as it is known.
func refusal(file string, err error) string {
	// SQLite needs to make files beside its own. The attempt to make one shows whether it can.
	beside, madeErr := os.CreateTemp(filepath.Dir(file), ".flowlatch-*")
	if madeErr != nil {
		return "written" + because(file, madeErr)
	}
	if err := errors.Join(beside.Close(), os.Remove(beside.Name())); err != nil {
		return "written" + because(file, err)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			return "written: this user may not write to it, or it is read-only; correct its owner and its mode"
		case sqlite3.SQLITE_NOTADB:
			return "used, because it is not a SQLite database"
		case sqlite3.SQLITE_FULL:
			return "written, because the disk is full"
		}
	}
	return "opened"
}

// because says why a file can't be made in the folder of file.
func because(file string, err error) string {
	folder := filepath.Dir(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ", because there is no folder " + folder + "; create it"
	case errors.Is(err, fs.ErrPermission):
		return ", because this user may not write to the folder " + folder + "; correct its owner and its mode"
	case errors.Is(err, syscall.EROFS):
		return ", because the folder " + folder + " is on a read-only file system"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ", because the disk of the folder " + folder + " is full"
	}
	return ""
}

// pingSQLite makes the first connection. This fails at times while other processes open the
// same new file, whatever busy timeout is set.
func pingSQLite(ctx context.Context, pool *sql.DB) error {
	for {
		err := pool.PingContext(ctx)
		if !busy(err) || !pause(ctx, 10*time.Millisecond) {
			return err
		}
	}
}

// making keeps SQLite in this process from opening a file that is not made yet.
var making sync.Mutex

// makeFile makes an empty file that only its owner may read, unless the file is there. Nobody
// else in the process may close a file that SQLite has open, since that would drop SQLite's
// locks (sqlite.org, howtocorrupt.html, 2.2).
func makeFile(file string) error {
	making.Lock()
	defer making.Unlock()
	empty, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return empty.Close()
}
