package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// count returns the number that a statement selects.
func count(t *testing.T, driver, dsn, statement string) int {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var n int
	if err := db.QueryRow(statement).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOfEqualAddsAtOnceExactlyOneSucceeds sends 64 equal adds at the same time, to one server on
// SQLite and to two servers on one Postgres.
func TestOfEqualAddsAtOnceExactlyOneSucceeds(t *testing.T) {
	const adds = 64
	for _, tc := range []struct {
		name    string
		servers int
		setUp   func(t *testing.T, m *machine) (on *machine, driver, dsn string)
	}{
		{"on SQLite", 1, func(_ *testing.T, m *machine) (*machine, string, string) {
			return m, "sqlite", "file:" + m.data() + "/flowlatch.db?mode=ro"
		}},
		{"on Postgres through two instances", 2, func(t *testing.T, m *machine) (*machine, string, string) {
			dsn := postgrestest.DSN(t)
			return m.with("FLOWLATCH_DATABASE_URL", dsn), "pgx", dsn
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newAssistant("Pizza Palace")
			m, driver, dsn := tc.setUp(t, newMachine(t, startVoiceflow(t, a)))
			servers := []*server{serving(t, m)}
			for len(servers) < tc.servers {
				servers = append(servers, m.start("serve"))
			}
			admin := servers[0].admin()

			var mu sync.Mutex
			got := map[string]int{}
			ids := map[string]bool{}
			var sending sync.WaitGroup
			start := make(chan struct{})
			for i := range adds {
				there := admin.at(servers[i%len(servers)].url)
				sending.Go(func() {
					<-start
					a, err := there.try("POST", "/add_project", adding(a))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
					got[a.String()]++
					ids[a.added(t).ID] = true
				})
			}
			close(start)
			sending.Wait()
			if got["200"] != 1 || got["400 already_added"] != adds-1 || len(ids) != 1 {
				t.Errorf("answers %v naming %d assistants, want one 200 and %d already_added naming one", got, len(ids), adds-1)
			}
			for statement, want := range map[string]int{
				"SELECT count(*) FROM projects":                              1,
				"SELECT count(*) FROM project_keys":                          1,
				"SELECT count(*) FROM audit WHERE action = 'add_project'":    1,
				"SELECT count(*) FROM audit WHERE action LIKE 'create_use%'": 2,
			} {
				if n := count(t, driver, dsn, statement); n != want {
					t.Errorf("%s: got %d, want %d", statement, n, want)
				}
			}
		})
	}
}

// TestWhatIsTakenAwayIsGoneOnTheOtherInstanceAtOnce removes rights on one instance and sends the
// next request to another.
func TestWhatIsTakenAwayIsGoneOnTheOtherInstanceAtOnce(t *testing.T) {
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a)).with("FLOWLATCH_DATABASE_URL", postgrestest.DSN(t))
	here := serving(t, m)
	there := m.start("serve")
	admin := here.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	ben := userID(t, admin, "ben")
	grant := body{"user_id": ben, "project_id": id}
	set := body{"project_id": id}
	none := func(b *browser) {
		t.Helper()
		if got := b.want(b.get("/check_session"), "200"); assistantOf(t, got) != "" {
			t.Errorf("the assistant is still set: %s", got.text)
		}
	}

	for _, tc := range []struct {
		name  string
		take  func() answer
		after func(ben *browser)
		back  func() answer // restores what the next case needs
	}{
		{"the grant", func() answer { return admin.post("/revoke_project", grant) }, func(b *browser) {
			none(b)
			b.want(b.get("/get_projects"), "404 not_found")
			b.want(b.post("/set_project", set), "401 not_allowed")
		}, func() answer { return admin.post("/grant_project", grant) }},
		{"the whole set of grants", func() answer {
			return admin.send("PATCH", "/update_user", body{"user_id": ben, "assistants": []string{}})
		}, func(b *browser) {
			none(b)
			b.want(b.post("/set_project", set), "401 not_allowed")
		}, func() answer { return admin.post("/grant_project", grant) }},
		{"the login, by disabling", func() answer {
			return admin.send("PATCH", "/update_user", body{"user_id": ben, "disabled": true})
		}, func(b *browser) { b.want(b.get("/get_projects"), "401 not_authenticated") },
			func() answer { return admin.send("PATCH", "/update_user", body{"user_id": ben, "disabled": false}) }},
		{"the login, by another password", func() answer {
			return admin.send("PATCH", "/update_user", body{"user_id": ben, "password": memberPassword})
		}, func(b *browser) { b.want(b.get("/check_session"), "401 not_authenticated") }, nil},
		{"the login, by ending all sessions", func() answer {
			return admin.post("/delete_user_sessions", body{"user_id": ben})
		}, func(b *browser) { b.want(b.get("/check_session"), "401 not_authenticated") }, nil},
		{"the assistant session", func() answer {
			for _, s := range admin.want(admin.get("/get_sessions?user_id="+ben), "200").sessions(t) {
				if s.Kind == "assistant" {
					return admin.post("/delete_session", body{"session_id": s.ID})
				}
			}
			return answer{}
		}, none, nil},
		{"the assistant", func() answer { return admin.post("/delete_project", body{"project_id": id}) }, func(b *browser) {
			none(b)
			b.want(b.get("/get_projects"), "404 not_found")
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			admin.want(admin.send("PATCH", "/update_user", body{"user_id": ben, "assistants": []string{id}}), "200")
			b := newBrowser(t, there.url).login("ben", memberPassword)
			b.want(b.post("/set_project", set), "200")
			if got := b.want(b.get("/check_session"), "200"); assistantOf(t, got) != id {
				t.Fatalf("the assistant is not set: %s", got.text)
			}
			admin.want(tc.take(), "200")
			tc.after(b)
			if tc.back != nil {
				admin.want(tc.back(), "200")
			}
			revived, err := b.try("GET", "/check_session", nil)
			if err != nil || revived.status == 200 && assistantOf(t, revived) != "" {
				t.Errorf("what had ended is back: %s (%v)", revived.text, err)
			}
		})
	}

	t.Run("the role", func(t *testing.T) {
		admin.want(admin.send("PATCH", "/update_user", body{"user_id": ben, "role": "admin"}), "200")
		b := newBrowser(t, there.url).login("ben", memberPassword)
		b.want(b.get("/get_all_users"), "200")
		admin.want(admin.send("PATCH", "/update_user", body{"user_id": ben, "role": "member"}), "200")
		b.want(b.get("/get_all_users"), "403 not_allowed")
		b.want(b.post("/add_project", adding(a)), "401 not_allowed")
	})
}

func TestADatabaseThatComesLateIsWaitedFor(t *testing.T) {
	proxy := postgrestest.OpenProxy(t, postgrestest.DSN(t))
	proxy.Cut()
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", proxy.DSN(), "FLOWLATCH_DATABASE_WAIT", "1h")
	s := m.launch("serve")
	eventually(t, "it says that it waits", func() bool {
		return strings.Count(s.stdout.String(), "the database can't be reached yet") > 1
	})
	proxy.Restore()
	s.await()
	s.stop()
}

func TestAnInterruptEndsTheWait(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", "postgres://u@127.0.0.1:1/d", "FLOWLATCH_DATABASE_WAIT", "1h")
	s := m.launch("serve")
	eventually(t, "it says that it waits", func() bool {
		return strings.Contains(s.stdout.String(), "the database can't be reached yet")
	})
	s.interrupt()
	s.mustEnd(exitFailure)
}

// TestTheDatabaseGoesAwayUnderLoad disconnects the database for five seconds.
func TestTheDatabaseGoesAwayUnderLoad(t *testing.T) {
	for _, tc := range []struct {
		name string
		away func(*postgrestest.Proxy)
	}{
		{"as by a crash", (*postgrestest.Proxy).Cut},
		{"as by a lost network", (*postgrestest.Proxy).Stall},
	} {
		t.Run(tc.name, func(t *testing.T) { loseDatabase(t, tc.away) })
	}
}

func loseDatabase(t *testing.T, away func(*postgrestest.Proxy)) {
	const callers, five = 8, 5 * time.Second
	known := newAssistant("Pizza Palace")
	v := startVoiceflow(t, known)
	proxy := postgrestest.OpenProxy(t, postgrestest.DSN(t))
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", proxy.DSN(), "FLOWLATCH_DATABASE_TIMEOUT", "3s")
	s := serving(t, m)
	admin := s.admin()
	admin.want(admin.post("/add_project", adding(known)), "200")

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	phase, got := "before", map[string]map[string]int{"before": {}, "away": {}, "after": {}}
	enter := func(next string) { mu.Lock(); phase = next; mu.Unlock() }
	seen := func(in, what string) bool { mu.Lock(); defer mu.Unlock(); return got[in][what] > 0 }

	requests := []func() (string, answer, error){
		func() (string, answer, error) {
			a, err := admin.try("GET", "/get_projects", nil)
			return "get_projects", a, err
		},
		func() (string, answer, error) {
			a, err := admin.try("POST", "/set_project", body{"project_id": known.ProjectID})
			return "set_project", a, err
		},
		func() (string, answer, error) {
			a, err := admin.try("GET", "/check_session", nil)
			return "check_session", a, err
		},
		func() (string, answer, error) {
			fresh := voiceflowtest.NewAssistant("Another", voiceflowtest.Shape2022)
			if err := v.Add(fresh); err != nil {
				return "", answer{}, err
			}
			a, err := admin.try("POST", "/add_project", adding(fresh))
			return "add_project", a, err
		},
		func() (string, answer, error) { a, err := admin.try("GET", "/readyz", nil); return "readyz", a, err },
	}
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() {
			n := i
			repeat(ctx.Done(), func() {
				mu.Lock()
				in := phase
				mu.Unlock()
				route, a, err := requests[n%len(requests)]()
				what := route + " " + a.String()
				if err != nil {
					what = "error " + err.Error()
				}
				mu.Lock()
				got[in][what]++
				mu.Unlock()
				n++
			})
		})
	}
	eventually(t, "all is well before", func() bool { return seen("before", "set_project 200") && seen("before", "check_session 200") })
	enter("away")
	away(proxy)
	over := time.NewTimer(five)
	defer over.Stop()
	<-over.C
	eventually(t, "the outage shows", func() bool {
		return seen("away", "get_projects 400 unavailable") && seen("away", "check_session 503 unavailable")
	})
	proxy.Restore()
	eventually(t, "it recovers", func() bool {
		a, err := admin.try("GET", "/get_projects", nil)
		return err == nil && a.status == 200
	})
	enter("after")
	eventually(t, "all is well again", func() bool {
		return seen("after", "set_project 200") && seen("after", "check_session 200") && seen("after", "add_project 200") && seen("after", "readyz 200")
	})
	stop()
	calling.Wait()

	fine := map[string]bool{}
	for _, what := range []string{
		"get_projects 200", "set_project 200", "add_project 200", "check_session 200", "readyz 200",
		"get_projects 400 unavailable", "set_project 400 unavailable", "add_project 400 unavailable",
		"check_session 503 unavailable", "readyz 503 unavailable",
	} {
		fine[what] = true
	}
	for in, answers := range got {
		for what, n := range answers {
			if !fine[what] {
				t.Errorf("%s: %d times %s", in, n, what)
			}
		}
	}
	for statement, want := range map[string]int{
		"SELECT count(*) FROM projects p WHERE NOT EXISTS (SELECT 1 FROM project_keys k WHERE k.project_id = p.id)":    0,
		"SELECT (SELECT count(*) FROM projects)::int - (SELECT count(*) FROM audit WHERE action = 'add_project')::int": 0,
		fmt.Sprintf("SELECT count(*) FROM projects WHERE voiceflow_id = '%s'", known.ProjectID):                        1,
	} {
		if n := count(t, "pgx", proxy.DSN(), statement); n != want {
			t.Errorf("%s: got %d, want %d", statement, n, want)
		}
	}
}
