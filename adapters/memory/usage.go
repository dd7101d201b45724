package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// usage is a ports.Usage.
type usage struct{ store *Store }

// Add adds the counts to those that are stored under the same keys, and moves the last use
// of tokens forward.
func (v usage) Add(ctx context.Context, counts []domain.Usage, lastUsed map[domain.TokenID]time.Time) error {
	s := v.store
	var texts []string
	for _, u := range counts {
		texts = append(texts, textsOfUsageKey(u.UsageKey)...)
	}
	for id := range lastUsed {
		texts = append(texts, string(id))
	}
	if err := s.enterToWrite(ctx, texts...); err != nil {
		return err
	}
	defer s.leave()
	for _, u := range counts {
		s.usage[u.UsageKey] = u.Plus(s.usage[u.UsageKey])
	}
	for id, at := range lastUsed {
		if t, found := s.tokens[id]; found {
			t.AccessToken = t.UsedAt(at)
			s.tokens[id] = t
		}
	}
	return nil
}

// Forget removes at most limit counts of days before the day.
func (v usage) Forget(ctx context.Context, before domain.Day, limit int) (int, error) {
	s := v.store
	if err := s.enterToWrite(ctx, string(before)); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for key := range s.usage {
		if key.Day < before && n < limit {
			delete(s.usage, key)
			n++
		}
	}
	return n, nil
}

// Report returns at most limit sums of the counts, grouped, that come after the key, or from
// the beginning.
func (v usage) Report(ctx context.Context, q domain.UsageQuery, after *domain.UsageKey, limit int) ([]domain.Usage, error) {
	s := v.store
	var place domain.UsageKey
	if after != nil {
		place = *after
	}
	if err := s.enter(ctx, append(textsOfUsageKey(place), string(q.From), string(q.To), string(q.Project), string(q.User))...); err != nil {
		return nil, err
	}
	defer s.leave()
	place = place.By(q.GroupBy)
	var found []domain.Usage
	for key, sum := range s.usageSums(q) {
		if after == nil || key.Compare(place) > 0 {
			found = append(found, sum)
		}
	}
	slices.SortFunc(found, func(a, b domain.Usage) int { return a.Compare(b.UsageKey) })
	return atMost(limit, found), nil
}

// Top returns the largest sums of a report, and the total of all.
func (v usage) Top(ctx context.Context, q domain.UsageQuery, limit int) (domain.UsageTop, error) {
	s := v.store
	if err := s.enter(ctx, string(q.From), string(q.To), string(q.Project), string(q.User)); err != nil {
		return domain.UsageTop{}, err
	}
	defer s.leave()
	return domain.TopUsage(slices.Collect(maps.Values(s.usageSums(q))), limit), nil
}

// usageSums returns all sums of the counts, grouped.
func (s *Store) usageSums(q domain.UsageQuery) map[domain.UsageKey]domain.Usage {
	sums := map[domain.UsageKey]domain.Usage{}
	for _, u := range s.usage {
		if q.Counts(u.UsageKey) {
			u.UsageKey = u.By(q.GroupBy)
			sums[u.UsageKey] = u.Plus(sums[u.UsageKey])
		}
	}
	return sums
}
