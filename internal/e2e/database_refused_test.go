package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

func TestASQLiteFileThatCanNotBeWrittenIsTold(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, folder, file string)
		want    string // with % for the folder
	}{
		{"there is no folder", func(t *testing.T, folder, _ string) { must(t, os.Remove(folder)) },
			"does not exist and can't be created, because there is no folder %"},
		{"the folder is read-only", func(t *testing.T, folder, _ string) { must(t, os.Chmod(folder, 0o500)) },
			"does not exist and can't be created, because this user may not write to the folder %"},
		{"the folder of a database is read-only", func(t *testing.T, folder, _ string) { must(t, os.Chmod(folder, 0o500)) },
			"can't be written, because this user may not write to the folder %"},
		{"the file is read-only", func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o400)) },
			"can't be written: this user may not write to it, or it is read-only; correct its owner and its mode"},
		{"the file is something else", func(t *testing.T, _, file string) {
			must(t, os.WriteFile(file, bytes.Repeat([]byte("These are notes. "), 1000), 0o600))
		}, "can't be used, because it is not a SQLite database"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMachine(t, startVoiceflow(t))
			if os.Getuid() == 0 { // may write to every file
				m = m.asUser(65534)
			}
			folder := filepath.Join(m.folder, "data")
			file := filepath.Join(folder, "flowlatch.db")
			m = m.with("FLOWLATCH_DATABASE_URL", "sqlite://"+file)
			must(t, os.Mkdir(folder, 0o700))
			if m.user != 0 {
				must(t, os.Chown(folder, m.user, m.user))
			}
			if !strings.HasPrefix(tc.want, "does not exist") {
				m.must("", "migrate", "up")
			}
			tc.prepare(t, folder, file)
			m.fails(exitFailure, "the SQLite file "+file+" "+strings.ReplaceAll(tc.want, "%", folder), "", "migrate", "up")
			m.fails(exitFailure, file, "", "serve")
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mounting returns the same machine with a program that a command of mount(8) is run for. If this
// machine does not allow it, testtools.LeaveOut ends the test.
func (m *machine) mounting(command string) *machine {
	m.t.Helper()
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		testtools.LeaveOut(m.t, fmt.Sprintf("This machine allows no mounts (%v %s).", err, bytes.TrimSpace(out)), "Run the tests as root, where unshare --mount is allowed.")
	}
	other := *m
	other.mount = command
	return &other
}

func TestAReadOnlyFileSystemIsTold(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	m.must("", "migrate", "up")
	data := m.data()
	m = m.mounting("mount --bind " + data + " " + data + " && mount -o remount,ro,bind " + data)
	m.fails(exitFailure, "the SQLite file "+data+"/flowlatch.db can't be written, because the folder "+data+" is on a read-only file system", "", "migrate", "up")
	must(t, os.Remove(data+"/flowlatch.db"))
	m.fails(exitFailure, "does not exist and can't be created, because the folder "+data+" is on a read-only file system", "", "serve")
}

// TestTheDiskIsFull fills the disk with users until no more can be stored, and makes room again.
func TestTheDiskIsFull(t *testing.T) {
	known := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, known)).with("FLOWLATCH_WRITE_RATE", "0")
	must(t, os.Mkdir(m.data(), 0o700))
	filler := m.data() + "/filler"
	m = m.mounting("mount -t tmpfs -o size=1400k,mode=0700 none " + m.data() + " && head -c 500000 /dev/zero > " + filler +
		` && printf '` + adminPassword + `' | ` + m.program + ` user create --admin ada`)
	s := m.start("serve")
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(known)), "200").added(t).ID
	admin.want(admin.post("/set_project", body{"project_id": id}), "200")
	for n := 0; ; n++ {
		a := admin.post("/set_project", body{"project_id": id})
		if a.String() == "400 unavailable" {
			break
		}
		admin.want(a, "200")
		if n > 20_000 {
			t.Fatal("the disk does not fill up")
		}
	}
	eventually(t, "only reads are served", func() bool { return strings.Contains(admin.get("/readyz").text, `"message":"reads only"`) })
	admin.want(admin.get("/get_projects"), "200")
	admin.want(admin.post(runtimeAt+"/state/user/x/interact", body{"action": body{"type": "launch"}}), "200")

	must(t, os.Remove("/proc/"+strconv.Itoa(s.cmd.Process.Pid)+"/root"+filler))
	eventually(t, "the service is ready", func() bool { return strings.Contains(admin.get("/readyz").text, `"message":"ready"`) })
	admin.want(admin.post("/set_project", body{"project_id": id}), "200")
}

// TestThePasswordOfTheDatabaseIsReplaced replaces the password while the service runs.
func TestThePasswordOfTheDatabaseIsReplaced(t *testing.T) {
	dsn := postgrestest.DSN(t)
	role := postgrestest.NewRole(t, dsn, "first canary")
	role.Run("GRANT ALL ON SCHEMA public TO %")
	open, err := sql.Open("pgx", role.DSN("no canary"))
	must(t, err)
	defer func() { _ = open.Close() }()
	if open.Ping() == nil {
		testtools.LeaveOut(t, "This server of Postgres asks for no password.", "Set scram-sha-256 in its pg_hba.conf.")
	}
	m := newMachine(t, startVoiceflow(t))
	file := filepath.Join(m.folder, "database-url")
	write := func(password string) {
		t.Helper()
		must(t, os.WriteFile(file, []byte(role.DSN(password)+"\n"), 0o600))
	}
	write("first canary")
	m = m.with("FLOWLATCH_DATABASE_URL_FILE", file)
	s := serving(t, m)
	admin := s.admin()
	answers := func(want string) func() bool {
		return func() bool {
			a, err := admin.try("GET", "/get_all_users", nil)
			return err == nil && a.String() == want
		}
	}

	role.Run("ALTER ROLE % PASSWORD 'second canary'", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%'")
	eventually(t, "the old password is rejected", answers("503 unavailable"))
	must(t, os.WriteFile(file, []byte("postgres://third canary@@"), 0o600))
	eventually(t, "the log tells of the file that can't be used", func() bool {
		_, _ = admin.try("GET", "/get_all_users", nil)
		return strings.Contains(s.stderr.String(), "the new database URL can't be used")
	})
	write("second canary")
	eventually(t, "the file is read again", answers("200"))
	admin.want(admin.get("/readyz"), "200")
	for _, said := range []string{s.stdout.String(), s.stderr.String()} {
		if strings.Contains(said, "canary") {
			t.Errorf("a password is shown:\n%s", said)
		}
	}
}

// TestThePoolerThatIsSet serves through pgbouncer.
func TestThePoolerThatIsSet(t *testing.T) {
	dsn := postgrestest.DSN(t)
	known := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, known)).with("FLOWLATCH_DATABASE_URL", postgrestest.OpenPooler(t, dsn, 3).DSN(dsn))
	m.fails(exitFailure, "set FLOWLATCH_DATABASE_POOLER=transaction", "", "migrate", "up")
	m = m.with("FLOWLATCH_DATABASE_POOLER", "transaction")
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(known)), "200").added(t).ID
	admin.want(admin.post("/set_project", body{"project_id": id}), "200")
	admin.want(admin.post(runtimeAt+"/state/user/x/interact", body{"action": body{"type": "launch"}}), "200")
	m.must("", "backup", filepath.Join(m.folder, "backup"))
	m.must("", "audit", "verify")
	m.must("", "keys", "rotate")
	m.must("", "keys", "rewrap")
	s.stop()
}
