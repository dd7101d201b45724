package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditLog = (*AuditLog)(nil)

// AuditLog is a ports.AuditLog, a view on a Store. The id of a row is its place among the
// records, from 1.
type AuditLog struct{ store *Store }

// chain is the chain over the records. Since a record is there at once when it has its
// number, all of them are settled once they are chained.
type chain struct {
	links []domain.ChainLink
	head  domain.AuditHead
}

// Tamper lets change alter records, links and head, as somebody could who has the
// database.
func (s *Store) Tamper(change func(records *[]domain.Record, links *[]domain.ChainLink, head *domain.AuditHead)) {
	<-s.turn
	defer s.leave()
	change(&s.records, &s.chain.links, &s.chain.head)
}

// Append stores records.
func (v *AuditLog) Append(ctx context.Context, recs ...domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.records = append(s.records, recs...)
	return nil
}

// row is the record of that id, if there is one.
func (s *Store) row(id int64) (domain.AuditRow, bool) {
	if id < 1 || id > int64(len(s.records)) {
		return domain.AuditRow{ID: id}, false
	}
	return domain.AuditRow{ID: id, Record: s.records[id-1]}, true
}

// Page returns at most limit of the rows that the filter picks and that come behind
// before, newest first.
func (v *AuditLog) Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	newestFirst := func(a, b domain.AuditPlace) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID))
	}
	var found []domain.AuditRow
	for i, rec := range s.records {
		row := domain.AuditRow{ID: int64(i + 1), Record: rec}
		if f.Matches(rec) && (before == nil || newestFirst(row.Place(), *before) > 0) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b domain.AuditRow) int { return newestFirst(a.Place(), b.Place()) })
	return atMost(limit, found), nil
}

// Chain puts at most limit rows into the chain. Since it is done in one turn, nobody else
// can be at it.
func (v *AuditLog) Chain(ctx context.Context, limit int, extend ports.Extend) (bool, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	var rows []domain.AuditRow
	settled := s.chain.head.Settled
	for ; settled < int64(len(s.records)) && len(rows) < limit; settled++ {
		row, _ := s.row(settled + 1)
		rows = append(rows, row)
	}
	done := settled >= int64(len(s.records))
	var last domain.ChainPoint
	if n := len(s.chain.links); n > 0 {
		last = s.chain.links[n-1].ChainPoint
	}
	if len(rows) == 0 && last == s.chain.head.ChainPoint {
		return done, nil
	}
	links, head, err := extend(last, s.chain.head, rows, settled)
	if err != nil {
		return false, err
	}
	head.Sealed = clone(head.Sealed)
	s.chain.links, s.chain.head = append(s.chain.links, links...), head
	return done, nil
}

// Chained returns at most limit links with their rows behind the link after.
func (v *AuditLog) Chained(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.ChainedRow
	for _, link := range s.chain.links {
		if link.Seq > after {
			row, there := s.row(link.Row)
			found = append(found, domain.ChainedRow{Link: link, Row: row, Gone: !there})
		}
	}
	return atMost(limit, found), nil
}

// Head returns what the last Chain stored as the head.
func (v *AuditLog) Head(ctx context.Context) (domain.AuditHead, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.AuditHead{}, err
	}
	defer s.leave()
	head := s.chain.head
	head.Sealed = clone(head.Sealed)
	return head, nil
}

// Strays returns at most limit rows below those that are all in the chain which are not.
func (v *AuditLog) Strays(ctx context.Context, limit int) ([]domain.AuditRow, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	linked := map[int64]bool{}
	for _, link := range s.chain.links {
		linked[link.Row] = true
	}
	var found []domain.AuditRow
	for id := int64(1); id <= s.chain.head.Settled; id++ {
		if row, there := s.row(id); there && !linked[id] {
			found = append(found, row)
		}
	}
	return atMost(limit, found), nil
}
