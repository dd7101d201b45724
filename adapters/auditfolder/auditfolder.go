// Package auditfolder keeps files of the audit in a folder.
package auditfolder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditFiles = (*Folder)(nil)

// Folder is a ports.AuditFiles. Its folder must exist. The files have mode 0600. Several processes may use
// one folder.
type Folder struct{ path string }

// New returns the Folder at path. It does no I/O.
func New(path string) *Folder { return &Folder{path} }

// beginning is how the names of files begin that are not complete. What a dead process left is removed by the
// next Put of the same name.
const beginning = ".unfinished-"

// Put implements ports.AuditFiles. The file gets its name when it is complete and on the disk.
func (f *Folder) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("auditfolder: %q is no name of a file", name)
	}
	f.tidy(name)
	temporary, err := os.CreateTemp(f.path, beginning+name+"-*") // with O_EXCL and mode 0600
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	to := &writer{to: temporary}
	if err = write(to); err == nil {
		err = ctx.Err()
	}
	if err != nil || to.failed != nil {
		_ = temporary.Close()
		if to.failed != nil {
			err = unavailable(to.failed)
		}
		return err
	}
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return unavailable(err)
	}
	path := filepath.Join(f.path, name)
	// A link fails if there is a file by now. A rename would overwrite it.
	switch err := os.Link(temporary.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		if err := same(path, temporary.Name()); err != nil {
			return err
		}
	case err != nil:
		return unavailable(err)
	}
	return unavailable(f.sync())
}

// writer notes what goes wrong with the file, as opposed to with what is written.
type writer struct {
	to     io.Writer
	failed error
}

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	if err != nil {
		w.failed = err
	}
	return n, err
}

// tidy removes what dead processes left of a file of that name. A process that is alive notices it when it
// links its file.
func (f *Folder) tidy(name string) {
	left, err := filepath.Glob(filepath.Join(f.path, beginning+name+"-*"))
	if err != nil {
		return
	}
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// sync puts the names in the folder on the disk.
func (f *Folder) sync() error {
	d, err := os.Open(f.path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// same returns Conflict unless both files have the same content. It puts the first one on the disk, since
// the process that wrote it may have died before.
func same(path, other string) error {
	a, err := os.Open(path)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = a.Close() }()
	b, err := os.Open(other)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = b.Close() }()
	const part = 64 << 10
	x, y := make([]byte, part), make([]byte, part)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return &domain.Error{Kind: domain.Conflict, Public: "the folder for old rows of the audit has a file of the name " + filepath.Base(path) +
				" with another content; move it away"}
		}
		if errA != nil || errB != nil {
			if ended(errA) && ended(errB) {
				return unavailable(a.Sync())
			}
			return unavailable(errors.Join(errA, errB))
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// Names implements ports.AuditFiles.
func (f *Folder) Names(_ context.Context, begin string) ([]string, error) {
	entries, err := os.ReadDir(f.path) // in the order of the names
	if err != nil {
		return nil, unavailable(err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), begin) && !strings.HasPrefix(e.Name(), beginning) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// unavailable returns the error for a folder that can't be used, nil for nil.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return &domain.Error{Kind: domain.Unavailable, Public: "the folder for old rows of the audit can't be used; check that it exists and that this service can write there", Cause: err}
}
