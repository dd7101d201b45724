package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// onlyFile wants that the folder has one file, with that content and for its owner alone.
func onlyFile(t *testing.T, folder, content string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Fatalf("the folder has %v, want one file", files)
	}
	path := filepath.Join(folder, files[0].Name())
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("it holds %q, %v, want %q", got, err, content)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func writes(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestWriteNewFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	failed := errors.New("no")
	if err := writeNewFile(path, func(w io.Writer) error { return errors.Join(writes("half")(w), failed) }); !errors.Is(err, failed) {
		t.Errorf("got error %v, want the one of write", err)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("%v are left, %v", files, err)
	}
	if err := writeNewFile(path, writes("first")); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, folder, "first")
	called := false
	err := writeNewFile(path, func(io.Writer) error { called = true; return nil })
	if err == nil || !strings.Contains(err.Error(), "is not overwritten") || called {
		t.Errorf("got error %v, and write was called: %v", err, called)
	}
	onlyFile(t, folder, "first")
}

func TestWriteNewFileTwiceAtOnceMakesOneFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	var writing, done sync.WaitGroup
	var made atomic.Int32
	writing.Add(2)
	for range 2 {
		done.Go(func() {
			err := writeNewFile(path, func(w io.Writer) error {
				writing.Done()
				writing.Wait() // both saw that there is no file
				return writes("content")(w)
			})
			if err == nil {
				made.Add(1)
			} else if !strings.Contains(err.Error(), "is not overwritten") {
				t.Errorf("got error %v", err)
			}
		})
	}
	done.Wait()
	if made.Load() != 1 {
		t.Errorf("%d made the file, want 1", made.Load())
	}
	onlyFile(t, folder, "content")
}
