package memory

import (
	"cmp"
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
		add(s.usage, u)
	}
	return nil
}

// add adds u to the sum under its key.
func add(sums map[domain.UsageKey]domain.Usage, u domain.Usage) {
	sum := sums[u.UsageKey]
	u.Calls += sum.Calls
	u.Errors += sum.Errors
	u.Milliseconds += sum.Milliseconds
	sums[u.UsageKey] = u
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
			u.UsageKey = grouped(u.UsageKey, q.GroupBy)
			add(sums, u)
		}
	}
	var place domain.UsageKey
	if after != nil {
		place = grouped(*after, q.GroupBy)
	}
	var found []domain.Usage
	for key, sum := range sums {
		if after == nil || compareKeys(key, place) > 0 {
			found = append(found, sum)
		}
	}
	slices.SortFunc(found, func(a, b domain.Usage) int { return compareKeys(a.UsageKey, b.UsageKey) })
	return atMost(limit, found), nil
}

// grouped is k without the fields that are not grouped by.
func grouped(k domain.UsageKey, by []domain.UsageField) domain.UsageKey {
	var g domain.UsageKey
	for _, field := range by {
		switch field {
		case domain.UsageDay:
			g.Day = k.Day
		case domain.UsageProject:
			g.Project = k.Project
		case domain.UsageUser:
			g.User = k.User
		case domain.UsageToken:
			g.Token = k.Token
		case domain.UsageScope:
			g.Scope = k.Scope
		}
	}
	return g
}

// compareKeys orders a report.
func compareKeys(a, b domain.UsageKey) int {
	return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Project, b.Project), cmp.Compare(a.User, b.User),
		cmp.Compare(a.Token, b.Token), cmp.Compare(a.Scope, b.Scope))
}
