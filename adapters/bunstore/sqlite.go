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
	if err := makeFile(file); err != nil {
		return &domain.Error{Kind: domain.Invalid, Public: "the SQLite file " + file + " does not exist and can't be created", Cause: err}
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
