package bunstore_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// The suite can put nothing into the second slot and no head there.
func TestTheSecondSlotAndTheAuditHeadAreSealedToo(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := furnished(t, address, bunstore.Options{})
		db := beside(t, address)
		var id string
		if err := db.QueryRowContext(t.Context(), `SELECT id FROM projects ORDER BY id LIMIT 1`).Scan(&id); err != nil {
			t.Fatal(err)
		}
		run(t, db, fmt.Sprintf(`INSERT INTO project_keys (project_id, slot, key_id, sealed) SELECT '%s', 'secondary', 'old', sealed FROM project_keys WHERE project_id = '%s'`, id, id))
		run(t, db, `UPDATE projects SET secondary_status = 'ok'`)
		run(t, db, `INSERT INTO audit_head (id, seq, hash, key_id, sealed, settled) SELECT 1, 1, sealed, 'old', sealed, 0 FROM project_keys WHERE slot = 'secondary'`)

		head := domain.SealedRef{Kind: domain.SealedAuditHead}
		second := domain.SealedRef{Kind: domain.SealedProjectKey, ID: id, Slot: domain.SlotSecondary}
		find := func(except domain.KeyID) (rows []domain.SealedRow) {
			t.Helper()
			all, err := s.Sealings().Page(t.Context(), except, domain.SealedRef{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				if r.Ref == head || r.Ref == second {
					rows = append(rows, r)
				}
			}
			return rows
		}
		rows := find("")
		if len(rows) != 2 || rows[0].Ref != head || rows[1].Ref != second || rows[1].Status != domain.KeyOK {
			t.Fatalf("got %+v, want the head and the second slot", rows)
		}
		to := domain.Sealed{Key: "new", Bytes: []byte("anew")}
		n, err := s.Sealings().Replace(t.Context(), []domain.Resealed{{Ref: second, From: rows[1].Sealed, To: to}, {Ref: head, From: rows[0].Sealed, To: to}})
		if err != nil || n != 2 {
			t.Fatalf("Replace: got %d and error %v, want 2", n, err)
		}
		rows[0].Sealed, rows[1].Sealed = to, to
		if d := cmp.Diff(rows, find("old")); d != "" {
			t.Errorf("after Replace (-want +got):\n%s", d)
		}
		if left := find("new"); len(left) != 0 {
			t.Errorf("sealed by another key than new: got %+v, want none", left)
		}

		for _, step := range []struct {
			opens  bool
			status domain.KeyStatus
			marked int
		}{{false, domain.KeyNeedsReentry, 1}, {true, domain.KeyUnchecked, 0}} {
			if err := s.Sealings().Mark(t.Context(), rows[1], step.opens, record("mark")); err != nil {
				t.Fatal(err)
			}
			if got := find("")[1].Status; got != step.status {
				t.Errorf("marked as opening: %v: got %q, want %q", step.opens, got, step.status)
			}
			if n, err := s.Sealings().ToReenter(t.Context()); err != nil || n != step.marked {
				t.Errorf("ToReenter: got %d and error %v, want %d", n, err, step.marked)
			}
			if n := count(t, db, `SELECT count(*) FROM projects WHERE key_status = 'needs_reentry'`); n != 0 {
				t.Errorf("the first slot is marked on %d projects, want none", n)
			}
		}
	})
}

// TestManyRowsAreOneStatementOnPostgres: a statement a row never ends on a database that
// is far away. The database itself counts the statements, by triggers.
func TestManyRowsAreOneStatementOnPostgres(t *testing.T) {
	address := postgrestest.DSN(t)
	s := furnished(t, address, bunstore.Options{})
	db := beside(t, address)
	const many = 100
	for i := range many {
		if err := s.Conversations().Open(t.Context(), someConversation(domain.ConversationID(fmt.Sprint("c", i)), 1900)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.Sealings().Page(t.Context(), "", domain.SealedRef{}, 2*many)
	if err != nil {
		t.Fatal(err)
	}
	recs := make([]domain.Record, many)
	for i := range recs {
		recs[i] = record(fmt.Sprint("row ", i))
	}
	run(t, db, `CREATE TABLE statements (of text)`)
	run(t, db, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO statements VALUES (TG_TABLE_NAME); RETURN NULL; END'`)
	for _, of := range []string{`INSERT ON audit`, `DELETE ON conversations`} {
		run(t, db, `CREATE TRIGGER note AFTER `+of+` FOR EACH STATEMENT EXECUTE FUNCTION note()`)
	}

	if err := s.AuditLog().Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, `SELECT count(*) FROM statements WHERE of = 'audit'`); n != 1 {
		t.Errorf("Append of %d records took %d statements, want 1", many, n)
	}
	forgotten, err := s.Sealings().Forget(t.Context(), rows)
	if err != nil || forgotten != many {
		t.Errorf("Forget: got %d and error %v, want %d", forgotten, err, many)
	}
	if n := count(t, db, `SELECT count(*) FROM statements WHERE of = 'conversations'`); n != 1 {
		t.Errorf("Forget of %d conversations took %d statements, want 1", many, n)
	}
}
