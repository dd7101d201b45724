package bunstore

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/flowlatch/flowlatch/domain"
)

// Pooler says what is between a Store and Postgres.
type Pooler string

const (
	// PoolerNone is no pooler, or one that pools sessions.
	PoolerNone Pooler = ""
	// PoolerTransaction is a pooler that gives each transaction a connection of its own choice,
	// such as pgbouncer with pool_mode=transaction.
	PoolerTransaction Pooler = "transaction"
)

// planner are settings of each connection. All statements here find rows by an index, in the
// order of that index. These settings leave the planner no other plan, whatever its
// statistics say, and let it keep the plan of a bound statement for all values.
//
// A pooler that pools transactions refuses them. Without them Postgres plans each bound statement
// for its values, and takes the same indexes once its statistics are there.
var planner = map[string]string{
	"plan_cache_mode":   "force_generic_plan",
	"enable_seqscan":    "off",
	"enable_bitmapscan": "off",
	"enable_hashjoin":   "off",
	"enable_mergejoin":  "off",
	"enable_material":   "off",
	"enable_sort":       "off",
	"jit":               "off",
}

// limits are the settings by which the server gives up when this program does, and drops the
// locks of a dead process.
var limits = []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"}

// openPostgres opens the pool and makes one connection.
func (s *Store) openPostgres(ctx context.Context, url domain.Secret, at address) error {
	s.servers = newServers(url, at, s.options)
	pool := sql.OpenDB(s.servers)
	pool.SetMaxOpenConns(s.options.MaxConns)
	pool.SetMaxIdleConns(s.options.MaxConns)
	pool.SetConnMaxLifetime(time.Hour)
	pool.SetConnMaxIdleTime(10 * time.Minute)
	s.reads = bun.NewDB(pool, pgdialect.New())
	s.writes = s.reads
	return pool.PingContext(ctx)
}

// setUp adds the settings of each connection to config. Settings in the URL win.
func setUp(config *pgx.ConnConfig, o Options) {
	set := func(name, value string) {
		if _, there := config.RuntimeParams[name]; !there {
			config.RuntimeParams[name] = value
		}
	}
	// pgbouncer accepts these three and sets them on the connection that it chooses (pgbouncer's
	// documentation, config, ignore_startup_parameters).
	set("application_name", "flowlatch")
	// bun escapes text by this rule.
	config.RuntimeParams["standard_conforming_strings"] = "on"
	config.RuntimeParams["client_encoding"] = "UTF8"
	// bun's statements have no arguments and their texts differ, so a cache of prepared
	// statements would thrash. Bound statements ask for the cache themselves (bind).
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if o.Pooler == PoolerTransaction {
		return // each transaction has the rest (begin)
	}
	// A later statement of a transaction must see what others committed meanwhile.
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	for name, value := range planner {
		set(name, value)
	}
	for _, name := range limits {
		set(name, o.milliseconds())
	}
}

// milliseconds is the Timeout as Postgres reads it.
func (o Options) milliseconds() string {
	return strconv.FormatInt(max(o.Timeout.Milliseconds(), 1), 10)
}

// boundMode is how pgx sends a statement with bound values. By default it prepares the statement
// once for each connection. Behind a pooler, a prepared statement may be on another connection. So
// pgx asks once for the types of the values, and then sends text and values in one message.
func (o Options) boundMode() pgx.QueryExecMode {
	if o.Pooler == PoolerTransaction {
		return pgx.QueryExecModeCacheDescribe
	}
	return pgx.QueryExecModeCacheStatement
}

// limitLocally gives a transaction behind a pooler the settings that a connection has otherwise.
func (s *Store) limitLocally(ctx context.Context, tx *sql.Tx) error {
	var text string
	for _, name := range limits {
		text += "SET LOCAL " + name + " = " + s.options.milliseconds() + "; "
	}
	_, err := tx.ExecContext(ctx, text)
	return err
}
