package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// openTwice opens a file that is read twice: first to check it, then to use it. "-" is standard
// input, which is first copied to a temporary file in folder, or in the folder for temporary files
// if folder does not exist. done closes the file. what is its name in messages.
func openTwice(ctx context.Context, what, path, folder string) (f *os.File, done func(), err error) {
	if path != "-" {
		f, err = openNamed(what, path)
		return f, func() { _ = f.Close() }, err
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		folder = ""
	}
	f, err = os.CreateTemp(folder, ".flowlatch-*") // mode 0600
	if err != nil {
		return nil, nil, fmt.Errorf("standard input can't be copied to a temporary file: %w", err)
	}
	done = func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	// The copy has no name, so nothing is left of it even if the process is killed. Windows
	// does not remove open files, so done removes it there.
	_ = os.Remove(f.Name())
	if err := copyStandardInput(ctx, f); err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}

// copyStandardInput copies until standard input or ctx ends.
func copyStandardInput(ctx context.Context, to *os.File) error {
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(to, os.Stdin)
		copied <- err
	}()
	select {
	case err := <-copied:
		if err == nil {
			_, err = to.Seek(0, io.SeekStart)
		}
		if err != nil {
			return fmt.Errorf("standard input can't be copied to a temporary file: %w", err)
		}
		return nil
	case <-ctx.Done():
		return errors.New("interrupted; nothing was done")
	}
}
