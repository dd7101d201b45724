package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serviceUser and stranger are users without a name. stranger owns nothing that the service uses.
const (
	serviceUser = 64001
	stranger    = 64002
)

// withData returns a machine of a service user, with a database and a keyset.
func withData(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, startVoiceflow(t)).asUser(serviceUser)
	m.must(adminPassword, "user", "create", "--admin", "ada")
	return m
}

// givenTo gives a file to a user, or the link itself.
func givenTo(t *testing.T, user int, path string) {
	t.Helper()
	if err := os.Lchown(path, user, user); err != nil {
		t.Fatal(err)
	}
}

// moved moves a file to another folder, and puts a link of that user in its place.
func moved(t *testing.T, user int, path string) {
	t.Helper()
	elsewhere := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := errors.Join(os.Chmod(filepath.Dir(elsewhere), 0o755), os.Chmod(filepath.Dir(filepath.Dir(elsewhere)), 0o755),
		exec.Command("mv", path, elsewhere).Run(), os.Symlink(elsewhere, path)); err != nil {
		t.Fatal(err)
	}
	givenTo(t, serviceUser, filepath.Dir(elsewhere))
	givenTo(t, user, path)
}

func mode(t *testing.T, bits os.FileMode, path string) {
	t.Helper()
	if err := os.Chmod(path, bits); err != nil {
		t.Fatal(err)
	}
}

// TestFilesThatOthersCanChangeAreRefused also runs the command in the sentence. Afterwards the
// service must start.
func TestFilesThatOthersCanChangeAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		harm func(t *testing.T, m *machine)
		want string
	}{
		{"a data folder that everybody may write", func(t *testing.T, m *machine) { mode(t, 0o777, m.data()) }, "may be changed by every user of this machine (mode 0777); run: chmod go-w "},
		{"a data folder of another user", func(t *testing.T, m *machine) {
			mode(t, 0o755, m.data())
			givenTo(t, stranger, m.data())
		}, "belongs to user 64002, and neither to root nor to user 64001, who runs this program; run: chown 64001 "},
		{"a data folder that another group may write", func(t *testing.T, m *machine) {
			mode(t, 0o775, m.data())
			if err := os.Chown(m.data(), -1, stranger); err != nil {
				t.Fatal(err)
			}
		}, "group 64002, to which this program does not belong (mode 0775); run: chmod g-w "},
		{"a link in place of the data folder", func(t *testing.T, m *machine) { moved(t, serviceUser, m.data()) }, `is a symbolic link; name what it leads to: FLOWLATCH_DATA_DIR="$(readlink -f `},
		{"a link of root to another place", func(t *testing.T, m *machine) { moved(t, 0, m.data()) }, `is a symbolic link; name what it leads to: FLOWLATCH_DATA_DIR="$(readlink -f `},
		{"a folder above that everybody may write", func(t *testing.T, m *machine) { mode(t, 0o777, m.folder) }, "so they can replace what is in it; run: chmod o-w "},
		{"a database that everybody may write", func(t *testing.T, m *machine) { mode(t, 0o666, m.data()+"/flowlatch.db") }, "the database "},
		{"a link in place of the database", func(t *testing.T, m *machine) { moved(t, serviceUser, m.data()+"/flowlatch.db") }, `FLOWLATCH_DATABASE_URL=sqlite://"$(readlink -f `},
		{"a link to nothing in place of the database", func(t *testing.T, m *machine) {
			if err := errors.Join(os.Remove(m.data()+"/flowlatch.db"), os.Remove(m.data()+"/keyset.json"), os.Symlink(t.TempDir()+"/nowhere", m.data()+"/flowlatch.db")); err != nil {
				t.Fatal(err)
			}
		}, "is a symbolic link; run: rm "},
		{"a journal of another user", func(t *testing.T, m *machine) {
			if err := os.WriteFile(m.data()+"/flowlatch.db-wal", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			givenTo(t, stranger, m.data()+"/flowlatch.db-wal")
		}, "a file of the database "},
		{"a keyset of another user", func(t *testing.T, m *machine) { givenTo(t, stranger, m.data()+"/keyset.json") }, "the keyset "},
		{"a link in place of the keyset", func(t *testing.T, m *machine) { moved(t, 0, m.data()+"/keyset.json") }, `FLOWLATCH_KEYSET_FILE="$(readlink -f `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := withData(t)
			tc.harm(t, m)
			m.fails(exitFailure, tc.want, "", "serve")
			m.fails(exitFailure, tc.want, "", "user", "list")

			fix := m.run("", "serve").stderr
			m.fixed(fix).start("serve").stop()
		})
	}
}

// fixed runs the command at the end of a refusal, or sets the setting that it names.
func (m *machine) fixed(refusal string) *machine {
	m.t.Helper()
	refusal = strings.TrimSpace(refusal)
	if _, setting, ok := strings.Cut(refusal, "; name what it leads to: "); ok {
		name, value, _ := strings.Cut(setting, "=")
		expanded, err := exec.Command("sh", "-c", "printf %s "+value).Output()
		if err != nil {
			m.t.Fatal(err)
		}
		return m.with(name, string(expanded))
	}
	_, command, _ := strings.Cut(refusal, "; run: ")
	if output, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		m.t.Fatalf("%q: %v\n%s", command, err, output)
	}
	return m
}

func TestCommandsOfRootWarn(t *testing.T) {
	for _, tc := range []struct {
		name string
		harm func(t *testing.T, m *machine)
		want string // "" for no warning
	}{
		{"files of the service", func(*testing.T, *machine) {}, ""},
		{"a data folder that everybody may write", func(t *testing.T, m *machine) { mode(t, 0o777, m.data()) }, "may be changed by every user"},
		{"a link in place of the data folder", func(t *testing.T, m *machine) { moved(t, 0, m.data()) }, "is a symbolic link"},
		{"a link in place of the database", func(t *testing.T, m *machine) { moved(t, serviceUser, m.data()+"/flowlatch.db") }, "is a symbolic link"},
		{"a keyset of another user", func(t *testing.T, m *machine) { givenTo(t, stranger, m.data()+"/keyset.json") }, "belongs to user 64002, and neither to root nor to user 64001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := withData(t)
			tc.harm(t, m)
			m.user = 0
			r := m.run("", "user", "list")
			if r.code != exitOK || tc.want == "" && r.stderr != "" || !strings.Contains(r.stderr, tc.want) {
				t.Errorf("exit code %d, want 0 and a warning with %q\n%s", r.code, tc.want, r.stderr)
			}
			m.fails(exitFailure, "flowlatch: the ", "", "serve") // as a service, root is another user
		})
	}
}

// TestWhereOrchestratorsPutFiles starts the service with files as systemd and Kubernetes lay them
// out.
func TestWhereOrchestratorsPutFiles(t *testing.T) {
	t.Run("systemd, StateDirectory= with DynamicUser=", func(t *testing.T) {
		m := withData(t)
		m.owned(0, 0o755, m.folder)
		private := filepath.Join(m.folder, "private")
		if err := errors.Join(os.Mkdir(private, 0o755), os.Rename(m.data(), private+"/flowlatch-data"), os.Symlink("private/flowlatch-data", m.data())); err != nil {
			t.Fatal(err)
		}
		m.start("serve").stop()
	})
	t.Run("Kubernetes, a secret with fsGroup", func(t *testing.T) {
		m := withData(t)
		mount := filepath.Join(m.folder, "secret")
		version := filepath.Join(mount, "..2026_11_30_10_00_00.1")
		if err := errors.Join(os.MkdirAll(version, 0o755), os.Rename(m.data()+"/keyset.json", version+"/keyset.json"),
			os.Symlink("..2026_11_30_10_00_00.1", mount+"/..data"), os.Symlink("..data/keyset.json", mount+"/keyset.json"),
			os.Chown(version+"/keyset.json", 0, serviceUser), os.Chmod(version+"/keyset.json", 0o440),
			os.Chown(mount, 0, serviceUser), os.Chmod(mount, 0o777|os.ModeSticky|os.ModeSetgid)); err != nil {
			t.Fatal(err)
		}
		m.with("FLOWLATCH_KEYSET_FILE", mount+"/keyset.json").start("serve").stop()
	})
	t.Run("a volume of the group of the service", func(t *testing.T) {
		m := withData(t)
		m.owned(0, 0o775|os.ModeSetgid, m.data())
		m.start("serve").stop()
	})
	t.Run("a data folder below /tmp", func(t *testing.T) {
		m := withData(t)
		m.owned(0, 0o777|os.ModeSticky, m.folder)
		m.start("serve").stop()
	})
}

// owned gives a folder to a user and to the group of the service.
func (m *machine) owned(user int, bits os.FileMode, path string) {
	m.t.Helper()
	if err := errors.Join(os.Chown(path, user, serviceUser), os.Chmod(path, bits)); err != nil {
		m.t.Fatal(err)
	}
}

func TestGivenFilesThatOthersCanChangeAreWarnedAbout(t *testing.T) {
	certificate, key := newCertificate(t)
	mode(t, 0o622, key)
	s := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_TLS_CERT_FILE", certificate, "FLOWLATCH_TLS_KEY_FILE", key).start("serve")
	s.stop()
	if want := "the key of the certificate " + key + " may be changed by every user"; !strings.Contains(s.stderr.String(), want) {
		t.Errorf("%q is not in the log:\n%s", want, s.stderr)
	}
}
