package tinkcipher

import (
	"context"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/flowlatch/flowlatch/domain"
)

// RotateByHand takes one step of a rotation on the file at path. The file is a copy of a keyset
// that can't be changed where it is in use. If the last key of the keyset is the current key,
// RotateByHand adds a key that only opens. Otherwise it makes the last key the current key and
// returns seals true. Give the copy to every instance between two steps. Only o.Wrap counts.
// Returns Corrupt if the file is not a keyset, and otherwise the errors of Rotate.
func RotateByHand(ctx context.Context, path string, o FileOptions) (key domain.KeyID, seals bool, err error) {
	err = changeByHand(ctx, path, o, func(r *ring) (*keyset.Manager, error) {
		m := keyset.NewManagerFromHandle(r.handle)
		info := r.handle.KeysetInfo()
		var last uint32
		for _, k := range info.GetKeyInfo() {
			if k.GetStatus() == tinkpb.KeyStatusType_ENABLED {
				last = k.GetKeyId()
			}
		}
		if last != info.GetPrimaryKeyId() {
			key, seals = keyID(last), true
			return m, m.SetPrimary(last)
		}
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		key = keyID(id)
		return m, err
	})
	if err != nil {
		return "", false, err
	}
	return key, seals, nil
}

// RetireByHand removes a key from the keyset in the file at path, which is a copy as for
// RotateByHand. It does not check whether something still needs the key. Only o.Wrap counts.
// Returns Conflict for the current key. Returns NotFound for a key that the keyset does not
// have. Returns Corrupt if the file is not a keyset, and otherwise the errors of Retire.
func RetireByHand(ctx context.Context, path string, key domain.KeyID, o FileOptions) error {
	return changeByHand(ctx, path, o, func(r *ring) (*keyset.Manager, error) {
		keys, err := r.retirable([]domain.KeyID{key})
		if err != nil {
			return nil, err
		}
		return r.without(keys)
	})
}

// changeByHand changes the keyset in the file with change.
func changeByHand(ctx context.Context, path string, o FileOptions, change func(*ring) (*keyset.Manager, error)) error {
	f := newFile(path, FileOptions{Named: true, Wrap: o.Wrap})
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := f.read()
	if err != nil {
		return err
	}
	m, err := change(r)
	if err != nil {
		if domain.KindOf(err) == "" {
			err = changeFailed(err)
		}
		return err
	}
	_, err = f.replace(m, r)
	return err
}
