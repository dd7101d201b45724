package bunstore_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

const origin = domain.Origin("https://voiceflow.example.com")

// steps are the names of the migrations.
var steps = []string{
	"0001_initial", "0002_forwarding", "0003_turnover", "0004_keys", "0005_scopes", "0006_token_limits", "0007_names",
	"0008_environments", "0009_personal_keys", "0010_token_rotation",
	"0011_pictures_and_search",
	"0012_sign_ons",
	"0013_webhooks",
	"0014_retention",
}

// stepsAt are the migrations as they are listed after they were applied at that time; the
// zero time for those that were not.
func stepsAt(at time.Time) []bunstore.Migration {
	all := make([]bunstore.Migration, len(steps))
	for i, name := range steps {
		all[i] = bunstore.Migration{Version: i + 1, Name: name, Applied: at}
	}
	return all
}

// known is a check that stores value where there is none and tells which one there is.
func known(value string, saw *string) func(domain.Installation) (domain.Installation, error) {
	return func(there domain.Installation) (domain.Installation, error) {
		if there.Known.IsZero() {
			there = domain.Installation{Known: domain.Sealed{Key: "1", Bytes: []byte(value)}, Origin: origin}
		}
		*saw = string(there.Known.Bytes)
		return there, nil
	}
}

func TestMigrationsAreListedBeforeAndAfter(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		at := time.Date(2026, 3, 4, 5, 6, 7, 891_000, time.UTC)
		var log bytes.Buffer
		s := open(t, address, bunstore.Options{Now: func() time.Time { return at }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		list := func(what string, want []bunstore.Migration) {
			t.Helper()
			got, err := s.Migrations(t.Context())
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("Migrations %s: error %v, -want +got\n%s", what, err, d)
			}
		}
		list("of an empty database", stepsAt(time.Time{}))
		for range 2 { // the second time changes nothing
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			list("after Migrate", stepsAt(at))
		}
		if got := strings.Count(log.String(), "migration applied"); got != len(steps) {
			t.Errorf("got %d lines in the log, want %d:\n%s", got, len(steps), &log)
		}
		run(t, beside(t, address), `INSERT INTO schema_versions (version, name, applied) VALUES (105, '0105_later', 1), (107, '0107_much_later', 1)`)
		list("of a newer program", append(stepsAt(at),
			bunstore.Migration{Version: 105, Name: "0105_later", Applied: time.UnixMicro(1).UTC()},
			bunstore.Migration{Version: 107, Name: "0107_much_later", Applied: time.UnixMicro(1).UTC()}))
	})
}

func TestBothDialectsHaveTheSameColumns(t *testing.T) {
	t.Parallel()
	columns := func(address, query string) map[string][]string {
		migrated(t, address, bunstore.Options{})
		rows, err := beside(t, address).QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		found := map[string][]string{}
		for rows.Next() {
			var table, column string
			if err := rows.Scan(&table, &column); err != nil {
				t.Fatal(err)
			}
			found[table] = append(found[table], column)
		}
		if rows.Err() != nil || len(found) < 11 {
			t.Fatalf("got error %v and the tables %v", rows.Err(), found)
		}
		return found
	}
	postgres := columns(postgrestest.DSN(t), `SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`)
	sqlite := columns("sqlite://"+filepath.Join(t.TempDir(), "flowlatch.db"), `SELECT m.name, c.name
FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid`)
	if d := cmp.Diff(postgres, sqlite); d != "" {
		t.Errorf("columns: -Postgres +SQLite\n%s", d)
	}
}

// TestRowsOfTheFirstSchemaAreThereInTheNewest fills a database as the first program did,
// with one row of everything.
func TestRowsOfTheFirstSchemaAreThereInTheNewest(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		blob, yes, no := `CAST('%s' AS blob)`, "1", "0"
		if strings.HasPrefix(address, "postgres") {
			blob, yes, no = `CAST('%s' AS bytea)`, "true", "false"
		}
		db := ofVersion(t, address, 1)
		for _, statement := range []string{
			`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created)
				VALUES ('project-1', 'name 1', 'voiceflow-1', 'v', 'webchat', 1000000, 2000000)`,
			`INSERT INTO project_keys (project_id, slot, key_id, sealed) VALUES ('project-1', 'primary', '1', ` + fmt.Sprintf(blob, "sealed") + `)`,
			`INSERT INTO users (id, name, role, disabled, password_hash, created) VALUES ('u', 'u', 'member', ` + no + `, 'hash', 3000000)`,
			`INSERT INTO grants (user_id, project_id, name, created) VALUES ('u', 'project-1', 'name 1', 4000000)`,
			`INSERT INTO sessions (id, kind, user_id, by_role, remember, created, last_used, idle, expires, address, agent)
				VALUES ('l', 'login', 'u', ` + no + `, ` + yes + `, 1, 2, 2000000000, 3000000000, 'address', 'agent')`,
			`INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent)
				VALUES ('a', 'assistant', 'u', 'l', 'project-1', ` + no + `, ` + yes + `, 1, 2, 2000000000, 3000000000, 'address', 'agent')`,
			`INSERT INTO audit (at, actor, action, object, outcome, request_id, address) VALUES (1000000, 'operator', 'login', '-', 'ok', 'old', '')`,
			`INSERT INTO installation (id, key_id, known, origin) VALUES (1, '1', ` + fmt.Sprintf(blob, "value") + `, '` + string(origin) + `')`,
		} {
			run(t, db, statement)
		}
		s := open(t, address, bunstore.Options{Now: clockAt(1000)})
		_, err := s.Ports().Installation.Get(t.Context())
		wantKind(t, "Get before", err, domain.Unavailable)
		if e, ok := errors.AsType[*domain.Error](err); !ok || !strings.Contains(e.Public, "older") {
			t.Errorf("Get before: got error %v, want one that says that the schema is older", err)
		}
		installation := domain.Installation{Known: domain.Sealed{Key: "1", Bytes: []byte("value")}, Origin: origin}
		err = s.Ports().Installation.Prepare(t.Context(), func(was domain.Installation) (domain.Installation, error) {
			if d := cmp.Diff(installation, was); d != "" {
				t.Errorf("what Prepare found: -want +got\n%s", d)
			}
			was.Pseudonyms = domain.Sealed{Key: "2", Bytes: []byte("pseudonyms")}
			return was, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		installation.Pseudonyms = domain.Sealed{Key: "2", Bytes: []byte("pseudonyms")}
		known, err := s.Ports().Installation.Get(t.Context())
		if d := cmp.Diff(installation, known); d != "" || err != nil {
			t.Errorf("Get: error %v, -want +got\n%s", err, d)
		}
		at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
		l := domain.Session{
			ID: "l", Kind: domain.LoginSession, User: "u", Remember: true, Created: time.UnixMicro(1).UTC(), LastUsed: time.UnixMicro(2).UTC(),
			Idle: at(2000), Expires: at(3000), Address: "address", Agent: "agent",
		}
		a := l
		a.ID, a.Kind, a.Login, a.Project = "a", domain.AssistantSession, "l", "project-1"
		want := domain.Access{
			Caller: domain.Caller{ID: "u", Login: l}, Session: a, Granted: domain.ScopesOf(domain.ScopeConverse, domain.ScopeState), Manual: domain.ScopesOf(domain.ScopeConverse, domain.ScopeState),
			Project: domain.Project{
				ID: "project-1", Name: "name 1", Voiceflow: "voiceflow-1", Version: "v", Platform: "webchat", Created: at(1), VoiceflowCreated: at(2),
				Primary:   domain.Key{Sealed: someKey, Status: domain.KeyOK, Set: at(1), Checked: at(1)},
				Secondary: domain.Key{Status: domain.KeyNone}, Personal: domain.Key{Status: domain.KeyNone}, Credits: domain.CreditsOK,
			},
		}
		access, err := s.Ports().Access.ByLogin(t.Context(), "l", domain.UseSession("a"))
		if d := cmp.Diff(want, access, cmp.AllowUnexported(domain.Caller{})); d != "" || err != nil {
			t.Errorf("ByLogin: error %v, -want +got\n%s", err, d)
		}
		grants, err := s.Ports().Grants.Page(t.Context(), domain.GrantFilter{}, domain.Cursor{}, 10)
		if d := cmp.Diff([]domain.Grant{{User: "u", Project: "project-1", Scopes: domain.ScopesOf(domain.ScopeConverse, domain.ScopeState), Manual: domain.ScopesOf(domain.ScopeConverse, domain.ScopeState), Created: at(4)}}, grants); d != "" || err != nil {
			t.Errorf("Grants.Page: error %v, -want +got\n%s", err, d)
		}
		user, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"})
		if d := cmp.Diff(domain.NewUser("u", "u", domain.RoleMember, domain.NewSecret("hash"), []domain.ProjectID{"project-1"}, at(3)), user,
			cmp.Comparer(domain.Secret.Equal)); d != "" || err != nil {
			t.Errorf("Users.Find: error %v, -want +got\n%s", err, d)
		}
		if got := records(t, db); len(got) != 1 || got[0].RequestID != "old" {
			t.Errorf("got the audit %+v, want its one row", got)
		}
	})
}

// ofVersion makes a database with the schema of that version and opens it by its driver.
func ofVersion(t *testing.T, address string, version int) *sql.DB {
	t.Helper()
	folder := "sqlite"
	if strings.HasPrefix(address, "postgres") {
		folder = "postgres"
	}
	db := beside(t, address)
	run(t, db, `CREATE TABLE schema_versions (version integer PRIMARY KEY, name text NOT NULL, applied bigint NOT NULL)`)
	for i, name := range steps[:version] {
		text, err := os.ReadFile(filepath.Join("migrations", folder, name+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		run(t, db, string(text))
		run(t, db, fmt.Sprintf(`INSERT INTO schema_versions (version, name, applied) VALUES (%d, '%s', 7)`, i+1, name))
	}
	return db
}

// The statements with which a program of version 3 adds a project and puts keys into it.
const (
	insertProjectV3 = `INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, secondary_status, key_checked, key_set, credits)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`
	replaceKeyV3 = `INSERT INTO project_keys (project_id, slot, key_id, sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, slot) DO UPDATE SET key_id = EXCLUDED.key_id, sealed = EXCLUDED.sealed`
	updateProjectV3 = `UPDATE projects AS project_row SET name = $2, platform = $3, key_status = $4, secondary_status = $5, key_checked = $6, key_set = $7 WHERE id = $1`
	selectProjectV3 = `SELECT id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, secondary_status, key_checked, key_set, credits
FROM projects WHERE id = $1`
)

// addV3 adds a project as a program of version 3 did, with a key in each slot whose status is
// not none. Both have been set at 3 s and checked at 4 s.
func addV3(t *testing.T, db *sql.DB, id, primary, secondary string) {
	t.Helper()
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(insertProjectV3, id, id, id, "v", "", 1_000_000, 2_000_000, primary, "none", 1_000_000, 1_000_000, "ok")
	exec(replaceKeyV3, id, "primary", "1", []byte("primary of "+id))
	if secondary != "none" {
		exec(replaceKeyV3, id, "secondary", "2", []byte("secondary of "+id))
	}
	exec(updateProjectV3, id, id, "", primary, secondary, 4_000_000, 3_000_000)
	var text string
	var number int64
	row := db.QueryRowContext(t.Context(), selectProjectV3, id)
	if err := row.Scan(&text, &text, &text, &text, &text, &number, &number, &text, &text, &number, &number, &text); err != nil {
		t.Fatal(err)
	}
}

// TestTheKeyInTheSecondarySlotGetsTimesOfItsOwn migrates projects of version 3, and has a
// program of that version add some afterwards.
func TestTheKeyInTheSecondarySlotGetsTimesOfItsOwn(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := ofVersion(t, address, 3)
		s := open(t, address, bunstore.Options{Now: clockAt(1000)})
		statuses := [][2]string{{"ok", "none"}, {"rejected", "ok"}, {"needs_reentry", "needs_reentry"}, {"ok", "unchecked"}}
		for i, status := range statuses {
			addV3(t, db, fmt.Sprint("before ", i), status[0], status[1])
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, status := range statuses {
			addV3(t, db, fmt.Sprint("after ", i), status[0], status[1])
		}
		for i, status := range statuses {
			for _, when := range []string{"before ", "after "} {
				id := when + fmt.Sprint(i)
				key := func(slot domain.Slot, status, by string) domain.Key {
					return domain.Key{
						Sealed: domain.Sealed{Key: domain.KeyID(by), Bytes: []byte(string(slot) + " of " + id)}, Status: domain.KeyStatus(status),
						Set: at(3), Checked: at(4),
					}
				}
				want := domain.Project{
					ID: domain.ProjectID(id), Name: id, Voiceflow: domain.VoiceflowID(id), Version: "v", Created: at(1), VoiceflowCreated: at(2),
					Primary: key(domain.SlotPrimary, status[0], "1"), Secondary: key(domain.SlotSecondary, status[1], "2"), Credits: domain.CreditsOK,
					Personal: domain.Key{Status: domain.KeyNone},
				}
				switch {
				case status[1] == "none":
					want.Secondary = domain.Key{Status: domain.KeyNone}
				case when == "after ": // such a program does not know these times
					want.Secondary.Set, want.Secondary.Checked = time.Time{}, time.Time{}
				}
				got, err := s.Ports().Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: want.ID})
				if d := cmp.Diff([]domain.Project{want}, got); d != "" || err != nil {
					t.Errorf("%s: error %v, -want +got\n%s", id, err, d)
				}
			}
		}
	})
}

func TestANewerSchemaIsRefusedAtTheStartOnly(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := open(t, address, bunstore.Options{})
		var saw string
		if err := s.Ports().Installation.Prepare(t.Context(), known("value", &saw)); err != nil {
			t.Fatal(err)
		}
		outgrow(t, s, beside(t, address))
		wantKind(t, "Migrate", s.Migrate(t.Context()), domain.Conflict)
		wantKind(t, "Prepare", s.Ports().Installation.Prepare(t.Context(), known("other", &saw)), domain.Conflict)
		if _, err := s.Ports().Installation.Get(t.Context()); err != nil {
			t.Errorf("Get, of a program that runs while a newer one starts: %v", err)
		}
	})
}

func TestAnOlderSchemaIsNotReady(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := open(t, address, bunstore.Options{})
		var saw string
		if err := s.Ports().Installation.Prepare(t.Context(), known("value", &saw)); err != nil {
			t.Fatal(err)
		}
		run(t, beside(t, address), `DELETE FROM schema_versions`)
		_, err := s.Ports().Installation.Get(t.Context())
		wantKind(t, "Get", err, domain.Unavailable)
	})
}

func TestAForeignTableInTheWayIsConflictAndNothingIsLeft(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := beside(t, address)
		run(t, db, `CREATE TABLE users (anything integer)`)
		s := open(t, address, bunstore.Options{})
		err := s.Migrate(t.Context())
		wantKind(t, "Migrate", err, domain.Conflict)
		if e, ok := errors.AsType[*domain.Error](err); !ok || !strings.Contains(e.Public, "0001_initial") {
			t.Errorf("Migrate: got error %v, want one that names the migration", err)
		}
		got, err := s.Migrations(t.Context())
		if d := cmp.Diff(stepsAt(time.Time{}), got); d != "" || err != nil {
			t.Errorf("Migrations: error %v, -want +got\n%s", err, d)
		}
		run(t, db, `CREATE TABLE projects (anything integer)`)
	})
}

func TestAFailedCheckLeavesTheSchemaAsItWas(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := open(t, database(t), bunstore.Options{})
		refused := errors.New("not this database")
		err := s.Ports().Installation.Prepare(t.Context(), func(domain.Installation) (domain.Installation, error) {
			return domain.Installation{}, refused
		})
		if err != refused { //nolint:errorlint // it must not even be wrapped
			t.Errorf("Prepare: got error %v, want the one of check as it is", err)
		}
		got, err := s.Migrations(t.Context())
		if d := cmp.Diff(stepsAt(time.Time{}), got); d != "" || err != nil {
			t.Errorf("Migrations: error %v, -want +got\n%s", err, d)
		}
	})
}

func TestManyFirstStartsInOneProcess(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		const starts = 8
		saw, errs := make([]string, starts), make([]error, starts)
		var all sync.WaitGroup
		for i := range starts {
			all.Go(func() {
				s, err := bunstore.Open(t.Context(), domain.NewSecret(address), bunstore.Options{MaxConns: 2})
				if err == nil {
					err = errors.Join(s.Ports().Installation.Prepare(t.Context(), known(fmt.Sprint("of start ", i), &saw[i])), s.Close())
				}
				errs[i] = err
			})
		}
		all.Wait()
		for i, err := range errs {
			if err != nil || saw[i] != saw[0] {
				t.Errorf("start %d: got the known value %q and error %v, want %q", i, saw[i], err, saw[0])
			}
		}
	})
}

func TestManyFirstStartsInProcessesOfTheirOwn(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		const starts = 6
		in, out := make([]io.Writer, starts), make([]*bufio.Scanner, starts)
		for i := range starts {
			_, in[i], out[i] = child(t, "starts when told", address)
		}
		for i := range starts {
			wantLine(t, out[i], "ready")
		}
		for i := range starts {
			if _, err := io.WriteString(in[i], "go\n"); err != nil {
				t.Fatal(err)
			}
		}
		first := ""
		for i := range starts {
			line := wantLine(t, out[i], "saw of process ")
			if first == "" {
				first = line
			}
			if line != first {
				t.Errorf("process %d %s, another one %s", i, line, first)
			}
		}
		if n := count(t, beside(t, address), `SELECT count(*) FROM schema_versions`); n != len(steps) {
			t.Errorf("got %d applied migrations, want %d", n, len(steps))
		}
	})
}

func TestAProcessKilledWhileItMigratesLocksNobodyOut(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		killed, _, out := child(t, "stops in the middle", address)
		wantLine(t, out, "in the middle")
		s := open(t, address, bunstore.Options{})
		inTheWay, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		wantKind(t, "Migrate beside the one that goes on", s.Migrate(inTheWay), domain.Unavailable)

		if err := killed.Process.Kill(); err != nil { // SIGKILL
			t.Fatal(err)
		}
		_ = killed.Wait()
		var saw string
		if err := s.Ports().Installation.Prepare(t.Context(), known("ours", &saw)); err != nil || saw != "ours" {
			t.Errorf("Prepare after the other was killed: got the known value %q and error %v, want ours", saw, err)
		}
	})
}

const (
	roleVariable     = "FLOWLATCH_TEST_ROLE"
	databaseVariable = "FLOWLATCH_TEST_DATABASE"
)

// child starts TestChild in a process of its own. It returns the ends of its pipes.
func child(t *testing.T, role, address string) (*exec.Cmd, io.Writer, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, databaseVariable+"="+address)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, in, bufio.NewScanner(out)
}

// wantLine reads lines until one begins with prefix.
func wantLine(t *testing.T, out *bufio.Scanner, prefix string) string {
	t.Helper()
	var all []string
	for out.Scan() {
		if strings.HasPrefix(out.Text(), prefix) {
			return out.Text()
		}
		all = append(all, out.Text())
	}
	t.Fatalf("the process ended without %q; it said %q", prefix, all)
	return ""
}

// TestChild is what child starts. By itself it does nothing.
func TestChild(t *testing.T) {
	var saw string
	check := known(fmt.Sprint("of process ", os.Getpid()), &saw)
	told := func() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n') }
	switch os.Getenv(roleVariable) {
	case "":
		return
	case "starts when told":
		fmt.Fprintln(os.Stdout, "ready")
		told()
	case "stops in the middle":
		check = func(domain.Installation) (domain.Installation, error) {
			fmt.Fprintln(os.Stdout, "in the middle")
			told() // which never happens
			return domain.Installation{}, errors.New("told to go on")
		}
	}
	s := open(t, os.Getenv(databaseVariable), bunstore.Options{})
	if err := s.Ports().Installation.Prepare(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, "saw "+saw)
}
