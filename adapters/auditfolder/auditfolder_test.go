package auditfolder_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/auditfolder"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestAuditFiles(t *testing.T) {
	portstest.AuditFiles(t, func(t *testing.T) portstest.AuditFilesPlace {
		path := t.TempDir()
		return portstest.AuditFilesPlace{
			Files: auditfolder.New(path),
			Content: func(t *testing.T, name string) string {
				t.Helper()
				content, err := os.ReadFile(filepath.Join(path, name))
				if err != nil {
					t.Fatal(err)
				}
				return string(content)
			},
			Break: func(t *testing.T) {
				t.Helper()
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestAFileIsForItsOwnerOnlyAndNothingUnfinishedIsLeft(t *testing.T) {
	path := t.TempDir()
	dead := filepath.Join(path, ".unfinished-a.jsonl-123") // of a process that died
	if err := os.WriteFile(dead, []byte("a part"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := auditfolder.New(path)
	for range 2 {
		err := folder.Put(t.Context(), "a.jsonl", func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("row\n", 100_000))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 || entries[0].Name() != "a.jsonl" {
		t.Fatalf("got %v and error %v, want a.jsonl alone", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode() != 0o600 || info.Size() != 400_000 {
		t.Errorf("got mode %v, %d bytes and error %v", info.Mode(), info.Size(), err)
	}
}

func TestAFileStaysInItsFolder(t *testing.T) {
	folder := auditfolder.New(t.TempDir())
	for _, name := range []string{"", ".", "..", "../a", "a/b", "/a", ".hidden"} {
		if err := folder.Put(t.Context(), name, func(io.Writer) error { return nil }); err == nil {
			t.Errorf("%q: got no error", name)
		}
	}
}
