package bunstore_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// long is a name that NFC would make three times as long.
var long = strings.Repeat("\U0001d160", 100)

// oldNames are names as a program of version 4 stored them, and as they are afterwards.
var oldNames = []struct{ id, name, voiceflow, want string }{
	{"p1", "Cafe\u0301", "v1", "Caf\u00e9"},
	{"p2", "Caf\u00e9", "v2", "Caf\u00e9"},
	{"p3", "\u2126 ohm", "v3", "\u03a9 ohm"},
	{"p4", "\u03a9 ohm", "v4", "\u03a9 ohm"},
	{"p5", "\u212a", "v5", "K"},
	{"p6", "Plain", "v6", "Plain"},
	{"p7", "Plain", "v6", "Plain"}, // another environment of one assistant
	{"p8", long, "v8", long},
	{"p9", "u\u0308ber", "v9", "\u00fcber"},
}

// namedV4 makes a database of version 4 with the old names, a grant on each, an access token and
// an audit row.
func namedV4(t *testing.T, address string) *sql.DB {
	t.Helper()
	db := ofVersion(t, address, 4)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	postgres := strings.HasPrefix(address, "postgres")
	no := any(0)
	if postgres {
		no = false
	}
	exec(`INSERT INTO users (id, name, role, disabled, password_hash, created) VALUES ($1, $2, $3, $4, $5, $6)`, "u", "u", "member", no, "hash", 1)
	for i, row := range oldNames {
		exec(`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created) VALUES ($1, $2, $3, $4, '', 1, 1)`,
			row.id, row.name, row.voiceflow, fmt.Sprint("version ", i))
		exec(`INSERT INTO grants (user_id, project_id, name, created) VALUES ($1, $2, $3, 1)`, "u", row.id, row.name)
	}
	exec(`INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used)
		VALUES ($1, $2, $3, $4, $5, NULL, $6, $7, 1, 2, 0)`, "t", []byte("hash"), "bu\u0308ro", "flk", "u", "converse", no)
	exec(`INSERT INTO audit (at, actor, action, object, outcome, request_id, address) VALUES (1, 'operator', 'login', $1, 'ok', 'old', '')`, "e\u0301")
	return db
}

func TestStoredNamesAreBroughtIntoNFC(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := namedV4(t, address)
		var log bytes.Buffer
		s := open(t, address, bunstore.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		twins := func(what string, want ...string) {
			t.Helper()
			all, err := s.Twins(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, twin := range all {
				got = append(got, twin.Name+" "+string(twin.ID)+" "+string(twin.Voiceflow))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("twins %s: -want +got\n%s", what, d)
			}
		}
		meet := []string{"Caf\u00e9 p1 v1", "Caf\u00e9 p2 v2", "\u03a9 ohm p3 v3", "\u03a9 ohm p4 v4"}
		twins("before the migration", meet...)
		for range 2 { // the second time changes nothing
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		twins("after the migration", meet...)
		if !strings.Contains(log.String(), "table=projects names=4") || !strings.Contains(log.String(), "table=access_tokens names=1") {
			t.Errorf("the log says\n%s", &log)
		}
		for _, row := range oldNames {
			var name, granted string
			if err := db.QueryRowContext(t.Context(), `SELECT p.name, g.name FROM projects p JOIN grants g ON g.project_id = p.id WHERE p.id = $1`, row.id).
				Scan(&name, &granted); err != nil || name != row.want || granted != row.want {
				t.Errorf("%s is %q, in its grant %q, error %v; want %q", row.id, name, granted, err, row.want)
			}
		}
		if n := count(t, db, `SELECT count(*) FROM access_tokens WHERE name = 'b`+"\u00fc"+`ro'`); n != 1 {
			t.Error("the name of the access token is not in NFC")
		}
		if got := records(t, db); len(got) != 1 || got[0].Object != "e\u0301" {
			t.Errorf("the audit is %+v, want its one row unchanged", got)
		}
	})
}

// A client that pages through a list meanwhile sees each assistant that has not moved before its
// cursor.
func TestACursorOfBeforeTheNamesWereNormalizedGoesOn(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		namedV4(t, address)
		s := migrated(t, address, bunstore.Options{})
		after := domain.Cursor{Name: "Cafe\u0301", ID: "p1"}
		for name, reader := range map[string]domain.Visible{"an admin": domain.Operator().Sees(), "a member": domain.GrantedTo("u")} {
			page, err := s.Ports().Projects.Page(t.Context(), reader, domain.ProjectFilter{}, after, 100)
			if err != nil || len(page) != 9 {
				t.Errorf("the page of %s: got %d assistants and error %v, want all 9", name, len(page), err)
			}
		}
	})
}

// TestADatabaseMigratesAsABackupDoes compares the rows of a migrated database with those of its
// backup, upgraded.
func TestADatabaseMigratesAsABackupDoes(t *testing.T) {
	for _, row := range oldNames {
		for table, values := range map[string][]any{
			"projects":      {row.id, row.name, "v", "main", "", int64(1), int64(2), "ok", "ok", "none", int64(3), int64(4), int64(0), int64(0)},
			"grants":        {"u", row.id, row.name, int64(1), "converse"},
			"access_tokens": {"t", []byte("hash"), row.name, "flk", "u", nil, "converse", false, int64(1), int64(2), int64(3)},
		} {
			old := archive.Row{Table: table, Values: values}
			if got := old.Upgraded(2).Value("name"); got != row.want {
				t.Errorf("%s of version 2: got the name %q, want %q", table, got, row.want)
			}
			if got := old.Value("name"); got != row.name {
				t.Errorf("%s: Upgraded changed the row that it was given", table)
			}
			if got := old.Upgraded(archive.Version).Value("name"); got != row.name {
				t.Errorf("%s of this version: got the name %q, want it unchanged", table, got)
			}
		}
	}
	other := archive.Row{Table: "audit", Values: []any{int64(1), int64(1), "operator", "login", "e\u0301", "ok", "r", "", int64(1)}}
	if got := other.Upgraded(1).Value("object"); got != "e\u0301" {
		t.Errorf("the audit row is changed: %q", got)
	}
}
