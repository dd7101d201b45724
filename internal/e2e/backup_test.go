package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// elsewhere returns another machine that has only a copy of the keyset of m.
func (m *machine) elsewhere(database string) *machine {
	m.t.Helper()
	other := *m.with("FLOWLATCH_DATABASE_URL", database)
	other.folder = m.t.TempDir()
	keyset, err := os.ReadFile(filepath.Join(m.data(), "keyset.json"))
	if err == nil {
		err = os.Mkdir(other.data(), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(other.data(), "keyset.json"), keyset, 0o600)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return &other
}

// backup writes a backup and returns its path.
func (m *machine) backup(name string) string {
	m.t.Helper()
	file := filepath.Join(m.folder, name)
	said := m.must("", "backup", name)
	if !strings.Contains(said, "wrote the backup "+file+": ") || !strings.Contains(said, "you need the keyset with the keys ") {
		m.t.Errorf("backup says %q", said)
	}
	return file
}

// rowsOfBackup returns the rows in a file, without the audit rows about backups.
func rowsOfBackup(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, `{"table":`) && !strings.Contains(line, `"action":"backup"`) && !strings.Contains(line, `"action":"restore"`) {
			rows = append(rows, line)
		}
	}
	return rows
}

// TestABackupOfEachDatabaseIsRestoredIntoTheOther writes a backup while a service runs, and
// compares what another service shows after the restore.
func TestABackupOfEachDatabaseIsRestoredIntoTheOther(t *testing.T) {
	sqlite := func(*testing.T) string { return "" }
	postgres := func(t *testing.T) string { return postgrestest.DSN(t) }
	for _, tc := range []struct {
		name     string
		from, to func(t *testing.T) string
	}{
		{"SQLite to Postgres", sqlite, postgres},
		{"Postgres to SQLite", postgres, sqlite},
	} {
		t.Run(tc.name, func(t *testing.T) { moveElsewhere(t, tc.from(t), tc.to(t)) })
	}
}

func moveElsewhere(t *testing.T, from, to string) {
	pizza, trains := newAssistant("Pizza Palace"), newAssistant("Train <times> & 句")
	v := startVoiceflow(t, pizza, trains)
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", from)
	s := serving(t, m)
	admin := s.admin()
	answered := map[string]voiceflowtest.Assistant{}
	for _, a := range []voiceflowtest.Assistant{pizza, trains} {
		answered[admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID] = a
	}
	var id string
	for project, a := range answered {
		if a.Name == pizza.Name {
			id = project
		}
	}
	admin.want(admin.post("/grant_project", body{"user_id": userID(t, admin, "ben"), "project_id": id}), "200")
	ben := s.member()
	ben.want(ben.post("/set_project", body{"project_id": id}), "200")
	ben.want(ben.post(runtimeAt+"/state/user/ben/interact", says("hi")), "200")
	token := ben.want(ben.post("/create_access_token", body{"name": "x", "project_id": id, "password": memberPassword}), "200").member(t, "token")
	before := v.Requests()[len(v.Requests())-1].URL.Path

	file := m.backup("kept.jsonl")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file is %v, %v; want mode 0600", info, err)
	}
	there := m.elsewhere(to)
	if said := there.must("", "restore", file); !strings.Contains(said, "assistants 2, keys 2, users 2, grants 1, access tokens 1, ") {
		t.Errorf("restore says %q", said)
	}
	again := there.backup("again.jsonl")
	if a, b := rowsOfBackup(t, file), rowsOfBackup(t, again); !slices.Equal(a, b) {
		t.Errorf("the rows were\n%s\nand are now\n%s", strings.Join(a, ""), strings.Join(b, ""))
	}
	everyKeyOpens(t, there, answered)
	there.must("", "audit", "verify")

	other := there.start("serve")
	old := ben.at(other.url)
	old.want(old.get("/check_session"), "401 not_authenticated")
	admin, ben = other.admin(), other.member()
	if all := admin.want(admin.get("/get_projects"), "200").listed(t); len(all) != 2 {
		t.Errorf("an admin sees %v", all)
	}
	if granted := ben.want(ben.get("/get_projects"), "200").listed(t); len(granted) != 1 || granted[0].ID != id {
		t.Errorf("the member sees %v", granted)
	}
	ben.want(ben.post("/set_project", body{"project_id": id}), "200")
	ben.want(ben.post(runtimeAt+"/state/user/ben/interact", says("hi")), "200")
	if after := v.Requests()[len(v.Requests())-1].URL.Path; after != before {
		t.Errorf("the conversation was at %s, and is at %s", before, after)
	}
	program := ben.program("Bearer " + token)
	program.want(program.post(runtimeAt+"/state/user/ben/interact", says("hi")), "200")
	admin.want(admin.post("/add_project", adding(pizza)), "400 already_added")
	there.must("", "audit", "verify")
	other.stop()
	s.stop() // the first service ran all the time
}

// TestABackupIsOfOneMoment writes backups while assistants are added, granted and deleted. A
// backup can't be restored if one of its rows refers to a missing row.
func TestABackupIsOfOneMoment(t *testing.T) {
	eachDatabase(t, backUpUnderLoad)
}

func backUpUnderLoad(t *testing.T, database string) {
	const writers, backups = 4, 3
	assistants := make([]voiceflowtest.Assistant, 400)
	for i := range assistants {
		assistants[i] = newAssistant(fmt.Sprintf("Assistant %04d", i))
	}
	m := newMachine(t, startVoiceflow(t, assistants...)).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_WRITE_RATE", "0")
	s := serving(t, m)
	admin := s.admin()
	ben := userID(t, admin, "ben")

	var mu sync.Mutex
	kept := map[string]voiceflowtest.Assistant{} // assistants that are never deleted, by Id
	enough := make(chan struct{})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := w; n < len(assistants); n += writers {
				select {
				case <-enough:
					return
				default:
				}
				a := assistants[n]
				id := admin.send("POST", "/add_project", adding(a)).added(t).ID
				grant := body{"user_id": ben, "project_id": id}
				if got := admin.send("POST", "/grant_project", grant); got.status != 200 {
					t.Errorf("grant_project: %s", got)
				}
				if n%2 == 0 {
					if got := admin.send("POST", "/delete_project", body{"project_id": id}); got.status != 200 {
						t.Errorf("delete_project: %s", got)
					}
					continue
				}
				mu.Lock()
				kept[id] = a
				mu.Unlock()
			}
		})
	}
	for n := range backups {
		eventually(t, "something more is there", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(kept) > 10*n
		})
		mu.Lock()
		before := map[string]voiceflowtest.Assistant{}
		for id, a := range kept {
			before[id] = a
		}
		mu.Unlock()
		file := m.backup(fmt.Sprintf("%d.jsonl", n))
		there := m.elsewhere("")
		there.must("", "restore", file)
		everyKeyOpens(t, there, before) // the backup has everything that was answered before
		there.must("", "audit", "verify")
	}
	close(enough)
	writing.Wait()
}

func TestARestoreIsRefused(t *testing.T) {
	m, _ := withOneAssistant(t)
	file := m.backup("kept.jsonl")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	harmed := func(name string, text []byte) string {
		path := filepath.Join(m.folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	changed := bytes.Replace(good, []byte("Pizza Palace"), []byte("Pizza palace"), 1)
	other, _ := withOneAssistant(t)
	for _, tc := range []struct {
		name, want, file string
		change           func(there *machine) *machine
	}{
		{"no file", "can't be read", filepath.Join(m.folder, "none"), nil},
		{"a folder", "can't be read", m.folder, nil},
		{"something else", "not a backup of Flowlatch", filepath.Join(m.data(), "keyset.json"), nil},
		{"a changed name", "damaged or was changed", harmed("changed", changed), nil},
		{"a cut file", "cut", harmed("cut", good[:len(good)/2]), nil},
		{"a file without its last byte", "cut", harmed("almost", good[:len(good)-1]), nil},
		{"another keyset", "needs the keyset with the keys", file, func(there *machine) *machine {
			return there.with("FLOWLATCH_KEYSET_FILE", filepath.Join(other.data(), "keyset.json"))
		}},
		{"no keyset", "needs the keyset with the keys", file, func(there *machine) *machine {
			if err := os.RemoveAll(there.data()); err != nil {
				t.Fatal(err)
			}
			return there
		}},
		{"another Voiceflow", "are for Voiceflow at http://127.0.0.1", file, func(there *machine) *machine {
			return there.with("FLOWLATCH_VOICEFLOW_API_URL", "https://voiceflow.example")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			there := m.elsewhere("")
			if tc.change != nil {
				there = tc.change(there)
			}
			before := filesIn(t, there.folder)
			there.fails(exitFailure, tc.want, "", "restore", tc.file)
			if after := filesIn(t, there.folder); !slices.Equal(after, before) {
				t.Errorf("there were %v, and are %v", before, after)
			}
		})
	}
	t.Run("where there are users", func(t *testing.T) {
		m.fails(exitFailure, "users or assistants", "", "restore", file)
		other.fails(exitFailure, "users or assistants", "", "restore", other.backup("own.jsonl"))
		other.start("serve").stop() // the data did not change
	})
	t.Run("once it was restored", func(t *testing.T) {
		there := m.elsewhere("")
		there.must("", "restore", file)
		there.fails(exitFailure, "users or assistants", "", "restore", file)
	})
	t.Run("and the same file is good where a service has started already", func(t *testing.T) {
		there := m.elsewhere("")
		there.start("serve").stop()
		there.must("", "restore", file)
		there.start("serve").stop()
	})
}

func TestABackupOverwritesNothing(t *testing.T) {
	m, _ := withOneAssistant(t)
	file := m.backup("kept.jsonl")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(m.folder, "link")); err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "is not overwritten", "", "backup", "kept.jsonl")
	m.fails(exitFailure, "is not overwritten", "", "backup", "link")
	m.fails(exitFailure, "can't be created in", "", "backup", "no/folder.jsonl")
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
	if left := filesIn(t, m.folder); slices.ContainsFunc(left, func(name string) bool { return strings.Contains(name, ".flowlatch-") }) {
		t.Errorf("something is left behind: %v", left)
	}
}

func TestABackupToStandardOutput(t *testing.T) {
	m, _ := withOneAssistant(t)
	r := m.run("", "backup", "-")
	if r.code != exitOK || !strings.Contains(r.stderr, "wrote a backup: assistants 1, ") {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	file := filepath.Join(m.folder, "piped.jsonl")
	if err := os.WriteFile(file, []byte(r.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	var header struct {
		Format  string
		Version int
	}
	first, _, _ := strings.Cut(r.stdout, "\n")
	if err := json.Unmarshal([]byte(first), &header); err != nil || header.Format != "flowlatch backup" || header.Version != archive.Version {
		t.Errorf("the first line says %+v, %v", header, err)
	}
	m.elsewhere("").must("", "restore", file)
}

// filesIn returns the names of everything in a folder, at any depth.
func filesIn(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestARestoreThatIsKilledLeavesNothing kills a restore with SIGKILL while it inserts rows.
func TestARestoreThatIsKilledLeavesNothing(t *testing.T) {
	m, _ := withOneAssistant(t)
	withMany(t, filepath.Join(m.data(), "flowlatch.db"), 60_000)
	file := m.backup("kept.jsonl")
	t.Run("SQLite", func(t *testing.T) {
		there := m.elsewhere("")
		database := filepath.Join(there.data(), "flowlatch.db")
		killRestore(t, there, file, func() bool {
			info, err := os.Stat(database + "-wal")
			return err == nil && info.Size() > 1<<20
		})
		if n := count(t, "sqlite", "file:"+database, `SELECT count(*) FROM sqlite_master`); n != 0 {
			t.Errorf("there are %d tables and indexes", n)
		}
		there.must("", "restore", file) // no lock is left
	})
	t.Run("Postgres", func(t *testing.T) {
		dsn := postgrestest.DSN(t)
		there := m.elsewhere(dsn)
		killRestore(t, there, file, func() bool {
			return count(t, "pgx", dsn, `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND query LIKE 'INSERT INTO projects%'`) > 0
		})
		const none = `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`
		if n := count(t, "pgx", dsn, none); n != 0 {
			t.Errorf("there are %d tables", n)
		}
		there.must("", "restore", file)
	})
}

// killRestore kills a restore as soon as middle returns true.
func killRestore(t *testing.T, m *machine, file string, middle func() bool) {
	t.Helper()
	cmd := m.command(context.Background(), "restore", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the restore is in the middle", middle)
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); err == nil {
		t.Fatal("the restore had ended already")
	}
}

// withMany adds n assistants to a SQLite file. Their keys can't be decrypted.
func withMany(t *testing.T, file string, n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT printf('01890000-0000-7000-8000-%%012d', i), 'Assistant ' || i, printf('%%024d', i), 'v', '', i, i FROM n`, n),
		`INSERT INTO project_keys (project_id, slot, key_id, sealed)
			SELECT id, 'primary', 'none', CAST('sealed' AS blob) FROM projects WHERE version = 'v'`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}
