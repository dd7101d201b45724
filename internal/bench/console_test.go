package bench

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/console"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

const (
	consoleProjects = 10_000
	auditRows       = 100_000
	usageRows       = 100_000
	usageDays       = 30
	// pageRequests is how often each page is asked for.
	pageRequests = 100
)

// consoleTable is about the pages of the console and the chat, beside JSON routes.
type consoleTable struct{ table }

func (t *consoleTable) write(to *os.File) {
	t.table.write(to, []string{"path", "database", "caller", "p50", "p95", "bytes over the wire", "goal"},
		fmt.Sprintf("%s assistants, %s users, %s rows of the audit, %s rows of usage. One connection asks for each path %d times, and goes through all paths in turns. The last rows are JSON routes.",
			count(consoleProjects), count(members), count(auditRows), count(usageRows), pageRequests))
}

// BenchmarkConsole measures how long each page takes.
func BenchmarkConsole(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		c := newContest(b, kind{name: "SQLite", fill: fillSQLite})
		c.pages(b, "sqlite://"+filepath.Join(b.TempDir(), "console.db"))
	})
	b.Run("Postgres", func(b *testing.B) {
		url := postgrestest.DSN(b)
		c := newContest(b, kind{name: "PostgreSQL", fill: fillPostgres})
		c.pages(b, url)
	})
}

// visit is a path that is asked for again and again.
type visit struct {
	path, caller, cookie string
	took                 []time.Duration
	bytes                int
}

// pages measures the pages on an empty database at url.
func (c *contest) pages(b *testing.B, url string) {
	tell("%s: filling a database for the console", c.name)
	w := newWorld(b, consoleProjects, c.installation)
	uses := newUses(b, w, c.keys)
	version := c.prepare(b, url, append(append(w.rows(), rowsOfUses(uses)...), w.audit(), w.usage(uses)))
	c.chain(b, url)
	service := c.startService(b, url)
	visits := w.visits(b, uses)
	tell("%s: %d paths, %d times each", c.name, len(visits), pageRequests)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	defer client.CloseIdleConnections()
	for n := range pageRequests + 1 { // the first one warms up
		for _, v := range visits {
			took, err := v.ask(client, service.addr)
			if err != nil {
				b.Error(err) // the times of the others are worth knowing
				continue
			}
			if n > 0 {
				v.took = append(v.took, took)
			}
		}
		service.forgetLog()
	}
	for _, v := range visits {
		if len(v.took) == 0 {
			continue
		}
		slices.Sort(v.took)
		goal := ""
		if !strings.HasPrefix(v.path, "/get_") {
			goal = "at most 30 ms"
		}
		consoleResult.add(v.path, version, v.caller, milliseconds(v.took[len(v.took)/2]), milliseconds(v.took[len(v.took)*95/100]), count(v.bytes), goal)
	}
	service.stop(b)
}

// ask asks once, as a browser does, and returns how long it took to get the whole answer.
func (v *visit) ask(client *http.Client, addr string) (took time.Duration, err error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+addr+v.path, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept-Encoding", "gzip")
	if v.cookie != "" {
		request.Header.Set("Cookie", "user_session="+v.cookie)
	}
	began := time.Now()
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	took = time.Since(began)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s to the %s", v.path, answer.Status, v.caller)
	}
	v.bytes = len(body)
	return took, err
}

// notMeasured are the routes with GET that are left out, with the reason.
var notMeasured = map[string]string{
	"/console":                             "it only leads to the overview",
	"/console/setup/:token":                "it is gone with the first user",
	"/console/usage.csv":                   "it is a file with all rows",
	"/console/audit.csv":                   "it is a file with all rows",
	"/console/assistants/:id/delete_token": "it needs a second key, and reads what the page of the assistant reads",
	"/console/static/:file":                "it is read from memory and cached by browsers",
}

// visits returns every page of the console and the chat, and JSON routes beside them. A page that has
// no example here ends the benchmark.
func (w *world) visits(b *testing.B, uses []use) []*visit {
	m := &w.members[0]
	project, user, token := string(m.granted[0].ID), string(m.user.ID), string(uses[0].token.ID)
	all := pathsOfPages(b, map[string]string{"/console/assistants/:id": project, "/chat/:id": project, "/console/users/:id": user,
		"/console/audit/:id": "50000"})
	var visits []*visit
	add := func(caller, cookie string, paths ...string) {
		for _, path := range paths {
			visits = append(visits, &visit{path: path, caller: caller, cookie: cookie})
		}
	}
	for _, path := range all {
		switch path {
		case "/console/login":
			add("nobody", "", path)
		case "/console/tokens/rotate":
			add("member", m.cookie, path+"?token_id="+token)
		default:
			add("admin", w.admin.cookie, path)
		}
	}
	add("admin", w.admin.cookie,
		"/console/assistants?q=assistant+009", "/console/assistants?q=nothing", "/console/assistants?trouble=1",
		"/console/audit?actor=user:"+user, "/console/audit?object=project:"+project, "/console/audit?action=login", "/console/audit?outcome=nothing",
		"/console/usage?group_by=day", "/console/usage?group_by=user", "/console/usage?group_by=project")
	add("member", m.cookie, "/console/", "/console/assistants", "/console/assistants/"+project, "/console/usage", "/console/tokens", "/console/sessions",
		"/chat", "/chat/"+project)
	add("admin", w.admin.cookie, "/get_projects?limit=50", "/get_audit_events?limit=50", "/get_usage?limit=50")
	return visits
}

// pathsOfPages returns the paths of all pages. ids has the id that belongs into the paths that begin
// with its key.
func pathsOfPages(b *testing.B, ids map[string]string) []string {
	p, err := console.New(nil, console.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var paths []string
	for _, r := range p.Routes {
		if r.Method != http.MethodGet || notMeasured[r.Path] != "" {
			continue
		}
		path := r.Path
		for _, prefix := range slices.Sorted(maps.Keys(ids)) {
			if rest, begins := strings.CutPrefix(path, prefix); begins {
				path = strings.TrimSuffix(prefix, ":id") + ids[prefix] + rest
			}
		}
		if strings.Contains(path, ":") {
			b.Fatalf("there is no id for %s", path)
		}
		paths = append(paths, path)
	}
	return paths
}

// audit returns rows of the last weeks. The first ones tell how each assistant and user began, as a
// verification expects. Most of the others are about members and their assistants.
func (w *world) audit() rows {
	all := rows{table: "audit", columns: []string{"at", "actor", "action", "object", "outcome", "request_id", "address"}}
	began := time.Now().Add(-usageDays * 24 * time.Hour)
	add := func(actor string, action domain.Action, object, outcome string) {
		n := len(all.values)
		at := began.Add(time.Duration(n) * (usageDays * 24 * time.Hour / auditRows))
		all.values = append(all.values, []any{at.UnixMicro(), actor, string(action), object, outcome, fmt.Sprintf("request-%06d", n), "127.0.0.1"})
	}
	for _, p := range w.projects {
		add("operator", domain.ActionAddProject, domain.OnProject(p.ID), "ok")
	}
	for _, m := range append([]member{w.admin}, w.members...) {
		add("operator", domain.ActionCreateUser, domain.OnUser(m.user.ID), "ok")
	}
	for i := 0; len(all.values) < auditRows; i++ {
		m := &w.members[i%len(w.members)]
		user, project := domain.OnUser(m.user.ID), domain.OnProject(m.granted[i/len(w.members)%granted].ID)
		switch i % 10 {
		case 0:
			add(user, domain.ActionLogin, user, "ok")
		case 1:
			add(user, domain.ActionForward, project, "not_allowed")
		default:
			add(user, domain.ActionSetProject, project, "ok")
		}
	}
	return all
}

// usage returns the calls of members on the last days.
func (w *world) usage(uses []use) rows {
	all := rows{table: "usage", columns: []string{"day", "project_id", "user_id", "token_id", "scope", "calls", "errors", "milliseconds"}}
	for i := range usageRows {
		u, n := &uses[i%len(uses)], i/len(uses)
		token := ""
		if n%2 == 1 {
			token = string(u.token.ID)
		}
		day := domain.DayOf(time.Now().AddDate(0, 0, -n%usageDays))
		all.values = append(all.values, []any{string(day), string(u.member.granted[n/usageDays].ID), string(u.member.user.ID), token, string(domain.ScopeConverse), 1 + i%50, i % 3, 100 * (i % 50)})
	}
	return all
}

// chain lets the program put all rows of the audit into its chain.
func (c *contest) chain(b *testing.B, url string) {
	command := exec.Command(c.binary, "audit", "verify")
	command.Env = c.settings(b.TempDir(), url)
	if said, err := command.CombinedOutput(); err != nil {
		b.Fatalf("chain the audit: %v\n%s", err, said)
	}
}
