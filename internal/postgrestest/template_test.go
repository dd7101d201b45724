package postgrestest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

func TestEachCopyOfATemplateIsADatabaseOfItsOwn(t *testing.T) {
	var filled atomic.Int64
	template := postgrestest.Template{Fill: func(ctx context.Context, dsn string) error {
		filled.Add(1)
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE TABLE words AS SELECT 'first' AS word")
		return errors.Join(err, conn.Close(ctx))
	}}
	for _, name := range []string{"one", "two", "three"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := connect(t, template.DSN(t))
			var words, sorting string
			err := db.QueryRow(t.Context(), "SELECT string_agg(word, ' '), max(datlocprovider) FROM words, pg_database WHERE datname = current_database()").Scan(&words, &sorting)
			if err != nil {
				t.Fatal(err)
			}
			if words != "first" || sorting != "i" {
				t.Errorf("the copy has the words %q and sorts by %q, want \"first\" and \"i\" as in the template", words, sorting)
			}
			if _, err := db.Exec(t.Context(), "INSERT INTO words VALUES ('"+name+"')"); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Cleanup(func() {
		if n := filled.Load(); n > 1 {
			t.Errorf("the template was filled %d times, want once", n)
		}
	})
}
