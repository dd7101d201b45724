package bunstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports"
)

// extend is a ports.Extend that leaves the head unsealed.
func extend(last domain.ChainPoint, _ domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
	links := last.Extend(rows)
	if len(links) > 0 {
		last = links[len(links)-1].ChainPoint
	}
	return links, domain.AuditHead{ChainPoint: last, Settled: settled, Sealed: domain.Sealed{Bytes: []byte("sealed")}}, nil
}

// rowsOfChain are the ids of the rows in the chain, which must be whole.
func rowsOfChain(t *testing.T, a ports.AuditChain) []int64 {
	t.Helper()
	rows, err := a.Links(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var p domain.ChainPoint
	var ids []int64
	for _, r := range rows {
		if p, err = p.Check(r); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.Link.Row)
	}
	return ids
}

func wantIDs(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: got rows %v in the chain, want %v", what, got, want)
	}
}

// insertRow writes a row as a transaction of ours does.
const insertRow = `INSERT INTO audit (at, actor, action, object, outcome, request_id, address, count) VALUES (1, 'operator', 'x', '', 'ok', '', '', 1)`

// TestRowsThatComeLateAreChained has a transaction that takes its id long before it is
// committed, as there may be on Postgres.
func TestRowsThatComeLateAreChained(t *testing.T) {
	const timeout = 10 * time.Second
	for _, tc := range []struct {
		name  string
		takes time.Duration // from the id to the commit
		waits time.Duration // from the commit to the call that has to find it
	}{
		{"at once, what took less than a second", 900 * time.Millisecond, 0},
		{"within five seconds, what took longer", 4 * time.Second, 5 * time.Second},
		{"what took nearly as long as a call can", 3*timeout - time.Second, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := postgrestest.DSN(t)
			now := time.Unix(1000, 0)
			s := migrated(t, address, bunstore.Options{Now: func() time.Time { return now }, Timeout: timeout})
			db := beside(t, address)
			a := s.Ports().Chain
			chain := func() {
				t.Helper()
				if _, done, err := a.Extend(t.Context(), 100, extend); !done || err != nil {
					t.Fatalf("Extend: got %v and error %v", done, err)
				}
			}
			write := func() {
				t.Helper()
				if err := s.Ports().Audit.Append(t.Context(), record("x")); err != nil {
					t.Fatal(err)
				}
			}
			write()
			chain()
			late, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = late.Rollback() }()
			if _, err := late.ExecContext(t.Context(), insertRow); err != nil { // row 2
				t.Fatal(err)
			}
			// Meanwhile others write, twice a second, and all of it is chained.
			const step = 100 * time.Millisecond
			want := []int64{1}
			next := int64(3)
			for passed := time.Duration(0); passed < tc.takes; passed += step {
				if passed%(5*step) == 0 {
					write()
					want, next = append(want, next), next+1
				}
				chain()
				now = now.Add(step)
			}
			wantIDs(t, "before the late one", rowsOfChain(t, a), want...)
			if err := late.Commit(); err != nil {
				t.Fatal(err)
			}
			now = now.Add(tc.waits)
			chain()
			wantIDs(t, "after the late one", rowsOfChain(t, a), append(want, 2)...)
		})
	}
}

// TestADatabaseThatGoesBackIsChainedFromThere restores an older database, on Postgres,
// under an instance that goes on, as a failover to a standby that lags behind does: ids
// are given again that the instance remembers.
func TestADatabaseThatGoesBackIsChainedFromThere(t *testing.T) {
	address := postgrestest.DSN(t)
	now := time.Unix(1000, 0)
	s := migrated(t, address, bunstore.Options{Now: func() time.Time { return now }})
	db := beside(t, address)
	a := s.Ports().Chain
	write := func(n int) {
		t.Helper()
		for range n {
			if err := s.Ports().Audit.Append(t.Context(), record("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	chain := func() {
		t.Helper()
		if _, done, err := a.Extend(t.Context(), 1000, extend); !done || err != nil {
			t.Fatalf("Extend: got %v and error %v", done, err)
		}
	}
	write(5)
	chain()
	run(t, db, `CREATE TABLE older AS SELECT * FROM audit_head`)
	now = now.Add(200 * time.Millisecond)
	write(100)
	chain() // and remembers row 105
	run(t, db, `DELETE FROM audit WHERE id > 5`)
	run(t, db, `DELETE FROM audit_chain WHERE audit_id > 5`)
	run(t, db, `DELETE FROM audit_head`)
	run(t, db, `INSERT INTO audit_head SELECT * FROM older`)
	run(t, db, `SELECT setval(pg_get_serial_sequence('audit', 'id'), 5)`)

	now = now.Add(30 * time.Second)
	last := int64(5)
	for range 40 {
		write(1)
		last++
		now = now.Add(time.Second)
		chain()
	}
	ids := make([]int64, last)
	for i := range ids {
		ids[i] = int64(i) + 1
	}
	wantIDs(t, "after it went back", rowsOfChain(t, a), ids...)
	head, err := a.Head(t.Context())
	if err != nil || head.Settled > last {
		t.Errorf("got the head %+v and error %v, want none settled above row %d", head, err, last)
	}
	if strays, err := a.Strays(t.Context(), 10); err != nil || len(strays) > 0 {
		t.Errorf("got strays %v and error %v, want none", strays, err)
	}
}

// TestStrays has rows that somebody else puts in, and a link that is taken away, below
// what is settled.
func TestStrays(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		now := time.Unix(1000, 0)
		s := migrated(t, address, bunstore.Options{Now: func() time.Time { return now }})
		db := beside(t, address)
		a := s.Ports().Chain
		for range 5 {
			if err := s.Ports().Audit.Append(t.Context(), record("x")); err != nil {
				t.Fatal(err)
			}
		}
		run(t, db, `DELETE FROM audit WHERE id = 3`) // leaves a gap, as a transaction that is rolled back does
		for range 2 {
			if _, _, err := a.Extend(t.Context(), 100, extend); err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Minute)
		}
		wantIDs(t, "before", rowsOfChain(t, a), 1, 2, 4, 5)

		over := ""
		if s.Describe()[0] == 'P' {
			over = ` OVERRIDING SYSTEM VALUE`
		}
		run(t, db, `INSERT INTO audit (id, at, actor, action, object, outcome, request_id, address, count)`+over+
			` VALUES (3, 1, 'operator', 'x', '', 'ok', '', '', 1)`)
		run(t, db, `DELETE FROM audit_chain WHERE seq = 1`)
		_, done, err := a.Extend(t.Context(), 100, extend)
		if err != nil || !done {
			t.Fatalf("Extend: got %v and error %v", done, err)
		}
		got, err := a.Strays(t.Context(), 10)
		if err != nil || len(got) != 2 || got[0].ID != 1 || got[1].ID != 3 {
			t.Errorf("got strays %v and error %v, want rows 1 and 3", got, err)
		}
		if got, err := a.Strays(t.Context(), 1); err != nil || len(got) != 1 {
			t.Errorf("with limit 1: got strays %v and error %v", got, err)
		}
	})
}

// TestARowThatIsGoneIsSeenInTheChain removes rows behind the chain's back.
func TestARowThatIsGoneIsSeenInTheChain(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := migrated(t, address, bunstore.Options{})
		a := s.Ports().Chain
		for range 3 {
			if err := s.Ports().Audit.Append(t.Context(), record("x")); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := a.Extend(t.Context(), 100, extend); err != nil {
			t.Fatal(err)
		}
		run(t, beside(t, address), `DELETE FROM audit WHERE id = 2`)
		rows, err := a.Links(t.Context(), 0, 10)
		if err != nil || len(rows) != 3 || rows[0].Gone || !rows[1].Gone || rows[1].Link.Row != 2 || rows[2].Gone {
			t.Errorf("got %+v and error %v, want row 2 gone", rows, err)
		}
	})
}

// TestAChainerThatDiesLeavesNothing ends the connection of one who chains in the middle.
// Until then nobody else can, and then another can at once.
func TestAChainerThatDiesLeavesNothing(t *testing.T) {
	address := postgrestest.DSN(t)
	one := migrated(t, address, bunstore.Options{Timeout: time.Minute})
	other := open(t, address, bunstore.Options{Timeout: time.Minute})
	for range 3 {
		if err := one.Ports().Audit.Append(t.Context(), record("x")); err != nil {
			t.Fatal(err)
		}
	}
	db := beside(t, address)
	_, _, err := one.Ports().Chain.Extend(t.Context(), 2, func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
		if _, done, err := other.Ports().Chain.Extend(t.Context(), 100, extend); done || err != nil {
			t.Errorf("a second one beside: got %v and error %v, want not done and none", done, err)
		}
		if _, done, err := one.Ports().Chain.Extend(t.Context(), 100, extend); done || err != nil {
			t.Errorf("a second one on the same instance: got %v and error %v, want not done and none", done, err)
		}
		terminate(t, db)
		return extend(last, head, rows, settled)
	})
	wantKind(t, "Extend whose connection is gone", err, domain.Unavailable)
	wantIDs(t, "after it", rowsOfChain(t, other.Ports().Chain))
	if _, done, err := other.Ports().Chain.Extend(t.Context(), 100, extend); !done || err != nil {
		t.Errorf("another one after it: got %v and error %v", done, err)
	}
	wantIDs(t, "after another one", rowsOfChain(t, other.Ports().Chain), 1, 2, 3)
}

// terminate ends whoever holds an advisory lock, from the server's side.
func terminate(t *testing.T, db *sql.DB) {
	t.Helper()
	const holders = `SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_locks
		WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	var n int
	if err := db.QueryRowContext(context.Background(), holders).Scan(&n); err != nil || n != 1 {
		t.Errorf("got %d holders of an advisory lock and error %v, want 1", n, err)
	}
}
