package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeNewFile creates a file at path, with mode 0600 and the content that write writes. The
// file appears when it is complete and on disk. If write fails, there is no file. If something
// exists at path, writeNewFile returns an error and does not call write.
func writeNewFile(path string, write func(io.Writer) error) (err error) {
	taken := fmt.Errorf("%s exists already; an existing file is not overwritten", path)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = taken
		}
		return err
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".flowlatch-*") // mode 0600
	if err != nil {
		return fmt.Errorf("a file can't be created in %s: %w", folder, withoutPath(err))
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// A link fails if the file exists by now. A rename would overwrite it.
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
