package keyset

import (
	"context"
	"errors"

	"github.com/flowlatch/flowlatch/domain"
)

// Rotate adds a key to the keyset, makes it the current one, and returns it. Before any
// instance seals with the new key, the known value is sealed with it, so the service does not
// start with the earlier keyset. The audit row is stored with that. If the keyset can't be written
// afterwards, a second row has the outcome failed. What other keys have sealed still opens. Only an admin may:
// NotAllowed. Returns Conflict for a keyset that can't be changed from here.
func (k *Keyset) Rotate(ctx context.Context, call domain.Call) (domain.KeyID, error) {
	if err := call.Caller.MayManage(); err != nil {
		return "", err
	}
	var recorded domain.KeyID
	key, err := k.ports.Keyring.Rotate(ctx, func(with seal) (err error) {
		recorded, err = k.makeKnown(ctx, call, with)
		return err
	})
	if err != nil && recorded != "" { // the keyset could not be written
		rec := call.Record(k.ports.Clock(), domain.ActionRotateKeys, domain.OnKey(recorded))
		rec.Outcome = domain.OutcomeFailed
		err = errors.Join(err, k.ports.Audit.Append(context.WithoutCancel(ctx), rec))
	}
	if err != nil {
		return "", err
	}
	// A start-up check that began before the new key sealed may have taken that for an
	// unfinished rotation and undone it. Checks that begin later see the new key.
	err = k.ports.Installation.Prepare(ctx, func(is domain.Installation) (domain.Installation, error) {
		return k.withCurrentKey(ctx, is)
	})
	if err != nil {
		return key, &domain.Error{Kind: domain.KindOf(err), Cause: err,
			Public: "key " + string(key) + " is the current key; it is not certain that the database knows that, and the next start makes sure"}
	}
	return key, nil
}

// makeKnown stores the installation, sealed by with, and returns the key that sealed it. It tries
// again if a start-up check changes the installation at the same time.
func (k *Keyset) makeKnown(ctx context.Context, call domain.Call, with seal) (domain.KeyID, error) {
	const tries = 3
	for try := 1; ; try++ {
		was, err := k.ports.Installation.Get(ctx)
		if err != nil {
			return "", err
		}
		is, err := k.resealed(was, with)
		if err != nil {
			return "", err
		}
		act := call.Act(k.ports.Clock(), domain.NeedsAdmin(), domain.ActionRotateKeys, domain.OnKey(is.Known.Key))
		err = k.ports.Installation.Reseal(ctx, act, was, is)
		switch {
		case err == nil:
			return is.Known.Key, nil
		case try == tries || !errors.Is(err, domain.Conflict):
			return "", err
		}
	}
}
