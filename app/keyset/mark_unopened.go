package keyset

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// MarkUnopened tries to open the keys of all projects. It marks keys that can't be opened, and
// keys that can be opened again. So an admin sees it before anybody uses the project. Returns
// Corrupt, and marks nothing, if the keyset here is not the keyset of the database.
func (k *Keyset) MarkUnopened(ctx context.Context) error {
	now := k.ports.Clock()
	id, err := domain.NewRequestID(now, k.ports.Random)
	if err != nil {
		return err
	}
	rec := domain.Call{RequestID: id}.Record(now, domain.ActionMarkKey, "")
	rec.Actor = domain.ActorService
	const page = 500
	return k.scan(ctx, rec, domain.BeforeProjectKeys, page, func(unsealed) {})
}

// ToReenter returns how many keys of projects are marked as ones that can't be opened. Only an
// admin may: NotAllowed.
func (k *Keyset) ToReenter(ctx context.Context, call domain.Call) (int, error) {
	if err := call.Caller.MayManage(); err != nil {
		return 0, err
	}
	return k.ports.Sealings.ToReenter(ctx)
}
