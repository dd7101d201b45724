// Package tinkcipher has a ports.Cipher on a keyset of Tink: authenticated encryption with
// AES-256-GCM (https://developers.google.com/tink/aead). One type, Cipher, is the
// ports.Keyring too. Both need the same keyset at the same moment: Seal stops when the file
// was changed and can't be read, and Open reads the file again for an unknown key.
//
// The package also has a ports.Pseudonyms, on Tink's AES-SIV
// (https://developers.google.com/tink/deterministic-encryption). The key of the pseudonyms is
// in no keyset, since it never turns over.
//
// The keyset is Tink's own JSON. A keyset that no outside key wraps is in clear. A service
// that starts by itself needs something in clear, and a password beside the keyset would
// only move that. So the keyset is kept as an SSH key is: apart from the database, in a file
// that only its owner may read. A file that others may read is refused. A keyset that an
// outside key wraps is Tink's encrypted JSON.
//
// A keyset in a file turns over while it is in use. Whoever changes it holds a lock beside
// the file and renames a whole new file into its place. An instance looks at the file once a
// second, and whenever it opens something that an unknown key sealed. It reads the file if
// it changed.
//
// Sealed bytes are Tink's: the byte 1, the id of the key in four bytes, a nonce of 12
// bytes, the ciphertext and a tag of 16 bytes. Nonces are random, so one key should seal
// no more than 2^32 times (NIST SP 800-38D, section 8.3).
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
	// lookEvery is how old what an instance knows of the file may be when it seals.
	lookEvery = time.Second
	// sealsBehind is how long an instance may seal with the keyset that it has after it was
	// last sure of it, where the file is another one and can't be read.
	sealsBehind = 3 * time.Second
)

// Cipher is a ports.Cipher and the ports.Keyring of one keyset, from NewFile or NewText. It is
// safe for concurrent use. All methods except Prepare and Keys return Unavailable until
// Prepare has succeeded.
type Cipher struct {
	load func(fresh bool) (*ring, error)
	file *file  // nil for a keyset that is given as text
	name string // of that one, for sentences

	preparing sync.Mutex
	ring      atomic.Pointer[ring]
	looked    atomic.Int64 // when the file was last looked at, in nanoseconds of Unix time
	sure      atomic.Int64 // when the ring was last found to be what is in the file, as looked
	behind    atomic.Bool  // whether the file was found to be another one since

	reading sync.Mutex // held while the file is being read again, and behind is unset
	failed  failedRead
}

// failedRead is the last reading of the file that failed.
type failedRead struct {
	of    fs.FileInfo
	until time.Time // it is not tried again before
	err   error
}

// NewText returns a Cipher on a keyset that is given as text: Tink's JSON, encrypted by
// wrap, or in clear where that is nil. name is what the operator calls it, for sentences,
// such as the name of an environment variable. Nothing is ever made or kept by it, so
// Rotate and Retire are Conflict.
func NewText(keyset domain.Secret, name string, wrap tink.AEAD) *Cipher {
	return &Cipher{name: name, load: func(bool) (*ring, error) { return parse(keyset, wrap, "the keyset in "+name) }}
}

// Prepare loads the keyset and, for a file of our own that is missing, makes it first if
// fresh. It is Corrupt when the keyset can't be used and Unavailable when it can't be
// made, when ctx has ended, or when the key that wraps it is out of reach; the sentence
// says where it looked and what is wrong, and holds nothing of the keyset. Once it has
// succeeded, further calls succeed and do nothing.
func (c *Cipher) Prepare(ctx context.Context, fresh bool) error {
	if err := ctx.Err(); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "the keyset was not loaded", Cause: err}
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

// Seal encrypts plain under the primary key, as the file has it or had it a second ago.
// It is Invalid for the zero Binding. Where the file is another one than the one that was
// read and can't be read, it is Unavailable after three seconds: the primary key may be one
// that others retire. A file that is only out of sight stops nothing.
func (c *Cipher) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	r := c.current()
	if r == nil {
		return domain.Sealed{}, notPrepared()
	}
	if c.outdated() {
		_ = c.look(true)
		if c.outdated() {
			return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable,
				Public: "the keyset was changed and can't be read, so nothing is sealed until it can be"}
		}
		r = c.ring.Load()
	}
	return r.seal(plain, to)
}

// outdated says whether the file is another one than the ring is of, for so long that
// nothing may be sealed with the ring any more.
func (c *Cipher) outdated() bool {
	if !c.behind.Load() {
		return false
	}
	age := c.now() - c.sure.Load()
	return age >= int64(sealsBehind) || age < 0
}

func (r *ring) seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	if to.AssociatedData() == "" {
		return domain.Sealed{}, &domain.Error{Kind: domain.Invalid, Public: "nothing is sealed without saying what for"}
	}
	sealed, err := r.aead.Encrypt([]byte(plain.Reveal()), []byte(to.AssociatedData()))
	if err != nil {
		return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable, Public: "encryption failed", Cause: err}
	}
	return domain.Sealed{Key: r.ids[0], Bytes: sealed}, nil
}

// Open decrypts what any enabled key of the keyset sealed. A key that is not known makes
// it look at the file first, which costs no reading where the file is as it was, and is
// Unavailable where that fails. It is Corrupt, and says no more, also when s.Key is not the
// key that the bytes name.
func (c *Cipher) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	r := c.ring.Load()
	if r == nil {
		return domain.Secret{}, notPrepared()
	}
	corrupt := &domain.Error{Kind: domain.Corrupt, Public: "sealed bytes do not open"}
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

// Keys returns the keys that open, as the file has them or had them a second ago: first
// the primary one, which seals, then the others in the order of the keyset, to the end of
// which keys are added. There are none until Prepare has succeeded.
func (c *Cipher) Keys() []domain.KeyID {
	if r := c.current(); r != nil {
		return slices.Clone(r.ids)
	}
	return nil
}

// Refresh reads the file again if it changed. Where it can't be used any more that is
// the error, and the keyset stays the one that was read last.
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
		return &domain.Error{Kind: domain.Unavailable, Public: "the keyset was not looked at", Cause: err}
	}
	return nil
}

// current is the keyset to seal with: one call a second looks whether the file changed,
// and the others take what is there.
func (c *Cipher) current() *ring {
	r := c.ring.Load()
	if r == nil || c.file == nil {
		return r
	}
	now, last := c.now(), c.looked.Load()
	if age := now - last; (age >= int64(lookEvery) || age < 0) && c.looked.CompareAndSwap(last, now) {
		_ = c.look(false) // Refresh tells what goes wrong
		r = c.ring.Load()
	}
	return r
}

// look reads the file again if it is another than the one that was read last, and where
// somebody is at that already, waits for them only if wait. A reading that failed is not
// repeated on the same file within a second, or twice the time that it took, so that nobody
// can make it happen often.
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
	c.behind.Store(true) // before it is read, which may take long
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
	if r := c.ring.Load(); same(info, r.file) { // somebody else was faster, or it was put back
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

// has makes r, which was in the file at that time, the keyset of this instance. Its caller
// holds reading.
func (c *Cipher) has(r *ring, at time.Time) {
	c.ring.Store(r)
	c.sure.Store(at.UnixNano())
	c.behind.Store(false)
}

// now is the time in nanoseconds of Unix time; 0 where there is no file to look at.
func (c *Cipher) now() int64 {
	if c.file == nil {
		return 0
	}
	return c.file.options.Clock().UnixNano()
}

// keyID is how a key of Tink is called outside of Tink: its number in decimal, as it
// stands in the keyset.
func keyID(n uint32) domain.KeyID { return domain.KeyID(strconv.FormatUint(uint64(n), 10)) }

// notRead is the answer of an instance that needs a keyset that it could not read. The
// cause is kept as text, since it may be of another kind.
func notRead(what string, cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: what, Cause: errors.New(cause.Error())}
}

func notPrepared() error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the keyset is not loaded yet"}
}
