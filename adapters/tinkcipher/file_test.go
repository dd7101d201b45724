package tinkcipher_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

var (
	ours  = tinkcipher.FileOptions{}
	named = tinkcipher.FileOptions{Named: true}
)

// write puts text into the file with that mode, whatever the umask is.
func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// wantOnly fails the test unless the folder holds that and nothing else, such as a
// temporary file.
func wantOnly(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !cmp.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestTheFirstStartMakesTheKeyset(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "keyset.json")
	c := tinkcipher.NewFile(path, ours)
	if err := c.Prepare(t.Context(), true); err != nil {
		t.Fatalf("Prepare: got error %v, want success", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), os.FileMode(0o600); got != want {
		t.Errorf("mode of the keyset: got %v, want %v", got, want)
	}
	wantOnly(t, folder, "keyset.json")

	again := tinkcipher.NewFile(path, ours)
	if err := again.Prepare(t.Context(), false); err != nil {
		t.Fatalf("Prepare of the second start: got error %v, want success", err)
	}
	wantOpens(t, again, seal(t, c, "x"), "x")
}

func TestPreparingAgainChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	c := tinkcipher.NewFile(path, ours)
	if err := c.Prepare(t.Context(), true); err != nil {
		t.Fatalf("Prepare: got error %v, want success", err)
	}
	ids := c.Keys()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []bool{true, false} {
		if err := c.Prepare(t.Context(), fresh); err != nil {
			t.Errorf("Prepare again with fresh %v: got error %v, want success", fresh, err)
		}
	}
	if got := c.Keys(); !cmp.Equal(got, ids) {
		t.Errorf("Keys: got %v, want %v as before", got, ids)
	}
	wantOnly(t, filepath.Dir(path))
}

func TestOfTwoFirstStartsAtOnceOneMakesTheKeyset(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "keyset.json")
	ciphers := make([]*tinkcipher.Cipher, 16)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range ciphers {
		ciphers[i] = tinkcipher.NewFile(path, ours)
		all.Go(func() {
			<-start
			if err := ciphers[i].Prepare(t.Context(), true); err != nil {
				t.Errorf("Prepare: got error %v, want success", err)
			}
		})
	}
	close(start)
	all.Wait()
	wantOnly(t, folder, "keyset.json")
	for _, c := range ciphers {
		wantOpens(t, ciphers[0], seal(t, c, "x"), "x")
	}
}

func TestAKeysetThatIsMissingIsMadeOnlyWhereNothingWasSealed(t *testing.T) {
	for _, tc := range []struct {
		name  string
		o     tinkcipher.FileOptions
		fresh bool
		want  string
	}{
		{"ours is lost", ours, false, "a new keyset is not created, because the database has keys that need the missing one; put its copy back"},
		{"a named one is not there at the first start", named, true, "a file that is named must exist"},
		{"a named one is lost", named, false, "a file that is named must exist, and a new keyset is not created, because the database has keys that need the missing one; put its copy back"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "keyset.json")
			err := tinkcipher.NewFile(path, tc.o).Prepare(t.Context(), tc.fresh)
			wantCorrupt(t, "Prepare", err)
			if got, want := err.Error(), "corrupt: there is no keyset at "+path+": "+tc.want; got != want {
				t.Errorf("Prepare: got %q, want %q", got, want)
			}
			wantOnly(t, folder)
		})
	}
}

func TestASentenceNamesTheWholePath(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	err = tinkcipher.NewFile("keyset.json", ours).Prepare(t.Context(), false)
	wantCorrupt(t, "Prepare", err)
	if want := filepath.Join(here, "keyset.json"); !strings.Contains(err.Error(), want) {
		t.Errorf("Prepare: got %q, want it to name %s", err, want)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	good := generate(t).Reveal()
	for _, tc := range []struct {
		name string
		o    tinkcipher.FileOptions
		make func(path string) error
		want string // after the path
	}{
		{"a folder", named, func(path string) error { return os.Mkdir(path, 0o700) }, " is not a regular file"},
		{"a named pipe that nobody writes to", named, func(path string) error { return syscall.Mkfifo(path, 0o600) }, " is not a regular file"},
		{"a link to itself", named, func(path string) error { return os.Symlink(path, path) }, " can't be read: too many levels of symbolic links"},
		{"a link to nothing, ours", ours, func(path string) error { return os.Symlink(path+".gone", path) }, " is a link to a file that does not exist"},
		{"a link to nothing, named", named, func(path string) error { return os.Symlink(path+".gone", path) }, ": a file that is named must exist"},
		{"an empty file", ours, func(path string) error { write(t, path, "", 0o600); return nil }, " is empty"},
		{"a foreign file", ours, func(path string) error { write(t, path, `{"private_key":"s3cret"}`, 0o600); return nil }, " is not a keyset in Tink's JSON"},
		{"a large file", ours, func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
			" is larger than 64 KiB, so it is not a keyset"},
		{"ours readable by all", ours, func(path string) error { write(t, path, good, 0o604); return nil },
			" is open to every user of this machine (mode 0604); set its mode to 0600"},
		{"a named one readable by all", named, func(path string) error { write(t, path, good, 0o644); return nil },
			" is open to every user of this machine (mode 0644); set its mode to 0600"},
		{"a named one writable by all", named, func(path string) error { write(t, path, good, 0o602); return nil },
			" is open to every user of this machine (mode 0602); set its mode to 0600"},
		{"ours readable by its group", ours, func(path string) error { write(t, path, good, 0o640); return nil },
			" is open to its group (mode 0640); set its mode to 0600"},
		{"ours writable by its group", ours, func(path string) error { write(t, path, good, 0o620); return nil },
			" is open to its group (mode 0620); set its mode to 0600"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyset.json")
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			c := tinkcipher.NewFile(path, tc.o)
			err := c.Prepare(t.Context(), true)
			wantCorrupt(t, "Prepare", err)
			if want := "keyset at " + path + tc.want; !strings.HasSuffix(err.Error(), want) {
				t.Errorf("Prepare: got %q, want it to end in %q", err, want)
			}
			wantOnly(t, filepath.Dir(path), "keyset.json")

			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, good, 0o600)
			if err := c.Prepare(t.Context(), false); err != nil {
				t.Errorf("Prepare once that is put right: got error %v, want success", err)
			}
		})
	}
}

func TestAnUnreadablePathIsNotAMissingOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x", 0o600)
	err := tinkcipher.NewFile(filepath.Join(file, "keyset.json"), ours).Prepare(t.Context(), true)
	wantCorrupt(t, "Prepare under a file in place of a folder", err)
	if !strings.HasSuffix(err.Error(), " can't be read: not a directory") {
		t.Errorf("Prepare: got %q, want it to say why the keyset can't be read", err)
	}
}

func TestANamedFileMayBeReadByItsGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	write(t, path, generate(t).Reveal(), 0o440)
	c := tinkcipher.NewFile(path, named)
	if err := c.Prepare(t.Context(), false); err != nil {
		t.Fatalf("Prepare: got error %v, want success", err)
	}
	wantOpens(t, c, seal(t, c, "x"), "x")
}

func TestAKeysetThatCanNotBeMadeIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no such folder", "keyset.json")
	err := tinkcipher.NewFile(path, ours).Prepare(t.Context(), true)
	if got, want := err.Error(), "unavailable: a keyset could not be written to "+path+": no such file or directory"; got != want {
		t.Errorf("Prepare: got %q, want %q", got, want)
	}
}

func TestPrepareUnderAnEndedContextDoesNothing(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := tinkcipher.NewFile(filepath.Join(folder, "keyset.json"), ours).Prepare(ctx, true)
	if domain.KindOf(err) != domain.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare: got error %v, want kind %q and the context's end", err, domain.Unavailable)
	}
	wantOnly(t, folder)
}

func TestWriteFileNeverOverwrites(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "keyset.json")
	first, second := generate(t), generate(t)
	if err := tinkcipher.WriteFile(path, first); err != nil {
		t.Fatalf("WriteFile: got error %v, want success", err)
	}
	if err := tinkcipher.WriteFile(path, second); domain.KindOf(err) != domain.Conflict {
		t.Errorf("WriteFile onto a file: got error %v, want kind %q", err, domain.Conflict)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Equal(domain.NewSecret(string(text))) {
		t.Error("the file no longer has the first keyset")
	}
	if err := os.Symlink("nowhere", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if err := tinkcipher.WriteFile(filepath.Join(folder, "link"), second); domain.KindOf(err) != domain.Conflict {
		t.Errorf("WriteFile onto a link to nothing: got error %v, want kind %q", err, domain.Conflict)
	}
	wantOnly(t, folder, "keyset.json", "link")
	c := tinkcipher.NewFile(path, named)
	if err := c.Prepare(t.Context(), false); err != nil {
		t.Errorf("Prepare with the file: got error %v, want success", err)
	}
}
