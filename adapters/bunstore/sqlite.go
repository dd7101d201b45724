package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// Both ends: temporary tables in memory, and reading by way of mapped memory, which
	// keeps look-ups as fast in a large file as in a small one.
	sqliteBoth = "&_pragma=temp_store(MEMORY)&_pragma=mmap_size(268435456)"

	// A transaction that writes takes the lock at its beginning, or two of them could
	// block each other for ever. synchronous(FULL) is what makes a commit survive the
	// power. The wait is short because SQLite does not look at contexts meanwhile: begin
	// goes on waiting.
	sqliteWriter = "_busy_timeout=100&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)" + sqliteBoth

	sqliteReader = "_busy_timeout=5000&_pragma=query_only(ON)" + sqliteBoth
)

// openSQLite makes the file if it has to and opens its two ends: one connection that
// writes, since SQLite has one writer at a time, and a few that read.
func (s *Store) openSQLite(ctx context.Context, file string) error {
	if err := makeFile(file); err != nil {
		return &domain.Error{Kind: domain.Invalid, Public: "the SQLite file " + file + " is not there and can't be made", Cause: err}
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
		if _, refused := errors.AsType[*sqlite.Error](err); refused && !busy(err) {
			return &domain.Error{Kind: domain.Invalid, Public: "the SQLite file " + file + " can't be opened", Cause: harmless(err)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pingSQLite opens a first connection. That fails at times while other processes open
// the same new file, however long they are told to wait for each other.
func pingSQLite(ctx context.Context, pool *sql.DB) error {
	for {
		err := pool.PingContext(ctx)
		if !busy(err) || !pause(ctx, 10*time.Millisecond) {
			return err
		}
	}
}

// making keeps a file that is being made from being opened by SQLite in this process.
var making sync.Mutex

// makeFile makes an empty file that only its owner may read, unless it is there. A file
// that SQLite may have open must not be closed by anybody else in the process, since
// that would take SQLite's locks away (sqlite.org, howtocorrupt.html, 2.2).
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
