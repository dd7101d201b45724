package bunstore_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestProjects(t *testing.T)      { eachSuite(t, portstest.ProjectRepository) }
func TestGrants(t *testing.T)        { eachSuite(t, portstest.Grants) }
func TestUsers(t *testing.T)         { eachSuite(t, portstest.UserRepository) }
func TestSessions(t *testing.T)      { eachSuite(t, portstest.SessionStore) }
func TestSignOns(t *testing.T)       { eachSuite(t, portstest.SignOns) }
func TestGroupRules(t *testing.T)    { eachSuite(t, portstest.GroupRules) }
func TestAccess(t *testing.T)        { eachSuite(t, portstest.Access) }
func TestAccessTokens(t *testing.T)  { eachSuite(t, portstest.AccessTokens) }
func TestConversations(t *testing.T) { eachSuite(t, portstest.Conversations) }
func TestUsage(t *testing.T)         { eachSuite(t, portstest.Usage) }
func TestAuditLog(t *testing.T)      { eachSuite(t, portstest.AuditLog) }
func TestAuditChecks(t *testing.T)   { eachSuite(t, portstest.AuditChecks) }
func TestAuditChain(t *testing.T)    { eachSuite(t, portstest.AuditChain) }
func TestSealings(t *testing.T)      { eachSuite(t, portstest.Sealings) }
func TestWebhooks(t *testing.T)      { eachSuite(t, portstest.Webhooks) }
func TestSweeper(t *testing.T)       { eachSuite(t, portstest.Sweeper) }
func TestActs(t *testing.T)          { eachSuite(t, portstest.Acts) }
func TestTexts(t *testing.T)         { eachSuite(t, portstest.Texts) }
func TestArchive(t *testing.T)       { eachSuite(t, portstest.Archive) }
func TestInstallation(t *testing.T)  { eachDialect(t, onSuite(portstest.Installation, open)) }

func TestALimitBelowZeroIsNone(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := furnished(t, database(t), bunstore.Options{})
		ps, err := s.Ports().Projects.Page(t.Context(), domain.Operator().Sees(), domain.ProjectFilter{}, domain.Cursor{}, -1)
		if err != nil || len(ps) != 0 {
			t.Errorf("projects: got %v and error %v, want none", ps, err)
		}
		us, err := s.Ports().Users.Page(t.Context(), domain.Cursor{}, -1)
		if err != nil || len(us) != 0 {
			t.Errorf("users: got %v and error %v, want none", us, err)
		}
		gs, err := s.Ports().Grants.Page(t.Context(), domain.GrantFilter{}, domain.Cursor{}, -1)
		if err != nil || len(gs) != 0 {
			t.Errorf("grants: got %v and error %v, want none", gs, err)
		}
		if err := s.Ports().Tokens.Create(t.Context(), act("create"), someToken("u"), someHash); err != nil {
			t.Fatal(err)
		}
		ts, err := s.Ports().Tokens.Page(t.Context(), "", domain.Cursor{}, -1)
		if err != nil || len(ts) != 0 {
			t.Errorf("access tokens: got %v and error %v, want none", ts, err)
		}
		counted := domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25"}, Calls: 1}
		if err := s.Ports().Usage.Add(t.Context(), []domain.Usage{counted}, nil); err != nil {
			t.Fatal(err)
		}
		q := domain.UsageQuery{From: counted.Day, To: counted.Day, GroupBy: domain.UsageFields()}
		sums, err := s.Ports().Usage.Report(t.Context(), q, nil, -1)
		if err != nil || len(sums) != 0 {
			t.Errorf("usage: got %v and error %v, want none", sums, err)
		}
		rows, err := s.Ports().Sealings.Page(t.Context(), "", domain.SealedRef{}, -1)
		if err != nil || len(rows) != 0 {
			t.Errorf("what is sealed: got %v and error %v, want none", rows, err)
		}
		if err := s.Ports().Conversations.Open(t.Context(), someConversation("over", 999)); err != nil {
			t.Fatal(err)
		}
		n, err := s.Ports().Sweeper.Sweep(t.Context(), -1)
		if err != nil || n != 0 {
			t.Errorf("Sweep: got %d and error %v, want none", n, err)
		}
	})
}

// newDatabase returns the URL of an empty database, which goes when t ends.
type newDatabase func(t testing.TB) string

// eachDialect runs the test for each kind of database.
func eachDialect(t *testing.T, test func(t *testing.T, database newDatabase)) {
	t.Helper()
	each(t, postgrestest.DSN, func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "flowlatch.db") }, test)
}

// eachMigrated is eachDialect for databases that have the schema already. They are copies, which
// cost less than the migrations.
func eachMigrated(t *testing.T, test func(t *testing.T, database newDatabase)) {
	t.Helper()
	each(t, template.DSN, copied, test)
}

func each(t *testing.T, postgres, sqlite newDatabase, test func(t *testing.T, database newDatabase)) {
	t.Helper()
	for name, database := range map[string]newDatabase{"Postgres": postgres, "SQLite": sqlite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, database)
		})
	}
}

// template is a Postgres database with the schema.
var template = postgrestest.Template{Fill: migrate}

// file returns the content of an SQLite file with the schema.
var file = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "bunstore-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	name := filepath.Join(folder, "flowlatch.db")
	if err := migrate(context.Background(), "sqlite://"+name); err != nil {
		return nil, err
	}
	return os.ReadFile(name) // the last connection that is closed leaves nothing beside the file
})

// migrate gives the database at address the schema.
func migrate(ctx context.Context, address string) error {
	s, err := bunstore.Open(ctx, domain.NewSecret(address), bunstore.Options{})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(ctx), s.Close())
}

// copied returns the URL of an SQLite database that has the schema.
func copied(t testing.TB) string {
	t.Helper()
	content, err := file()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "flowlatch.db")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + name
}

// open opens the database at address and closes it when t ends.
func open(t testing.TB, address string, o bunstore.Options) *bunstore.Store {
	t.Helper()
	s, err := bunstore.Open(t.Context(), domain.NewSecret(address), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// migrated is open with a schema.
func migrated(t testing.TB, address string, o bunstore.Options) *bunstore.Store {
	t.Helper()
	s := open(t, address, o)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return s
}

// beside opens the database at address by its driver alone.
func beside(t testing.TB, address string) *sql.DB {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	driver, name := "pgx", address
	if u.Scheme == "sqlite" {
		driver, name = "sqlite", "file:"+u.Path+"?_busy_timeout=10000&_txlock=immediate"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// eachSuite runs the suite on each kind of database.
func eachSuite(t *testing.T, suite func(*testing.T, portstest.OpenStore)) {
	t.Helper()
	eachMigrated(t, onSuite(suite, migrated))
}

// onSuite runs the suite on databases that are opened by opened.
func onSuite(suite func(*testing.T, portstest.OpenStore), opened func(testing.TB, string, bunstore.Options) *bunstore.Store) func(*testing.T, newDatabase) {
	return func(t *testing.T, database newDatabase) {
		suite(t, func(t *testing.T, now ports.Clock) portstest.Store {
			address := database(t)
			return suiteStore(t, address, address, bunstore.Options{Now: now}, opened)
		})
	}
}

// suiteStore is the database at address for a suite. direct is its URL without a pooler.
func suiteStore(t *testing.T, address, direct string, options bunstore.Options, opened func(testing.TB, string, bunstore.Options) *bunstore.Store) portstest.Store {
	t.Helper()
	options.MaxConns, options.Timeout = 8, 15*time.Second
	db, s := beside(t, direct), opened(t, address, options)
	out := views(s)
	out.Records = func(t *testing.T) []domain.Record { return records(t, db) }
	out.Another = func(t *testing.T) portstest.Store { return views(open(t, address, options)) }
	out.StopWrites = func(t *testing.T) func() { return stopWrites(t, s, db, direct) }
	out.Break = func(*testing.T) { _ = s.Close() }
	out.Outgrow = func(t *testing.T) { outgrow(t, s, db) }
	return out
}

func views(s *bunstore.Store) portstest.Store {
	return portstest.Store{Ports: s.Ports(), Archive: s.Archive()}
}

// records reads the audit.
func records(t testing.TB, db *sql.DB) []domain.Record {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT at, actor, action, object, outcome, request_id, address, count FROM audit ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []domain.Record
	for rows.Next() {
		var r domain.Record
		var at int64
		if err := rows.Scan(&at, &r.Actor, &r.Action, &r.Object, &r.Outcome, &r.RequestID, &r.Address, &r.Count); err != nil {
			t.Fatal(err)
		}
		r.At = time.UnixMicro(at).UTC()
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// outgrow makes the schema one of a newer program.
func outgrow(t *testing.T, s *bunstore.Store, db *sql.DB) {
	t.Helper()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, db, `INSERT INTO schema_versions (version, name, applied) VALUES (999, '0999_later', 1)`)
}

func run(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// count returns the number that a statement gives.
func count(t testing.TB, db *sql.DB, statement string) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), statement).Scan(&n); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return n
}

// wantKind fails the test unless err is of the kind.
func wantKind(t testing.TB, what string, err error, kind domain.Kind) {
	t.Helper()
	if got := domain.KindOf(err); got != kind {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, kind)
	}
}
