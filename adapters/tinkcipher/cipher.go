// Package tinkcipher is the ports.Cipher on a keyset of Tink: authenticated encryption
// with AES-256-GCM, key ids and turning keys over come with it
// (https://developers.google.com/tink/aead). It is the ports.Pseudonyms too, on Tink's
// AES-SIV under a key that stands in no keyset, since it never turns over
// (https://developers.google.com/tink/deterministic-encryption).
//
// The keyset is Tink's own JSON, in clear. Something has to be in clear where a service
// starts by itself, and one more password beside the keyset would be it instead. So it
// is kept as an SSH key is: apart from the database, in a file that its owner alone may
// read, and a file that others may read is refused.
//
// Sealed bytes are Tink's: the byte 1, the id of the key in four bytes, a nonce of 12
// bytes, the ciphertext and a tag of 16 bytes. Nonces are random, so one key should seal
// no more than 2^32 times (NIST SP 800-38D, section 8.3).
package tinkcipher

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Cipher = (*Cipher)(nil)

// Cipher is a ports.Cipher on one keyset, from NewFile or NewText. It is safe for
// concurrent use. Until Prepare has succeeded, Seal and Open are Unavailable.
type Cipher struct {
	load func(fresh bool) (*ring, error)

	preparing sync.Mutex
	ring      atomic.Pointer[ring]
}

// NewText returns a Cipher on a keyset that is given as text: Tink's JSON. name is what
// the operator calls it, for the sentences of Prepare, such as the name of an
// environment variable. Nothing is ever made or kept by it.
func NewText(keyset domain.Secret, name string) *Cipher {
	return &Cipher{load: func(bool) (*ring, error) { return parse(keyset, "the keyset in "+name) }}
}

// Prepare loads the keyset and, for a file of our own that is missing, makes it first if
// fresh. It is Corrupt when the keyset can't be used and Unavailable when it can't be
// made or ctx has ended; the sentence says where it looked and what is wrong, and holds
// nothing of the keyset. Once it has succeeded, further calls succeed and do nothing.
func (c *Cipher) Prepare(ctx context.Context, fresh bool) error {
	if err := ctx.Err(); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "the keyset was not loaded", Cause: err}
	}
	c.preparing.Lock()
	defer c.preparing.Unlock()
	if c.ring.Load() != nil {
		return nil
	}
	r, err := c.load(fresh)
	if err != nil {
		return err
	}
	c.ring.Store(r)
	return nil
}

// Seal encrypts plain under the primary key. It is Invalid for the zero Binding.
func (c *Cipher) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	r := c.ring.Load()
	if r == nil {
		return domain.Sealed{}, notPrepared()
	}
	if to.AssociatedData() == "" {
		return domain.Sealed{}, &domain.Error{Kind: domain.Invalid, Public: "nothing is sealed without saying what for"}
	}
	sealed, err := r.aead.Encrypt([]byte(plain.Reveal()), []byte(to.AssociatedData()))
	if err != nil {
		return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable, Public: "encryption failed", Cause: err}
	}
	return domain.Sealed{Key: r.ids[0], Bytes: sealed}, nil
}

// Open decrypts what any enabled key of the keyset sealed. It is Corrupt, and says no
// more, also when s.Key is not the key that the bytes name.
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
	plain, err := r.aead.Decrypt(s.Bytes, []byte(to.AssociatedData()))
	if err != nil {
		return domain.Secret{}, corrupt
	}
	return domain.NewSecret(string(plain)), nil
}

// Keys returns the keys that open: first the primary one, which seals, then the others
// in the order of the keyset. There are none until Prepare has succeeded.
func (c *Cipher) Keys() []domain.KeyID {
	if r := c.ring.Load(); r != nil {
		return slices.Clone(r.ids)
	}
	return nil
}

// Refresh does nothing: the keyset is not looked at again.
func (c *Cipher) Refresh(context.Context) error { return nil }

// Rotate is Conflict.
func (c *Cipher) Rotate(context.Context, func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error) {
	return "", unchangeable()
}

// Retire is Conflict.
func (c *Cipher) Retire(context.Context, []domain.KeyID, func([]domain.KeyID) error) ([]domain.KeyID, error) {
	return nil, unchangeable()
}

func unchangeable() error {
	return &domain.Error{Kind: domain.Conflict, Public: "the keyset can't be changed from here"}
}

// keyID is how a key of Tink is called outside of Tink: its number in decimal, as it
// stands in the keyset.
func keyID(n uint32) domain.KeyID { return domain.KeyID(strconv.FormatUint(uint64(n), 10)) }

func notPrepared() error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the keyset is not loaded yet"}
}
