package bunstore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports/archive"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

const (
	manyProjects = 20_000
	manyUsers    = 2_000 // with five grants, a login, an assistant session, a token and two conversations each
	manyTokens   = 5_000 // of one user
	manyUses     = 20_000
	manyRows     = 10_000 // of the audit, of which all but manyLeft are in the chain, and settled
	manyLeft     = 100
	// greedy is a user to whom half of the projects are granted.
	greedy = domain.UserID("greedy")
	// hosted is a user of a host program who has many sessions.
	hosted = domain.UserID("hosted")
)

// tokenHash is the hash of token n.
func tokenHash(n int) (h domain.TokenHash) {
	copy(h[:], fmt.Sprintf("this hash of some token t%d", 1_000_000+n))
	return h
}

// fill makes a large database. Project 7 is p1000007, and so on.
func fill(t *testing.T, s *Store) {
	t.Helper()
	count := func(n int) string {
		return fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, n)
	}
	text := func(letter, i string) string { return `'` + letter + `' || CAST(1000000 + ` + i + ` AS text)` }
	for _, statement := range []string{
		// Five have one name, and ten are of one Voiceflow project.
		`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created) ` + count(manyProjects) +
			`SELECT ` + text("p", "i") + `, ` + text("name ", "i / 5") + `, ` + text("v", "i / 10") + `, ` + text("", "i") + `, 'webchat', i, i FROM n`,
		`INSERT INTO project_keys (project_id, slot, key_id, sealed) SELECT id, 'primary', '1', CAST('sealed' AS ` + blob(s) + `) FROM projects`,
		`INSERT INTO users (id, name, role, disabled, password_hash, created) ` + count(manyUsers) +
			`SELECT ` + text("u", "i") + `, ` + text("name", "i") + `, CASE WHEN i % 10 = 0 THEN 'admin' ELSE 'member' END, i < 0, 'hash', i FROM n`,
		`INSERT INTO grants (user_id, project_id, name, created) SELECT '` + string(greedy) + `', id, name, 1 FROM projects WHERE created % 2 = 0`,
		`INSERT INTO grants (user_id, project_id, name, created) ` + count(5*manyUsers) +
			`SELECT ` + text("u", fmt.Sprintf("i %% %d", manyUsers)) + `, p.id, p.name, 1 FROM n JOIN projects p ON p.id = ` + text("p", "i"),
		`INSERT INTO sessions (id, kind, user_id, by_role, remember, created, last_used, idle, expires, address, agent) ` + count(manyUsers) +
			`SELECT ` + text("l", "i") + `, 'login', ` + text("u", "i") + `, i < 0, i < 0, 1, 1, 1000000 * i, 1000000000000, '', '' FROM n`,
		`INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent) ` + count(manyUsers) +
			`SELECT ` + text("a", "i") + `, 'assistant', ` + text("u", "i") + `, ` + text("l", "i") + `, ` + text("p", "i") +
			`, i < 0, i < 0, 1, 1, 1000000 * i, 1000000000000, '', '' FROM n`,
		`INSERT INTO sessions (id, kind, user_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent) ` + count(manyUsers) +
			`SELECT ` + text("h", "i") + `, 'assistant', '` + string(hosted) + `', ` + text("p", "5000 + i") +
			`, i > 0, i < 0, 1, 1, 1000000000000, 1000000000000, '', '' FROM n`,
		`INSERT INTO access_tokens (id, hash, name, prefix, user_id, project_id, scopes, own_users, created, expires, last_used) ` + count(manyUsers+manyTokens) +
			`SELECT ` + text("t", "i") + `, CAST(` + text("this hash of some token t", "i") + ` AS ` + blob(s) + `), '', '', CASE WHEN i > ` +
			fmt.Sprint(manyUsers) + ` THEN 'u1000001' ELSE ` + text("u", "i") + ` END, ` + text("p", "i") + `, 'converse', i < 0, 1, 1000000000000, 0 FROM n`,
		`INSERT INTO conversations (id, project_id, user_id, session_id, key_id, sealed, created, expires) ` + count(manyUsers) +
			`SELECT ` + text("c", "i") + `, ` + text("p", "i") + `, ` + text("v", "i") + `, ` + text("a", "i") + `, '1', CAST('sealed' AS ` + blob(s) + `), 1, 1000000 * i FROM n`,
		`INSERT INTO conversations (id, project_id, user_id, token_id, key_id, sealed, created, expires) ` + count(manyUsers) +
			`SELECT ` + text("d", "i") + `, ` + text("p", "i") + `, ` + text("w", "i") + `, ` + text("t", "i") + `, '1', CAST('sealed' AS ` + blob(s) + `), 1, 1000000 * i FROM n`,
		`INSERT INTO usage (day, project_id, user_id, token_id, scope, calls, errors, milliseconds) ` + count(manyUses) +
			`SELECT '2026-01-' || CAST(10 + i % 20 AS text), ` + text("p", "i") + `, ` + text("u", "i") + `, '', 'converse', 1, 0, 5 FROM n`,
		`INSERT INTO audit (at, actor, action, object, outcome, request_id, address, count) ` + count(manyRows) +
			`SELECT i, 'operator', CASE i % 1000 WHEN 0 THEN 'backup' ELSE 'forward' END, '', 'ok', '', '', 1 FROM n`,
		`INSERT INTO audit_chain (seq, audit_id, hash) SELECT id, id, CAST('hash' AS ` + blob(s) + `) FROM audit WHERE id <= ` + fmt.Sprint(manyRows-manyLeft),
		`INSERT INTO audit_head (id, seq, hash, settled, key_id, sealed) SELECT 1, id, CAST('hash' AS ` + blob(s) + `), id, '1', CAST('sealed' AS ` +
			blob(s) + `) FROM audit WHERE id = ` + fmt.Sprint(manyRows-manyLeft),
	} {
		if _, err := s.writes.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v in %s", err, statement)
		}
	}
}

func blob(s *Store) string {
	if s.postgres {
		return "bytea"
	}
	return "blob"
}

// large opens a large database at url in which half of the logins are over.
func large(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), domain.NewSecret(url), Options{
		MaxConns: 1, Timeout: time.Minute, Now: func() time.Time { return time.Unix(manyUsers/2, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	return s
}

func TestNoCallReadsMoreThanItReturnsOnPostgres(t *testing.T) {
	t.Parallel()
	// Entries of the two users and their grants that the calls before changed or removed:
	// they stay in the indexes until no transaction of the server may still see them.
	const dead = 12
	s := large(t, postgrestest.DSN(t))
	for _, statistics := range []string{"", "ANALYZE"} {
		t.Run("statistics "+statistics, func(t *testing.T) {
			if _, err := s.writes.DB.ExecContext(t.Context(), statistics); err != nil {
				t.Fatal(err)
			}
			for _, c := range calls() {
				before := rowsRead(t, s)
				if err := c.do(t.Context(), s); err != nil && statistics == "" {
					t.Errorf("%s: %v", c.name, err)
				}
				if got := rowsRead(t, s) - before; got > c.rows+dead {
					t.Errorf("%s: read %d rows, want at most %d", c.name, got, c.rows)
				}
			}
		})
	}
}

// rowsRead is how many rows and index entries statements have read so far. The one
// connection of s reports what it has read before it asks.
func rowsRead(t *testing.T, s *Store) int {
	t.Helper()
	const read = `SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()`
	if _, err := s.writes.DB.ExecContext(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	var n int
	err := s.writes.DB.QueryRowContext(t.Context(), `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) +
		(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEveryStatementUsesAnIndexOnSQLite(t *testing.T) {
	t.Parallel()
	s := large(t, "sqlite://"+filepath.Join(t.TempDir(), "large.db"))
	built := &builtStatements{}
	s.reads, s.writes = s.reads.WithQueryHook(built), s.writes.WithQueryHook(built)
	for _, c := range calls() {
		if err := c.do(t.Context(), s); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ways := []admission{loginByPassword, assistantByRole, assistantByGrant, assistantOfHostByRole, assistantOfHostByGrant}
	bound := []string{
		pageOfAll, pageOfGranted, pagesOnSQLite.ofAll, pagesOnSQLite.ofGranted, namesOfAll, namesOfGranted, namesOfUsers, namesOfTokens, findByID, findByName, findByVoiceflow, findGrantedByID, findGrantedByName, findGrantedByVoiceflow,
		selectPair, selectWhole, selectCaller, touchSession, selectOwner,
		endSession, endLogins, endSessions, liveSessions, endLiveSessions, sessionsOfKind, pageOfSessions,
		rightByLogin, rightByToken, selectRightToUse, selectGranting, updateGrant,
		userByID, userByName, userByIdentity, pageOfUsers, updateUser, keptAdmins, anySignedOnAdmin,
		selectGrant, deleteGrant, grantsOfUser, groupsOfUser, pageOfMembers, idsByAdminGroup, idsByProject, usersNamed, groupsNamed, grantsNamed, deleteRule,
		findProviderSession, providerSessionsBySid, providerSessionsBySubject, claimRecheck, setRecheck, updateProviderSession, endProviderLogin,
		pageOfSealedTokens, resealTokens, endLoginOfTokens,
		useByLogin, useOfHost, useNamedByLogin, useNamedOfHost, useByToken, useByConversation, openSessions, openTokens, openNamed,
		pageOfTokens, pageOfTokensOfUser, countTokens, tokensOfHash, tokenToRotate, rotateToken, ownerOfToken, removeToken, removeTokens, tokenUsed, renewConversation, selectConversationKey,
		pageOfSealedConversations, pageOfSealedKeys, selectAuditHead, selectKnownValue, selectPseudonymKey,
		selectHead, lastLink, topLink, unchained, strays, waiting, chained, removeRows, removeLinks, claimTurn, selectCheck, nextCheck, selectAuditCheck, resealAuditCheck, resealInstallation,
		resealAuditHead, resealKnownValue, resealPseudonymKey, resealConversation, resealKey, forgetConversation, countToReenter, endSealedBy, countSealedBy,
	}
	for _, way := range ways {
		bound = append(bound, way.find)
	}
	// What is scanned may be a part of the statement itself, its value, or an index that
	// holds what is looked for and nothing else.
	small := regexp.MustCompile(`^SCAN (g|one|CONSTANT ROW|i VIRTUAL TABLE INDEX 1:|\d+-ROW VALUES CLAUSE|\w+ USING INDEX (users_admins|users_admins_kept|projects_to_reenter))$`)
	for _, statement := range append(bound, built.texts...) {
		for _, step := range explain(t, s, statement) {
			sorts := strings.Contains(step, "TEMP B-TREE") && !strings.Contains(step, "string_agg")
			if sorts || strings.HasPrefix(step, "SCAN ") && !small.MatchString(step) {
				t.Errorf("%s\n%s", step, statement)
			}
		}
	}
}

// TestASnapshotSortsNothing: all rows are read, in the order of an index.
func TestASnapshotSortsNothing(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), domain.NewSecret("sqlite://"+filepath.Join(t.TempDir(), "empty.db")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range archive.Tables() {
		for _, step := range explain(t, s, selectArchived(table)) {
			if strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\n%s", step, selectArchived(table))
			}
		}
	}
}

// builtStatements are the statements that bun has built.
type builtStatements struct{ texts []string }

func (b *builtStatements) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return ctx
}

func (b *builtStatements) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	switch e.Operation() {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		b.texts = append(b.texts, e.Query)
	}
}

// explain returns the steps of SQLite's plan.
func explain(t *testing.T, s *Store, statement string) []string {
	t.Helper()
	const parameters = 25 // no statement has more
	rows, err := s.reads.DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, parameters)...)
	if err != nil {
		t.Fatalf("%v in %s", err, statement)
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused sql.NullInt64
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
