package tinkcipher

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/flowlatch/flowlatch/domain"
)

// FileOptions say whose file a keyset is in. The zero value is a file of our own, which
// Prepare makes where nothing was ever sealed, and which nobody but its owner may read.
type FileOptions struct {
	// Named says that the operator named the file. Then it must be there, and its group
	// may read it, as with a secret that an orchestrator mounts.
	Named bool
}

// NewFile returns a Cipher on the keyset in the file at path. The file is read by
// Prepare and not looked at again after that.
func NewFile(path string, o FileOptions) *Cipher {
	return &Cipher{load: func(fresh bool) (*ring, error) {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, unusable("the keyset at "+path, "can't be found: "+reason(err))
		}
		return loadFile(absolute, o, fresh)
	}}
}

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

func loadFile(path string, o FileOptions, fresh bool) (*ring, error) {
	text, err := readFile(path, o)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = missing(path, o, fresh); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return parse(text, "the keyset at "+path)
}

// missing makes the file if it may be made, and returns what is in it then, which is
// another process's keyset if that was faster.
func missing(path string, o FileOptions, fresh bool) (domain.Secret, error) {
	const sealed = "a new one is not made, since the database holds keys sealed with the one that should be there"
	switch {
	case o.Named && fresh:
		return domain.Secret{}, unusable("there is no keyset at "+path+":", "a file that is named must exist")
	case o.Named:
		return domain.Secret{}, unusable("there is no keyset at "+path+":", "a file that is named must exist, and "+sealed)
	case !fresh:
		return domain.Secret{}, unusable("there is no keyset at "+path+":", sealed)
	}
	text, err := Generate()
	if err != nil {
		return domain.Secret{}, err
	}
	if err := WriteFile(path, text); err != nil && domain.KindOf(err) != domain.Conflict {
		return domain.Secret{}, err
	}
	text, err = readFile(path, o)
	if errors.Is(err, fs.ErrNotExist) {
		return domain.Secret{}, unusable("the keyset at "+path, "is a link to a file that is not there")
	}
	return text, err
}

// readFile returns what is in the file. It is fs.ErrNotExist where there is none, and
// Corrupt for one that must not be used.
func readFile(path string, o FileOptions) (domain.Secret, error) {
	place := "the keyset at " + path
	// Without O_NONBLOCK opening a named pipe would wait for somebody to write to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return domain.Secret{}, err
	}
	if err != nil {
		return domain.Secret{}, unusable(place, "can't be read: "+reason(err))
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return domain.Secret{}, unusable(place, "can't be read: "+reason(err))
	}
	mode := info.Mode()
	switch {
	case !mode.IsRegular():
		return domain.Secret{}, unusable(place, "is no regular file")
	case mode.Perm()&0o006 != 0:
		return domain.Secret{}, unusable(place, fmt.Sprintf("is open to every user of this machine (mode %04o); set its mode to 0600", mode.Perm()))
	case mode.Perm()&0o060 != 0 && !o.Named:
		return domain.Secret{}, unusable(place, fmt.Sprintf("is open to its group (mode %04o); set its mode to 0600", mode.Perm()))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyset+1))
	if err != nil {
		return domain.Secret{}, unusable(place, "can't be read: "+reason(err))
	}
	return domain.NewSecret(string(text)), nil
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
