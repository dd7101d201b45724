package app

import (
	"context"
	"errors"

	"github.com/flowlatch/flowlatch/domain"
)

// RotateKeys adds a key to the keyset, which seals from then on, and returns it. When the
// first instance seals with it, the known value of the start-up check is sealed with it
// already, so that the service does not start with the keyset of before. All that other
// keys have sealed opens as before. Only an admin may: NotAllowed. It is Conflict for a
// keyset that can't be changed from here.
func (s *Service) RotateKeys(ctx context.Context, call Call) (domain.KeyID, error) {
	if err := call.Caller.MayManage(); err != nil {
		return "", err
	}
	key, err := s.ports.Keyring.Rotate(ctx, func(seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error {
		return s.makeKnown(ctx, call, seal)
	})
	if err != nil {
		return "", err
	}
	// A start-up check that began before the new key sealed may have taken that for a
	// rotation that never came to its end. Those that begin later see the new key.
	err = s.ports.Store.Installation.Prepare(ctx, func(is domain.Installation) (domain.Installation, error) {
		return s.underCurrentKey(ctx, is)
	})
	if err != nil {
		return key, &domain.Error{Kind: domain.KindOf(err), Cause: err,
			Public: "key " + string(key) + " seals from now on, and whether the database knows that could not be made sure; the next start does that"}
	}
	return key, nil
}

// makeKnown stores the installation as seal, which is of a new key, seals it. A start-up
// check may change it at the same time, so it tries again.
func (s *Service) makeKnown(ctx context.Context, call Call, seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) error {
	const tries = 3
	for try := 1; ; try++ {
		was, err := s.ports.Store.Installation.Get(ctx)
		if err != nil {
			return err
		}
		is, err := s.resealed(was, seal)
		if err != nil {
			return err
		}
		err = s.ports.Store.Installation.Reseal(ctx, s.act(call, domain.NeedsAdmin(), domain.ActionRotateKeys, domain.OnKey(is.Known.Key)), was, is)
		if try == tries || !errors.Is(err, domain.Conflict) {
			return err
		}
	}
}
