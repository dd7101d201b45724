package bunstore_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
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
