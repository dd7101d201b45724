package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// verifies runs audit verify, which must succeed, and returns the number of rows and the head.
func (m *machine) verifies(args ...string) (rows int, head string) {
	m.t.Helper()
	said := m.must("", append([]string{"audit", "verify"}, args...)...)
	if _, err := fmt.Sscanf(said, "the audit is whole: %d rows; its head is %s\n", &rows, &head); err != nil || !strings.HasPrefix(head, fmt.Sprint(rows)+":") {
		m.t.Fatalf("audit verify says %q", said)
	}
	return rows, head
}

// tamper runs statements on the database itself.
func tamper(t *testing.T, driver, dsn string, statements ...string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%v in %s", err, statement)
		}
	}
}

// TestTwoInstancesMakeOneChain writes through two instances over one Postgres, and kills one of
// them meanwhile.
func TestTwoInstancesMakeOneChain(t *testing.T) {
	a := newAssistant("Pizza Palace")
	dsn := postgrestest.DSN(t)
	m := newMachine(t, startVoiceflow(t, a)).with("FLOWLATCH_DATABASE_URL", dsn)
	one := serving(t, m)
	other := m.start("serve")
	admin := one.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	there := admin.at(other.url)
	const writers, each = 4, 60
	var writing sync.WaitGroup
	for n := range writers {
		b := []*browser{admin, there}[n%2]
		writing.Go(func() {
			for range each {
				_, _ = b.try("POST", "/set_project", body{"project_id": id}) // the instance may be killed meanwhile
			}
		})
	}
	eventually(t, "both have written", func() bool {
		return count(t, "pgx", dsn, `SELECT count(*) FROM audit`) > writers*each/2
	})
	one.kill()
	writing.Wait()
	there.want(there.post("/set_project", body{"project_id": id}), "200")

	eventually(t, "the other instance has chained all rows", func() bool {
		return count(t, "pgx", dsn, `SELECT count(*) FROM audit`) == count(t, "pgx", dsn, `SELECT count(*) FROM audit_chain`)
	})
	all := count(t, "pgx", dsn, `SELECT count(*) FROM audit`)
	rows, head := m.verifies()
	if rows != all {
		t.Errorf("audit verify counts %d rows, want %d", rows, all)
	}
	if again, _ := m.verifies("--head", head); again != rows+1 {
		t.Errorf("the next audit verify counts %d rows, want %d", again, rows+1)
	}
	tamper(t, "pgx", dsn, `UPDATE audit SET actor = 'user:somebody' WHERE id = 17`)
	m.fails(exitFailure, "row 17 (seq ", "", "audit", "verify")
}

// TestAuditVerifyNamesWhatIsBroken tampers with a copy of one database in every way.
func TestAuditVerifyNamesWhatIsBroken(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	for i := range 6 {
		m.must(memberPassword, "user", "create", fmt.Sprint("user", i))
	}
	database := func(m *machine) string { return "file:" + filepath.Join(m.data(), "flowlatch.db") }
	older := filepath.Join(t.TempDir(), "older.db")
	m.verifies()
	tamper(t, "sqlite", database(m), `VACUUM INTO '`+older+`'`)
	m.must(memberPassword, "user", "create", "user7")
	rows, head := m.verifies()
	if n := count(t, "sqlite", database(m), `SELECT count(*) FROM audit_chain`); n != 8 || rows != n {
		t.Fatalf("%d rows are chained and %d counted, want 8", n, rows)
	}
	m.copied(t).verifies("--head", head)
	const columns = `at, actor, action, object, outcome, request_id, address, count`
	for _, tc := range []struct {
		name       string
		statements []string
		says       string
		args       []string
	}{
		{"a changed field", []string{`UPDATE audit SET outcome = 'rejected' WHERE id = 3`}, "row 3 (seq 3)", nil},
		{"a removed row", []string{`DELETE FROM audit WHERE id = 3`}, "row 3 (seq 3) was removed", nil},
		{"a removed link", []string{`DELETE FROM audit_chain WHERE seq = 3`}, "from seq 2 to seq 4 (row 4)", nil},
		{"a removed row with its link", []string{`DELETE FROM audit WHERE id = 3`, `DELETE FROM audit_chain WHERE seq = 3`}, "from seq 2 to seq 4 (row 4)", nil},
		{"swapped rows", []string{`UPDATE audit SET id = -3 WHERE id = 3`, `UPDATE audit SET id = 3 WHERE id = 4`, `UPDATE audit SET id = 4 WHERE id = -3`}, "row 3 (seq 3)", nil},
		{"swapped links", []string{
			`UPDATE audit_chain SET audit_id = -3 WHERE seq = 3`, `UPDATE audit_chain SET audit_id = 3 WHERE seq = 4`, `UPDATE audit_chain SET audit_id = 4 WHERE seq = 3`,
		}, "row 4 (seq 3)", nil},
		{"another hash", []string{`UPDATE audit_chain SET hash = x'00' WHERE seq = 3`}, "row 3 (seq 3)", nil},
		{"an inserted row", []string{`INSERT INTO audit (id, ` + columns + `) SELECT 0, ` + columns + ` FROM audit WHERE id = 3`}, "row 0 is not in the chain", nil},
		{"a truncated tail", []string{`DELETE FROM audit WHERE id > 4`, `DELETE FROM audit_chain WHERE seq > 4`}, "the rows from seq 5 on were cut off", nil},
		{"a truncated tail with the head", []string{
			`DELETE FROM audit WHERE id > 4`, `DELETE FROM audit_chain WHERE seq > 4`,
			`UPDATE audit_head SET seq = 4, settled = 4, hash = (SELECT hash FROM audit_chain WHERE seq = 4)`,
		}, "this keyset did not sign the head", nil},
		{"a removed head", []string{`DELETE FROM audit_head`}, "removed", nil},
		{"the whole database as it was, which only a noted head shows", []string{
			`ATTACH '` + older + `' AS older`,
			`DELETE FROM audit WHERE id > (SELECT max(id) FROM older.audit)`,
			`DELETE FROM audit_chain WHERE seq > (SELECT max(seq) FROM older.audit_chain)`,
			`DELETE FROM audit_head`, `INSERT INTO audit_head SELECT * FROM older.audit_head`,
		}, head, []string{"--head", head}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			copied := m.copied(t)
			db, err := sql.Open("sqlite", database(copied))
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1) // ATTACH holds for one connection
			for _, statement := range tc.statements {
				if _, err := db.Exec(statement); err != nil {
					t.Fatalf("%v in %s", err, statement)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			copied.fails(exitFailure, tc.says, "", append([]string{"audit", "verify"}, tc.args...)...)
		})
	}
	m.verifies("--head", head)
	m.fails(exitFailure, "SEQ:HASH", "", "audit", "verify", "--head", "7")
}

// copied returns another machine with a copy of the data.
func (m *machine) copied(t *testing.T) *machine {
	t.Helper()
	other := *m
	other.t, other.folder = t, t.TempDir()
	err := os.CopyFS(other.data(), os.DirFS(m.data()))
	if err == nil {
		err = os.Chmod(filepath.Join(other.data(), "keyset.json"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &other
}

// exported returns the lines of an export.
func exported(t *testing.T, text string) []map[string]any {
	t.Helper()
	var events []map[string]any
	for line := range strings.Lines(text) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		events = append(events, event)
	}
	return events
}

func TestAuditExport(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	m.must(memberPassword, "user", "create", "ben")
	events := exported(t, m.must("", "audit", "export"))
	if len(events) != 2 || events[0]["Action"] != "create_user" || events[1]["Action"] != "export_audit" || events[1]["Actor"] != "operator" {
		t.Fatalf("got %v, want the rows of two commands", events)
	}
	if events[0]["Previous"] != strings.Repeat("0", 64) || events[1]["Previous"] != events[0]["Hash"] || events[1]["Seq"] != float64(2) {
		t.Errorf("got %v, which is no chain", events)
	}
	file := filepath.Join(m.folder, "audit.jsonl")
	m.must("", "audit", "export", file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("got the file %v and error %v, want mode 0600", info, err)
	}
	if again := exported(t, string(content)); len(again) != 3 || again[0]["Hash"] != events[0]["Hash"] {
		t.Errorf("in a file: got %v", again)
	}
	m.fails(exitFailure, "is not overwritten", "", "audit", "export", file)
	m.fails(exitFailure, "a file can't be created", "", "audit", "export", filepath.Join(m.folder, "no folder", "audit.jsonl"))
	_, head := m.verifies()
	if again := exported(t, m.must("", "audit", "export", "-")); fmt.Sprint(again[2]["Seq"], ":", again[2]["Hash"]) != head {
		t.Errorf("verify says that the head is %s, and the export %v", head, again[2])
	}
}

// TestABrokenAuditIsExported removes a row. The other rows are exported.
func TestABrokenAuditIsExported(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	for _, name := range []string{"ben", "cleo", "dora"} {
		m.must(memberPassword, "user", "create", name)
	}
	m.verifies()
	tamper(t, "sqlite", "file:"+filepath.Join(m.data(), "flowlatch.db"), `DELETE FROM audit WHERE id = 2`)
	file := filepath.Join(m.folder, "audit.jsonl")
	m.fails(exitFailure, "its remaining rows are in "+file, "", "audit", "export", file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var ids []any
	for _, event := range exported(t, string(content)) {
		ids = append(ids, event["Id"])
	}
	if want := []any{"1", "3", "4", "5"}; !slices.Equal(ids, want) {
		t.Errorf("got rows %v, want %v", ids, want)
	}
	r := m.run("", "audit", "export", "-")
	if got := exported(t, r.stdout); r.code != exitFailure || len(got) != 5 {
		t.Errorf("to standard output: got exit code %d and %d rows, want 1 and 5", r.code, len(got))
	}
}

// TestRefusalsAreRowsWhenTheServiceStops tries to log in with a wrong password many times.
func TestRefusalsAreRowsWhenTheServiceStops(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	s := serving(t, m)
	admin, stranger := s.admin(), newBrowser(t, s.url)
	for i := range 30 {
		want := "401 not_authenticated"
		if i >= 10 {
			want = "429 too_many_requests"
		}
		stranger.want(stranger.post("/login", body{"username": "ada", "password": "wrong horse"}), want)
	}
	events := admin.want(admin.get("/get_audit_events?action=login&actor=nobody"), "200").text
	if strings.Count(events, `"Action"`) != 1 || !strings.Contains(events, `"Outcome":"not_authenticated"`) {
		t.Errorf("at first there is %s, want the first refusal", events)
	}
	s.stop()
	var counts []string
	for _, e := range exported(t, m.must("", "audit", "export")) {
		if e["Actor"] == "nobody" {
			counts = append(counts, fmt.Sprint(e["Action"], " ", e["Outcome"], " ", e["Count"], " ", e["Address"]))
		}
	}
	if want := []string{"login not_authenticated 1 127.0.0.1", "login several 29 127.0.0.1"}; !slices.Equal(counts, want) {
		t.Errorf("got the refusals %q, want %q", counts, want)
	}
	m.verifies()
}
