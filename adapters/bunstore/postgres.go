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

// planner are the settings of each connection that fix how statements are planned.
// All of ours look rows up by an index, in the order of that index. These settings
// leave the planner no other plan, whatever it takes the tables to hold, and let it
// keep the plan of a bound statement for all values.
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

// openPostgres opens the pool and asks for one connection. What the URL sets itself
// stays as it is there.
func (s *Store) openPostgres(ctx context.Context, config *pgx.ConnConfig) error {
	set := func(name, value string) {
		if _, there := config.RuntimeParams[name]; !there {
			config.RuntimeParams[name] = value
		}
	}
	set("application_name", "flowlatch")
	// bun escapes text by these rules.
	config.RuntimeParams["standard_conforming_strings"] = "on"
	// Later statements of a transaction must see what others have committed meanwhile.
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	config.RuntimeParams["client_encoding"] = "UTF8"
	for name, value := range planner {
		set(name, value)
	}
	// The server gives up when we do, and frees what a process that is gone had locked.
	limit := strconv.FormatInt(max(s.options.Timeout.Milliseconds(), 1), 10)
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		set(name, limit)
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > s.options.Timeout {
		config.ConnectTimeout = s.options.Timeout
	}
	// bun's statements have no arguments and differ in their text: a cache of prepared
	// statements would only thrash. Bound ones ask for it by themselves.
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
