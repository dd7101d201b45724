package bunstore_test

import (
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// TestManyRowsAreOneStatementOnPostgres: a statement a row never ends on a database that
// is far away. The database itself counts the statements, by triggers.
func TestManyRowsAreOneStatementOnPostgres(t *testing.T) {
	address := postgrestest.DSN(t)
	s := furnished(t, address, bunstore.Options{})
	db := beside(t, address)
	const many = 100
	for i := range many {
		if err := s.Ports().Conversations.Open(t.Context(), someConversation(domain.ConversationID(fmt.Sprint("c", i)), 1900)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.Ports().Sealings.Page(t.Context(), "", domain.SealedRef{}, 2*many)
	if err != nil {
		t.Fatal(err)
	}
	recs := make([]domain.Record, many)
	for i := range recs {
		recs[i] = record(fmt.Sprint("row ", i))
	}
	withNothing := make([]domain.Resealed, len(rows)) // the key of the project is passed over
	for i, row := range rows {
		withNothing[i] = domain.Resealed{Ref: row.Ref, From: row.Sealed}
	}
	run(t, db, `CREATE TABLE statements (of text)`)
	run(t, db, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO statements VALUES (TG_TABLE_NAME); RETURN NULL; END'`)
	for _, of := range []string{`INSERT ON audit`, `DELETE ON conversations`} {
		run(t, db, `CREATE TRIGGER note AFTER `+of+` FOR EACH STATEMENT EXECUTE FUNCTION note()`)
	}

	if err := s.Ports().Audit.Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, `SELECT count(*) FROM statements WHERE of = 'audit'`); n != 1 {
		t.Errorf("Append of %d records took %d statements, want 1", many, n)
	}
	forgotten, err := s.Ports().Sealings.Replace(t.Context(), withNothing)
	if err != nil || forgotten != many {
		t.Errorf("Replace with nothing: got %d and error %v, want %d", forgotten, err, many)
	}
	if n := count(t, db, `SELECT count(*) FROM statements WHERE of = 'conversations'`); n != 1 {
		t.Errorf("Replace of %d conversations with nothing took %d statements, want 1", many, n)
	}
}
