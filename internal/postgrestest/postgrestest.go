// Package postgrestest gives tests a real Postgres.
//
// A package that uses it calls [Run] in its TestMain; a test then asks [DSN] for a
// database of its own and, to take that database away for a while, puts it behind
// [OpenProxy]. Where the Postgres comes from is for the environment to say:
//
//   - FLOWLATCH_TEST_POSTGRES_DSN is the postgres:// URL of a server that runs
//     already, with a role that may create databases.
//   - Without it, each test binary that asks starts one container.
//     FLOWLATCH_TEST_POSTGRES_IMAGE names its image; the default is [DefaultImage].
//   - Without Docker, or without the image, the tests that need Postgres are skipped.
//     With FLOWLATCH_TEST_POSTGRES=required they fail instead, and with
//     FLOWLATCH_TEST_POSTGRES=off they are skipped without a look around.
//
// The script with-postgres, in this folder, runs a command with these variables set
// as well as the machine allows. The script image/build makes an image where none can
// be pulled.
//
// The server must be PostgreSQL 15 or newer with ICU, as Debian's and the official
// images are.
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

	// adminLimit bounds the making and the dropping of one database.
	adminLimit = 30 * time.Second
)

// DefaultImage is the image of the container unless FLOWLATCH_TEST_POSTGRES_IMAGE
// names another.
const DefaultImage = "postgres:17-alpine"

// errMissing marks the errors that mean "there is no Postgres here". Whatever else
// goes wrong is a failure, never a skip.
var errMissing = errors.New("no Postgres")

// DSN returns the postgres:// URL of a new, empty database that belongs to t alone. It
// is dropped when t ends, also under connections that are still open.
//
// The database holds UTF-8 and sorts by the rules of English, not by bytes: a query
// whose order matters and that names no collation shows itself.
//
// Without a Postgres, t is skipped or fails as the package comment says. A server that
// is there and does not work is always a failure. DSN is safe for concurrent use.
func DSN(t testing.TB) string {
	t.Helper()
	server := demand(t, server, true)
	name := "flowlatch_test_" + strings.ToLower(rand.Text())
	dsn, err := withDatabase(server, name)
	if err != nil {
		t.Fatal(err)
	}
	// template0, because a CREATE DATABASE fails while anybody is connected to its
	// template, and nobody can be connected to that one.
	err = administer(server, "CREATE DATABASE "+name+
		" TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
	if err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := administer(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return dsn
}

// Image returns the name of the Postgres image for a test that starts containers of its
// own. By then the image is here, testcontainers-go is set up for this machine, and
// whatever it starts in this process is removed when the process ends, however it ends.
//
// Without Docker or the image, t is skipped or fails as the package comment says. It is
// always a skip where FLOWLATCH_TEST_POSTGRES_DSN is set, since Postgres itself is
// tested then. Image is safe for concurrent use.
func Image(t testing.TB) string {
	t.Helper()
	return demand(t, image, os.Getenv(dsnVariable) == "")
}

// demand returns what get returns, or ends t by the one rule for a missing Postgres.
// If it may not be required, "required" is no reason to fail.
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

// server returns the URL of a database on the server that holds all the others.
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

// administer runs one statement on the server, on a connection of its own.
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

// withDatabase returns server with the database named name. The URL carries a password,
// so an error does not repeat it.
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
