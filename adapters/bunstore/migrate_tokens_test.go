package bunstore_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// insertTokenV4 is the statement with which a program of version 4 stores an access token.
const insertTokenV4 = `INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

func addTokenV4(t *testing.T, db *sql.DB, id string, ownUsers bool) {
	t.Helper()
	hash := sha256.Sum256([]byte(id))
	_, err := db.ExecContext(context.Background(), insertTokenV4, id, hash[:], id, "flk_abcdef", "u", "project", "converse", ownUsers, 1, 2_000_000_000, 0)
	if err != nil {
		t.Fatal(err)
	}
}

// TestATokenForABackEndKeepsTheRateThatItHad migrates access tokens of version 4, and has a program
// of that version add some afterwards.
func TestATokenForABackEndKeepsTheRateThatItHad(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := ofVersion(t, address, 4)
		s := open(t, address, bunstore.Options{Now: clockAt(1000)})
		addV3(t, db, "project", "ok", "none")
		if _, err := db.ExecContext(t.Context(), `INSERT INTO users (id, name, role, disabled, password_hash, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			"u", "u", "admin", false, "hash", 1); err != nil {
			t.Fatal(err)
		}
		addTokenV4(t, db, "1 own, before", true)
		addTokenV4(t, db, "2 bound, before", false)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		addTokenV4(t, db, "3 own, after", true)
		addTokenV4(t, db, "4 bound, after", false)
		tokens, err := s.Ports().Tokens.Page(t.Context(), "u", domain.Cursor{}, 10)
		var rates, open []int
		for _, token := range tokens {
			rates, open = append(rates, token.Rate), append(open, token.Open)
		}
		if err != nil || !slices.Equal(rates, []int{120, 0, 0, 0}) || !slices.Equal(open, []int{0, 0, 0, 0}) {
			t.Errorf("got the rates %v, the limits of open calls %v and error %v", rates, open, err)
		}
	})
}
