package memory

import (
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Usage = (*Usage)(nil)

// Usage is a ports.Usage, a view on a Store.
type Usage struct{ store *Store }

// Add adds the counts to those that are stored under the same keys.
func (v *Usage) Add(ctx context.Context, counts []domain.Usage) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for _, u := range counts {
		s.usage[u.UsageKey] = u.Plus(s.usage[u.UsageKey])
	}
	return nil
}

// Report returns at most limit sums of what was counted, grouped, that come after the key,
// or from the beginning.
func (v *Usage) Report(ctx context.Context, q domain.UsageQuery, after *domain.UsageKey, limit int) ([]domain.Usage, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	sums := map[domain.UsageKey]domain.Usage{}
	for _, u := range s.usage {
		if q.From <= u.Day && u.Day <= q.To {
			u.UsageKey = u.By(q.GroupBy)
			sums[u.UsageKey] = u.Plus(sums[u.UsageKey])
		}
	}
	var place domain.UsageKey
	if after != nil {
		place = after.By(q.GroupBy)
	}
	var found []domain.Usage
	for key, sum := range sums {
		if after == nil || key.Compare(place) > 0 {
			found = append(found, sum)
		}
	}
	slices.SortFunc(found, func(a, b domain.Usage) int { return a.Compare(b.UsageKey) })
	return atMost(limit, found), nil
}
