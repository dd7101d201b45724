package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/internal/vaulttest"
)

// leftovers returns the temporary files below the folder of a machine, which is also its TMPDIR.
func (m *machine) leftovers() []string {
	return slices.DeleteFunc(filesIn(m.t, m.folder), func(name string) bool { return !strings.Contains(name, ".flowlatch-") })
}

func TestARestoreFromStandardInput(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		m, a := withOneAssistant(t)
		content := m.run("", "backup", "-").stdout
		there := m.elsewhere(database)
		there.fails(exitFailure, "the backup", content[:len(content)-10], "restore", "-")
		there.fails(exitFailure, "the backup", strings.Replace(content, "Pizza", "Pasta", 1), "restore", "-")
		there.fails(exitFailure, "this is not a backup", "", "restore", "-")
		if got := there.must(content, "restore", "-"); !strings.Contains(got, "restored the backup of ") {
			t.Errorf("it says %q", got)
		}
		if got := there.names(); !slices.Equal(got, []string{a.Name}) {
			t.Errorf("the assistants are %q", got)
		}
		if left := there.leftovers(); len(left) > 0 {
			t.Errorf("something is left behind: %v", left)
		}
	})
}

// TestARestoreFromStandardInputThatEndsEarly looks at the copy of standard input while it is
// written.
func TestARestoreFromStandardInputThatEndsEarly(t *testing.T) {
	m, _ := withOneAssistant(t)
	for _, tc := range []struct {
		name   string
		keyset bool // whether there is a data folder
		end    func(s *server)
	}{
		{"by SIGTERM", true, func(s *server) { s.interrupt(); s.mustEnd(exitFailure) }},
		{"by SIGKILL", true, func(s *server) { s.kill() }},
		{"by SIGKILL, without a data folder", false, func(s *server) { s.kill() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			there := m.elsewhere("")
			if !tc.keyset {
				there = newMachine(t, startVoiceflow(t))
			}
			reader, writer := pipe(t)
			s := there.launchFrom(reader, "restore", "-")
			_ = reader.Close()
			part := strings.Repeat("x", 200<<10) // more than a pipe holds, so the program has read some of it
			if _, err := writer.WriteString(part); err != nil {
				t.Fatal(err)
			}
			tc.end(s)
			if left := there.leftovers(); len(left) > 0 {
				t.Errorf("something is left behind: %v", left)
			}
		})
	}
}

func TestDashIsAStandardStream(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	vault := vaulttest.Start(t)
	here, there := newMachine(t, v), newMachine(t, v)
	here.must("", "migrate", "up")
	here.must(a.Key, "project", "add", a.VersionID)
	id := identity(t)
	here.must("", "project", "export", "--recipient", id.Recipient().String(), "all.age")
	sealed, err := os.ReadFile(filepath.Join(here.folder, "all.age"))
	if err != nil {
		t.Fatal(err)
	}
	there.must("", "migrate", "up")
	keyfile := there.write("key.txt", id.String()+"\n")
	file := there.write("all.age", string(sealed))
	clear := there.write("clear.json", "")
	if err := os.Remove(filepath.Join(there.folder, clear)); err != nil {
		t.Fatal(err)
	}
	there.must("", "keys", "new", clear)
	keyset, err := os.ReadFile(filepath.Join(there.folder, clear))
	if err != nil {
		t.Fatal(err)
	}
	wrapping := there.with("FLOWLATCH_KEYSET_KMS", vault.Transit("keyset"), "FLOWLATCH_KEYSET_KMS_TOKEN", vaulttest.Token)

	if got := there.must(string(sealed), "project", "import", "--identity", keyfile, "-"); !strings.Contains(got, "added 1, ") {
		t.Errorf("an import from standard input says %q", got)
	}
	if got := there.must(id.String(), "project", "import", "--identity", "-", file); !strings.Contains(got, "there already 1, ") {
		t.Errorf("an import with the secret key from standard input says %q", got)
	}
	if got := wrapping.must(string(keyset), "keys", "new", "--from", "-", "wrapped.json"); !strings.Contains(got, "created a keyset in wrapped.json") {
		t.Errorf("wrapping a keyset from standard input says %q", got)
	}
	if got := there.must("", "audit", "export", "-"); !strings.HasPrefix(got, `{"Id":`) {
		t.Errorf("an export of the audit is %q", got)
	}
	for args, want := range map[string]string{
		"project import --identity - -":                                "can't both come from standard input",
		"project export --recipient " + id.Recipient().String() + " -": "not written to standard output",
		"keys new -":                   "a keyset is not written to standard output; name a file",
		"keys rotate --by-hand -":      "--by-hand changes a file where it is; name a file instead of -",
		"keys retire --by-hand - 4711": "--by-hand changes a file where it is; name a file instead of -",
	} {
		r := there.run("", strings.Fields(args)...)
		if r.code == exitOK || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d and %q, want %q", args, r.code, r.stderr, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(there.folder, "-")); err == nil {
		t.Error("a file named - was made")
	}
	if left := there.leftovers(); len(left) > 0 {
		t.Errorf("something is left behind: %v", left)
	}
}
