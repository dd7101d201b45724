// Package postgrestest gives tests a real Postgres.
//
// A package that uses it calls [Run] in its TestMain. A test calls [DSN] for an empty database
// of its own, or [Template.DSN] for one that is filled already. [OpenProxy] stands in front of
// a database and simulates outages. The environment says where Postgres comes from:
//
//   - FLOWLATCH_TEST_POSTGRES_DSN is the postgres:// URL of a running server, with a role
//     that may create databases.
//   - Without it, each test binary that needs Postgres starts one container.
//     FLOWLATCH_TEST_POSTGRES_IMAGE names its image. The default is [DefaultImage].
//   - Without Docker or the image, tests that need Postgres are skipped.
//     FLOWLATCH_TEST_POSTGRES=required makes them fail. FLOWLATCH_TEST_POSTGRES=off skips
//     them without looking for Docker.
//
// The script with-postgres in this folder runs a command with these variables set as well as
// the machine allows. The script image/build builds an image if none can be pulled.
//
// The server must be PostgreSQL 15 or newer with ICU. Debian's and the official images are.
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	modeVariable  = "FLOWLATCH_TEST_POSTGRES"
	dsnVariable   = "FLOWLATCH_TEST_POSTGRES_DSN"
	imageVariable = "FLOWLATCH_TEST_POSTGRES_IMAGE"

	// english are the options of the databases of DSN.
	english = "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"

	// adminLimit bounds the creation and the removal of one database.
	adminLimit = 30 * time.Second
)

// DefaultImage is the image of the container if FLOWLATCH_TEST_POSTGRES_IMAGE is not set.
const DefaultImage = "postgres:17-alpine"

// errMissing marks errors that mean "there is no Postgres here". Any other error is a failure,
// never a skip.
var errMissing = errors.New("no Postgres")

// DSN returns the postgres:// URL of a new, empty database for t alone. The database is
// dropped when t ends, even if connections are still open.
//
// The database holds UTF-8 and sorts by the rules of English, not by bytes. So a test notices
// a query that needs an order by bytes and names no collation.
//
// Without a Postgres, t is skipped or fails, as the package comment says. A server that does
// not work is always a failure. DSN is safe for concurrent use.
func DSN(t testing.TB) string {
	t.Helper()
	return newDatabase(t, english)
}

// DSNIn is DSN for a database with another encoding, which sorts by bytes.
func DSNIn(t testing.TB, encoding string) string {
	t.Helper()
	return newDatabase(t, "ENCODING '"+encoding+"' LOCALE 'C'")
}

// newDatabase creates a database. CREATE DATABASE fails while somebody is connected to its
// template. Nobody can be connected to template0.
func newDatabase(t testing.TB, options string) string {
	t.Helper()
	return create(t, demand(t, server, true), "TEMPLATE template0 "+options)
}

// create creates a database for t.
func create(t testing.TB, server, options string) string {
	t.Helper()
	name := newName()
	dsn, err := withDatabase(server, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := administer(server, "CREATE DATABASE "+name+" "+options); err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := administer(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return dsn
}

func newName() string { return "flowlatch_test_" + strings.ToLower(rand.Text()) }

// Image returns the name of the Postgres image, for a test that starts containers of its
// own. When it returns, the image is here and testcontainers-go is set up for this machine.
// Everything that testcontainers-go starts in this process is removed when the process ends,
// even if it is killed.
//
// Without Docker or the image, t is skipped or fails, as the package comment says. If
// FLOWLATCH_TEST_POSTGRES_DSN is set, t is skipped and never fails: other tests then use that
// server. Image is safe for concurrent use.
func Image(t testing.TB) string {
	t.Helper()
	return demand(t, image, os.Getenv(dsnVariable) == "")
}

// demand returns the result of get, or ends t. It holds the one rule for a missing Postgres:
// t is skipped, or fails if Postgres is required and mayRequire is set.
func demand(t testing.TB, get func() (string, error), mayRequire bool) string {
	t.Helper()
	if !ran {
		t.Fatal("this package's TestMain must call postgrestest.Run")
	}
	mode := os.Getenv(modeVariable)
	switch mode {
	case "", "required":
	case "off":
		t.Skipf("%s=off", modeVariable)
	default:
		t.Fatalf("%s must be empty, required or off", modeVariable)
	}
	required := mayRequire && mode == "required"
	got, err := get()
	switch {
	case err == nil:
	case errors.Is(err, errMissing) && !required:
		t.Skipf("%v (how to have one: go doc ./internal/postgrestest)", err)
	default:
		t.Fatalf("%s=%s: %v", modeVariable, mode, err)
	}
	return got
}

// server returns the URL of the first database on the server.
var server = sync.OnceValues(func() (string, error) {
	if dsn := os.Getenv(dsnVariable); dsn != "" {
		return dsn, nil
	}
	image, err := image()
	if err != nil {
		return "", err
	}
	return startServer(image)
})

// administer runs one statement on the server, on a new connection.
func administer(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// withDatabase returns the URL server with another database. Its error never repeats the URL,
// which holds a password.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fmt.Errorf("%s must be a postgres:// URL", dsnVariable)
	}
	query := u.Query()
	query.Del("dbname")
	u.Path, u.RawQuery = "/"+name, query.Encode()
	return u.String(), nil
}
