package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// TestPostgresFailsOver ends the primary while users are created, leads the service to the standby,
// and promotes the standby later. Every user whose creation was acknowledged must be there. The
// service is never restarted.
func TestPostgresFailsOver(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setUp func(t *testing.T, pair *postgrestest.Pair) (database string, lead func())
	}{
		{"an address that moves to the standby", func(t *testing.T, pair *postgrestest.Pair) (string, func()) {
			proxy := postgrestest.OpenProxy(t, pair.Primary())
			return proxy.DSN(), func() {
				if err := proxy.Lead(pair.Standby()); err != nil {
					t.Error(err)
				}
			}
		}},
		{"two hosts in the URL", func(t *testing.T, pair *postgrestest.Pair) (string, func()) {
			primary, standby := hostOf(t, pair.Primary()), hostOf(t, pair.Standby())
			return strings.Replace(pair.Primary(), primary, standby+","+primary, 1), func() {}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pair := postgrestest.StartPair(t)
			database, lead := tc.setUp(t, pair)
			failOver(t, pair, database, lead)
		})
	}
}

func hostOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func failOver(t *testing.T, pair *postgrestest.Pair, database string, lead func()) {
	const writers, some = 4, 20
	known := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, known)).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_WRITE_RATE", "0")
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(known)), "200").added(t).ID
	admin.want(admin.post("/set_project", body{"project_id": id}), "200")
	probe := func(want string) func() bool {
		return func() bool {
			a, err := newBrowser(t, s.url).try("GET", "/readyz", nil)
			return err == nil && strings.Contains(a.text, want)
		}
	}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	kept := &acknowledged{names: map[string]bool{}}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			n := 0
			repeat(ctx.Done(), func() {
				name := fmt.Sprintf("user-%d-%d", w, n)
				a, err := admin.try("POST", "/create_user", body{"username": name, "password": memberPassword})
				switch {
				case err == nil && a.status == 200:
					kept.add(name)
				case err != nil || a.String() != "503 unavailable":
					t.Errorf("a write: got %s and error %v, want 200 or 503", a, err)
				}
				n++
			})
		})
	}
	eventually(t, "users are created", func() bool { return kept.count() >= some })
	pair.Crash()
	lead()
	eventually(t, "only reads are served", probe(`"message":"reads only"`))
	eventually(t, "reads are served", func() bool {
		a, err := admin.try("GET", "/get_projects", nil)
		return err == nil && a.status == 200
	})
	admin.want(admin.get("/check_session"), "200")
	admin.want(admin.post(runtimeAt+"/state/user/x/interact", body{"action": body{"type": "launch"}}), "200")
	admin.want(admin.post("/set_project", body{"project_id": id}), "400 unavailable")
	newBrowser(t, s.url).want(newBrowser(t, s.url).post("/login", body{"username": "ben", "password": memberPassword}), "503 unavailable")

	later := m.start("serve") // an instance that is started meanwhile
	admin.at(later.url).want(admin.at(later.url).get("/get_projects"), "200")

	before := kept.count()
	pair.Promote()
	promoted := time.Now()
	eventually(t, "users are created again", func() bool { return kept.count() > before })
	t.Logf("the first write was acknowledged %v after the promotion", time.Since(promoted).Round(time.Millisecond))
	eventually(t, "the service is ready", probe(`"message":"ready"`))
	eventually(t, "more users are created", func() bool { return kept.count() >= before+some })
	eventually(t, "the later instance is ready", func() bool { return admin.at(later.url).get("/readyz").status == 200 })
	stop()
	writing.Wait()
	kept.want(t, pair.Standby())
}

// acknowledged are the users whose creation was answered with 200.
type acknowledged struct {
	mu    sync.Mutex
	names map[string]bool
}

func (a *acknowledged) add(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names[name] = true
}

func (a *acknowledged) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.names)
}

// want fails the test unless the database has all the users, each with one audit row.
func (a *acknowledged) want(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query(`SELECT name FROM users WHERE (SELECT count(*) FROM audit WHERE action = 'create_user' AND object = 'user:' || users.id) = 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	lost := maps.Clone(a.names)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		delete(lost, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d users were acknowledged", len(a.names))
	if len(lost) > 0 {
		t.Errorf("of %d acknowledged users, %d are lost: %v", len(a.names), len(lost), lost)
	}
}
