package bunstore

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditLog = (*AuditLog)(nil)

// AuditLog is a ports.AuditLog on a Store.
type AuditLog struct{ store *Store }

// Append implements ports.AuditLog.
func (a *AuditLog) Append(ctx context.Context, recs ...domain.Record) error {
	s := a.store
	store := s.write
	if isEvent(recs...) { // several statements
		store = s.changeOn
	}
	return store(ctx, "append to the audit", func(ctx context.Context, on handle) error {
		if s.postgres && len(recs) > 1 {
			return s.auditAll(ctx, on, recs)
		}
		for _, rec := range recs {
			if err := s.audit(ctx, on, rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// AppendOnce implements ports.AuditLog.
func (a *AuditLog) AppendOnce(ctx context.Context, once domain.Once, rec domain.Record) (bool, error) {
	s := a.store
	stored := false
	err := s.change(ctx, "append to the audit once", func(ctx context.Context, tx bun.Tx) error {
		err := s.useOnce(ctx, tx, once, "this")
		if stored = err == nil; errors.Is(err, domain.ErrUsedOnce) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
	return stored && err == nil, err
}

// Begin implements ports.AuditLog.
func (a *AuditLog) Begin(ctx context.Context, act domain.Act) error {
	s := a.store
	return s.change(ctx, "begin in the audit", func(ctx context.Context, tx bun.Tx) error {
		return s.carryOut(ctx, tx, act, alone, func(context.Context, bun.Tx) (bool, error) { return true, nil })
	})
}

// Find implements ports.AuditLog.
func (a *AuditLog) Find(ctx context.Context, id int64) (domain.ChainedRow, error) {
	s := a.store
	var rows []chainedRow
	err := s.read(ctx, "read a row of the audit", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, rowWithLink, id)
	})
	switch {
	case err != nil:
		return domain.ChainedRow{}, err
	case len(rows) == 0:
		return domain.ChainedRow{}, domain.NoSuch("row in the audit")
	}
	return rows[0].chained(), nil
}

// Page implements ports.AuditLog. A filter by an object or a request id alone reads the rows of that
// time until it has found enough.
func (a *AuditLog) Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error) {
	if limit <= 0 { // bun takes such a limit for no limit
		return nil, nil
	}
	texts := []struct{ column, value string }{
		{"actor", string(f.Actor)}, {"action", string(f.Action)}, {"object", f.Object}, {"outcome", f.Outcome}, {"request_id", f.RequestID},
	}
	for _, t := range texts {
		if err := domain.Storable(t.value); err != nil {
			return nil, err
		}
	}
	s := a.store
	var rows []auditRow
	err := s.read(ctx, "read the audit", func(ctx context.Context) error {
		rows = nil
		page := s.reads.NewSelect().Model(&rows).Order("at DESC", "id DESC").Limit(int64(limit))
		for _, t := range texts {
			switch {
			case t.value == "":
			case t.column == "object": // all of it, or some of its words in a row
				page.Where("replace(' ' || object || ' ', ' ' || ? || ' ', '') <> ' ' || object || ' '", t.value)
			default:
				page.Where("? = ?", bun.Ident(t.column), t.value)
			}
		}
		if !f.Since.IsZero() {
			page.Where("at >= ?", micros(f.Since))
		}
		if !f.Until.IsZero() {
			page.Where("at < ?", micros(f.Until))
		}
		if before != nil {
			page.Where("(at, id) < (?, ?)", micros(before.At), before.ID)
		}
		return page.Scan(ctx)
	})
	return auditRows(rows), err
}

const (
	insertAudit = `INSERT INTO audit (at, actor, action, object, outcome, request_id, address, count) `

	// On Postgres, one statement inserts many rows, since each round trip may take long. The
	// ids are in the order of the rows.
	insertAudits = insertAudit + `SELECT at, actor, action, object, outcome, request_id, address, count
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[]) WITH ORDINALITY
	r (at, actor, action, object, outcome, request_id, address, count, n) ORDER BY n`
)

// audit stores the record of the change in the transaction tx, and tells webhooks of it. Records of which
// webhooks are not told need no transaction.
func (s *Store) audit(ctx context.Context, tx handle, rec domain.Record) error {
	if _, err := s.exec(ctx, tx, insertAudit+`VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, recordValues(rec)...); err != nil {
		return err
	}
	return s.tell(ctx, tx, rec)
}

// auditAll stores the records with one statement, on Postgres, and tells webhooks of them.
func (s *Store) auditAll(ctx context.Context, on handle, recs []domain.Record) error {
	n := len(recs)
	ats, counts := make([]int64, n), make([]int64, n)
	actors, actions, objects := make([]string, n), make([]string, n), make([]string, n)
	outcomes, requests, addresses := make([]string, n), make([]string, n), make([]string, n)
	for i, r := range recs {
		ats[i], counts[i] = micros(r.At), r.Count
		actors[i], actions[i], objects[i] = string(r.Actor), string(r.Action), r.Object
		outcomes[i], requests[i], addresses[i] = r.Outcome, r.RequestID, r.Address
	}
	for _, texts := range [][]string{actors, actions, objects, outcomes, requests, addresses} {
		if err := domain.Storable(texts...); err != nil {
			return err
		}
	}
	if _, err := s.exec(ctx, on, insertAudits, ats, actors, actions, objects, outcomes, requests, addresses, counts); err != nil {
		return err
	}
	for _, rec := range recs {
		if err := s.tell(ctx, on, rec); err != nil {
			return err
		}
	}
	return nil
}

// recordValues returns the values of an audit row in the order of insertAudit.
func recordValues(r domain.Record) []any {
	return []any{micros(r.At), string(r.Actor), string(r.Action), r.Object, r.Outcome, r.RequestID, r.Address, r.Count}
}
