package bunstore_test

import (
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// Earlier versions kept every session. A user who has far too many can still log in.
func TestALoginDisplacesWhatAnEarlierVersionKept(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := furnished(t, address, bunstore.Options{}) // with the login l of the user u
		tx, err := beside(t, address).BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		const columns = `kind, user_id, login_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent, sealed_by`
		for i := range 1200 {
			if _, err := tx.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO sessions (id, %s) SELECT 'old%d', %s FROM sessions WHERE id = 'l'`, columns, i, columns)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ports().Sessions.OpenLogin(t.Context(), login("new", "u"), domain.NewSecret("hash"), record("login")); err != nil {
			t.Fatalf("OpenLogin: %v", err)
		}
		left, err := s.Ports().Sessions.Page(t.Context(), "u", domain.Cursor{}, 2*domain.MaxSessions)
		if err != nil || len(left) != domain.MaxSessions {
			t.Errorf("got %d sessions and error %v, want %d", len(left), err, domain.MaxSessions)
		}
	})
}
