package memory

import (
	"bytes"
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
	was := cloneInstallation(s.known)
	was.Head = s.chain.head
	known, err := check(was)
	if err != nil {
		return err
	}
	if s.chain.head.Sealed.IsZero() {
		s.chain.head = known.Head
	}
	known.Head = domain.AuditHead{}
	s.known = cloneInstallation(known)
	return nil
}

// Reseal replaces what is stored, which must be from. It is Conflict otherwise,
// and Unavailable before Prepare.
func (v *Installation) Reseal(ctx context.Context, from, to domain.Installation, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if s.known.Known.IsZero() {
		return notPrepared()
	}
	if s.known.Origin != from.Origin || !sameSealed(s.known.Known, from.Known) || !sameSealed(s.known.Pseudonyms, from.Pseudonyms) {
		return &domain.Error{Kind: domain.Conflict, Public: "what is known of the installation has changed meanwhile"}
	}
	s.known = cloneInstallation(to)
	s.records = append(s.records, rec)
	return nil
}

func sameSealed(a, b domain.Sealed) bool { return a.Key == b.Key && bytes.Equal(a.Bytes, b.Bytes) }

// Known returns what Prepare or Reseal stored. It is Unavailable before that.
func (v *Installation) Known(ctx context.Context) (domain.Installation, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Installation{}, err
	}
	defer s.leave()
	if s.known.Known.IsZero() {
		return domain.Installation{}, notPrepared()
	}
	return cloneInstallation(s.known), nil
}

func notPrepared() error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the store is not prepared"}
}

func cloneInstallation(i domain.Installation) domain.Installation {
	i.Known, i.Pseudonyms = clone(i.Known), clone(i.Pseudonyms)
	return i
}
