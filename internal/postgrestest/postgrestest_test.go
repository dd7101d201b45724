package postgrestest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

const (
	// roleVariable tells a child of these tests what it is for.
	roleVariable = "FLOWLATCH_TEST_ROLE"
	limit        = time.Minute
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "forgets Run" {
		os.Exit(m.Run())
	}
	os.Exit(postgrestest.Run(m))
}

func TestDatabasesAreEmptyAndApart(t *testing.T) {
	t.Parallel()
	first := connect(t, postgrestest.DSN(t))
	if _, err := first.Exec(t.Context(), "CREATE TABLE mine (id int)"); err != nil {
		t.Fatal(err)
	}
	second := connect(t, postgrestest.DSN(t))
	const tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
	if got := scan[int](t, second, tables); got != 0 {
		t.Errorf("a new database: got %d relations, want none", got)
	}
	if got := scan[int](t, first, tables); got != 1 {
		t.Errorf("a database with a table: got %d relations, want 1", got)
	}
}

func TestDatabasesRefuseWhatIsNotUTF8(t *testing.T) {
	t.Parallel()
	db := connect(t, postgrestest.DSN(t))
	if got := scan[string](t, db, "SHOW server_encoding"); got != "UTF8" {
		t.Errorf("server_encoding: got %s, want UTF8", got)
	}
	if _, err := db.Exec(t.Context(), "SELECT $1::text", "\xff"); err == nil {
		t.Error("text that is not UTF-8: got no error")
	}
}

func TestDatabasesDoNotSortByBytes(t *testing.T) {
	t.Parallel()
	db := connect(t, postgrestest.DSN(t))
	if !scan[bool](t, db, "SELECT 'a'::text < 'Z'::text") {
		t.Error("without a collation: got Z before a, want the order of English")
	}
	if scan[bool](t, db, `SELECT 'a'::text COLLATE "C" < 'Z'::text`) {
		t.Error(`with COLLATE "C": got a before Z, want the order of bytes`)
	}
}

func TestDatabasesAreDroppedUnderOpenConnections(t *testing.T) {
	t.Parallel()
	admin := connect(t, postgrestest.DSN(t))
	var name string
	var left *pgx.Conn
	t.Run("a test that closes nothing", func(t *testing.T) {
		u, err := url.Parse(postgrestest.DSN(t))
		if err != nil {
			t.Fatal(err)
		}
		name = path.Base(u.Path)
		left, err = pgx.Connect(t.Context(), u.String())
		if err != nil {
			t.Fatal(err)
		}
	})
	if scan[bool](t, admin, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name) {
		t.Error("after its test, the database is still there")
	}
	if err := left.Ping(t.Context()); err == nil {
		t.Error("the connection to the dropped database still works")
	}
}

func TestAMissingPostgresIsASkipUnlessRequired(t *testing.T) {
	t.Parallel()
	const secret = "open-sesame"
	// Nothing listens on port 1: this image can't be had, and this server not reached.
	const noImage = "FLOWLATCH_TEST_POSTGRES_IMAGE=localhost:1/none"
	const deadServer = "FLOWLATCH_TEST_POSTGRES_DSN=postgres://u:" + secret + "@127.0.0.1:1/db"
	for _, tc := range []struct {
		name string
		env  []string
		pass bool
		want string
	}{
		{"no image", []string{noImage}, true, "--- SKIP"},
		{"no image, but required", []string{noImage, "FLOWLATCH_TEST_POSTGRES=required"}, false, "FLOWLATCH_TEST_POSTGRES=required: no Postgres"},
		{"switched off", []string{deadServer, "FLOWLATCH_TEST_POSTGRES=off"}, true, "--- SKIP"},
		{"a switch that does not exist", []string{deadServer, "FLOWLATCH_TEST_POSTGRES=true"}, false, "must be empty, required or off"},
		{"a server that does not answer", []string{deadServer}, false, "create a database"},
		{"a server named by something else than a URL", []string{"FLOWLATCH_TEST_POSTGRES_DSN=host=h password=" + secret}, false, "must be a postgres:// URL"},
		{"a TestMain that does not call Run", []string{deadServer, roleVariable + "=forgets Run"}, false, "must call postgrestest.Run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			out, err := child(t, "TestDatabasesDoNotSortByBytes", tc.env...)
			if pass := err == nil; pass != tc.pass || !strings.Contains(out, tc.want) {
				t.Errorf("got pass %v and this output, want pass %v and %q in it:\n%s", pass, tc.pass, tc.want, out)
			}
			if strings.Contains(out, secret) {
				t.Errorf("the output shows the password:\n%s", out)
			}
		})
	}
}

func TestContainersGoWhenTheTestsPanic(t *testing.T) {
	t.Parallel()
	if os.Getenv(roleVariable) == "panics" {
		connect(t, postgrestest.DSN(t))
		_, _ = fmt.Fprintf(os.Stdout, "session %s\n", testcontainers.SessionID())
		go panic("outside of any test's goroutine")
		select {}
	}
	postgrestest.Image(t)
	engine, err := testcontainers.NewDockerClientWithOpts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start := strconv.FormatInt(time.Now().Unix(), 10)
	out, err := child(t, t.Name(), roleVariable+"=panics", "FLOWLATCH_TEST_POSTGRES=required")
	session := regexp.MustCompile(`session (\w+)`).FindStringSubmatch(out)
	if err == nil || session == nil || !strings.Contains(out, "panic: outside") {
		t.Fatalf("the child did not panic after its database was there:\n%s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ours := make(client.Filters).Add("label", "org.testcontainers.sessionId="+session[1])
	destroyed := ours.Clone().Add("event", "destroy")
	events := engine.Events(ctx, client.EventsListOptions{Since: start, Filters: destroyed})
	select {
	case <-events.Messages:
	case err := <-events.Err:
		t.Fatalf("waiting for the container to be removed: %v", err)
	}
	left, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil || len(left.Items) != 0 {
		t.Errorf("got %d containers and error %v, want none", len(left.Items), err)
	}
}

func TestTheImageKeepsItsDataOverARestart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := postgres.Run(ctx, postgrestest.Image(t), postgres.WithUsername("alice"),
		postgres.WithPassword("rabbit"), postgres.WithDatabase("wonderland"), postgres.BasicWaitStrategies())
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := c.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(ctx, strings.Replace(dsn, "rabbit", "hare", 1)); err == nil {
		t.Error("a wrong password: got in")
	}
	db := connect(t, dsn)
	if got := scan[string](t, db, "SELECT current_user || ' in ' || current_database()"); got != "alice in wonderland" {
		t.Errorf("got %q, want %q", got, "alice in wonderland")
	}
	if _, err := db.Exec(ctx, "CREATE TABLE kept AS SELECT 42 AS answer"); err != nil {
		t.Fatal(err)
	}

	if err := c.Stop(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if dsn, err = c.ConnectionString(ctx, "sslmode=disable"); err != nil {
		t.Fatal(err)
	}
	again, err := pgx.Connect(ctx, dsn)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err != nil && ctx.Err() == nil { // the port is open before Postgres is ready
		<-tick.C
		again, err = pgx.Connect(ctx, dsn)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close(context.WithoutCancel(ctx)) }()
	if got := scan[int](t, again, "SELECT answer FROM kept"); got != 42 {
		t.Errorf("after a restart: got %d, want 42", got)
	}
}

// child runs one test of this binary in a process of its own, without what the
// environment says about Postgres, and returns all that it printed.
func child(t *testing.T, test string, env ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+test+"$", "-test.v")
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "FLOWLATCH_") || name == "FLOWLATCH_TEST_POSTGRES_IMAGE" {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// scan returns the one value that query yields.
func scan[T any](t *testing.T, conn *pgx.Conn, query string, args ...any) T {
	t.Helper()
	var got T
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&got); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return got
}
