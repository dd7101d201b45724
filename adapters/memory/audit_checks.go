package memory

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// auditChecks is a ports.AuditChecks.
type auditChecks struct{ store *Store }

// turn says whose turn it is, and until when.
type turn struct {
	holder string
	ends   time.Time
}

// Claim gives the turn to the holder, if it may have it.
func (v auditChecks) Claim(ctx context.Context, name domain.Turn, holder string, ends time.Time) (bool, error) {
	s := v.store
	if err := s.enterToWrite(ctx, string(name), holder); err != nil {
		return false, err
	}
	defer s.leave()
	if is, taken := s.turns[name]; taken && is.holder != holder && !domain.Claimable(is.ends, s.now()) {
		return false, nil
	}
	s.turns[name] = turn{holder, ends}
	return true, nil
}

// Get returns what the last Put stored.
func (v auditChecks) Get(ctx context.Context) (domain.Sealed, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Sealed{}, err
	}
	defer s.leave()
	return clone(s.check), nil
}

// Put stores to in place of from.
func (v auditChecks) Put(ctx context.Context, from, to domain.Sealed, recs ...domain.Record) (bool, error) {
	s := v.store
	texts := []string{string(from.Key), string(to.Key)}
	for _, rec := range recs {
		texts = append(texts, textsOfRecord(rec)...)
	}
	if err := s.enterToWrite(ctx, texts...); err != nil {
		return false, err
	}
	defer s.leave()
	if s.check.IsZero() != from.IsZero() || !from.IsZero() && !s.check.Equal(from) {
		return false, nil
	}
	s.check = clone(to)
	s.record(recs...)
	return true, nil
}
