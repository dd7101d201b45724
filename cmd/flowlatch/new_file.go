package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeNewFile makes a file at path that its owner alone may read, in a folder that is
// there, from what write writes. It is whole and on disk when it appears; what is at path
// already stays as it is, and is an error. Where write fails there is no file.
func writeNewFile(path string, write func(to io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("there is something at %s already, and it is not overwritten", path)
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".flowlatch-*") // mode 0600
	if err != nil {
		return fmt.Errorf("a file can't be made in %s: %w", folder, withoutPath(err))
	}
	err = write(f)
	if err == nil {
		err = appear(f, path)
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// appear puts what was written to f on disk, at path. A link fails where a rename would
// take the place of another file.
func appear(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%s can't be written: %w", path, withoutPath(err))
	}
	err := os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is something at %s already, and it is not overwritten", path)
	}
	if err != nil {
		return fmt.Errorf("%s can't be made: %w", path, err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
