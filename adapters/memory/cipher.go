package memory

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var (
	_ ports.Cipher  = (*Cipher)(nil)
	_ ports.Keyring = (*Cipher)(nil)
)

// Cipher is a ports.Cipher and the ports.Keyring of its keyset. It seals with AES-256-GCM under
// random keys. The keys are in memory only, so nothing that it sealed opens after the process
// has ended. It is safe for concurrent use.
type Cipher struct {
	keyset *keyset

	mu       sync.RWMutex
	prepared bool
}

// keyset holds the keys, the current one first and then the others, the oldest first. Prepare
// creates the first key.
type keyset struct {
	mu   sync.RWMutex
	keys []key

	changing sync.Mutex // held while the keyset is being changed
	made     int        // how many keys were made
}

type key struct {
	name   domain.KeyID
	number int // in the order in which they were made
	aead   cipher.AEAD
}

// NewCipher returns a cipher whose key Prepare makes.
func NewCipher() *Cipher { return &Cipher{keyset: &keyset{}} }

// Another returns another instance on the same keyset, not prepared, like another process that
// shares it.
func (c *Cipher) Another() *Cipher { return &Cipher{keyset: c.keyset} }

// Prepare creates the key if there is none and fresh. Returns Corrupt if there is none and not
// fresh. Returns Unavailable if ctx has ended.
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
	if len(k.all()) > 0 {
		return nil // also while it is being changed
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	if len(k.all()) > 0 {
		return nil
	}
	if !fresh {
		return &domain.Error{Kind: domain.Corrupt, Public: "the keyset was in the memory of a process that has ended"}
	}
	first, err := k.newKey()
	if err == nil {
		k.set([]key{first})
	}
	return err
}

func (k *keyset) newKey() (key, error) {
	var bytes [32]byte
	var name [4]byte
	_, _ = rand.Read(bytes[:]) // documented never to fail
	_, _ = rand.Read(name[:])
	block, err := aes.NewCipher(bytes[:])
	if err != nil {
		return key{}, unavailable(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, unavailable(err)
	}
	k.made++
	return key{domain.KeyID(hex.EncodeToString(name[:])), k.made, aead}, nil
}

// all returns the keys. Nobody modifies the slice.
func (k *keyset) all() []key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys
}

func (k *keyset) set(keys []key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
}

// Seal encrypts plain. Returns Invalid for the zero Binding. Returns Unavailable before Prepare.
func (c *Cipher) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	if !c.ready() {
		return domain.Sealed{}, unavailable(nil)
	}
	return c.keyset.all()[0].seal(plain, to)
}

func (k key) seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	if to == (domain.Binding{}) {
		return domain.Sealed{}, &domain.Error{Kind: domain.Invalid, Public: "a binding is needed to encrypt"}
	}
	return domain.Sealed{Key: k.name, Bytes: k.aead.Seal(nil, nil, []byte(plain.Reveal()), []byte(to.AssociatedData()))}, nil
}

// Open decrypts what Seal returned, for the same binding. Returns Corrupt for anything else.
// Returns Unavailable before Prepare.
func (c *Cipher) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	if !c.ready() {
		return domain.Secret{}, unavailable(nil)
	}
	keys := c.keyset.all()
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == s.Key })
	corrupt := &domain.Error{Kind: domain.Corrupt, Public: "the stored bytes can't be decrypted"}
	if i < 0 || to == (domain.Binding{}) {
		return domain.Secret{}, corrupt
	}
	plain, err := keys[i].aead.Open(nil, nil, s.Bytes, []byte(to.AssociatedData()))
	if err != nil {
		return domain.Secret{}, corrupt
	}
	return domain.NewSecret(string(plain)), nil
}

// Keys returns the names of the keys, the current one first and then the others, the oldest
// first. It returns none before Prepare.
func (c *Cipher) Keys() []domain.KeyID {
	if !c.ready() {
		return nil
	}
	return names(c.keyset.all())
}

func names(keys []key) []domain.KeyID {
	all := make([]domain.KeyID, len(keys))
	for i, k := range keys {
		all[i] = k.name
	}
	return all
}

// Refresh does nothing, because all instances share one keyset.
func (c *Cipher) Refresh(ctx context.Context) error {
	if ctx.Err() != nil || !c.ready() {
		return unavailable(context.Cause(ctx))
	}
	return nil
}

// Rotate adds a key that seals from then on. The new key opens while known is called.
func (c *Cipher) Rotate(ctx context.Context, known func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error) {
	if err := c.Refresh(ctx); err != nil {
		return "", err
	}
	k := c.keyset
	k.changing.Lock()
	defer k.changing.Unlock()
	added, err := k.newKey()
	if err != nil {
		return "", err
	}
	old := k.all()
	k.set(append(slices.Clone(old), added))
	if err := known(added.seal); err != nil {
		return "", err
	}
	older := slices.SortedFunc(slices.Values(old), func(a, b key) int { return cmp.Compare(a.number, b.number) })
	k.set(append([]key{added}, older...))
	return added.name, nil
}

// Retire removes keys from the keyset.
func (c *Cipher) Retire(ctx context.Context, keys []domain.KeyID, allow func([]domain.KeyID) error) ([]domain.KeyID, error) {
	if err := c.Refresh(ctx); err != nil {
		return nil, err
	}
	k := c.keyset
	k.changing.Lock()
	defer k.changing.Unlock()
	all := k.all()
	if len(keys) == 0 {
		keys = names(all[1:])
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	for _, name := range keys {
		switch slices.Index(names(all), name) {
		case -1:
			return nil, &domain.Error{Kind: domain.NotFound, Public: "the keyset has no key " + string(name)}
		case 0:
			return nil, &domain.Error{Kind: domain.Conflict, Public: "key " + string(name) + " is the current key; rotate first"}
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	if err := allow(slices.Clone(keys)); err != nil {
		return nil, err
	}
	k.set(slices.DeleteFunc(slices.Clone(all), func(k key) bool { return slices.Contains(keys, k.name) }))
	return keys, nil
}

func (c *Cipher) ready() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.prepared
}
