package bunstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// TestWhatAllowedToTalkAllowsToSetTheState migrates grants and access tokens of version 4.
func TestWhatAllowedToTalkAllowsToSetTheState(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := ofVersion(t, address, 4)
		scopes := []struct{ was, is string }{
			{"converse", "converse state"},
			{"converse transcripts knowledge:write export", "converse state transcripts knowledge:write export"},
			{"transcripts knowledge", "transcripts knowledge"},
			{"manage", "manage"},
			{"", ""},
		}
		run(t, db, `INSERT INTO users (id, name, role, disabled, password_hash, created) SELECT 'u', 'u', 'member', 1 = 0, 'hash', 1`)
		for i, each := range scopes {
			run(t, db, fmt.Sprintf(`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created) VALUES ('p%d', 'p', 'v%[1]d', 'v', '', 1, 1)`, i))
			run(t, db, fmt.Sprintf(`INSERT INTO grants (user_id, project_id, name, created, scopes) VALUES ('u', 'p%d', 'p', 1, '%s')`, i, each.was))
			run(t, db, fmt.Sprintf(`INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used)
				SELECT 't%d', CAST('hash%[1]d' AS %[3]s), 't', 'flk_', 'u', 'p%[1]d', '%[2]s', 1 = 0, 1, 2, 0`, i, each.was, blobType(address)))
		}
		if err := open(t, address, bunstore.Options{Now: clockAt(1000)}).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, each := range scopes {
			for _, query := range []string{
				fmt.Sprintf(`SELECT scopes FROM grants WHERE project_id = 'p%d'`, i), fmt.Sprintf(`SELECT scopes FROM access_tokens WHERE id = 't%d'`, i),
			} {
				var got string
				if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != each.is {
					t.Errorf("%s: got %q, %v, want %q", query, got, err, each.is)
				}
				if text := domain.ScopesFromText(got).Text(); text != got {
					t.Errorf("%s: got %q, which the program writes as %q", query, got, text)
				}
			}
		}
	})
}

// blobType returns the type of bytes in the dialect of the address.
func blobType(address string) string {
	if strings.HasPrefix(address, "postgres") {
		return "bytea"
	}
	return "blob"
}
