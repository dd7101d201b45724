package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// auditLog is a ports.AuditLog. The id of a row is its place among all records that were ever written, from 1.
type auditLog struct{ store *Store }

// Append stores the records in their order.
func (v auditLog) Append(ctx context.Context, recs ...domain.Record) error {
	s := v.store
	var texts []string
	for _, rec := range recs {
		texts = append(texts, textsOfRecord(rec)...)
	}
	if err := s.enterToWrite(ctx, texts...); err != nil {
		return err
	}
	defer s.leave()
	s.record(recs...)
	return nil
}

// AppendOnce stores the record unless once was used before.
func (v auditLog) AppendOnce(ctx context.Context, once domain.Once, rec domain.Record) (bool, error) {
	s := v.store
	if err := s.enterToWrite(ctx, append(textsOfRecord(rec), string(once.Kind), once.ID)...); err != nil {
		return false, err
	}
	defer s.leave()
	if s.usedBefore(once) {
		return false, nil
	}
	s.use(once)
	s.record(rec)
	return true, nil
}

// Begin stores the record of the act.
func (v auditLog) Begin(ctx context.Context, act domain.Act) error {
	s := v.store
	if _, err := s.begin(ctx, act); err != nil {
		return err
	}
	defer s.leave()
	s.record(act.Record)
	return nil
}

// Find returns the row with that id and its link in the chain. Returns NotFound if there is no such
// row.
func (v auditLog) Find(ctx context.Context, id int64) (domain.ChainedRow, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.ChainedRow{}, err
	}
	defer s.leave()
	row, there := s.row(id)
	if !there {
		return domain.ChainedRow{}, domain.NoSuch("row in the audit")
	}
	for _, link := range s.chain.links {
		if link.Row == id {
			return domain.ChainedRow{Link: link, Row: row}, nil
		}
	}
	return domain.ChainedRow{Row: row}, nil
}

// Page returns at most limit rows that match the filter and come after before, newest
// first.
func (v auditLog) Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error) {
	s := v.store
	if err := s.enter(ctx, string(f.Actor), string(f.Action), f.Object, f.Outcome, f.RequestID); err != nil {
		return nil, err
	}
	defer s.leave()
	newestFirst := func(a, b domain.AuditPlace) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID))
	}
	var found []domain.AuditRow
	for i, rec := range s.records {
		row := domain.AuditRow{ID: s.removed + int64(i+1), Record: rec}
		if f.Matches(rec) && (before == nil || newestFirst(row.Place(), *before) > 0) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b domain.AuditRow) int { return newestFirst(a.Place(), b.Place()) })
	return atMost(limit, found), nil
}
