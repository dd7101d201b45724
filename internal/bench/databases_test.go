package bench

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver
)

// fillPostgres fills a database of Postgres.
func fillPostgres(ctx context.Context, at string, all []rows) (version string, err error) {
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, r := range all {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{r.table}, r.columns, pgx.CopyFromRows(r.values)); err != nil {
			return "", err
		}
	}
	// Autovacuum would do it some time, in the middle of a round.
	if _, err := conn.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&version)
	version, _, _ = strings.Cut(version, " ")
	return "PostgreSQL " + version, err
}

// fillSQLite fills a file of SQLite.
func fillSQLite(ctx context.Context, at string, all []rows) (version string, err error) {
	db, err := sql.Open("sqlite", sqliteFile(at))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	for _, r := range all {
		if err := insertRows(ctx, tx, r); err != nil {
			return "", err
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return "", err
	}
	return "SQLite " + version, tx.Commit()
}

func insertRows(ctx context.Context, tx *sql.Tx, r rows) (err error) {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+r.table+" ("+strings.Join(r.columns, ", ")+
		") VALUES (?"+strings.Repeat(", ?", len(r.columns)-1)+")")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for _, values := range r.values {
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

// sqliteFile turns the URL of a SQLite file into the driver's.
func sqliteFile(at string) string {
	return "file:" + (&url.URL{Path: strings.TrimPrefix(at, "sqlite://")}).EscapedPath()
}
