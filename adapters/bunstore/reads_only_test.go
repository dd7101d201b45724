package bunstore_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// stopWrites makes the database one that can only be read, and returns what ends that. db is a
// connection beside s.
func stopWrites(t *testing.T, s *bunstore.Store, db *sql.DB, address string) (allow func()) {
	t.Helper()
	if !strings.HasPrefix(address, "postgres") {
		s.StopWrites(t.Context())
		return func() { s.AllowWrites(t.Context()) }
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	name := pgx.Identifier{config.Database}.Sanitize()
	run(t, db, `ALTER DATABASE `+name+` SET default_transaction_read_only = on`)
	endConnections(t, db)
	// A statement that writes is not repeated on a connection that ended. A read is, and then no
	// such connection is left.
	if _, err := s.Ports().Sealings.Uses(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() {
		defer endConnections(t, db) // a pooler keeps connections that can only be read
		run(t, db, `SET default_transaction_read_only = off; ALTER DATABASE `+name+` RESET default_transaction_read_only`)
	}
}

// Postgres says so only when it needs more room, so the last change that failed counts.
func TestAFullDiskOfPostgresIsTold(t *testing.T) {
	t.Parallel()
	address := postgrestest.DSN(t)
	s, db := furnished(t, address, bunstore.Options{}), beside(t, address)
	check := func() error { return s.Ports().Installation.CheckWrites(t.Context()) }
	run(t, db, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$`)
	for _, table := range []string{"audit", "schema_versions"} {
		run(t, db, `CREATE TRIGGER full_disk BEFORE INSERT ON `+table+` EXECUTE FUNCTION full_disk()`)
	}
	if err := s.Ports().Audit.Append(t.Context(), record("x")); !domain.IsReadsOnly(err) {
		t.Errorf("Append: got %v, want the error of domain.ReadsOnly", err)
	}
	if err := check(); !domain.IsReadsOnly(err) {
		t.Errorf("CheckWrites after a refused change: got %v, want the error of domain.ReadsOnly", err)
	}
	run(t, db, `DROP FUNCTION full_disk CASCADE`)
	if err := check(); err != nil {
		t.Errorf("CheckWrites when there is room again: %v", err)
	}
}

func TestAnotherWriterOfASQLiteFileIsNoFailure(t *testing.T) {
	t.Parallel()
	address := "sqlite://" + filepath.Join(t.TempDir(), "flowlatch.db")
	s := furnished(t, address, bunstore.Options{})
	other, err := beside(t, address).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	if err := s.Ports().Installation.CheckWrites(t.Context()); err != nil {
		t.Errorf("CheckWrites beside another writer: %v", err)
	}
}

// endConnections ends the connections of all Stores to the database.
func endConnections(t *testing.T, db *sql.DB) {
	t.Helper()
	run(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'flowlatch'`)
}
