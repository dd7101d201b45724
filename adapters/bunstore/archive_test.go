package bunstore_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// TestAnArchiveHasEveryColumn goes red when a migration adds a table or a column that
// would not be in a backup.
func TestAnArchiveHasEveryColumn(t *testing.T) {
	t.Parallel()
	address := "sqlite://" + filepath.Join(t.TempDir(), "flowlatch.db")
	migrated(t, address, bunstore.Options{}) // Postgres has the same columns
	rows, err := beside(t, address).QueryContext(t.Context(), `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
WHERE m.type = 'table' AND m.name NOT IN ('schema_versions', 'sessions', 'provider_sessions', 'used_once', 'conversations', 'audit_turns', 'audit_check', 'webhook_deliveries') ORDER BY m.name, c.cid`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	there, archived := map[string][]string{}, map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		there[table] = append(there[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, table := range archive.Tables() {
		for _, column := range table.Columns {
			archived[table.Name] = append(archived[table.Name], column.Name)
		}
	}
	for _, columns := range []map[string][]string{there, archived} {
		for _, names := range columns {
			slices.Sort(names)
		}
	}
	if d := cmp.Diff(there, archived); d != "" {
		t.Errorf("columns: -database +archive\n%s", d)
	}
}

// manyRows are an archive of so many projects, each with two keys, a grant and audit rows.
func manyRows(projects int) iter.Seq2[archive.Row, error] {
	return func(yield func(archive.Row, error) bool) {
		all := func(table string, values func(n int) []any) bool {
			for n := range projects {
				if !yield(archive.Row{Table: table, Values: values(n)}, nil) {
					return false
				}
			}
			return true
		}
		id := func(n int) string { return fmt.Sprintf("p%06d", n) }
		known := []any{int64(1), domain.KeyID("1"), []byte("known"), string(origin), nil, nil}
		_ = yield(archive.Row{Table: "installation", Values: known}, nil) &&
			all("projects", func(n int) []any {
				return []any{id(n), "name " + id(n), id(n), "v", "webchat", int64(n), int64(n), "ok", "ok", "ok", int64(n), int64(n), int64(n), int64(n), "", "none", int64(0), int64(0), "", "name " + id(n)}
			}) && all("project_keys", func(n int) []any { return []any{id(n), "primary", domain.KeyID("1"), []byte(id(n))} }) &&
			yield(archive.Row{Table: "users", Values: []any{"u", "ada", "admin", false, domain.NewSecret("hash"), int64(1), "", "", int64(0), "", false}}, nil) &&
			all("grants", func(n int) []any { return []any{"u", id(n), "name " + id(n), int64(n), "converse", ""} }) &&
			all("audit", func(n int) []any {
				return []any{int64(3 * n), int64(n), "operator", "add_project", "project:" + id(n), "ok", "r", "", int64(1)}
			}) && all("audit_chain", func(n int) []any { return []any{int64(n), int64(3 * n), bytes.Repeat([]byte{byte(n)}, 32)} })
	}
}

func snapshot(t *testing.T, s *bunstore.Store) []archive.Row {
	t.Helper()
	var rows []archive.Row
	err := s.Archive().Snapshot(t.Context(), func(row archive.Row) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func listed(rows []archive.Row) iter.Seq2[archive.Row, error] {
	return func(yield func(archive.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// TestAnArchiveGoesFromEachDatabaseToTheOther carries 2,000 projects from Postgres to
// SQLite and back, into databases without a schema.
func TestAnArchiveGoesFromEachDatabaseToTheOther(t *testing.T) {
	t.Parallel()
	postgres := migrated(t, postgrestest.DSN(t), bunstore.Options{})
	if err := postgres.Archive().Restore(t.Context(), manyRows(2_000), act("first")); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, postgres)
	if len(before) != 5*2_000+3 {
		t.Fatalf("got %d rows", len(before))
	}
	for i, address := range []string{"sqlite://" + filepath.Join(t.TempDir(), "flowlatch.db"), postgrestest.DSN(t)} {
		s := open(t, address, bunstore.Options{})
		restore := act(fmt.Sprint("restore ", i))
		if err := s.Archive().Restore(t.Context(), listed(before), restore); err != nil {
			t.Fatal(err)
		}
		after := snapshot(t, s)
		added := slices.IndexFunc(after, func(row archive.Row) bool { return row.Value("request_id") == restore.Record.RequestID })
		if added < 0 {
			t.Fatal("there is no record of the restore")
		}
		if d := cmp.Diff(before, slices.Delete(slices.Clone(after), added, added+1), cmp.Comparer(domain.Secret.Equal)); d != "" {
			t.Fatalf("-before +after\n%s", d)
		}
		before = after
	}
}

// TestTheAuditGoesOnBehindAllThatItsChainKnows restores an audit whose last rows are gone,
// so that new ones would take their ids.
func TestTheAuditGoesOnBehindAllThatItsChainKnows(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		hash := bytes.Repeat([]byte{1}, 32)
		for name, rows := range map[string][]archive.Row{
			"the chain": {
				{Table: "audit", Values: []any{int64(7), int64(1), "operator", "login", "-", "ok", "r", "", int64(1)}},
				{Table: "audit_chain", Values: []any{int64(1), int64(7), hash}},
				{Table: "audit_chain", Values: []any{int64(2), int64(41), hash}},
			},
			"the head": {{Table: "audit_head", Values: []any{int64(1), int64(0), hash, domain.KeyID("1"), hash, int64(41), ""}}},
			"the audit": {
				{Table: "audit", Values: []any{int64(41), int64(1), "operator", "login", "-", "ok", "r", "", int64(1)}},
			},
		} {
			address := database(t)
			s := migrated(t, address, bunstore.Options{})
			if err := s.Archive().Restore(t.Context(), listed(rows), act("restore")); err != nil {
				t.Fatal(err)
			}
			if err := s.Ports().Audit.Append(t.Context(), record("later")); err != nil {
				t.Fatal(err)
			}
			db := beside(t, address)
			for request, id := range map[string]int{"restore": 42, "later": 43} {
				if got := count(t, db, `SELECT id FROM audit WHERE request_id = '`+request+`'`); got != id {
					t.Errorf("%s knows of row 41, and the record %q has the id %d, want %d", name, request, got, id)
				}
			}
		}
	})
}

// TestNobodySlipsInDuringARestore makes a user, whose name is in the archive too, in the
// middle of a restore.
func TestNobodySlipsInDuringARestore(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s, other := migrated(t, address, bunstore.Options{}), open(t, address, bunstore.Options{Timeout: time.Minute})
		db := beside(t, address)
		const waiting = `SELECT count(*) FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
		created := make(chan error, 1)
		err := s.Archive().Restore(t.Context(), func(yield func(archive.Row, error) bool) {
			n := 0
			for row, err := range manyRows(300) {
				if n++; n == 250 {
					go func() {
						u := domain.NewUser("x", "ada", domain.RoleAdmin, domain.NewSecret("h"), nil, time.Unix(1, 0))
						created <- other.Ports().Users.Create(t.Context(), act("create"), u)
					}()
					// SQLite has one writer at a time, and does not show who waits.
					for strings.HasPrefix(address, "postgres") && len(created) == 0 &&
						count(t, db, waiting) == 0 {
					}
				}
				if !yield(row, err) {
					return
				}
			}
		}, act("restore"))
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "Create during a restore", <-created, domain.Conflict)
		users, err := s.Ports().Users.Page(t.Context(), domain.Cursor{}, 10)
		if err != nil || len(users) != 1 || users[0].ID != "u" {
			t.Errorf("got the users %v, %v", users, err)
		}
	})
}

// TestASnapshotTakesItsTime goes on for longer than the server lets a transaction be idle.
func TestASnapshotTakesItsTime(t *testing.T) {
	t.Parallel()
	address := postgrestest.DSN(t)
	if err := migrated(t, address, bunstore.Options{}).Archive().Restore(t.Context(), manyRows(1_000), act("restore")); err != nil {
		t.Fatal(err)
	}
	s := open(t, address+"&idle_in_transaction_session_timeout=300", bunstore.Options{})
	long, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	n := 0
	err := s.Archive().Snapshot(t.Context(), func(archive.Row) error {
		if n++; n == 5 {
			<-long.Done()
		}
		return nil
	})
	if err != nil || n != 5_003 {
		t.Errorf("got %d rows and error %v", n, err)
	}
}

func TestErrorsOfARestoreShowNoValues(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		const value = "open-sesame"
		s := migrated(t, database(t), bunstore.Options{})
		err := s.Archive().Restore(t.Context(), listed([]archive.Row{
			{Table: "users", Values: []any{"1", value, "admin", false, domain.NewSecret(value), int64(1), "", "", int64(0), "", false}},
			{Table: "users", Values: []any{"2", value, "admin", false, domain.NewSecret(value), int64(1), "", "", int64(0), "", false}},
		}), act("restore"))
		wantKind(t, "Restore", err, domain.Corrupt)
		for ; err != nil; err = unwrapped(err) {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, value) {
				t.Errorf("the error shows a value: %s", text)
			}
		}
	})
}
