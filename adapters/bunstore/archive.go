package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/archive"
)

var _ ports.Archive = (*Archive)(nil)

// Archive is a ports.Archive on a Store.
type Archive struct{ store *Store }

// notArchived are the tables that are in no backup. Restore locks and empties them too, so
// that no session of before works in the restored database. What was used once ends within minutes, and what
// it opened is not in a backup either. A restored audit was not verified yet. A table that refers to another
// comes first. schema_versions belongs to the schema and stays.
var notArchived = []string{"conversations", "provider_sessions", "sessions", "used_once", "audit_turns", "audit_check", "webhook_deliveries"}

// Snapshot implements ports.Archive. On SQLite, the write-ahead log grows with what others
// write meanwhile.
func (a *Archive) Snapshot(ctx context.Context, each func(archive.Row) error) error {
	return failure("read a snapshot", a.store.snapshot(ctx, each))
}

func (s *Store) snapshot(ctx context.Context, each func(archive.Row) error) error {
	tx, err := s.reads.DB.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	if s.postgres {
		if _, err := tx.ExecContext(ctx, unlimited); err != nil {
			return err
		}
	}
	for _, table := range archive.Tables() {
		if err := s.eachRow(ctx, tx, table, each); err != nil {
			return err
		}
	}
	return nil
}

// selectArchived reads all rows of a table in the order of its key. The key has an index.
func selectArchived(table archive.Table) string {
	names := columnNames(table)
	return `SELECT ` + strings.Join(names, ", ") + ` FROM ` + table.Name + ` ORDER BY ` + strings.Join(names[:table.Key], ", ")
}

func columnNames(table archive.Table) []string {
	names := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		names[i] = c.Name
	}
	return names
}

func (s *Store) eachRow(ctx context.Context, tx *sql.Tx, table archive.Table, each func(archive.Row) error) error {
	args, err := s.bind(nil)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, selectArchived(table), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		cells := make([]any, len(table.Columns))
		for i, c := range table.Columns {
			cells[i] = cellOf(c)
		}
		if err := rows.Scan(cells...); err != nil {
			return err
		}
		row := archive.Row{Table: table.Name, Values: make([]any, len(cells))}
		for i, cell := range cells {
			row.Values[i] = cell.(interface{ value() any }).value()
			if row.Values[i] == nil && !table.Columns[i].Optional {
				row.Values[i] = []byte{} // SQLite's driver returns nil for an empty blob
			}
		}
		if err := each(row); err != nil {
			return verdict{err}
		}
	}
	return rows.Err()
}

// cell scans a value. as makes it a value of an archive.
type cell[T any] struct {
	sql.Null[T]
	as func(T) any
}

func (c *cell[T]) value() any {
	if !c.Valid {
		return nil
	}
	return c.as(c.V)
}

func cellOf(c archive.Column) any {
	switch c.Kind {
	case archive.Number:
		return &cell[int64]{as: func(n int64) any { return n }}
	case archive.Flag:
		return &cell[bool]{as: func(yes bool) any { return yes }}
	case archive.Bytes:
		return &cell[[]byte]{as: func(b []byte) any { return b }}
	case archive.KeyID:
		return &cell[string]{as: func(text string) any { return domain.KeyID(text) }}
	case archive.Secret:
		return &cell[string]{as: func(text string) any { return domain.NewSecret(text) }}
	default:
		return &cell[string]{as: func(text string) any { return text }}
	}
}

// Restore implements ports.Archive. Nobody else writes to the database meanwhile.
func (a *Archive) Restore(ctx context.Context, rows iter.Seq2[archive.Row, error], act domain.Act) error {
	s := a.store
	return failure("restore", s.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.upgrade(ctx, tx); err != nil {
			return err
		}
		if _, err := s.allowed(ctx, tx, act, shared); err != nil {
			return err
		}
		if err := s.makeWay(ctx, tx.Tx); err != nil {
			return err
		}
		if err := s.insertArchived(ctx, tx.Tx, rows); err != nil {
			return contradiction(err)
		}
		if err := s.hashesDiffer(ctx, tx.Tx); err != nil {
			return err
		}
		return s.auditBehind(ctx, tx.Tx, act.Record)
	}))
}

// makeWay empties the database. Returns Conflict if it has a user or a project.
func (s *Store) makeWay(ctx context.Context, tx *sql.Tx) error {
	var tables []string
	for _, table := range archive.Tables() {
		tables = append(tables, table.Name)
	}
	if s.postgres {
		// Others who write wait until the end, so that the look at the tables stays true.
		if _, err := tx.ExecContext(ctx, `LOCK TABLE `+strings.Join(append(tables, notArchived...), ", ")+` IN EXCLUSIVE MODE`); err != nil {
			return err
		}
	}
	var inUse bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM projects)`).Scan(&inUse); err != nil {
		return err
	}
	if inUse {
		return &domain.Error{Kind: domain.Conflict,
			Public: "the database has users or assistants; restore the backup into an empty database"}
	}
	slices.Reverse(tables)
	for _, table := range slices.Concat(notArchived, tables) {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
			return err
		}
	}
	return nil
}

// hashesDiffer returns Corrupt if a hash is that of an access token and of a previous text, which no
// index sees.
func (s *Store) hashesDiffer(ctx context.Context, tx *sql.Tx) error {
	var twice bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM access_tokens a JOIN access_tokens b ON b.hash = a.previous_hash)`).Scan(&twice); err != nil || !twice {
		return err
	}
	return contradictory(nil)
}

// maxRestored is how many rows one statement inserts at most. More rows mean fewer round
// trips to Postgres. Fewer rows mean less time in which SQLite looks for its parameters.
const maxRestored = 50

// insertArchived inserts the rows, several rows of one table in each statement.
func (s *Store) insertArchived(ctx context.Context, tx *sql.Tx, rows iter.Seq2[archive.Row, error]) error {
	var table archive.Table
	var before archive.Row
	var values []any
	insert := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := s.exec(ctx, tx, s.insertInto(table, len(values)/len(table.Columns)), values...)
		values = values[:0]
		return err
	}
	for row, err := range rows {
		if err != nil {
			return verdict{err}
		}
		if err := row.CheckAfter(before); err != nil {
			return err
		}
		if row.Table != table.Name || len(values) == maxRestored*len(table.Columns) {
			if err := insert(); err != nil {
				return err
			}
			table, _ = archive.TableNamed(row.Table)
		}
		for _, value := range row.Values {
			values = append(values, bindable(value))
		}
		before = row
	}
	return insert()
}

// insertInto returns the statement that inserts that many rows of bound values.
func (s *Store) insertInto(table archive.Table, rows int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO ` + table.Name + ` (` + strings.Join(columnNames(table), ", ") + `)` + s.overriding(table.Name) + ` VALUES `)
	for n := range rows * len(table.Columns) {
		switch {
		case n == 0:
			b.WriteString("($1")
		case n%len(table.Columns) == 0:
			b.WriteString("), ($" + strconv.Itoa(n+1))
		default:
			b.WriteString(", $" + strconv.Itoa(n+1))
		}
	}
	return b.String() + ")"
}

// overriding makes Postgres take ids that it would generate otherwise.
func (s *Store) overriding(table string) string {
	if s.postgres && table == "audit" {
		return ` OVERRIDING SYSTEM VALUE`
	}
	return ""
}

// bindable returns the value in a type that the drivers know.
func bindable(value any) any {
	switch v := value.(type) {
	case domain.KeyID:
		return string(v)
	case domain.Secret:
		return v.Reveal()
	}
	return value
}

// auditBehind stores the record with an id above all ids that the audit and its chain know,
// those of rows that are gone included. Later rows get higher ids.
func (s *Store) auditBehind(ctx context.Context, tx *sql.Tx, rec domain.Record) error {
	const last = `SELECT COALESCE(MAX(id), 0) FROM (SELECT MAX(id) AS id FROM audit
UNION ALL SELECT MAX(audit_id) FROM audit_chain UNION ALL SELECT MAX(settled) FROM audit_head) AS known`
	var id int64
	if err := tx.QueryRowContext(ctx, last).Scan(&id); err != nil {
		return err
	}
	id++
	const insert = `INSERT INTO audit (id, at, actor, action, object, outcome, request_id, address, count)`
	values := append([]any{id}, recordValues(rec)...)
	if _, err := s.exec(ctx, tx, insert+s.overriding("audit")+` VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, values...); err != nil {
		return err
	}
	if !s.postgres {
		return nil // SQLite continues from the last id
	}
	_, err := s.exec(ctx, tx, `SELECT setval(pg_get_serial_sequence('audit', 'id'), $1)`, id)
	return err
}

// contradiction turns the error of the database about rows that contradict each other into
// Corrupt.
func contradiction(err error) error {
	fromPostgres, _ := errors.AsType[*pgconn.PgError](err)
	fromSQLite, _ := errors.AsType[*sqlite.Error](err)
	if fromPostgres != nil && strings.HasPrefix(fromPostgres.Code, "23") || // integrity constraints (PostgreSQL documentation, appendix A)
		fromSQLite != nil && fromSQLite.Code()&0xff == sqlite3.SQLITE_CONSTRAINT {
		return contradictory(harmless(err))
	}
	return err
}

func contradictory(cause error) error {
	return &domain.Error{Kind: domain.Corrupt, Public: "its rows contradict each other", Cause: cause}
}
