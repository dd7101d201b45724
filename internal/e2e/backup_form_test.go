package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A backup in the first format, and the keyset that opens it. Nobody uses that keyset.
const (
	firstBackup = "testdata/backup_v1.jsonl"
	firstKeyset = "testdata/backup_v1_keyset.json"
)

// TestABackupOfTheFirstFormIsStillRestored restores the files in testdata. They are never
// written again: this program writes another format.
func TestABackupOfTheFirstFormIsStillRestored(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_VOICEFLOW_API_URL", "")
	m.keepKeyset(t, firstKeyset)
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

// TestTheTimesOfBothKeysAreRestoredFromTheFirstForm restores a backup that a program of
// schema version 3 made. Assistant 2 and Assistant 3 have two keys in it. A project had one
// pair of times for both keys then.
func TestTheTimesOfBothKeysAreRestoredFromTheFirstForm(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_VOICEFLOW_API_URL", "")
	m.keepKeyset(t, "testdata/backup_v1_two_keys_keyset.json")
	file, err := filepath.Abs("testdata/backup_v1_two_keys.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if said := m.must("", "restore", file); !strings.Contains(said, "assistants 3, keys 5, users 2, grants 1, access tokens 0, ") {
		t.Errorf("restore says %q", said)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(m.data(), "flowlatch.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const checked, set = 1700000000000001, 1600000000000002
	const keys = `SELECT key_status || ' ' || key_checked || ' ' || key_set || ' ' || secondary_status || ' ' || secondary_checked || ' ' || secondary_set
		FROM projects WHERE name = ?`
	for name, want := range map[string]string{
		"Assistant 1": fmt.Sprintf("ok %d %d none 0 0", checked, set),
		"Assistant 2": fmt.Sprintf("ok %d %d ok %d %d", checked, set, checked, set),
		"Assistant 3": fmt.Sprintf("needs_reentry %d %d rejected %d %d", checked, set, checked, set),
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), keys, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s has the keys %q and error %v, want %q", name, got, err, want)
		}
	}
}

// keepKeyset makes the data folder, with a copy of the keyset in file.
func (m *machine) keepKeyset(t *testing.T, file string) {
	t.Helper()
	keyset, err := os.ReadFile(file)
	if err == nil {
		err = os.Mkdir(m.data(), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(m.data(), "keyset.json"), keyset, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
