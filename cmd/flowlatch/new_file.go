package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeNewFile makes the file at path, with mode 0600, of what write writes. The file is
// whole and on disk when it appears; where write fails there is none. What is at path
// already is never overwritten, and then write is not called.
func writeNewFile(path string, write func(io.Writer) error) (err error) {
	taken := fmt.Errorf("there is something at %s already, and it is not overwritten", path)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = taken
		}
		return err
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".flowlatch-*") // mode 0600
	if err != nil {
		return fmt.Errorf("a file can't be made in %s: %w", folder, withoutPath(err))
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// A link fails where a rename would overwrite what somebody has put there meanwhile.
	if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return taken
	}
	if err != nil {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// withoutPath removes the path from an error of package os.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
