package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// withOneAssistant returns a machine whose database has an admin, a member and one assistant.
func withOneAssistant(t *testing.T) (*machine, voiceflowtest.Assistant) {
	t.Helper()
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a))
	m.must(adminPassword, "user", "create", "--admin", "ada")
	m.must(memberPassword, "user", "create", "ben")
	m.must(a.Key, "project", "add", a.VersionID)
	return m, a
}

func TestOnlyTheFirstCommandsMakeTheDataFolder(t *testing.T) {
	for _, args := range []string{
		"user list", "user disable ada", "user enable ada", "user passwd ada", "user grant ada x", "user revoke ada x",
		"project add 65f1c0ffee0123456789abcd", "project list", "project delete x", "keys rotate", "migrate status", "backup x",
	} {
		t.Run(args, func(t *testing.T) {
			m := newMachine(t, startVoiceflow(t))
			m.fails(exitFailure, "there is no data folder "+m.data(), "x\n", strings.Fields(args)...)
			if _, err := os.Stat(m.data()); !os.IsNotExist(err) {
				t.Errorf("the data folder is there (%v)", err)
			}
		})
	}
	for _, args := range []string{"user create ada", "migrate up", "serve"} {
		t.Run(args, func(t *testing.T) {
			m := newMachine(t, startVoiceflow(t))
			if args == "serve" {
				m.start("serve").stop()
			} else {
				m.must(adminPassword, strings.Fields(args)...)
			}
			if !strings.Contains(m.said.String(), "created the data folder "+m.data()+"\n") {
				t.Errorf("it does not say where the data folder is:\n%s", m.said)
			}
			info, err := os.Stat(m.data())
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != os.ModeDir|0o700 {
				t.Errorf("mode %v, want 0700", info.Mode())
			}
		})
	}
}

func TestADataFolderThatIsNone(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	if err := os.WriteFile(m.data(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "which is not a folder", "", "serve")
	m.with("FLOWLATCH_DATA_DIR", filepath.Join(m.data(), "below")).fails(exitFailure, "the data folder can't be", "", "serve")
}

func TestAKeysetThatCannotBeUsed(t *testing.T) {
	for _, tc := range []struct {
		name string
		harm func(t *testing.T, keyset string) error
		want string
	}{
		{"is lost while the database is kept", func(_ *testing.T, keyset string) error { return os.Remove(keyset) }, "there is no keyset at"},
		{"is that of another database", func(t *testing.T, keyset string) error {
			other, _ := withOneAssistant(t)
			return os.Rename(filepath.Join(other.data(), "keyset.json"), keyset)
		}, "the keyset is not the one of this database"},
		{"can be read by everyone", func(_ *testing.T, keyset string) error { return os.Chmod(keyset, 0o644) }, "open to every user"},
		{"is empty", func(_ *testing.T, keyset string) error { return os.Truncate(keyset, 0) }, "is empty"},
		{"is cut", func(_ *testing.T, keyset string) error { return os.Truncate(keyset, 40) }, "is not a keyset"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, _ := withOneAssistant(t)
			keyset := filepath.Join(m.data(), "keyset.json")
			if err := tc.harm(t, keyset); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(keyset)
			m.fails(exitFailure, tc.want, "", "serve")
			m.fails(exitFailure, tc.want, "", "project", "list")
			after, _ := os.ReadFile(keyset)
			if string(before) != string(after) {
				t.Error("a new keyset was made")
			}
		})
	}
}

func TestANamedKeysetMustBeThere(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_KEYSET_FILE", "/nowhere/keyset.json")
	m.fails(exitFailure, "there is no keyset at /nowhere/keyset.json", "", "serve")
}

func TestAnotherVoiceflowIsRefused(t *testing.T) {
	m, _ := withOneAssistant(t)
	other := m.with("FLOWLATCH_VOICEFLOW_API_URL", "https://voiceflow.example")
	for _, args := range [][]string{{"serve"}, {"project", "list"}} {
		other.fails(exitFailure, m.env["FLOWLATCH_VOICEFLOW_API_URL"], "", args...)
		other.fails(exitFailure, "https://voiceflow.example", "", args...)
	}
	m.start("serve").stop() // the data did not change
}

func TestTwoFirstStartsAtOnce(t *testing.T) {
	for _, tc := range []struct {
		name     string
		database func(t *testing.T) string
	}{
		{"on SQLite", func(*testing.T) string { return "" }},
		{"on Postgres", func(t *testing.T) string { return postgrestest.DSN(t) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 3 {
				startTwice(t, tc.database(t))
			}
		})
	}
}

// startTwice starts two servers at the same time without a data folder. They must get one keyset
// and one database.
func startTwice(t *testing.T, database string) {
	t.Helper()
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a)).with("FLOWLATCH_DATABASE_URL", database)
	one, two := m.launch("serve"), m.launch("serve")
	one.await()
	two.await()
	m.must(adminPassword, "user", "create", "--admin", "ada")
	admin := one.admin()
	admin.want(admin.post("/add_project", adding(a)), "200")
	there := admin.at(two.url)
	there.want(there.get("/get_projects"), "200") // the other server opens the cookie, so they have one keyset
	one.stop()
	two.stop()
	m.start("serve").stop()
}
