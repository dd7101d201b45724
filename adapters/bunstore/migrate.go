package bunstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"

	"github.com/flowlatch/flowlatch/domain"
)

// The files of a folder are applied in the order of their names, each once. A file never
// changes: a change of the schema is another file.
//
//go:embed migrations
var migrations embed.FS

// steps are the parts of migrations that SQL can't do, by the name of the file without its number.
// A step runs after the file, in the same transaction. It never changes what it does.
var steps = map[string]func(s *Store, ctx context.Context, tx bun.Tx) error{
	"names":               (*Store).normalizeNames,
	"pictures_and_search": (*Store).fillSearch,
}

// Migration is one step of the schema.
type Migration struct {
	Version int       // 1 for the first
	Name    string    // of its file, such as 0001_initial
	Applied time.Time // zero if it is not applied yet
}

// versionRow is a step that is applied.
type versionRow struct {
	bun.BaseModel `bun:"table:schema_versions"`

	Version int `bun:",pk"`
	Name    string
	Applied int64
}

// Both dialects accept this text.
const createVersions = `CREATE TABLE schema_versions (version integer PRIMARY KEY, name text NOT NULL, applied bigint NOT NULL)`

// Migrations lists the steps of the schema in their order. The steps that this program knows
// come first, and those that a newer program has applied follow. Migrations changes nothing.
// Returns Unavailable if the database does not answer.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	all, _, err := s.known()
	if err != nil {
		return nil, failure("list the migrations", err)
	}
	var applied []versionRow
	err = s.read(ctx, "list the migrations", func(ctx context.Context) (err error) {
		applied, err = s.applied(ctx, s.reads)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, row := range applied {
		if row.Version > len(all) {
			all = append(all, Migration{Version: row.Version, Name: row.Name, Applied: instant(row.Applied)})
		} else {
			all[row.Version-1].Applied = instant(row.Applied)
		}
	}
	return all, nil
}

// Migrate brings the schema up to date. It applies all missing steps or none. Only one process
// at a time does so, and the others wait until their ctx ends. A process that is killed
// locks nobody out. Returns Conflict if the schema is newer than this program knows, or if a
// step can't be applied to what is in the database.
func (s *Store) Migrate(ctx context.Context) error {
	return failure("migrate the database", s.alone(ctx, s.upgrade))
}

// known returns the steps that this program knows, and the texts of their files. Versions count
// from 1 without a gap.
func (s *Store) known() ([]Migration, []string, error) {
	folder := "migrations/sqlite"
	if s.postgres {
		folder = "migrations/postgres"
	}
	files, err := fs.ReadDir(migrations, folder)
	if err != nil {
		return nil, nil, err
	}
	all, texts := make([]Migration, len(files)), make([]string, len(files))
	for i, file := range files {
		text, err := migrations.ReadFile(path.Join(folder, file.Name()))
		if err != nil {
			return nil, nil, err
		}
		all[i] = Migration{Version: i + 1, Name: strings.TrimSuffix(file.Name(), ".sql")}
		texts[i] = string(text)
	}
	return all, texts, nil
}

// applied returns the steps that are applied. A new database has none.
func (s *Store) applied(ctx context.Context, on bun.IDB) ([]versionRow, error) {
	exists := `SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'`
	if s.postgres {
		exists = `SELECT oid::text AS name FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_versions')`
	}
	var there []string
	if err := on.NewRaw(exists).Scan(ctx, &there); err != nil || len(there) == 0 {
		return nil, err
	}
	var rows []versionRow
	return rows, on.NewSelect().Model(&rows).Order("version").Scan(ctx)
}

// upgrade applies the steps that are missing, in tx.
func (s *Store) upgrade(ctx context.Context, tx bun.Tx) error {
	all, texts, err := s.known()
	if err != nil {
		return err
	}
	applied, err := s.applied(ctx, tx)
	if err != nil {
		return err
	}
	if n := len(applied); n > 0 && applied[n-1].Version > len(all) {
		return &domain.Error{Kind: domain.Conflict, Public: "the schema of the database is of version " + strconv.Itoa(applied[n-1].Version) +
			", and this program knows it up to version " + strconv.Itoa(len(all)) + "; use a newer program"}
	}
	if len(applied) < len(all) {
		if err := s.mayMigrate(ctx, tx.Tx); err != nil {
			return err
		}
	}
	if len(applied) == 0 {
		if _, err := tx.Tx.ExecContext(ctx, createVersions); err != nil {
			return refused("schema_versions", err)
		}
	}
	for i := len(applied); i < len(all); i++ {
		if _, err := tx.Tx.ExecContext(ctx, texts[i]); err != nil {
			return refused(all[i].Name, err)
		}
		if _, what, _ := strings.Cut(all[i].Name, "_"); steps[what] != nil {
			if err := steps[what](s, ctx, tx); err != nil {
				return refused(all[i].Name, err)
			}
		}
		row := versionRow{Version: all[i].Version, Name: all[i].Name, Applied: micros(s.options.Now())}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		s.options.Log.InfoContext(ctx, "migration applied", "database", s.Describe(), "migration", all[i].Name)
	}
	return nil
}

// refused turns the error of a step into Conflict if the database itself rejects the step.
// That is so if a table of somebody else has one of our names. A retry would not help.
func refused(name string, err error) error {
	_, fromPostgres := errors.AsType[*pgconn.PgError](err)
	_, fromSQLite := errors.AsType[*sqlite.Error](err)
	if !fromPostgres && !fromSQLite || lost(err) || busy(err) || refusedToWrite(err) {
		return err
	}
	return &domain.Error{Kind: domain.Conflict, Public: "the migration " + name + " can't be applied to this database",
		Cause: fmt.Errorf("bunstore: migrate: %w", harmless(err))}
}

// alone runs do in a transaction that works on the schema and the installation. There is only
// one such transaction at a time, on any number of instances. Its lock ends with the
// connection of a process that is killed.
func (s *Store) alone(ctx context.Context, do func(ctx context.Context, tx bun.Tx) error) error {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if s.postgres {
		if err := s.lockInstallation(ctx, tx.Tx); err != nil {
			return err
		}
	}
	if err := do(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Each advisory lock on Postgres has two numbers. It lasts until the end of the transaction.
const (
	lockClass        = 0x666c6f77 // "flow"
	installationLock = 1
	adminsLock       = 2

	// sessionsLockClass is for the sessions of one user of a host program. The second number is a
	// hash of the user's id.
	sessionsLockClass = lockClass + 1

	takeLock = `SELECT pg_advisory_xact_lock($1, $2)`
)

// waitForLock waits until no other transaction holds the advisory lock of that number, and holds it until the
// transaction ends.
func (s *Store) waitForLock(ctx context.Context, tx handle, lock int) error {
	if !s.postgres {
		return nil // a transaction has the whole database to itself
	}
	_, err := s.exec(ctx, tx, takeLock, lockClass, lock)
	return err
}

// unlimited removes the limits of time from a transaction.
const unlimited = `SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`

// lockInstallation waits for the lock and removes the limits of time from the transaction. A
// migration may take long, and the holder of the lock may read files meanwhile.
func (s *Store) lockInstallation(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, unlimited); err != nil {
		return err
	}
	_, err := s.exec(ctx, tx, takeLock, lockClass, installationLock)
	return err
}
