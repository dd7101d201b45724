package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Installation = (*Installation)(nil)

// Installation is a ports.Installation, a view on a Store.
type Installation struct{ store *Store }

// Prepare stores what check makes of the known value that is there. There is no schema,
// so the other views don't wait for it. Nothing else happens in the store while check runs.
func (v *Installation) Prepare(ctx context.Context, check func(known domain.Sealed, at domain.Origin) (domain.Sealed, domain.Origin, error)) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	known, at, err := check(clone(s.known), s.origin)
	if err != nil {
		return err
	}
	s.known, s.origin = clone(known), at
	return nil
}

// Known returns what Prepare stored. It is Unavailable before that.
func (v *Installation) Known(ctx context.Context) (domain.Sealed, domain.Origin, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Sealed{}, "", err
	}
	defer s.leave()
	if s.known.IsZero() {
		return domain.Sealed{}, "", &domain.Error{Kind: domain.Unavailable, Public: "the store is not prepared"}
	}
	return clone(s.known), s.origin, nil
}
