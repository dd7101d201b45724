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

	"github.com/gofrs/flock"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/flowlatch/flowlatch/domain"
)

// lockPause is the time between two tries to get the lock.
const lockPause = 20 * time.Millisecond

// byHand tells how to rotate a keyset that this program can't change.
const byHand = "change a copy by hand: 'flowlatch keys rotate --by-hand COPY' adds a key that only decrypts, " +
	"and once every instance has that copy, the same command makes it the current key; " +
	"'flowlatch keys retire --by-hand COPY KEY_ID' removes a key that nothing needs"

// notFromHere returns the error for a keyset that this program can't change. why is the first
// part of its sentence.
func notFromHere(why string) error {
	return &domain.Error{Kind: domain.Conflict, Public: why + " not changed by this program; " + byHand}
}

func (f *file) notFromHere(what string) error {
	return notFromHere(f.place() + " " + what + ", so it is")
}

// lock locks the file for changes, on every machine that shares it, until unlock is called. The
// lock of a killed process is released. Returns Conflict if the file can't be replaced. Returns
// Corrupt if it does not exist. Returns Unavailable if ctx ends before the lock is free.
func (f *file) lock(ctx context.Context) (unlock func(), err error) {
	if err := f.replaceable(); err != nil {
		return nil, err
	}
	lock := flock.New(f.path + ".lock")
	_, err = lock.TryLockContext(ctx, lockPause)
	if err != nil && ctx.Err() != nil {
		return nil, &domain.Error{Kind: domain.Unavailable, Public: f.place() + " is being changed by another process, and the wait for it ended; try again", Cause: ctx.Err()}
	}
	if err != nil {
		return nil, f.notReplaced(err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// replaceable returns Conflict for a file that must not be replaced. What the operating system
// forbids shows later.
func (f *file) replaceable() error {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return unusable(f.place(), "does not exist")
	}
	if err != nil {
		return unusable(f.place(), "can't be read: "+reason(err))
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return f.notFromHere("is a link, as a secret that is mounted is")
	}
	if info.Mode().Perm()&0o200 == 0 {
		return f.notFromHere(fmt.Sprintf("is read-only (mode %04o)", info.Mode().Perm()))
	}
	if folder, err := os.Stat(filepath.Dir(f.path)); err == nil && folder.Mode().Perm()&0o222 == 0 {
		return f.notFromHere(fmt.Sprintf("is in a read-only folder (mode %04o)", folder.Mode().Perm()))
	}
	return nil
}

// replace replaces the keyset was with the keyset of m, and keeps mode and owner of the file.
// The file appears complete and on disk. A temporary file of a killed process is deleted,
// because it can contain retired keys.
func (f *file) replace(m *keyset.Manager, was *ring) (*ring, error) {
	r, err := newRing(m)
	if err != nil {
		return nil, err
	}
	text, err := encode(r.handle, f.options.Wrap)
	if err != nil {
		return nil, err
	}
	if r.file, err = f.rename(text, was.file); err != nil {
		return nil, f.notReplaced(err)
	}
	return r, nil
}

func (f *file) rename(text domain.Secret, like fs.FileInfo) (info fs.FileInfo, err error) {
	temporary := f.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary) // it does not exist if only the last step failed
		}
	}()
	if _, err = io.WriteString(out, text.Reveal()); err == nil {
		err = keepOwner(out, like)
	}
	if err == nil {
		err = out.Chmod(like.Mode().Perm())
	}
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		// The write may have taken long, and Retire counts from the time at which the file
		// appears.
		now := f.options.Clock()
		err = os.Chtimes(temporary, now, now)
	}
	if err == nil {
		info, err = out.Stat()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, err
	}
	if err = os.Rename(temporary, f.path); err != nil {
		return nil, err
	}
	return info, syncFolder(filepath.Dir(f.path))
}

// notReplaced returns the error for a failure of the file or its lock. It is Conflict for a
// read-only folder or file system, another owner, and a file that is a mount of its own.
func (f *file) notReplaced(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EBUSY) {
		return f.notFromHere("can't be replaced (" + reason(err) + ")")
	}
	return &domain.Error{Kind: domain.Unavailable, Public: f.place() + " could not be replaced: " + reason(err), Cause: err}
}
