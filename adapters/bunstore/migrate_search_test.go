package bunstore_test

import (
	"database/sql"
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// The statements with which a program of version 10 stores a project, and gives it another name.
const (
	insertProjectV10 = `INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, secondary_status,
	key_checked, key_set, secondary_checked, secondary_set, credits, environments, personal_status, personal_checked, personal_set)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING`
	renameProjectV10 = `UPDATE projects AS project_row SET name = $2 WHERE id = $1`
)

func addV10(t *testing.T, db *sql.DB, id, name string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), insertProjectV10, id, name, id, "v", "", 1, 1, "ok", "none", 1, 1, 0, 0, "ok", "", "none", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
}

// TestAssistantsOfAnEarlierVersionAreSearched migrates what a program of version 10 stored, and has
// such a program add and rename some afterwards.
func TestAssistantsOfAnEarlierVersionAreSearched(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := ofVersion(t, address, 10)
		for id, name := range map[string]string{"p1": "Große ÄPFEL", "p2": "Straße", "p3": "Plain"} {
			addV10(t, db, id, name)
		}
		s := migrated(t, address, bunstore.Options{})
		addV10(t, db, "later", "Later BOT")
		search := func(text string, want ...domain.ProjectID) {
			t.Helper()
			page, err := s.Ports().Projects.Page(t.Context(), domain.Operator().Sees(), domain.ProjectFilter{Search: text}, domain.Cursor{}, 10)
			var got []domain.ProjectID
			for _, p := range page {
				got = append(got, p.ID)
				if p.PictureOrigins != nil {
					t.Errorf("%s has the picture origins %q", p.ID, p.PictureOrigins)
				}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q: got %q and error %v, want %q", text, got, err, want)
			}
		}
		search("äpfel", "p1")
		search("SS", "p1", "p2")
		search("l", "p1", "later", "p3")
		search("bot", "later")
		if _, err := db.ExecContext(t.Context(), renameProjectV10, "p3", "Renamed"); err != nil {
			t.Fatal(err)
		}
		search("renamed")
		err := s.Ports().Projects.Note(t.Context(), "p3", func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsUsedUp) }, record("mark"))
		if err != nil {
			t.Fatal(err)
		}
		search("renamed", "p3")
	})
}
