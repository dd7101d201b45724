// Package tinkcipher has a ports.Cipher on a keyset of Tink: authenticated encryption with
// AES-256-GCM (https://developers.google.com/tink/aead). The type Cipher is also the
// ports.Keyring, because both need the same keyset at the same moment. Seal stops if the file
// was changed and can't be read, and Open reads the file again for an unknown key.
//
// The package also has a ports.Pseudonyms, on Tink's AES-SIV
// (https://developers.google.com/tink/deterministic-encryption). The key of the pseudonyms is in
// no keyset, because it is never rotated.
//
// The keyset is Tink's own JSON. Without an outside key that wraps it, the keyset is stored in
// clear. A service that starts by itself needs some secret in clear, and a password beside the
// keyset would only be another one. So the keyset is kept like an SSH key: apart from the
// database, in a file that only its owner may read. A file that others may read is refused. A
// keyset that an outside key wraps is Tink's encrypted JSON.
//
// A keyset in a file is rotated while it is in use. A process that changes it holds a lock
// beside the file and renames a complete new file over it. An instance checks the file once a
// second, and whenever it opens something that an unknown key sealed. It reads the file if it
// changed.
//
// Sealed bytes have Tink's form: the byte 1, the id of the key in four bytes, a nonce of 12
// bytes, the ciphertext and a tag of 16 bytes. Nonces are random, so one key should seal at most
// 2^32 times (NIST SP 800-38D, section 8.3).
package tinkcipher

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var (
	_ ports.Cipher  = (*Cipher)(nil)
	_ ports.Keyring = (*Cipher)(nil)
)

const (
	// lookEvery is the greatest age of what an instance knows about the file when it seals.
	lookEvery = time.Second
	// sealsBehind is how long an instance may seal with its keyset after the file has changed
	// and can't be read.
	sealsBehind = 3 * time.Second
)

// Cipher is a ports.Cipher and the ports.Keyring of one keyset, from NewFile or NewText. It is
// safe for concurrent use. All methods except Prepare and Keys return Unavailable until
// Prepare has succeeded.
type Cipher struct {
	load func(fresh bool) (*ring, error)
	file *file  // nil for a keyset that is given as text
	name string // the name of the keyset, for messages

	preparing sync.Mutex
	ring      atomic.Pointer[ring]
	looked    atomic.Int64 // when the file was last checked, in Unix nanoseconds
	sure      atomic.Int64 // when the ring was last known to be the content of the file, in Unix nanoseconds
	behind    atomic.Bool  // the file is known to have changed since then

	reading sync.Mutex // held while the file is read again and behind is unset
	failed  failedRead
}

// failedRead is the last failed read of the file.
type failedRead struct {
	of    fs.FileInfo
	until time.Time // the read is not repeated before this time
	err   error
}

// NewText returns a Cipher on a keyset that is given as text. The text is Tink's JSON, encrypted
// by wrap, or in clear if wrap is nil. name is the operator's name for the keyset, such as the
// name of an environment variable, for messages. The Cipher never creates or stores a keyset, so
// Rotate and Retire return Conflict.
func NewText(keyset domain.Secret, name string, wrap tink.AEAD) *Cipher {
	return &Cipher{name: name, load: func(bool) (*ring, error) { return parse(keyset, wrap, "the keyset in "+name) }}
}

// Prepare loads the keyset. It first creates the file if fresh, if the file is missing, and if
// the operator did not name it. After a success, further calls do nothing.
//
// Returns Corrupt if the keyset can't be used. Returns Unavailable if it can't be created, if
// ctx has ended, or if the key that wraps it is out of reach. The sentence tells the place and
// the problem, and contains nothing of the keyset.
func (c *Cipher) Prepare(ctx context.Context, fresh bool) error {
	if err := ctx.Err(); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "the keyset was not loaded; try again; try again", Cause: err}
	}
	c.preparing.Lock()
	defer c.preparing.Unlock()
	if c.ring.Load() != nil {
		return nil
	}
	began := c.now()
	r, err := c.load(fresh)
	if err != nil {
		return err
	}
	c.looked.Store(began)
	c.sure.Store(began)
	c.ring.Store(r)
	return nil
}

// Seal encrypts plain with the current key, as the file had it at most a second ago. Returns
// Invalid for the zero Binding. Returns Unavailable if the file has changed and could not be
// read for three seconds, because its current key may be new and the old one retired. A file
// that is only out of reach stops nothing.
func (c *Cipher) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	r := c.current()
	if r == nil {
		return domain.Sealed{}, notPrepared()
	}
	if c.outdated() {
		_ = c.look(true)
		if c.outdated() {
			return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable,
				Public: "the keyset was changed and can't be read; nothing is encrypted until it can be read"}
		}
		r = c.ring.Load()
	}
	return r.seal(plain, to)
}

// outdated reports whether the file has differed from the ring for so long that the ring must
// not seal.
func (c *Cipher) outdated() bool {
	if !c.behind.Load() {
		return false
	}
	age := c.now() - c.sure.Load()
	return age >= int64(sealsBehind) || age < 0
}

func (r *ring) seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	if to.AssociatedData() == "" {
		return domain.Sealed{}, &domain.Error{Kind: domain.Invalid, Public: "a binding is needed to encrypt"}
	}
	sealed, err := r.aead.Encrypt([]byte(plain.Reveal()), []byte(to.AssociatedData()))
	if err != nil {
		return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable, Public: "encryption failed", Cause: err}
	}
	return domain.Sealed{Key: r.ids[0], Bytes: sealed}, nil
}

// Open decrypts what any enabled key of the keyset sealed. For an unknown key it checks the file
// first, and reads it only if it changed. Returns Unavailable if that fails. Returns Corrupt,
// without a reason, for anything else that is wrong, also if s.Key is not the key that the bytes
// name.
func (c *Cipher) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	r := c.ring.Load()
	if r == nil {
		return domain.Secret{}, notPrepared()
	}
	corrupt := &domain.Error{Kind: domain.Corrupt, Public: "the stored bytes can't be decrypted"}
	if to.AssociatedData() == "" || len(s.Bytes) < cryptofmt.TinkPrefixSize || s.Bytes[0] != cryptofmt.TinkStartByte ||
		s.Key != keyID(binary.BigEndian.Uint32(s.Bytes[1:])) {
		return domain.Secret{}, corrupt
	}
	if c.file != nil && !slices.Contains(r.ids, s.Key) {
		if err := c.look(true); err != nil {
			return domain.Secret{}, notRead("it is sealed with a key that is not known here, and the keyset can't be read to look for it", err)
		}
		r = c.ring.Load()
	}
	plain, err := r.aead.Decrypt(s.Bytes, []byte(to.AssociatedData()))
	if err != nil {
		return domain.Secret{}, corrupt
	}
	return domain.NewSecret(string(plain)), nil
}

// Keys returns the keys that open, as the file had them at most a second ago. The current key
// comes first, then the others in the order of the keyset, which is the order in which they were
// added. It returns none until Prepare has succeeded.
func (c *Cipher) Keys() []domain.KeyID {
	if r := c.current(); r != nil {
		return slices.Clone(r.ids)
	}
	return nil
}

// Refresh reads the file again if it changed. Returns an error if the file can't be used. The
// keyset then stays as it was read last.
func (c *Cipher) Refresh(ctx context.Context) error {
	if err := c.ready(ctx); err != nil || c.file == nil {
		return err
	}
	return c.look(true)
}

func (c *Cipher) ready(ctx context.Context) error {
	if c.ring.Load() == nil {
		return notPrepared()
	}
	if err := ctx.Err(); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "the keyset was not read; try again", Cause: err}
	}
	return nil
}

// current returns the keyset to seal with. One call a second checks whether the file changed;
// all others use the loaded keyset.
func (c *Cipher) current() *ring {
	r := c.ring.Load()
	if r == nil || c.file == nil {
		return r
	}
	now, last := c.now(), c.looked.Load()
	if age := now - last; (age >= int64(lookEvery) || age < 0) && c.looked.CompareAndSwap(last, now) {
		_ = c.look(false) // Refresh reports the error
		r = c.ring.Load()
	}
	return r
}

// look reads the file again if it changed. If another call is reading it, look waits for that
// call only if wait. A failed read is not repeated on the same file for a second, or for twice
// the time that it took. So nobody can cause many reads.
func (c *Cipher) look(wait bool) error {
	began := c.now()
	c.looked.Store(began)
	info, err := c.file.stat()
	if err != nil {
		return err
	}
	if same(info, c.ring.Load().file) && !c.behind.Load() {
		c.sure.Store(began)
		return nil
	}
	c.behind.Store(true) // before the read, which may take long
	if !wait && !c.reading.TryLock() {
		return nil
	} else if wait {
		c.reading.Lock()
	}
	defer c.reading.Unlock()
	now := c.file.options.Clock()
	if info, err = c.file.stat(); err != nil {
		return err
	}
	if r := c.ring.Load(); same(info, r.file) { // another call was faster, or the file was restored
		c.has(r, now)
		return nil
	}
	if c.failed.err != nil && same(info, c.failed.of) && now.Before(c.failed.until) {
		return c.failed.err
	}
	r, err := c.file.read()
	if err != nil {
		ended := c.file.options.Clock()
		c.failed = failedRead{info, ended.Add(max(lookEvery, 2*ended.Sub(now))), err}
		return err
	}
	c.has(r, now)
	c.failed = failedRead{}
	return nil
}

// take makes r, which was just written to the file, the keyset of this instance.
func (c *Cipher) take(r *ring) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.has(r, c.file.options.Clock())
}

// has makes r, which was the content of the file at that time, the keyset of this instance. The
// caller holds reading.
func (c *Cipher) has(r *ring, at time.Time) {
	c.ring.Store(r)
	c.sure.Store(at.UnixNano())
	c.behind.Store(false)
}

// now returns the time in Unix nanoseconds, or 0 if the keyset is not in a file.
func (c *Cipher) now() int64 {
	if c.file == nil {
		return 0
	}
	return c.file.options.Clock().UnixNano()
}

// keyID returns the name of a key outside Tink: its id in decimal, as in the keyset.
func keyID(n uint32) domain.KeyID { return domain.KeyID(strconv.FormatUint(uint64(n), 10)) }

// notRead returns the error of an instance that needs a keyset but could not read it. The cause
// is kept as text, because it may have another kind.
func notRead(what string, cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: what, Cause: errors.New(cause.Error())}
}

func notPrepared() error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the keyset is not loaded yet"}
}
