package bunstore_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

const rolePassword = "open-sesame"

// role is the URL of the database with a new role, for whom the statements are run.
func role(t *testing.T, dsn string, statements ...string) string {
	t.Helper()
	r := postgrestest.NewRole(t, dsn, rolePassword)
	r.Run(statements...)
	return r.DSN(rolePassword)
}

func databaseOf(t *testing.T, dsn string) string {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return config.Database
}

func with(t *testing.T, dsn, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

// A start that can't work says what is wrong and what to do, at once, and never shows the password.
func TestARoleThatLacksARightIsTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		grants []string // with % for the role
		kind   domain.Kind
		want   []string
	}{
		"no CREATE on the schema": {
			[]string{`REVOKE CREATE ON SCHEMA public FROM PUBLIC`, `GRANT USAGE ON SCHEMA public TO %`},
			domain.Conflict, []string{"may not create tables in the schema public", `GRANT CREATE ON SCHEMA "public" TO`},
		},
		"no USAGE of any schema": {
			[]string{`REVOKE ALL ON SCHEMA public FROM PUBLIC`},
			domain.Conflict, []string{"may use no schema", "GRANT USAGE, CREATE ON SCHEMA public TO"},
		},
		"a search_path that leads nowhere": {
			[]string{`GRANT ALL ON SCHEMA public TO %`, `ALTER ROLE % SET search_path = nowhere`},
			domain.Conflict, []string{"may use no schema", "(nowhere)"},
		},
		"a table of another role": {
			[]string{`GRANT ALL ON SCHEMA public TO %`, `CREATE TABLE schema_versions (version integer PRIMARY KEY, name text NOT NULL, applied bigint NOT NULL)`,
				`GRANT ALL ON schema_versions TO %`, `CREATE TABLE users (id text)`},
			domain.Conflict, []string{"the table schema_versions belongs to the role", `ALTER TABLE "public"."schema_versions" OWNER TO`},
		},
		"no right to read a table": {
			[]string{`GRANT ALL ON SCHEMA public TO %`, `CREATE TABLE schema_versions (version integer PRIMARY KEY, name text NOT NULL, applied bigint NOT NULL)`},
			domain.Unavailable, []string{"permission denied for table schema_versions", "best as their owner"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postgrestest.DSN(t)
			address := role(t, dsn, tc.grants...)
			s := open(t, address, bunstore.Options{})
			for what, err := range map[string]error{
				"Migrate": s.Migrate(t.Context()),
				"Prepare": s.Ports().Installation.Prepare(t.Context(), func(is domain.Installation) (domain.Installation, error) { return is, nil }),
			} {
				wantKind(t, what, err, tc.kind)
				wantSays(t, err, tc.want...)
				wantNoPassword(t, err)
			}
		})
	}
}

func TestALoginThatIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	nobodyConnects := postgrestest.DSN(t)
	run(t, beside(t, nobodyConnects), `REVOKE CONNECT ON DATABASE `+databaseOf(t, nobodyConnects)+` FROM PUBLIC`)
	for name, tc := range map[string]struct {
		address string
		kind    domain.Kind
		want    []string
	}{
		"an unknown parameter":       {with(t, dsn, "pgbouncer", "true"), domain.Invalid, []string{"does not accept the parameter pgbouncer of the database URL"}},
		"one of another driver":      {with(t, dsn, "pool_max_conns", "10"), domain.Invalid, []string{"does not accept the parameter pool_max_conns"}},
		"a value that is wrong":      {with(t, dsn, "work_mem", "plenty"), domain.Invalid, []string{"does not accept the parameter work_mem"}},
		"an invalid sslmode":         {with(t, dsn, "sslmode", "perhaps"), domain.Invalid, []string{"the parameter sslmode", "verify-full"}},
		"a standby":                  {with(t, dsn, "target_session_attrs", "standby"), domain.Invalid, []string{"the parameter target_session_attrs", "read-write"}},
		"a database that is missing": {strings.Replace(dsn, databaseOf(t, dsn), "nowhere", 1), domain.Unavailable, []string{`no database "nowhere"`, "create it"}},
		"no right to connect":        {role(t, nobodyConnects), domain.Unavailable, []string{"may not connect", "GRANT CONNECT ON DATABASE"}},
		"a wrong password":           {refusing(t, "28P01", "password authentication failed"), domain.Unavailable, []string{`rejected the password of the user "u"`}},
		"no line in pg_hba.conf":     {refusing(t, "28000", "no pg_hba.conf entry"), domain.Unavailable, []string{`does not let the user "u" in`, "pg_hba.conf"}},
		"too many connections":       {refusing(t, "53300", "sorry, too many clients already"), domain.Unavailable, []string{"max_connections", "FLOWLATCH_DATABASE_MAX_CONNS"}},
		"a server that starts":       {refusing(t, "57P03", "the database system is starting up"), domain.Unavailable, []string{"starting up"}},
		"a pooler":                   {refusing(t, "08P01", "unsupported startup parameter: enable_material"), domain.Invalid, []string{"FLOWLATCH_DATABASE_POOLER=transaction"}},
		"a server without TLS":       {with(t, refusing(t, "", ""), "sslmode", "require"), domain.Invalid, []string{"speaks no TLS", "sslmode"}},
		"a server without TLS goes":  {dropping(t), domain.Unavailable, []string{"the database could not answer"}},
		"a certificate of nobody":    {with(t, ofUnknownAuthority(t), "sslmode", "verify-full"), domain.Invalid, []string{"certificate of the database server can't be verified", "sslrootcert"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := bunstore.Open(t.Context(), domain.NewSecret(tc.address), bunstore.Options{})
			wantKind(t, "Open", err, tc.kind)
			wantSays(t, err, tc.want...)
			wantNoPassword(t, err)
		})
	}
}

func wantNoPassword(t testing.TB, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), rolePassword) {
		t.Errorf("the error shows the password: %v", err)
	}
}

// refusing is the URL of a server that answers every login with that error.
func refusing(t *testing.T, code, message string) string {
	t.Helper()
	return answering(t, func(conn net.Conn) {
		server := pgproto3.NewBackend(conn, conn)
		for {
			hello, err := server.ReceiveStartupMessage()
			if err != nil {
				return
			}
			if _, tls := hello.(*pgproto3.SSLRequest); !tls {
				break
			}
			if _, err := conn.Write([]byte("N")); err != nil {
				return
			}
		}
		server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
		_ = server.Flush()
	})
}

// dropping is the URL of a server that speaks no TLS and drops each connection that begins. The URL
// does not demand TLS.
func dropping(t *testing.T) string {
	t.Helper()
	return answering(t, func(conn net.Conn) {
		server := pgproto3.NewBackend(conn, conn)
		for {
			hello, err := server.ReceiveStartupMessage()
			if _, tls := hello.(*pgproto3.SSLRequest); err != nil || !tls {
				return
			}
			if _, err := conn.Write([]byte("N")); err != nil {
				return
			}
		}
	})
}

// ofUnknownAuthority is the URL of a server with a certificate that nobody has signed.
func ofUnknownAuthority(t *testing.T) string {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	return answering(t, func(conn net.Conn) {
		if _, err := pgproto3.NewBackend(conn, conn).ReceiveStartupMessage(); err != nil {
			return
		}
		if _, err := conn.Write([]byte("S")); err == nil {
			_ = tls.Server(conn, certified.TLS).Handshake()
		}
	})
}

// answering is the URL of a server that treats each connection so.
func answering(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer func() { _ = conn.Close() }()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		conns.Wait()
	})
	return "postgres://u:" + rolePassword + "@" + listener.Addr().String() + "/d"
}

func TestOnlyEncodingsThatHoldEveryTextAreAccepted(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "EUC_JP", "WIN1252"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			_, err := bunstore.Open(t.Context(), domain.NewSecret(postgrestest.DSNIn(t, encoding)), bunstore.Options{})
			wantKind(t, "Open", err, domain.Invalid)
			wantSays(t, err, "has the encoding "+encoding, "ENCODING 'UTF8'")
		})
	}
	t.Run("SQL_ASCII", func(t *testing.T) {
		t.Parallel()
		portstest.Texts(t, func(t *testing.T, now ports.Clock) portstest.Store {
			address := postgrestest.DSNIn(t, "SQL_ASCII")
			return suiteStore(t, address, address, bunstore.Options{Now: now}, migrated)
		})
	})
}
