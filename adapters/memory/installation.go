package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Installation = (*Installation)(nil)

// Installation is a ports.Installation, a view on a Store.
type Installation struct{ store *Store }

// Prepare stores what check makes of what is there. There is no schema, so the other views
// don't wait for it. Nothing else happens in the store while check runs.
func (v *Installation) Prepare(ctx context.Context, check func(domain.Installation) (domain.Installation, error)) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	known, err := check(cloneInstallation(s.known))
	if err != nil {
		return err
	}
	s.known = cloneInstallation(known)
	return nil
}

// Known returns what Prepare stored. It is Unavailable before that.
func (v *Installation) Known(ctx context.Context) (domain.Installation, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Installation{}, err
	}
	defer s.leave()
	if s.known.Known.IsZero() {
		return domain.Installation{}, &domain.Error{Kind: domain.Unavailable, Public: "the store is not prepared"}
	}
	return cloneInstallation(s.known), nil
}

func cloneInstallation(i domain.Installation) domain.Installation {
	i.Known, i.Pseudonyms = clone(i.Known), clone(i.Pseudonyms)
	return i
}
