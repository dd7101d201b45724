package postgrestest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/jackc/pgx/v5"
)

func TestProxyCutsAndRestores(t *testing.T) {
	t.Parallel()
	proxy := postgrestest.OpenProxy(t, postgrestest.DSN(t))
	db := connect(t, proxy.DSN())
	if got := scan[int](t, db, "SELECT 1"); got != 1 {
		t.Fatalf("through the proxy: got %d, want 1", got)
	}

	asleep := make(chan error)
	go func() {
		_, err := connect(t, proxy.DSN()).Exec(t.Context(), "SELECT pg_sleep(600)")
		asleep <- err
	}()
	for scan[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'") == 0 {
	}
	proxy.Cut()
	proxy.Cut()
	if err := <-asleep; err == nil {
		t.Error("a statement that ran at the cut: got no error")
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("a connection from before the cut: got no error")
	}
	if _, err := pgx.Connect(t.Context(), proxy.DSN()); err == nil {
		t.Error("a connection during the cut: got no error")
	}

	proxy.Restore()
	if got := scan[int](t, connect(t, proxy.DSN()), "SELECT 2"); got != 2 {
		t.Errorf("after Restore: got %d, want 2", got)
	}
}

func TestProxyStallsAndRestores(t *testing.T) {
	t.Parallel()
	proxy := postgrestest.OpenProxy(t, postgrestest.DSN(t))
	db := connect(t, proxy.DSN())

	proxy.Stall()
	proxy.Stall()
	held := make(chan error, 1)
	go func() {
		_, err := db.Exec(t.Context(), "SELECT 1")
		held <- err
	}()
	brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := pgx.Connect(brief, proxy.DSN()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a new connection: got error %v, want silence until the deadline", err)
	}
	select {
	case err := <-held:
		t.Fatalf("a statement during the stall: got an answer, with error %v", err)
	default:
	}

	proxy.Restore()
	if err := <-held; err != nil {
		t.Errorf("the statement that was held: got error %v after Restore", err)
	}

	proxy.Stall()
	go func() {
		_, err := db.Exec(t.Context(), "SELECT 1")
		held <- err
	}()
	proxy.Cut()
	if err := <-held; err == nil {
		t.Error("a statement that was held at the cut: got no error")
	}
}
