package bunstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

func TestASQLiteFileIsMadeForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "a folder", "what?#%&=;.db")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	escaped := filepath.Join(folder, "a%20folder", "what%3F%23%25&=;.db")
	s := furnished(t, "sqlite://"+escaped, bunstore.Options{})
	if got, want := s.Describe(), "SQLite file "+file; got != want {
		t.Errorf("Describe: got %q, want %q", got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 3 { // with -wal and -shm
		t.Fatalf("got %v and error %v, want the file and two beside it", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: got mode %v and error %v, want 0600", e.Name(), info.Mode(), err)
		}
	}
}

func TestASQLiteFileThatIsThereKeepsItsMode(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "flowlatch.db")
	if err := os.WriteFile(file, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	migrated(t, "sqlite://"+file, bunstore.Options{})
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 || info.Size() == 0 {
		t.Errorf("got %v and error %v, want a database of mode 0640", info, err)
	}
}

func TestASQLiteFileThatCanNotBeMadeIsInvalid(t *testing.T) {
	t.Parallel()
	_, err := bunstore.Open(t.Context(), domain.NewSecret("sqlite:///no/such/folder/flowlatch.db"), bunstore.Options{})
	wantKind(t, "Open", err, domain.Invalid)
}

func TestAFileThatIsNoSQLiteDatabaseIsInvalid(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(file, []byte("These are notes, and nothing that SQLite could read as a database of its own.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := bunstore.Open(t.Context(), domain.NewSecret("sqlite://"+file), bunstore.Options{})
	wantKind(t, "Open", err, domain.Invalid)
}

func TestWritersWaitForAnotherProcessWithinTheirTime(t *testing.T) {
	t.Parallel()
	address := "sqlite://" + filepath.Join(t.TempDir(), "flowlatch.db")
	s := furnished(t, address, bunstore.Options{Timeout: 300 * time.Millisecond})
	other, err := beside(t, address).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	write := func(ctx context.Context, n int) error {
		return s.Ports().Projects.Add(ctx, act("add"), project(n))
	}
	wantKind(t, "Add beside another writer", write(t.Context(), 2), domain.Unavailable)
	if _, err := s.Ports().Projects.Page(t.Context(), domain.Operator().Sees(), domain.ProjectFilter{}, domain.Cursor{}, 10); err != nil {
		t.Errorf("Page beside another writer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- write(ctx, 3) }()
	cancel()
	wantKind(t, "Add of somebody who left", <-left, domain.Unavailable)
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), 4); err != nil {
		t.Errorf("Add after the other writer: %v", err)
	}
}
