package bunstore_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// The statements with which a program of version 7 stores a project, an access token and a
// conversation, and with which it notes that a key was rejected.
const (
	insertProjectV7 = `INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, secondary_status,
	key_checked, key_set, secondary_checked, secondary_set, credits)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`
	insertTokenV7 = `INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used, rate, open)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	openConversationV7 = `INSERT INTO conversations (id, project_id, user_id, session_id, token_id, key_id, sealed, created, expires, handle_sealed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	updateProjectV7 = `UPDATE projects AS project_row SET platform = $2, credits = $3, key_status = $4, key_set = $5, key_checked = $6, secondary_status = $7, secondary_set = $8, secondary_checked = $9 WHERE id = $1`
)

// addV7 adds a project with an access token of the user u that holds a conversation.
func addV7(t *testing.T, db *sql.DB, id string) domain.TokenHash {
	t.Helper()
	hash := sha256.Sum256([]byte(id))
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	run(insertProjectV7, id, id, id, "v", "", 1, 1, "ok", "none", 1, 1, 0, 0, "ok")
	run(insertTokenV7, id, hash[:], id, "flk_abcdef", "u", id, "converse", false, 1, 2_000_000_000, 0, 0, 0)
	run(openConversationV7, id, id, "someone", nil, id, "1", []byte("sealed"), 1, 2_000_000_000, "")
	return hash
}

// TestAnAssistantOfAnEarlierVersionIsPinned migrates what a program of version 7 stored, and has such
// a program store some afterwards.
func TestAnAssistantOfAnEarlierVersionIsPinned(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		db := ofVersion(t, address, 7)
		s := open(t, address, bunstore.Options{Now: clockAt(1000)})
		if _, err := db.ExecContext(t.Context(), `INSERT INTO users (id, name, role, disabled, password_hash, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			"u", "u", "admin", false, "hash", 1); err != nil {
			t.Fatal(err)
		}
		hashes := map[string]domain.TokenHash{"before": addV7(t, db, "before")}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		hashes["after"] = addV7(t, db, "after")
		access := func(id string) domain.Access {
			t.Helper()
			byToken, err := s.Ports().Access.ByToken(t.Context(), hashes[id])
			if err != nil {
				t.Fatal(err)
			}
			byHandle, err := s.Ports().Access.ByConversation(t.Context(), domain.ConversationID(id), domain.Caller{})
			if err != nil || !byHandle.Project.Equal(byToken.Project) {
				t.Errorf("got %+v and error %v by the handle", byHandle, err)
			}
			return byHandle
		}
		for id := range hashes {
			if a := access(id); !a.Project.Environments.Pinned() || a.Token.Environments != nil || a.Conversation.Environment != "" {
				t.Errorf("%s: got %+v", id, a)
			}
		}
		to := domain.Environments{Default: "main", All: true}
		_, err := s.Ports().Projects.Update(t.Context(), act("set"), "after", func(p *domain.Project) error {
			p.Environments = to
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), updateProjectV7, "after", "", "ok", "rejected", 1, 5, "none", 0, 0); err != nil {
			t.Fatal(err)
		}
		if p := access("after").Project; !p.Environments.Equal(to) || p.Primary.Status != domain.KeyRejected {
			t.Errorf("got %+v after a change by a program of version 7", p)
		}
	})
}

// TestEnvironmentsThatNobodyWroteAllowNothing changes the stored texts by hand.
func TestEnvironmentsThatNobodyWroteAllowNothing(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := furnished(t, address, bunstore.Options{})
		db := beside(t, address)
		for _, text := range []string{"main", "all", "{", "[]", "null", `{"default":"","allowed":"all","allow_draft":[]}`, `{"default":"main","allowed":["dev"],"allow_draft":[]}`} {
			run(t, db, fmt.Sprintf(`UPDATE projects SET environments = '%s'`, text))
			found, err := s.Ports().Projects.Page(t.Context(), domain.Operator().Sees(), domain.ProjectFilter{}, domain.Cursor{}, 10)
			if err != nil || len(found) == 0 || slices.ContainsFunc(found, func(p domain.Project) bool {
				return !p.Environments.Equal(domain.Environments{})
			}) {
				t.Errorf("with the text %s: got %+v and error %v", text, found, err)
			}
		}
		token := someToken("u")
		if err := s.Ports().Tokens.Create(t.Context(), act("create"), token, someHash); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{" ", "  ", "{}"} {
			run(t, db, fmt.Sprintf(`UPDATE access_tokens SET environments = '%s'`, text))
			a, err := s.Ports().Access.ByToken(t.Context(), someHash)
			if err != nil || len(a.Token.Environments) == 0 || slices.ContainsFunc(a.Token.Environments, func(name string) bool { return strings.Trim(name, "{}") != "" }) {
				t.Errorf("with the text %q: got %q and error %v, want a limit that names nothing", text, a.Token.Environments, err)
			}
		}
	})
}
