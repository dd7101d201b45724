package forward

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// maxOutcomes bounds the outcomes that wait to be stored while the database is away. Each takes
// about 500 bytes. No call begins beyond that, so none is ever dropped.
const maxOutcomes = 10_000

// outcomes are the outcomes of calls that have begun, which have yet to be stored. The zero value
// is ready.
type outcomes struct {
	mu   sync.Mutex
	left []domain.Record
}

// full reports whether no call may begin now.
func (o *outcomes) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.left) >= maxOutcomes
}

// keep keeps records that could not be stored.
func (o *outcomes) keep(recs ...domain.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = append(o.left, recs...)
}

// take returns the records and removes them.
func (o *outcomes) take() []domain.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	left := o.left
	o.left = nil
	return left
}

// FlushOutcomes stores the outcomes that could not be stored when they came. Those that can't be
// stored now are kept for the next time.
func (f *Forwarder) FlushOutcomes(ctx context.Context) error {
	left := f.outcomes.take()
	for i, rec := range left {
		stored, err := f.hasRow(ctx, rec)
		if err == nil && !stored {
			err = f.ports.Audit.Append(ctx, rec)
		}
		if err != nil {
			f.outcomes.keep(left[i:]...)
			return err
		}
	}
	return nil
}

// hasRow reports whether the record is stored. The database may have stored it without an answer.
func (f *Forwarder) hasRow(ctx context.Context, rec domain.Record) (bool, error) {
	same := domain.AuditFilter{
		Actor: rec.Actor, Action: rec.Action, Object: rec.Object, Outcome: rec.Outcome, RequestID: rec.RequestID,
		Since: rec.At, Until: rec.At.Add(time.Microsecond),
	}
	rows, err := f.ports.Audit.Page(ctx, same, nil, 1)
	return len(rows) > 0, err
}
