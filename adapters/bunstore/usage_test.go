package bunstore_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

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
					if err := s.Ports().Usage.Add(t.Context(), counts, nil); err != nil {
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
	if err := s.Ports().Usage.Add(t.Context(), []domain.Usage{user(1), user(2)}, nil); err != nil {
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
	go func() { added <- s.Ports().Usage.Add(t.Context(), []domain.Usage{user(2), user(1)}, nil) }()
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
