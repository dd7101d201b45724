package bunstore_test

import (
	"bufio"
	"bytes"
	"context"
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

// known is a check that stores value where there is none and tells which one there is.
func known(value string, saw *string) func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
	return func(there domain.Sealed, at domain.Origin) (domain.Sealed, domain.Origin, error) {
		if there.IsZero() {
			there, at = domain.Sealed{Key: "1", Bytes: []byte(value)}, origin
		}
		*saw = string(there.Bytes)
		return there, at, nil
	}
}

func TestMigrationsAreListedBeforeAndAfter(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		at := time.Date(2026, 3, 4, 5, 6, 7, 891_000, time.UTC)
		var log bytes.Buffer
		s := open(t, address, bunstore.Options{Now: func() time.Time { return at }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		list := func(what string, want ...bunstore.Migration) {
			t.Helper()
			got, err := s.Migrations(t.Context())
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("Migrations %s: error %v, -want +got\n%s", what, err, d)
			}
		}
		list("of an empty database", bunstore.Migration{Version: 1, Name: "0001_initial"})
		for range 2 { // the second time changes nothing
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			list("after Migrate", bunstore.Migration{Version: 1, Name: "0001_initial", Applied: at})
		}
		if got := strings.Count(log.String(), "migration applied"); got != 1 {
			t.Errorf("got %d lines in the log, want 1:\n%s", got, &log)
		}
		run(t, beside(t, address), `INSERT INTO schema_versions (version, name, applied) VALUES (2, '0002_later', 1), (7, '0007_much_later', 1)`)
		list("of a newer program", bunstore.Migration{Version: 1, Name: "0001_initial", Applied: at},
			bunstore.Migration{Version: 2, Name: "0002_later", Applied: time.UnixMicro(1).UTC()},
			bunstore.Migration{Version: 7, Name: "0007_much_later", Applied: time.UnixMicro(1).UTC()})
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
		if rows.Err() != nil || len(found) < 8 {
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

func TestANewerSchemaIsRefusedAtTheStartOnly(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := open(t, address, bunstore.Options{})
		var saw string
		if err := s.Installation().Prepare(t.Context(), known("value", &saw)); err != nil {
			t.Fatal(err)
		}
		outgrow(t, s, beside(t, address))
		wantKind(t, "Migrate", s.Migrate(t.Context()), domain.Conflict)
		wantKind(t, "Prepare", s.Installation().Prepare(t.Context(), known("other", &saw)), domain.Conflict)
		if _, _, err := s.Installation().Known(t.Context()); err != nil {
			t.Errorf("Known, of a program that runs while a newer one starts: %v", err)
		}
	})
}

func TestAnOlderSchemaIsNotReady(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := open(t, address, bunstore.Options{})
		var saw string
		if err := s.Installation().Prepare(t.Context(), known("value", &saw)); err != nil {
			t.Fatal(err)
		}
		run(t, beside(t, address), `DELETE FROM schema_versions`)
		_, _, err := s.Installation().Known(t.Context())
		wantKind(t, "Known", err, domain.Unavailable)
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
		if err != nil || len(got) != 1 || !got[0].Applied.IsZero() {
			t.Errorf("Migrations: got %v and error %v, want one that was not applied", got, err)
		}
		run(t, db, `CREATE TABLE projects (anything integer)`)
	})
}

func TestAFailedCheckLeavesTheSchemaAsItWas(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := open(t, database(t), bunstore.Options{})
		refused := errors.New("not this database")
		err := s.Installation().Prepare(t.Context(), func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
			return domain.Sealed{}, "", refused
		})
		if err != refused { //nolint:errorlint // it must not even be wrapped
			t.Errorf("Prepare: got error %v, want the one of check as it is", err)
		}
		got, err := s.Migrations(t.Context())
		if err != nil || len(got) != 1 || !got[0].Applied.IsZero() {
			t.Errorf("Migrations: got %v and error %v, want one that was not applied", got, err)
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
					err = errors.Join(s.Installation().Prepare(t.Context(), known(fmt.Sprint("of start ", i), &saw[i])), s.Close())
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
		if n := count(t, beside(t, address), `SELECT count(*) FROM schema_versions`); n != 1 {
			t.Errorf("got %d applied migrations, want 1", n)
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
		if err := s.Installation().Prepare(t.Context(), known("ours", &saw)); err != nil || saw != "ours" {
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
		check = func(domain.Sealed, domain.Origin) (domain.Sealed, domain.Origin, error) {
			fmt.Fprintln(os.Stdout, "in the middle")
			told() // which never happens
			return domain.Sealed{}, "", errors.New("told to go on")
		}
	}
	s := open(t, os.Getenv(databaseVariable), bunstore.Options{})
	if err := s.Installation().Prepare(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, "saw "+saw)
}
