package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the backup and the keyset in testdata")

// A backup in the first format, and the keyset that opens it. Nobody uses that keyset.
const (
	firstBackup = "testdata/backup_v1.jsonl"
	firstKeyset = "testdata/backup_v1_keyset.json"
)

// TestABackupOfTheFirstFormIsStillRestored restores the files in testdata. Files of a
// released format must never be written again. Before the release, -update writes them.
func TestABackupOfTheFirstFormIsStillRestored(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_VOICEFLOW_API_URL", "")
	if *update {
		makeFirstBackup(t, m)
	}
	keyset, err := os.ReadFile(firstKeyset)
	if err == nil {
		err = os.Mkdir(m.data(), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(m.data(), "keyset.json"), keyset, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(firstBackup)
	if err != nil {
		t.Fatal(err)
	}
	if said := m.must("", "restore", file); !strings.Contains(said, "assistants 3, keys 3, users 2, grants 1, access tokens 0, ") {
		t.Errorf("restore says %q", said)
	}
	s := m.start("serve")
	ben := s.member()
	if granted := ben.want(ben.get("/get_projects"), "200").listed(t); len(granted) != 1 || granted[0].Name != "Assistant 2" {
		t.Errorf("the member sees %v", granted)
	}
}

// makeFirstBackup makes the files on another machine.
func makeFirstBackup(t *testing.T, m *machine) {
	t.Helper()
	other := *m
	other.folder = t.TempDir()
	other.must(adminPassword, "user", "create", "--admin", "ada")
	other.must(memberPassword, "user", "create", "ben")
	withMany(t, filepath.Join(other.data(), "flowlatch.db"), 3)
	other.must("", "user", "grant", "ben", "01890000-0000-7000-8000-000000000002")
	for from, to := range map[string]string{other.backup("kept.jsonl"): firstBackup, filepath.Join(other.data(), "keyset.json"): firstKeyset} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
