package postgrestest_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

func TestAPairFailsOver(t *testing.T) {
	t.Parallel()
	pair := postgrestest.StartPair(t)
	proxy := postgrestest.OpenProxy(t, pair.Primary())
	if _, err := connect(t, proxy.DSN()).Exec(t.Context(), "CREATE TABLE kept AS SELECT 1 AS n"); err != nil {
		t.Fatal(err)
	}
	if scan[bool](t, connect(t, pair.Primary()), "SELECT pg_is_in_recovery()") || !scan[bool](t, connect(t, pair.Standby()), "SELECT pg_is_in_recovery()") {
		t.Fatal("the primary is a standby, or the other way round")
	}
	pair.Crash()
	if err := proxy.Lead(pair.Standby()); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, proxy.DSN()).Exec(t.Context(), "INSERT INTO kept VALUES (2)"); err == nil {
		t.Error("a write on the standby: got no error")
	}
	pair.Promote()
	if _, err := connect(t, proxy.DSN()).Exec(t.Context(), "INSERT INTO kept VALUES (2)"); err != nil {
		t.Errorf("a write after the promotion: %v", err)
	}
	if n := scan[int](t, connect(t, proxy.DSN()), "SELECT count(*) FROM kept"); n != 2 {
		t.Errorf("got %d rows, want 2", n)
	}
}
