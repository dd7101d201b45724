package bunstore_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

// TestThroughAPooler runs every method of every view in every way behind pgbouncer, and the suites
// of whole transactions. FLOWLATCH_TEST_POOLER=all runs all suites, which takes some minutes. The
// pooler has fewer connections than the stores.
func TestThroughAPooler(t *testing.T) {
	t.Parallel()
	pooler := postgrestest.OpenPooler(t, postgrestest.DSN(t), 4)
	through := func(database newDatabase, opened func(testing.TB, string, bunstore.Options) *bunstore.Store) portstest.OpenStore {
		return func(t *testing.T, now ports.Clock) portstest.Store {
			direct := database(t)
			options := bunstore.Options{Now: now, Pooler: bunstore.PoolerTransaction}
			return suiteStore(t, pooler.DSN(direct), direct, options, opened)
		}
	}
	suites := map[string]func(*testing.T){
		"Promises": func(t *testing.T) { portstest.Promises(t, through(template.DSN, migrated)) },
		"Archive":  func(t *testing.T) { portstest.Archive(t, through(template.DSN, migrated)) },
		"Acts":     func(t *testing.T) { portstest.Acts(t, through(template.DSN, migrated)) },
	}
	if os.Getenv("FLOWLATCH_TEST_POOLER") == "all" {
		suites["All"] = func(t *testing.T) { portstest.All(t, through(template.DSN, migrated)) }
		suites["Installation"] = func(t *testing.T) { portstest.Installation(t, through(postgrestest.DSN, open)) }
	}
	for name, run := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}

func TestAPoolerThatIsNotNamedIsTold(t *testing.T) {
	t.Parallel()
	const setting = "FLOWLATCH_DATABASE_POOLER=transaction"
	dsn := postgrestest.DSN(t)
	_, err := bunstore.Open(t.Context(), domain.NewSecret(postgrestest.OpenPooler(t, dsn, 4).DSN(dsn)), bunstore.Options{})
	wantKind(t, "Open at a pooler that refuses our settings", err, domain.Invalid)
	wantSays(t, err, setting)
}

// A pooler may be told to ignore our settings. Then a prepared statement is the first that fails.
func TestAPoolerThatIsNotNamedAndIgnoresSettingsIsTold(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	furnished(t, dsn, bunstore.Options{})
	pooler := postgrestest.OpenPooler(t, dsn, 1, "ignore_startup_parameters = plan_cache_mode, enable_seqscan, enable_bitmapscan, "+
		"enable_hashjoin, enable_mergejoin, enable_material, enable_sort, jit, default_transaction_isolation, statement_timeout, "+
		"lock_timeout, idle_in_transaction_session_timeout")
	var failed error
	for range 2 { // the second one finds the statement of the first one on the only connection
		s := open(t, pooler.DSN(dsn), bunstore.Options{Now: clockAt(1000)})
		_, failed = s.Ports().Access.ByLogin(t.Context(), "l", domain.Use{})
	}
	wantKind(t, "a look-up", failed, domain.Unavailable)
	wantSays(t, failed, "FLOWLATCH_DATABASE_POOLER=transaction")
}

func TestAPoolerThatRestarts(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	pooler := postgrestest.OpenPooler(t, dsn, 2, "server_reset_query = DISCARD ALL", "server_reset_query_always = 1")
	s := furnished(t, pooler.DSN(dsn), bunstore.Options{MaxConns: 6, Pooler: bunstore.PoolerTransaction})
	all := requests(s)
	for n, call := range all {
		if err := call(t.Context(), 100+n); err != nil {
			t.Fatalf("call %d while all is well: %v", n, err)
		}
	}
	pooler.Restart()
	for n, call := range all {
		if err := call(t.Context(), 200+n); err != nil {
			t.Errorf("call %d after a restart: %v", n, err)
		}
	}
}

func TestAStatementBehindAPoolerHasALimit(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	pooler := postgrestest.OpenPooler(t, dsn, 2)
	s := furnished(t, pooler.DSN(dsn), bunstore.Options{Pooler: bunstore.PoolerTransaction, Timeout: 300 * time.Millisecond})
	other, err := beside(t, dsn).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	if _, err := other.ExecContext(t.Context(), `LOCK TABLE audit`); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a change that waits", s.Ports().Audit.Append(t.Context(), record("waits")), domain.Unavailable)
	// The server has given up as well, so that the connection of the pooler is free.
	db := beside(t, dsn)
	for count(t, db, `SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0 {
	}
}

// wantSays fails the test unless err says want.
func wantSays(t testing.TB, err error, want ...string) {
	t.Helper()
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got error %v, want one that says %q", err, text)
		}
	}
}
