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

// FileOptions say whose file a keyset is in. The zero value is a file of our own in
// clear, which Prepare makes where nothing was ever sealed, and which nobody but its owner
// may read.
type FileOptions struct {
	// Named says that the operator named the file. Then it must be there, and its group
	// may read it, as with a secret that an orchestrator mounts.
	Named bool
	// Wrap encrypts the keyset in the file; nil leaves it in clear. Its calls must end by
	// themselves. What it says in a *domain.Error is shown to the operator, with its kind.
	Wrap tink.AEAD
	// Clock says when the file has to be looked at again, and when it was changed; time.Now
	// when nil.
	Clock ports.Clock
	// Wait pauses and fails when ctx is done before d is over. Nil is a timer; tests pass
	// their own, so that nothing has to sleep.
	Wait func(ctx context.Context, d time.Duration) error
}

// NewFile returns a Cipher on the keyset in the file at path, which Prepare reads.
func NewFile(path string, o FileOptions) *Cipher {
	f := newFile(path, o)
	return &Cipher{file: f, load: f.load}
}

// wait is a timer.
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

// file is where a keyset is.
type file struct {
	path    string // absolute, so that sentences name the whole of it
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

// WriteFile writes a keyset, such as one of Generate, to a new file at path, with mode
// 0600, in a folder that is there. The file is whole and on disk when it appears, and
// stays what it is when two do this at once: whatever is at path already is left as it
// is, and that is Conflict. What else goes wrong is Unavailable.
func WriteFile(path string, keyset domain.Secret) error {
	err := writeFile(path, keyset)
	if errors.Is(err, fs.ErrExist) {
		return &domain.Error{Kind: domain.Conflict, Public: "there is something at " + path + " already, and it is not overwritten"}
	}
	if err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be written to " + path + ": " + reason(err)}
	}
	return nil
}

// load reads the file, which it makes where it is missing and may be made.
func (f *file) load(fresh bool) (*ring, error) {
	r, err := f.find()
	if errors.Is(err, fs.ErrNotExist) {
		return f.missing(fresh)
	}
	return r, err
}

// read reads the file, which should be there. It is Corrupt for one that must not be used.
func (f *file) read() (*ring, error) {
	r, err := f.find()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(f.place(), "is not there")
	}
	return r, err
}

// find is read of a file that may be missing, which is fs.ErrNotExist.
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

// stat says which file is there. It opens the file, since that is when a network file
// system asks its server what is there now (nfs(5), "Close-to-open cache consistency").
func (f *file) stat() (fs.FileInfo, error) {
	opened, err := open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(f.place(), "is not there")
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

// same says whether a and b are of one file that nobody has written to in between. Two
// files that follow one another at one place differ, since both are there for a moment.
func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// missing makes the file if it may be made, and returns what is in it then, which is
// another process's keyset if that was faster.
func (f *file) missing(fresh bool) (*ring, error) {
	const sealed = "a new one is not made, since the database holds keys sealed with the one that should be there"
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
		return nil, unusable(f.place(), "is a link to a file that is not there")
	}
	return r, err
}

// open opens a file to read it. Without O_NONBLOCK opening a named pipe would wait for
// somebody to write to it.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// readFile returns what is in the file, and which file that is. It is fs.ErrNotExist
// where there is none, and Corrupt for one that must not be used.
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
		return domain.Secret{}, nil, unusable(place, "is no regular file")
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

// writeFile makes the file by way of a temporary one beside it. A link fails where a
// rename would put one keyset in the place of another, which would be lost with all
// that it has sealed.
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

// syncFolder puts on disk which files the folder has.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// reason is what the operating system says, without the paths: the sentence has the one
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
