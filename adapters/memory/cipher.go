package memory

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Cipher = (*Cipher)(nil)

// Cipher is a ports.Cipher, AES-256-GCM under one random key that is kept nowhere but in
// memory: what it has sealed opens for nobody once the process has ended. It is safe for
// concurrent use.
type Cipher struct {
	keyset *keyset

	mu       sync.RWMutex
	prepared bool
}

// keyset is the one key, made by the first Prepare that may.
type keyset struct {
	mu   sync.Mutex
	name domain.KeyID
	aead cipher.AEAD
}

// NewCipher returns a cipher whose key Prepare makes.
func NewCipher() *Cipher { return &Cipher{keyset: &keyset{}} }

// Another returns another instance on the same keyset, not prepared, as another process
// that shares it would have.
func (c *Cipher) Another() *Cipher { return &Cipher{keyset: c.keyset} }

// Prepare makes the key if there is none and fresh. It is Corrupt if there is none and
// not fresh, and Unavailable under a context that has ended.
func (c *Cipher) Prepare(ctx context.Context, fresh bool) error {
	if ctx.Err() != nil {
		return unavailable(context.Cause(ctx))
	}
	if err := c.keyset.make(fresh); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prepared = true
	return nil
}

func (k *keyset) make(fresh bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.aead != nil {
		return nil
	}
	if !fresh {
		return &domain.Error{Kind: domain.Corrupt, Public: "the keyset that was in memory is gone, with the process that had it"}
	}
	var key [32]byte
	var name [4]byte
	_, _ = rand.Read(key[:]) // documented never to fail
	_, _ = rand.Read(name[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return unavailable(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return unavailable(err)
	}
	k.aead, k.name = aead, domain.KeyID(hex.EncodeToString(name[:]))
	return nil
}

// Seal encrypts plain. It is Invalid for the zero Binding and Unavailable before Prepare.
func (c *Cipher) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	if !c.ready() {
		return domain.Sealed{}, unavailable(nil)
	}
	if to == (domain.Binding{}) {
		return domain.Sealed{}, &domain.Error{Kind: domain.Invalid, Public: "nothing is sealed without a binding"}
	}
	sealed := c.keyset.aead.Seal(nil, nil, []byte(plain.Reveal()), []byte(to.AssociatedData()))
	return domain.Sealed{Key: c.keyset.name, Bytes: sealed}, nil
}

// Open decrypts what Seal returned, for the same binding. It is Corrupt for anything
// else and Unavailable before Prepare.
func (c *Cipher) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	if !c.ready() {
		return domain.Secret{}, unavailable(nil)
	}
	corrupt := &domain.Error{Kind: domain.Corrupt, Public: "sealed bytes do not open"}
	if s.Key != c.keyset.name || to == (domain.Binding{}) {
		return domain.Secret{}, corrupt
	}
	plain, err := c.keyset.aead.Open(nil, nil, s.Bytes, []byte(to.AssociatedData()))
	if err != nil {
		return domain.Secret{}, corrupt
	}
	return domain.NewSecret(string(plain)), nil
}

func (c *Cipher) ready() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.prepared
}
