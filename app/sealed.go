package app

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// sealedPage is how many sealed rows are read at a time, and replaced in one transaction:
// few enough that nobody waits for it.
const sealedPage = 200

// Unopened is something that is stored sealed and does not open.
type Unopened struct {
	Ref  domain.SealedRef
	Name string // of the project whose key it is
}

// sortUnopened puts them in the order of names, as they are for people.
func sortUnopened(all []Unopened) {
	slices.SortFunc(all, func(a, b Unopened) int { return cmp.Or(strings.Compare(a.Name, b.Name), a.Ref.Compare(b.Ref)) })
}

// unsealed is a sealed row and what is in it.
type unsealed struct {
	domain.SealedRow
	opens  bool
	secret domain.Secret
}

// unseal opens rows. It is Corrupt where rows do not open since the keyset here is older
// than the database: that says nothing about the rows.
func (s *Service) unseal(ctx context.Context, rows []domain.SealedRow) ([]unsealed, error) {
	origin, all, closed := s.ports.Voiceflow.Origin(), make([]unsealed, len(rows)), false
	for i, row := range rows {
		secret, err := s.ports.Cipher.Open(row.Sealed, row.Ref.Binding(origin))
		if err != nil && domain.KindOf(err) != domain.Corrupt {
			return nil, err
		}
		all[i] = unsealed{SealedRow: row, opens: err == nil, secret: secret}
		closed = closed || err != nil
	}
	if closed {
		// A key seals only after it has sealed the known value.
		if err := s.checkReady(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// scan opens everything behind the place that another key than except has sealed, marks
// the projects' keys by it, and tells of each row. rec is what the records of the marks
// have in common.
func (s *Service) scan(ctx context.Context, rec domain.Record, except domain.KeyID, after domain.SealedRef, page int, tell func(unsealed)) error {
	for {
		rows, err := s.ports.Store.Sealings.Page(ctx, except, after, page)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].Ref
		all, err := s.unseal(ctx, rows)
		if err != nil {
			return err
		}
		for _, row := range all {
			if err := s.mark(ctx, rec, row); err != nil {
				return err
			}
			tell(row)
		}
	}
}

// mark records whether a project's key opens, if that is news. A project that is gone has
// nothing to mark.
func (s *Service) mark(ctx context.Context, rec domain.Record, row unsealed) error {
	if row.Ref.Kind != domain.SealedProjectKey || row.opens != (row.Status == domain.KeyNeedsReentry) {
		return nil
	}
	rec.Object = domain.OnSlot(domain.ProjectID(row.Ref.ID), row.Ref.Slot)
	rec.Outcome = string(domain.KeyNeedsReentry)
	if row.opens {
		rec.Outcome = string(domain.KeyUnchecked)
	}
	err := s.ports.Store.Projects.Note(ctx, domain.ProjectID(row.Ref.ID), func(p *domain.Project) bool {
		return p.MarkOpens(row.Sealed, row.opens)
	}, rec)
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	return err
}
