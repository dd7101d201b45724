package memory

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// auditChain is a ports.AuditChain.
type auditChain struct{ store *Store }

// chain is the chain over the records. A record is stored as soon as it has its number, so
// every record is settled once it is in the chain.
type chain struct {
	links []domain.ChainLink
	head  domain.AuditHead
}

// Tamper lets change alter records, links and head, as somebody with access to a database
// could.
func (s *Store) Tamper(change func(records *[]domain.Record, links *[]domain.ChainLink, head *domain.AuditHead)) {
	<-s.turn
	defer s.leave()
	change(&s.records, &s.chain.links, &s.chain.head)
}

// row returns the record with that id, if there is one.
func (s *Store) row(id int64) (domain.AuditRow, bool) {
	if id <= s.removed || id > s.lastRow() {
		return domain.AuditRow{ID: id}, false
	}
	return domain.AuditRow{ID: id, Record: s.records[id-s.removed-1]}, true
}

// lastRow is the id of the last record.
func (s *Store) lastRow() int64 { return s.removed + int64(len(s.records)) }

// lastLink is the end of the chain, the zero ChainPoint if it has no link.
func (s *Store) lastLink() domain.ChainPoint {
	if n := len(s.chain.links); n > 0 {
		return s.chain.links[n-1].ChainPoint
	}
	return domain.ChainPoint{}
}

// Extend puts at most limit rows into the chain. It runs in one turn, so no other call can
// extend the chain at the same time.
func (v auditChain) Extend(ctx context.Context, limit int, extend ports.Extend) (domain.ChainPoint, bool, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.ChainPoint{}, false, err
	}
	defer s.leave()
	var rows []domain.AuditRow
	settled := s.chain.head.Settled
	for ; settled < s.lastRow() && len(rows) < limit; settled++ {
		row, _ := s.row(settled + 1)
		rows = append(rows, row)
	}
	done := settled >= s.lastRow()
	last := s.lastLink()
	if len(rows) == 0 && last == s.chain.head.ChainPoint {
		return domain.ChainPoint{}, done, nil
	}
	if s.readsOnly {
		return domain.ChainPoint{}, false, domain.ReadsOnly(nil)
	}
	links, head, err := extend(last, cloneHead(s.chain.head), rows, settled)
	if err != nil {
		return domain.ChainPoint{}, false, err
	}
	s.chain.links, s.chain.head = append(s.chain.links, links...), cloneHead(head)
	return head.ChainPoint, done, nil
}

// Cut replaces the head and stores the records.
func (v auditChain) Cut(ctx context.Context, cut ports.Cut) error {
	s := v.store
	if err := s.enterToWrite(ctx); err != nil {
		return err
	}
	defer s.leave()
	last := s.lastLink()
	head, recs, err := cut(last, cloneHead(s.chain.head))
	if err != nil {
		return err
	}
	s.chain.head = cloneHead(head)
	s.record(recs...)
	return nil
}

// Remove removes at most limit links up to upTo, with their rows. Both are in the same order.
func (v auditChain) Remove(ctx context.Context, upTo int64, limit int) (int, error) {
	s := v.store
	if err := s.enterToWrite(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for _, link := range s.chain.links {
		if link.Seq > upTo || n >= limit {
			break
		}
		if _, there := s.row(link.Row); there {
			s.records, s.removed = s.records[link.Row-s.removed:], link.Row
		}
		n++
	}
	s.chain.links = s.chain.links[n:]
	return n, nil
}

// Links returns at most limit links with their rows that come after the link after.
func (v auditChain) Links(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error) {
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

// Head returns the head that the last Extend stored.
func (v auditChain) Head(ctx context.Context) (domain.AuditHead, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.AuditHead{}, err
	}
	defer s.leave()
	return cloneHead(s.chain.head), nil
}

// Waiting returns the time of the first row that is not in the chain yet.
func (v auditChain) Waiting(ctx context.Context) (time.Time, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer s.leave()
	row, there := s.row(s.chain.head.Settled + 1)
	if !there {
		return time.Time{}, nil
	}
	return row.At, nil
}

// Strays returns at most limit settled rows that are not in the chain.
func (v auditChain) Strays(ctx context.Context, limit int) ([]domain.AuditRow, error) {
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
