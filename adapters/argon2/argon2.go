// Package argon2 implements ports.PasswordHasher with Argon2id (RFC 9106).
//
// The default cost is 19 MiB of memory, 2 passes and 1 lane: the first settings of the
// OWASP Password Storage Cheat Sheet below 20 MiB. Hashes have the PHC string format, which
// other programs read too: $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
package argon2

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.PasswordHasher = (*Hasher)(nil)

// Options set the cost of a hash. A zero field has its default. A field above its maximum,
// which is the most that Verify accepts, counts as the maximum.
type Options struct {
	MemoryKiB uint32 // 19,456 by default, at most 262,144
	Passes    uint32 // 2 by default, at most 10
	Lanes     uint8  // 1 by default, at most 8
	AtOnce    int    // passwords that are hashed at the same time; 2 by default
}

// Hasher is a ports.PasswordHasher. It is safe for concurrent use.
//
// Options may change at any time. A hash names its own cost, so a hash with other settings
// verifies as before.
type Hasher struct {
	cost  cost
	turns chan struct{}
}

// New returns a Hasher.
func New(o Options) *Hasher {
	if o.MemoryKiB == 0 {
		o.MemoryKiB = 19 << 10
	}
	if o.Passes == 0 {
		o.Passes = 2
	}
	if o.Lanes == 0 {
		o.Lanes = 1
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 2
	}
	c := cost{memory: min(o.MemoryKiB, maxMemory), passes: min(o.Passes, maxPasses), lanes: min(o.Lanes, maxLanes)}
	c.memory = max(c.memory, minMemory*uint32(c.lanes))
	return &Hasher{cost: c, turns: make(chan struct{}, o.AtOnce)}
}

// Hash returns the hash of password with a random salt of 16 bytes. Returns Invalid if the
// password is easy to guess.
func (h *Hasher) Hash(ctx context.Context, password domain.Secret) (domain.Secret, error) {
	if err := h.turn(ctx); err != nil {
		return domain.Secret{}, err
	}
	defer h.done()
	if common(password) {
		return domain.Secret{}, &domain.Error{Kind: domain.Invalid, Public: "password is too easy to guess; choose another one"}
	}
	p := phc{cost: h.cost, salt: make([]byte, saltLength)}
	_, _ = rand.Read(p.salt) // never fails: crypto/rand ends the program instead
	p.hash = p.of(password, hashLength)
	return domain.NewSecret(p.text()), nil
}

// Verify reports whether hash belongs to password. A text that is not a hash of this package,
// or whose cost is out of bounds, belongs to no password. It takes as long as Hash, so the
// time does not show whether a user exists.
func (h *Hasher) Verify(ctx context.Context, password, hash domain.Secret) (bool, error) {
	if err := h.turn(ctx); err != nil {
		return false, err
	}
	defer h.done()
	p, ok := parse(hash.Reveal())
	if !ok {
		p = phc{cost: h.cost, salt: make([]byte, saltLength), hash: make([]byte, hashLength)}
	}
	same := subtle.ConstantTimeCompare(p.of(password, len(p.hash)), p.hash) == 1
	return ok && same, nil
}

// turn waits until fewer than AtOnce passwords are being hashed. Returns Unavailable if ctx
// ends first.
func (h *Hasher) turn(ctx context.Context) error {
	err := ctx.Err() // if both are ready, select would pick either
	if err == nil {
		select {
		case h.turns <- struct{}{}:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return &domain.Error{Kind: domain.Unavailable, Public: "too many passwords are being checked; try again later", Cause: err}
}

func (h *Hasher) done() { <-h.turns }

func (p phc) of(password domain.Secret, length int) []byte {
	return argon2.IDKey([]byte(password.Reveal()), p.salt, p.cost.passes, p.cost.memory, p.cost.lanes, uint32(length))
}
