package bunstore

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// planner are settings of each connection. All statements here find rows by an index, in the
// order of that index. These settings leave the planner no other plan, whatever its
// statistics say, and let it keep the plan of a bound statement for all values.
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

// openPostgres opens the pool and makes one connection. Settings in the URL win.
func (s *Store) openPostgres(ctx context.Context, config *pgx.ConnConfig) error {
	set := func(name, value string) {
		if _, there := config.RuntimeParams[name]; !there {
			config.RuntimeParams[name] = value
		}
	}
	set("application_name", "flowlatch")
	// bun escapes text by this rule.
	config.RuntimeParams["standard_conforming_strings"] = "on"
	// A later statement of a transaction must see what others committed meanwhile.
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	config.RuntimeParams["client_encoding"] = "UTF8"
	for name, value := range planner {
		set(name, value)
	}
	// The server gives up when this program does, and drops the locks of a dead process.
	limit := strconv.FormatInt(max(s.options.Timeout.Milliseconds(), 1), 10)
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		set(name, limit)
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > s.options.Timeout {
		config.ConnectTimeout = s.options.Timeout
	}
	// bun's statements have no arguments and their texts differ, so a cache of prepared
	// statements would thrash. Bound statements ask for the cache themselves (bind).
	config.DefaultQueryExecMode = pgx.QueryExecModeExec

	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(s.options.MaxConns)
	pool.SetMaxIdleConns(s.options.MaxConns)
	pool.SetConnMaxLifetime(time.Hour)
	pool.SetConnMaxIdleTime(10 * time.Minute)
	s.reads = bun.NewDB(pool, pgdialect.New())
	s.writes = s.reads
	return pool.PingContext(ctx)
}
