package bunstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
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

// endConnections ends the connections of all Stores to the database.
func endConnections(t *testing.T, db *sql.DB) {
	t.Helper()
	run(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'flowlatch'`)
}
