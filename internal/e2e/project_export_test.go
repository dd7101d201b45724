package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestAssistantsMoveToAnotherInstallation moves assistants to an installation with another
// keyset.
func TestAssistantsMoveToAnotherInstallation(t *testing.T) {
	pizza, trains, alias := newAssistant("Pizza Palace"), newAssistant("Train times"), newAssistant("Alias")
	v := startVoiceflow(t, pizza, trains, alias)
	here, there := newMachine(t, v), newMachine(t, v)
	for _, m := range []*machine{here, there} {
		m.must("", "migrate", "up")
	}
	here.must(pizza.Key, "project", "add", pizza.VersionID)
	here.must(trains.Key, "project", "add", trains.VersionID)
	here.must(alias.Key, "project", "add", alias.Aliases[0], "--voiceflow-project", alias.ProjectID)

	id, other := identity(t), identity(t)
	keyfile := there.write("key.txt", "# created: 2026-11-25T00:00:00Z\n# public key: "+id.Recipient().String()+"\n"+id.String()+"\n")
	export := []string{"project", "export", "--recipient", id.Recipient().String(), "--recipient", other.Recipient().String()}
	if got := here.must("", append(export, "all.age")...); got != "exported 3\n" {
		t.Errorf("it says %q", got)
	}
	if got := here.must("", append(export, "two.age", "Pizza Palace", alias.ProjectID, "Pizza Palace")...); got != "exported 2\n" {
		t.Errorf("it says %q", got)
	}
	file := filepath.Join(here.folder, "all.age")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []voiceflowtest.Assistant{pizza, trains, alias} {
		for form, trace := range tracesOf(a.Key) {
			if strings.Contains(string(sealed), trace) {
				t.Errorf("the file has a key in it, %s", form)
			}
		}
	}

	// An export needs a new file and a recipient, and does not write to standard output.
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"what is there already", "is not overwritten", []string{"--recipient", id.Recipient().String(), "all.age"}},
		{"a folder that does not exist", "no such file", []string{"--recipient", id.Recipient().String(), "nowhere/all.age"}},
		{"standard output", "not written to standard output", []string{"--recipient", id.Recipient().String(), "-"}},
		{"the secret key for the public one", "recipient 1 is not a public key of age", []string{"--recipient", id.String(), "new.age"}},
		{"a name that is nobody's", "there is no such assistant", []string{"--recipient", id.Recipient().String(), "new.age", "Pizza"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			here.fails(exitFailure, tc.want, "", append([]string{"project", "export"}, tc.args...)...)
		})
	}
	here.fails(exitUsage, "missing flags", "", "project", "export", "new.age")
	if files, err := filepath.Glob(filepath.Join(here.folder, "*")); err != nil || len(files) != 3 { // the data folder and the two exports
		t.Errorf("there are %v, %v", files, err)
	}
	if files, err := filepath.Glob(filepath.Join(here.folder, ".flowlatch*")); err != nil || len(files) != 0 {
		t.Errorf("%v are left, %v", files, err)
	}

	// An altered file, a file for others, or a file for another Voiceflow adds nothing.
	there.write("all.age", string(sealed))
	altered := []byte(string(sealed))
	altered[len(altered)-1] ^= 1
	elsewhere := newMachine(t, startVoiceflow(t, pizza))
	elsewhere.must("", "migrate", "up")
	for _, tc := range []struct {
		name, want, keys, file string
		on                     *machine
	}{
		{"altered", "nothing was added: the file was altered or cut", id.String(), string(altered), there},
		{"cut", "nothing was added: the file was altered or cut", id.String(), string(sealed[:len(sealed)-30]), there},
		{"sealed to others", "nothing was added: the identity does not open the file", identity(t).String(), string(sealed), there},
		{"no sealed file", "project export did not write it", id.String(), "version_id,token\n", there},
		{"for another Voiceflow", "nothing was added: the keys in the file are for Voiceflow at " + v.URL(), id.String(), string(sealed), elsewhere},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.on.fails(exitFailure, tc.want, "", "project", "import", "--identity", tc.on.write("k.txt", tc.keys), tc.on.write("f.age", tc.file))
			if got := tc.on.names(); len(got) != 0 {
				t.Errorf("%v were added", got)
			}
		})
	}

	// Voiceflow rejects one key. The assistant is added later.
	arrives := []string{"project", "import", "--identity", keyfile, "all.age"}
	v.Fail(downFor(trains.Key))
	there.report(exitFailure, "", arrives, "Train times was refused: Voiceflow gave no usable answer; try again later", "added 2, there already 0, refused 1")
	v.Fail(nil)
	there.report(exitOK, "", arrives, "added 1, there already 2, refused 0")
	before := there.must("", "project", "list")
	there.report(exitOK, "", arrives, "added 0, there already 3, refused 0")
	if after := there.must("", "project", "list"); after != before {
		t.Errorf("a second run changes\n%sto\n%s", before, after)
	}
	everyKeyOpens(t, there, map[string]voiceflowtest.Assistant{
		there.idOf("Pizza Palace"): pizza, there.idOf("Train times"): trains, there.idOf("Alias"): alias})
	for _, m := range []*machine{here, there, elsewhere} {
		m.noKeyIn(pizza.Key, trains.Key, alias.Key, id.String())
	}
}

func TestExportPassesOverAKeyThatDoesNotOpen(t *testing.T) {
	pizza, trains := newAssistant("Pizza Palace"), newAssistant("Train times")
	m := newMachine(t, startVoiceflow(t, pizza, trains))
	m.must("", "migrate", "up")
	m.must(pizza.Key, "project", "add", pizza.VersionID)
	m.must(trains.Key, "project", "add", trains.VersionID)
	m.spoil("Pizza Palace")
	to := identity(t).Recipient().String()
	said := m.report(exitFailure, "", []string{"project", "export", "--recipient", to, "all.age"},
		"the primary key of Pizza Palace, which has the Id "+m.idOf("Pizza Palace")+", can't be decrypted", "exported 1")
	if said != "flowlatch: keys that can't be decrypted: 1; they are not in the file\n" {
		t.Errorf("standard error is %q", said)
	}
	said = m.report(exitFailure, "", []string{"project", "export", "--recipient", to, "none.age", "Pizza Palace"}, "the primary key of Pizza Palace")
	if !strings.Contains(said, "nothing to export") {
		t.Errorf("standard error is %q", said)
	}
	if _, err := os.Stat(filepath.Join(m.folder, "none.age")); !os.IsNotExist(err) {
		t.Errorf("there is a file with nothing in it (%v)", err)
	}
}

// spoil alters the sealed keys of an assistant in the SQLite file.
func (m *machine) spoil(name string) {
	m.t.Helper()
	db, err := sql.Open(m.database())
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(`UPDATE project_keys SET sealed = CAST(x'00' || substr(sealed, 2) AS BLOB) WHERE project_id = $1`, m.idOf(name)); err != nil {
		m.t.Fatal(err)
	}
}

// TestAllKeysMoveToAnotherInstallation moves three keys. The secondary key can't be set at first.
func TestAllKeysMoveToAnotherInstallation(t *testing.T) {
	a := newAssistant("Pizza Palace")
	a.SecondKey = voiceflowtest.NewKey()
	v := startVoiceflow(t, a)
	personal := voiceflowtest.NewPersonalToken()
	v.AddPersonalToken(personal, a.ProjectID)
	here, there := newMachine(t, v), newMachine(t, v)
	for _, m := range []*machine{here, there} {
		m.must("", "migrate", "up")
	}
	here.must(a.Key, "project", "add", a.VersionID)
	here.must(a.SecondKey, "project", "set-token", "Pizza Palace", "--slot", "secondary")
	here.must(personal, "project", "set-token", "Pizza Palace", "--slot", "personal")
	id := identity(t)
	here.must("", "project", "export", "--recipient", id.Recipient().String(), filepath.Join(there.folder, "all.age"))

	arrives := []string{"project", "import", "--identity", there.write("key.txt", id.String()), "all.age"}
	v.Fail(downFor(a.SecondKey))
	there.report(exitFailure, "", arrives, "Pizza Palace was refused: the assistant has its primary key, but its secondary key could not be set: Voiceflow gave no usable answer; try again later",
		"added 0, there already 0, refused 1")
	v.Fail(nil)
	there.report(exitOK, "", arrives, "added 0, there already 1, refused 0")
	if got := there.must("", "project", "check", "--all"); !strings.HasSuffix(got, "Pizza Palace: primary ok, secondary ok, personal ok\n") {
		t.Errorf("project check says %q", got)
	}
	there.must(a.Key, "project", "set-token", "Pizza Palace", "--slot", "secondary")
	tried := v.Received()
	there.report(exitOK, "", arrives, "added 0, there already 1, refused 0")
	if got := v.Received() - tried; got != 1 { // only the primary key was tried: the other slots are full
		t.Errorf("Voiceflow was asked %d times, want 1", got)
	}
	for _, m := range []*machine{here, there} {
		m.noKeyIn(a.Key, a.SecondKey, personal)
	}
}

// identity returns a new key pair of age.
func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
