package bunstore

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// toldCodes are the errors of Postgres whose messages name users, databases, tables and settings,
// and never a stored value (PostgreSQL documentation, appendix A; pgbouncer's source, for 08P01).
// A prefix of two characters stands for its class.
var toldCodes = []string{"08", "28", "3D", "3F", "57P", "25006", "26000", "40001", "40P01", "42501", "42704", "42P05", "53100", "53300"}

// usePooler completes a sentence about an error that only a pooler causes.
const usePooler = "a pooler in front of the database pools transactions; set FLOWLATCH_DATABASE_POOLER=transaction"

// inWords is an error of Postgres for the log.
func inWords(e *pgconn.PgError) error {
	text := "SQLSTATE " + e.Code
	if slices.ContainsFunc(toldCodes, func(code string) bool { return strings.HasPrefix(e.Code, code) }) {
		text += ": " + e.Message
	}
	if e.ConstraintName != "" {
		text += ", constraint " + e.ConstraintName
	}
	switch e.Code {
	// A statement was prepared on another connection than the one that the pooler chose.
	case "42P05", "26000":
		text += "; " + usePooler
	case "42501":
		text += "; the role of the database URL needs SELECT, INSERT, UPDATE and DELETE on all tables of Flowlatch, " +
			"best as their owner"
	}
	return errors.New(text)
}

// encodingError is why a database can't be used: its encoding can't hold every text.
type encodingError struct{ encoding string }

func (e encodingError) Error() string { return "the encoding of the database is " + e.encoding }

// checkEncoding looks at the encoding, which each server tells when a connection begins. SQL_ASCII
// stores the bytes of each text as they come. Any other encoding lacks characters.
func checkEncoding(conn *pgconn.PgConn) error {
	switch encoding := conn.ParameterStatus("server_encoding"); encoding {
	case "UTF8", "SQL_ASCII", "": // "" if a pooler does not tell
		return nil
	default:
		return encodingError{encoding}
	}
}

// notOpened turns an error of the first connection into a sentence. It is Invalid if another try
// would fail as well, and otherwise Unavailable.
func notOpened(err error, at address) error {
	if err == nil {
		return nil
	}
	invalid := func(public string) error {
		return &domain.Error{Kind: domain.Invalid, Public: public, Cause: harmless(err)}
	}
	if e, ok := errors.AsType[encodingError](err); ok {
		return invalid("the database " + quoted(at.postgres.Database) + " has the encoding " + e.encoding +
			", which can't hold every text; create a database with ENCODING 'UTF8'")
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusedLogin(e, err, at)
	}
	// The text is that of pgx (pgconn, startTLS), which has no type for it. If the URL permits to go
	// on without TLS, the text is there too, whatever failed afterwards.
	if at.demandsTLS() && strings.Contains(err.Error(), "server refused TLS connection") {
		return invalid("the database server speaks no TLS, but sslmode of the database URL demands it")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return invalid("the certificate of the database server can't be verified; name its authority with sslrootcert in " +
			"the database URL, and the host as the certificate names it")
	}
	return err
}

// refusedLogin is notOpened for an answer of the server.
func refusedLogin(e *pgconn.PgError, err error, at address) error {
	user, database := quoted(at.postgres.User), quoted(at.postgres.Database)
	kind, public := domain.Unavailable, ""
	switch e.Code {
	case "08P01", "42704", "22023", "22P02": // a parameter is not supported, not known, or has a wrong value
		kind, public = domain.Invalid, refusedParameter(e, at)
	case "28P01":
		public = "the database rejected the password of the user " + user + "; correct the database URL"
	case "28000":
		public = "the database does not let the user " + user + " in from here; look at its pg_hba.conf and at the user"
	case "3D000":
		public = "the server has no database " + database + "; create it, or correct the database URL"
	case "42501":
		public = "the user " + user + " may not connect to the database; run as its owner: GRANT CONNECT ON DATABASE " + database + " TO " + user
	case "53300":
		public = "the database server has no connection left; raise its max_connections or lower FLOWLATCH_DATABASE_MAX_CONNS"
	}
	if public == "" {
		return err
	}
	return &domain.Error{Kind: kind, Public: public, Cause: harmless(err)}
}

// refusedParameter says which parameter of a connection the server refused. "" means that the
// error is about something else.
func refusedParameter(e *pgconn.PgError, at address) string {
	for _, name := range at.given {
		if strings.Contains(e.Message, name) {
			return "the database does not accept the parameter " + name + " of the database URL; remove or correct it"
		}
	}
	// The text is that of pgbouncer, as in src/client.c.
	if e.Code == "08P01" && strings.Contains(e.Message, "unsupported startup parameter") {
		return usePooler
	}
	return ""
}

// mayMigrate returns Conflict if the role may not change the schema, with the command that
// permits it. Without it, the error of the first statement would name neither.
func (s *Store) mayMigrate(ctx context.Context, tx *sql.Tx) error {
	if !s.postgres {
		return nil
	}
	var role, path, schema string
	var creates bool
	if err := tx.QueryRowContext(ctx, `SELECT current_user, current_setting('search_path'), COALESCE(current_schema(), ''),
	COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&role, &path, &schema, &creates); err != nil {
		return err
	}
	conflict := func(format string, values ...any) error {
		return &domain.Error{Kind: domain.Conflict, Public: fmt.Sprintf(format, values...)}
	}
	switch {
	case schema == "":
		return conflict("the role %s may use no schema of its search_path (%s); run as the owner of the database: GRANT USAGE, CREATE ON SCHEMA public TO %s",
			role, path, quoted(role))
	case !creates:
		return conflict("the role %s may not create tables in the schema %s; run as the owner of the schema: GRANT CREATE ON SCHEMA %s TO %s",
			role, schema, quoted(schema), quoted(role))
	}
	tables := append([]string{"schema_versions"}, notArchived...)
	for _, table := range archive.Tables() {
		tables = append(tables, table.Name)
	}
	var table, owner string
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(min(relname::text), ''), COALESCE(min(pg_get_userbyid(relowner)::text), '') FROM (
	SELECT relname, relowner FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
	WHERE n.nspname = current_schema() AND relkind IN ('r', 'p') AND relname IN ('`+strings.Join(tables, "', '")+`')
		AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname LIMIT 1) AS others`).Scan(&table, &owner)
	if err != nil || table == "" {
		return err
	}
	return conflict("the table %s belongs to the role %s, so the role %s may not change it; run as the owner: ALTER TABLE %s OWNER TO %s",
		table, owner, role, quoted(schema)+"."+quoted(table), quoted(role))
}

// quoted is a name as SQL has it.
func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
