package tinkcipher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// FileOptions describe the file of a keyset. The zero value is a file of the service itself, in
// clear, that only its owner may read. Prepare creates it if nothing was ever sealed.
type FileOptions struct {
	// Named means that the operator named the file. Then the file must exist. Its group may read
	// it, as with a secret that an orchestrator mounts.
	Named bool
	// Wrap encrypts the keyset in the file. Nil leaves it in clear. Its calls must end by
	// themselves. The operator is shown the sentence of a *domain.Error that it returns, and the
	// error keeps its kind.
	Wrap tink.AEAD
	// Clock tells when to check the file again and when it was changed. Nil means time.Now.
	Clock ports.Clock
	// Wait waits for d. It returns an error if ctx is done first. Nil means a timer. Tests pass
	// their own, so that they do not sleep.
	Wait func(ctx context.Context, d time.Duration) error
}

// NewFile returns a Cipher on the keyset in the file at path, which Prepare reads.
func NewFile(path string, o FileOptions) *Cipher {
	f := newFile(path, o)
	return &Cipher{file: f, load: f.load}
}

// wait waits with a timer.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// file is the place of a keyset.
type file struct {
	path    string // absolute, so that messages show all of it
	options FileOptions
}

func newFile(path string, o FileOptions) *file {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return &file{path, o}
}

func (f *file) place() string { return "the keyset at " + f.path }

// WriteFile writes a keyset, such as one of Generate, to a new file at path, with mode 0600. The
// folder must exist. The file appears complete and on disk. An existing file at path stays as it
// is, also if two calls run at the same time. Returns Conflict if path exists, and Unavailable
// for any other failure.
func WriteFile(path string, keyset domain.Secret) error {
	err := writeFile(path, keyset)
	if errors.Is(err, fs.ErrExist) {
		return &domain.Error{Kind: domain.Conflict, Public: path + " exists already; an existing file is not overwritten"}
	}
	if err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be written to " + path + ": " + reason(err)}
	}
	return nil
}

// load reads the file. It creates a missing file if that is allowed.
func (f *file) load(fresh bool) (*ring, error) {
	r, err := f.find()
	if errors.Is(err, fs.ErrNotExist) {
		return f.missing(fresh)
	}
	return r, err
}

// read reads the file, which must exist. Returns Corrupt if the file must not be used.
func (f *file) read() (*ring, error) {
	r, err := f.find()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(f.place(), "does not exist")
	}
	return r, err
}

// find reads a file that may be missing. Returns fs.ErrNotExist if it is.
func (f *file) find() (*ring, error) {
	text, info, err := readFile(f.path, f.options)
	if err != nil {
		return nil, err
	}
	r, err := parse(text, f.options.Wrap, f.place())
	if err != nil {
		return nil, err
	}
	r.file = info
	return r, nil
}

// stat returns which file exists. It opens the file, because a network file system asks its
// server only then (nfs(5), "Close-to-open cache consistency").
func (f *file) stat() (fs.FileInfo, error) {
	opened, err := open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(f.place(), "does not exist")
	}
	if err != nil {
		return nil, unusable(f.place(), "can't be read: "+reason(err))
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return nil, unusable(f.place(), "can't be read: "+reason(err))
	}
	return info, nil
}

// same reports whether a and b are the same file, with no write in between. Two files that
// replace one another differ, because both exist for a moment.
func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// missing creates the file if that is allowed, and returns its content. That is the keyset of
// another process if that process was faster.
func (f *file) missing(fresh bool) (*ring, error) {
	const sealed = "a new keyset is not created, because the database has keys that need the missing one; put its copy back"
	place := "there is no keyset at " + f.path + ":"
	switch {
	case f.options.Named && fresh:
		return nil, unusable(place, "a file that is named must exist")
	case f.options.Named:
		return nil, unusable(place, "a file that is named must exist, and "+sealed)
	case !fresh:
		return nil, unusable(place, sealed)
	}
	text, err := Generate(f.options.Wrap)
	if err != nil {
		return nil, err
	}
	if err := WriteFile(f.path, text); err != nil && domain.KindOf(err) != domain.Conflict {
		return nil, err
	}
	r, err := f.find()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(f.place(), "is a link to a file that does not exist")
	}
	return r, err
}

// open opens a file for reading. Without O_NONBLOCK, opening a named pipe would wait for a
// writer.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// readFile returns the content of the file and which file it is. Returns fs.ErrNotExist if it is
// missing, and Corrupt if it must not be used.
func readFile(path string, o FileOptions) (domain.Secret, fs.FileInfo, error) {
	place := "the keyset at " + path
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return domain.Secret{}, nil, err
	}
	if err != nil {
		return domain.Secret{}, nil, unusable(place, "can't be read: "+reason(err))
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return domain.Secret{}, nil, unusable(place, "can't be read: "+reason(err))
	}
	mode := info.Mode()
	switch {
	case !mode.IsRegular():
		return domain.Secret{}, nil, unusable(place, "is not a regular file")
	case mode.Perm()&0o006 != 0:
		return domain.Secret{}, nil, unusable(place, fmt.Sprintf("is open to every user of this machine (mode %04o); set its mode to 0600", mode.Perm()))
	case mode.Perm()&0o060 != 0 && !o.Named:
		return domain.Secret{}, nil, unusable(place, fmt.Sprintf("is open to its group (mode %04o); set its mode to 0600", mode.Perm()))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyset+1))
	if err != nil {
		return domain.Secret{}, nil, unusable(place, "can't be read: "+reason(err))
	}
	return domain.NewSecret(string(text)), info, nil
}

// writeFile creates the file from a temporary file beside it. It links instead of renaming,
// because a link fails if path exists. A rename would replace another keyset, which would be
// lost with everything that it sealed.
func writeFile(path string, keyset domain.Secret) (err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".keyset-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = io.WriteString(f, keyset.Reveal())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder writes the folder's list of files to disk.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// reason returns what the operating system says, without paths. The message already has the path
// that matters.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
