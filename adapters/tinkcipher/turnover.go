package tinkcipher

import (
	"context"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/flowlatch/flowlatch/domain"
)

// SealsWithin is how long after a change of the file something can be stored that an instance
// sealed with the current key of before. An instance checks the file after a second, or seals
// for three seconds if it can't read it. It stores within 5 seconds by default what it has
// sealed. The rest covers the difference between the clocks of the machines that share the file.
const SealsWithin = 10 * time.Second

// Rotate adds a key for AES-256-GCM to the file, first as a key that only opens. It makes it the
// current key after known has returned. If the process is killed in between, or if known fails,
// the key remains as a key that only opens, because something may be stored that it sealed.
func (c *Cipher) Rotate(ctx context.Context, known func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error) (domain.KeyID, error) {
	r, unlock, err := c.begin(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	m := keyset.NewManagerFromHandle(r.handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", &domain.Error{Kind: domain.Unavailable, Public: "a key could not be created", Cause: err}
	}
	opens, err := c.file.replace(m, r)
	if err != nil {
		return "", err
	}
	c.take(opens)
	next, err := promoted(m, id)
	if err != nil {
		return "", err
	}
	if err := known(next.seal); err != nil {
		return "", err
	}
	seals, err := c.file.replace(m, opens)
	if err != nil {
		return "", err
	}
	c.take(seals)
	return keyID(id), nil
}

// begin starts a change of the file. It returns the content of the file, and nobody else changes
// it until unlock is called.
func (c *Cipher) begin(ctx context.Context) (r *ring, unlock func(), err error) {
	if err := c.ready(ctx); err != nil {
		return nil, nil, err
	}
	if c.file == nil {
		return nil, nil, notFromHere("the keyset in " + c.name + " is")
	}
	if unlock, err = c.file.lock(ctx); err != nil {
		return nil, nil, err
	}
	if r, err = c.file.read(); err != nil {
		unlock()
		return nil, nil, err
	}
	return r, unlock, nil
}

// promoted returns the keyset of m with that key as the primary one.
func promoted(m *keyset.Manager, id uint32) (*ring, error) {
	if err := m.SetPrimary(id); err != nil {
		return nil, changeFailed(err)
	}
	return newRing(m)
}

// Retire removes keys from the file. It waits until SealsWithin has passed since the last change
// of the file. Until then something can be stored that another key than the current one sealed.
func (c *Cipher) Retire(ctx context.Context, keys []domain.KeyID, allow func(keys []domain.KeyID) error) ([]domain.KeyID, error) {
	r, unlock, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if keys, err = r.retirable(keys); err != nil || len(keys) == 0 {
		return nil, err
	}
	if err := c.settle(ctx, r); err != nil {
		return nil, err
	}
	if err := allow(slices.Clone(keys)); err != nil {
		return nil, err
	}
	m, err := r.without(keys)
	if err != nil {
		return nil, err
	}
	left, err := c.file.replace(m, r)
	if err != nil {
		return nil, err
	}
	c.take(left)
	return keys, nil
}

// retirable returns the keys to remove, each once: the named keys, or all but the current key.
func (r *ring) retirable(named []domain.KeyID) ([]domain.KeyID, error) {
	for _, key := range named {
		switch slices.Index(r.ids, key) {
		case -1:
			return nil, &domain.Error{Kind: domain.NotFound, Public: "the keyset has no key " + string(key)}
		case 0:
			return nil, &domain.Error{Kind: domain.Conflict, Public: "key " + string(key) + " is the current key; rotate first"}
		}
	}
	if len(named) == 0 {
		return r.ids[1:], nil
	}
	return slices.DeleteFunc(slices.Clone(r.ids), func(key domain.KeyID) bool { return !slices.Contains(named, key) }), nil
}

// settle waits until nobody seals with another key than the primary one of r.
func (c *Cipher) settle(ctx context.Context, r *ring) error {
	left := SealsWithin - c.file.options.Clock().Sub(r.file.ModTime())
	if left <= 0 {
		return nil
	}
	// The clock of the machine that wrote the file may be ahead.
	if err := c.file.options.Wait(ctx, min(left, SealsWithin)); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Cause: err,
			Public: "the keyset was changed a moment ago, and the wait until every instance has read it ended; try again"}
	}
	info, err := c.file.stat()
	if err == nil && !same(info, r.file) {
		err = &domain.Error{Kind: domain.Conflict, Public: "another process changed the keyset; try again"}
	}
	return err
}

// without returns the keyset r without those keys, for changing.
func (r *ring) without(keys []domain.KeyID) (*keyset.Manager, error) {
	m := keyset.NewManagerFromHandle(r.handle)
	for _, key := range r.handle.KeysetInfo().GetKeyInfo() {
		if !slices.Contains(keys, keyID(key.GetKeyId())) {
			continue
		}
		if err := m.Delete(key.GetKeyId()); err != nil {
			return nil, changeFailed(err)
		}
	}
	return m, nil
}

// newRing returns the keyset of m, ready for use.
func newRing(m *keyset.Manager) (*ring, error) {
	handle, err := m.Handle()
	if err != nil {
		return nil, changeFailed(err)
	}
	cipher, err := aead.New(handle)
	if err != nil {
		return nil, changeFailed(err)
	}
	r := &ring{aead: cipher, handle: handle}
	info := handle.KeysetInfo()
	r.ids, _ = enabled(info.GetPrimaryKeyId(), info.GetKeyInfo())
	return r, nil
}

func changeFailed(cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the keyset could not be changed", Cause: cause}
}
