package keyset

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// sealedPage is how many sealed rows are read at a time, and replaced in one transaction. It
// is small, so that nobody waits for it.
const sealedPage = 200

// Unopened is a sealed row that can't be opened.
type Unopened struct {
	Ref  domain.SealedRef
	Name string // of the project whose key it is
}

// sortUnopened orders rows by name, as people read them.
func sortUnopened(all []Unopened) {
	slices.SortFunc(all, func(a, b Unopened) int { return cmp.Or(strings.Compare(a.Name, b.Name), a.Ref.Compare(b.Ref)) })
}

// unsealed is a sealed row and its secret.
type unsealed struct {
	domain.SealedRow
	opens  bool
	secret domain.Secret // zero unless it opens
}

// unseal opens rows. Returns Corrupt if rows can't be opened because the keyset here is older
// than the database. That says nothing about the rows.
func (k *Keyset) unseal(ctx context.Context, rows []domain.SealedRow) ([]unsealed, error) {
	all, closed := make([]unsealed, len(rows)), false
	for i, row := range rows {
		secret, err := k.ports.Cipher.Open(row.Sealed, row.Ref.Binding(k.Origin()))
		if err != nil && domain.KindOf(err) != domain.Corrupt {
			return nil, err
		}
		all[i] = unsealed{SealedRow: row, opens: err == nil, secret: secret}
		closed = closed || err != nil
	}
	if closed {
		// A key seals nothing before it has sealed the known value.
		if err := k.check(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// scan opens all rows after the place, page by page. It marks projects' keys by whether they
// open, and calls tell for each row. The records of the marks are made from rec.
func (k *Keyset) scan(ctx context.Context, rec domain.Record, after domain.SealedRef, page int, tell func(unsealed)) error {
	for {
		rows, err := k.ports.Sealings.Page(ctx, "", after, page)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].Ref
		all, err := k.unseal(ctx, rows)
		if err != nil {
			return err
		}
		for _, row := range all {
			if err := k.mark(ctx, rec, row); err != nil {
				return err
			}
			tell(row)
		}
	}
}

// mark stores whether a project's key opens, if that is news. For a project that is gone it
// does nothing.
func (k *Keyset) mark(ctx context.Context, rec domain.Record, row unsealed) error {
	if row.Ref.Kind != domain.SealedProjectKey || row.opens != (row.Status == domain.KeyNeedsReentry) {
		return nil
	}
	rec.Object = domain.OnSlot(domain.ProjectID(row.Ref.ID), row.Ref.Slot)
	rec.Outcome = string(domain.KeyNeedsReentry)
	if row.opens {
		rec.Outcome = string(domain.KeyUnchecked)
	}
	err := k.ports.Projects.Note(ctx, domain.ProjectID(row.Ref.ID), func(p *domain.Project) bool {
		return p.MarkOpens(row.Sealed, row.opens)
	}, rec)
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	return err
}
