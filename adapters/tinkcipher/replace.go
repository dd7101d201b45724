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

// lockPause is how long whoever waits for the lock waits before trying again.
const lockPause = 20 * time.Millisecond

// byHand is how a keyset is turned over that can't be changed from here.
const byHand = "by hand it is done on a copy: 'flowlatch keys rotate --by-hand COPY' adds a key that only opens, " +
	"and once every instance has that copy, the same again makes it the key that seals; " +
	"'flowlatch keys retire --by-hand COPY KEY_ID' takes a key out that nothing needs any more"

// notFromHere is the answer for a keyset that can't be changed from here. why is a whole
// sentence but for its end.
func notFromHere(why string) error {
	return &domain.Error{Kind: domain.Conflict, Public: why + " not changed from here; " + byHand}
}

func (f *file) notFromHere(what string) error {
	return notFromHere(f.place() + " " + what + ", so it is")
}

// lock makes its caller the only one who changes the file, on every machine that shares
// it, until unlock. A process that is killed holds no lock. It is Conflict where the file
// can't be replaced, Corrupt where it is not there, and Unavailable where ctx ends before
// its turn comes.
func (f *file) lock(ctx context.Context) (unlock func(), err error) {
	if err := f.replaceable(); err != nil {
		return nil, err
	}
	lock := flock.New(f.path + ".lock")
	_, err = lock.TryLockContext(ctx, lockPause)
	if err != nil && ctx.Err() != nil {
		return nil, &domain.Error{Kind: domain.Unavailable, Public: f.place() + " is being changed, and the wait for that was ended", Cause: ctx.Err()}
	}
	if err != nil {
		return nil, f.notReplaced(err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// replaceable is Conflict for a file that must not be replaced. What the operating system
// does not let happen shows later.
func (f *file) replaceable() error {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return unusable(f.place(), "is not there")
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

// replace puts the keyset of m in the place of was, with its mode and owner. The file is
// whole and on disk when it appears. One that is left by a process that was killed is
// thrown away, since it may hold keys that are retired.
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
			_ = os.Remove(temporary) // it is gone where only the last step failed
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
		// What was written may have taken long to get to the disk, and Retire counts from when
		// the file is in its place.
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

// notReplaced is what went wrong with the file or its lock. A folder or a file system that
// is read-only, another owner, and a file that is mounted by itself are no outage.
func (f *file) notReplaced(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EBUSY) {
		return f.notFromHere("can't be replaced (" + reason(err) + ")")
	}
	return &domain.Error{Kind: domain.Unavailable, Public: f.place() + " could not be replaced: " + reason(err), Cause: err}
}
