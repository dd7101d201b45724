package portstest_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

// Database stands for an adapter with all views of one database.
type Database struct{}

// OpenDatabase opens the database at url, which is new or was opened before.
func OpenDatabase(url string, now ports.Clock) *Database { return &Database{} }

// Ports returns the views.
func (*Database) Ports() ports.Store { return ports.Store{} }

// Records reads the whole audit, in the order in which it was written.
func (*Database) Records() []domain.Record { return nil }

// Close closes the connections, after which every call fails.
func (*Database) Close() {}

// openEmpty opens a database that is empty at first.
func openEmpty(t *testing.T, now ports.Clock) portstest.Store {
	url := "file://" + t.TempDir()
	open := func() *Database {
		db := OpenDatabase(url, now)
		t.Cleanup(db.Close)
		return db
	}
	db := open()
	return portstest.Store{
		Ports:   db.Ports(),
		Records: func(*testing.T) []domain.Record { return db.Records() },
		// Another instance on the same database sees what this one has changed.
		Another: func(*testing.T) portstest.Store { return portstest.Store{Ports: open().Ports()} },
		// After Close the views can't reach the database.
		Break: func(*testing.T) { db.Close() },
	}
}

// The test of an adapter runs the suites of all its views, with a subtest for each sentence of
// the ports' comments. The adapter is done when all of them pass.
func ExampleAll() {
	var t *testing.T // of the test of the adapter
	portstest.All(t, openEmpty)
}
