package bunstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// someUsage is a use of one of many keys.
func someUsage(random *rand.Rand) domain.Usage {
	tokens := []domain.TokenID{"", "token-1", "token-2"}
	return domain.Usage{
		UsageKey: domain.UsageKey{
			Day: domain.Day(fmt.Sprintf("2026-11-%02d", 1+random.IntN(4))), Project: project(random.IntN(3)).ID,
			User: domain.UserID(fmt.Sprintf("Ü user %d", random.IntN(3))), Token: tokens[random.IntN(len(tokens))],
			Scope: domain.AllScopes().List()[random.IntN(3)],
		},
		Calls: 1 + random.Int64N(3), Errors: random.Int64N(2), Milliseconds: random.Int64N(1000),
	}
}

// grouped is what a report of all has to say, in its order.
func grouped(all []domain.Usage, q domain.UsageQuery) []domain.Usage {
	sums := map[domain.UsageKey]domain.Usage{}
	for _, u := range all {
		if u.Day < q.From || u.Day > q.To {
			continue
		}
		var key domain.UsageKey
		for _, field := range q.GroupBy {
			switch field {
			case domain.UsageDay:
				key.Day = u.Day
			case domain.UsageProject:
				key.Project = u.Project
			case domain.UsageUser:
				key.User = u.User
			case domain.UsageToken:
				key.Token = u.Token
			case domain.UsageScope:
				key.Scope = u.Scope
			}
		}
		sum := sums[key]
		sums[key] = domain.Usage{UsageKey: key, Calls: sum.Calls + u.Calls, Errors: sum.Errors + u.Errors, Milliseconds: sum.Milliseconds + u.Milliseconds}
	}
	var list []domain.Usage
	for _, sum := range sums {
		list = append(list, sum)
	}
	slices.SortFunc(list, func(a, b domain.Usage) int { return slices.Compare(fields(a.UsageKey), fields(b.UsageKey)) })
	return list
}

func fields(k domain.UsageKey) []string {
	return []string{string(k.Day), string(k.Project), string(k.User), string(k.Token), string(k.Scope)}
}

func TestPagesOfAReportAreTheWholeReport(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := migrated(t, database(t), bunstore.Options{})
		random := rand.New(rand.NewPCG(1, 2))
		var all []domain.Usage
		for range 4 {
			counts := make([]domain.Usage, 300) // so that keys come several times
			for i := range counts {
				counts[i] = someUsage(random)
			}
			if err := s.Usage().Add(t.Context(), counts); err != nil {
				t.Fatal(err)
			}
			all = append(all, counts...)
		}
		for picked := 1; picked < 1<<len(domain.UsageFields()); picked++ {
			q := domain.UsageQuery{From: "2026-11-02", To: "2026-11-03"}
			for i, field := range domain.UsageFields() {
				if picked&(1<<i) != 0 {
					q.GroupBy = append(q.GroupBy, field)
				}
			}
			var got []domain.Usage
			var after *domain.UsageKey
			const limit = 7
			for n := limit; n == limit; {
				page, err := s.Usage().Report(t.Context(), q, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				if n = len(page); n > 0 {
					got, after = append(got, page...), &page[n-1].UsageKey
				}
			}
			if d := cmp.Diff(grouped(all, q), got); d != "" {
				t.Errorf("the report by %v: -want +got\n%s", q.GroupBy, d)
			}
		}
	})
}

// TestCountsOfManyInstancesAddUp makes two instances add to the same rows in opposite
// orders: whoever locked them as they come would block the other.
func TestCountsOfManyInstancesAddUp(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		const rounds, keys = 20, 200
		address := database(t)
		options := bunstore.Options{Timeout: time.Minute}
		stores := []*bunstore.Store{migrated(t, address, options), open(t, address, options)}
		var all sync.WaitGroup
		for i, s := range stores {
			counts := make([]domain.Usage, keys)
			for n := range counts {
				counts[n] = domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25", User: domain.UserID(fmt.Sprint(n))}, Calls: 1, Errors: 2, Milliseconds: 3}
			}
			if i == 1 {
				slices.Reverse(counts)
			}
			all.Go(func() {
				for range rounds {
					if err := s.Usage().Add(t.Context(), counts); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
			})
		}
		all.Wait()
		db := beside(t, address)
		const wrong = `SELECT count(*) FROM usage WHERE calls <> %d OR errors <> %d OR milliseconds <> %d`
		if n := count(t, db, fmt.Sprintf(wrong, 2*rounds, 4*rounds, 6*rounds)); n != 0 {
			t.Errorf("got %d sums that are wrong, want none", n)
		}
		if n := count(t, db, `SELECT count(*) FROM usage`); n != keys {
			t.Errorf("got %d sums, want %d", n, keys)
		}
	})
}

func TestInstancesThatCountDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	address := postgrestest.DSN(t)
	s := furnished(t, address, bunstore.Options{Timeout: time.Minute})
	db := beside(t, address)
	user := func(n int) domain.Usage {
		return domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25", User: domain.UserID(fmt.Sprint(n))}, Calls: 1}
	}
	if err := s.Usage().Add(t.Context(), []domain.Usage{user(1), user(2)}); err != nil {
		t.Fatal(err)
	}
	// Somebody has locked the first row and not the second. One who adds to both has to
	// wait at the first, and must have locked nothing yet.
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	if _, err := other.ExecContext(t.Context(), `SELECT FROM usage WHERE user_id = '1' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	added := make(chan error, 1)
	go func() { added <- s.Usage().Add(t.Context(), []domain.Usage{user(2), user(1)}) }()
	for count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
	}
	if _, err := other.ExecContext(t.Context(), `SELECT FROM usage WHERE user_id = '2' FOR UPDATE NOWAIT`); err != nil {
		t.Errorf("the second row, while one who adds waits for the first: %v", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-added; err != nil {
		t.Errorf("Add: %v", err)
	}
}
