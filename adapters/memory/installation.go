package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// installation is a ports.Installation.
type installation struct{ store *Store }

// Prepare stores what check returns. There is no schema, so the other views do not wait for
// it. Nothing else happens in the store while check runs.
func (v installation) Prepare(ctx context.Context, check func(domain.Installation) (domain.Installation, error)) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	was := cloneInstallation(s.installation)
	was.Head = cloneHead(s.chain.head)
	is, err := check(was)
	if err != nil {
		return err
	}
	if err := domain.Storable(textsOfInstallation(is)...); err != nil {
		return err
	}
	is = was.Changed(is)
	same := is.Origin == was.Origin && is.Known.Equal(was.Known) && is.Pseudonyms.Equal(was.Pseudonyms)
	if s.readsOnly && !same {
		return domain.ReadsOnly(nil)
	}
	s.chain.head = cloneHead(is.Head)
	s.installation = cloneInstallation(is)
	return nil
}

// Reseal replaces what is stored, which must be from. Returns Conflict if it is something
// else. Returns Unavailable before Prepare.
func (v installation) Reseal(ctx context.Context, act domain.Act, from, to domain.Installation) error {
	s := v.store
	if _, err := s.begin(ctx, act, append(textsOfInstallation(from), textsOfInstallation(to)...)...); err != nil {
		return err
	}
	defer s.leave()
	is := s.installation
	if is.Known.IsZero() {
		return notPrepared()
	}
	if is.Origin != from.Origin || !is.Known.Equal(from.Known) || !is.Pseudonyms.Equal(from.Pseudonyms) {
		return &domain.Error{Kind: domain.Conflict, Public: "another process changed the installation; try again"}
	}
	s.installation = cloneInstallation(to)
	s.record(act.Record)
	return nil
}

// Get returns what Prepare or Reseal stored. Returns Unavailable before that.
func (v installation) Get(ctx context.Context) (domain.Installation, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Installation{}, err
	}
	defer s.leave()
	if s.installation.Known.IsZero() {
		return domain.Installation{}, notPrepared()
	}
	return cloneInstallation(s.installation), nil
}

// CheckWrites returns the error of domain.ReadsOnly while changes are stopped.
func (v installation) CheckWrites(ctx context.Context) error {
	if err := v.store.enterToWrite(ctx); err != nil {
		return err
	}
	v.store.leave()
	return nil
}

func notPrepared() error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the store is not prepared"}
}

// cloneInstallation copies the sealed values and leaves the head out.
func cloneInstallation(i domain.Installation) domain.Installation {
	return domain.Installation{Known: clone(i.Known), Origin: i.Origin, Pseudonyms: clone(i.Pseudonyms)}
}

func cloneHead(h domain.AuditHead) domain.AuditHead {
	h.Sealed = clone(h.Sealed)
	return h
}
