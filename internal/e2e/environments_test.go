package e2e

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// withAliases returns an assistant that was not added yet, with these environments.
func withAliases(name string, aliases ...string) voiceflowtest.Assistant {
	a := newAssistant(name)
	a.Aliases = aliases
	return a
}

// environmentsBy returns the mode and the environments of each assistant, by name, as lines that
// project list prints as JSON.
func (m *machine) environmentsBy() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(m.must("", "project", "list", "--json")) {
		var p struct {
			Name, EnvironmentMode string
			Environments          json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			m.t.Fatal(err)
		}
		all[p.Name] = p.EnvironmentMode + " " + string(p.Environments)
	}
	return all
}

func (m *machine) wantEnvironments(what string, want map[string]string) {
	m.t.Helper()
	if d := cmp.Diff(want, m.environmentsBy()); d != "" {
		m.t.Errorf("%s: -want +got\n%s", what, d)
	}
}

// shownToAdmins returns what /get_projects shows to an admin of the environments, as environmentsBy
// does.
func shownToAdmins(t *testing.T, admin *browser) map[string]string {
	t.Helper()
	var said struct {
		Assistants []struct {
			Name         string
			Mode         string          `json:"environment_mode"`
			Environments json.RawMessage `json:"environments"`
		}
	}
	if err := json.Unmarshal([]byte(admin.want(admin.get("/get_projects"), "200").text), &said); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range said.Assistants {
		all[p.Name] = p.Mode + " " + string(p.Environments)
	}
	return all
}

func TestEnvironmentsByCommands(t *testing.T) {
	pizza, trains, pinned := withAliases("Pizza", "main", "development"), withAliases("Trains", "main"), withAliases("Pinned", "development")
	m := newMachine(t, startVoiceflow(t, pizza, trains, pinned))
	m.must("", "migrate", "up")
	alias := func(a voiceflowtest.Assistant, name string, flags ...string) []string {
		return append([]string{"project", "add", name, "--voiceflow-project", a.ProjectID}, flags...)
	}
	for _, tc := range []struct {
		name, want string
		flags      []string
	}{
		{"a name that can't be one", "a name in environments.allowed can only contain", []string{"--environment", "main", "--environment", "a b"}},
		{"two names in one", "environments.default can only contain", []string{"--environment", "main,dev"}},
		{"a name twice", "environments.allowed has a name twice", []string{"--environment", "main", "--environment", "main"}},
		{"a draft that is not allowed", "add it to environments.allowed", []string{"--environment", "main", "--allow-draft", "dev"}},
		{"an empty name", "a name in environments.allowed is missing", []string{"--environment", "main", "--environment", ""}},
	} {
		t.Run(tc.name, func(t *testing.T) { m.fails(exitFailure, tc.want, pizza.Key, alias(pizza, "main", tc.flags...)...) })
	}
	m.must(pizza.Key, alias(pizza, "main", "--environment", "main", "--environment", "development")...)
	m.must(trains.Key, alias(trains, "main", "--environment", "all", "--allow-draft", "")...)
	m.must(pinned.Key, alias(pinned, "development")...)
	want := map[string]string{
		"Pizza":  `per_call {"default":"main","allowed":["main","development"],"allow_draft":["development"]}`,
		"Trains": `per_call {"default":"main","allowed":"all","allow_draft":[]}`,
		"Pinned": `pinned {"default":"development","allowed":["development"],"allow_draft":["development"]}`,
	}
	m.wantEnvironments("after project add", want)
	table := m.must("", "project", "list")
	for name, cells := range map[string]string{
		"Pizza": pizza.ProjectID + " main per_call main development development", "Trains": trains.ProjectID + " main per_call main all -",
		"Pinned": pinned.ProjectID + " development pinned development development",
	} {
		if !strings.Contains(strings.Join(strings.Fields(table), " "), name+" "+cells+" 20") {
			t.Errorf("no row with %q in\n%s", cells, table)
		}
	}

	if help := m.must("", "project", "set-environments", "--help"); strings.Contains(help, "is not there") {
		t.Errorf("the help says what happens without --environment, which is an error:\n%s", help)
	}
	m.fails(exitUsage, "name an environment with --environment", "", "project", "set-environments", "Pizza")
	m.fails(exitFailure, "no such assistant", "", "project", "set-environments", "Pasta", "--environment", "main")
	m.fails(exitFailure, "add it to environments.allowed", "", "project", "set-environments", "Pizza", "--environment", "main", "--allow-draft", "dev")
	m.wantEnvironments("after commands that failed", want)
	for range 2 { // the second time changes nothing
		said := m.must("", "project", "set-environments", "Pinned", "--environment", "production", "--environment", "staging", "--allow-draft", "staging")
		if said != `set the environments of Pinned: {"default":"production","allowed":["production","staging"],"allow_draft":["staging"]}`+"\n" {
			t.Errorf("it says %q", said)
		}
	}
	want["Pinned"] = `per_call {"default":"production","allowed":["production","staging"],"allow_draft":["staging"]}`
	m.wantEnvironments("after set-environments", want)
	if rows := strings.Count(m.must("", "audit", "export"), `"set_environments"`); rows != 1 {
		t.Errorf("the audit has %d rows of a change of environments, want 1", rows)
	}
	m.noKeyIn(pizza.Key, trains.Key, pinned.Key)
}

// TestListsHaveEnvironments also imports assistants again, whose environments stay.
func TestListsHaveEnvironments(t *testing.T) {
	pizza, trains, pinned := withAliases("Pizza", "main"), withAliases("Trains", "main"), withAliases("Pinned", "main")
	m := newMachine(t, startVoiceflow(t, pizza, trains, pinned))
	m.must("", "migrate", "up")
	row := func(a voiceflowtest.Assistant, cells string) string {
		return "main," + a.Key + "," + a.ProjectID + "," + cells
	}
	list := func(rows ...string) string {
		return m.write("list.csv", "version_id,token,voiceflow_project_id,environments,allow_draft\n"+strings.Join(rows, "\n")+"\n")
	}
	m.report(exitFailure, "", []string{"project", "import", "--csv", list(
		row(pizza, "main staging development,"), row(pinned, ","), row(trains, "staging staging,"), row(trains, "main,dev"), row(trains, trains.Key+","), "main,"+trains.Key+","+trains.ProjectID+",main,"+trains.Key,
	)},
		"line 4 was refused: environments.allowed has a name twice", "line 5 was refused: environments.allow_draft names an environment that is not allowed",
		"line 6 was refused: environments.default can only contain", "line 7 was refused: a name in environments.allow_draft can only contain",
		"added 2, there already 0, refused 4")
	object := func(a voiceflowtest.Assistant, environments string) string {
		return `{"version_id":"main","token":"` + a.Key + `","voiceflow_project_id":"` + a.ProjectID + `","environments":` + environments + `}`
	}
	m.report(exitFailure, "", []string{"project", "import", "--json", m.write("list.json", "["+strings.Join([]string{
		object(trains, `{"allowed":"`+trains.Key+`"}`), object(trains, `{"default":"main","allowed":"all","allow_draft":["main"]}`), object(pizza, `{"allowed":"all"}`),
	}, ",\n")+"]")}, "line 1 (element 1) was refused: a member is of the wrong type", "added 1, there already 1, refused 1")
	m.wantEnvironments("after the imports", map[string]string{
		"Pizza":  `per_call {"default":"main","allowed":["main","staging","development"],"allow_draft":["development"]}`,
		"Trains": `per_call {"default":"main","allowed":"all","allow_draft":["main"]}`,
		"Pinned": `pinned {"default":"main","allowed":["main"],"allow_draft":[]}`,
	})
	m.noKeyIn(pizza.Key, trains.Key, pinned.Key)
}

// TestEnvironmentsAreKept sets environments through one service, sees them at once through another,
// and carries them into a backup and into a sealed file.
func TestEnvironmentsAreKept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		pizza, pinned := withAliases("Pizza", "main", "staging"), withAliases("Pinned", "main")
		v := startVoiceflow(t, pizza, pinned)
		m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database)
		s := serving(t, m)
		admin := s.admin()
		other := admin.at(m.start("serve").url)
		add := func(a voiceflowtest.Assistant, environments any) string {
			t.Helper()
			return admin.want(admin.post("/add_project", body{
				"version_id": "main", "voiceflow_project_id": a.ProjectID, "token": a.Key, "environments": environments,
			}), "200").added(t).ID
		}
		id := add(pizza, body{"default": "main", "allowed": []string{"main", "staging"}})
		add(pinned, nil)
		admin.want(admin.post("/grant_project", body{"user_id": userID(t, admin, "ben"), "project_id": id}), "200")
		ben := s.member()
		ben.want(ben.post("/create_access_token", body{"name": "x", "project_id": id, "environments": []string{"staging"}, "password": memberPassword}), "200")
		ben.want(ben.post("/create_access_token", body{"name": "x", "project_id": id, "environments": []string{"dev"}, "password": memberPassword}), "400 invalid_request")
		want := map[string]string{
			"Pizza":  `per_call {"default":"main","allowed":["main","staging"],"allow_draft":[]}`,
			"Pinned": `pinned {"default":"main","allowed":["main"],"allow_draft":[]}`,
		}
		same := func(what string, b *browser) {
			t.Helper()
			if d := cmp.Diff(want, shownToAdmins(t, b)); d != "" {
				t.Errorf("%s: -want +got\n%s", what, d)
			}
		}
		same("another instance", other)
		admin.want(admin.post("/set_environments", body{"project_id": id, "environments": body{"default": "staging", "allowed": "all", "allow_draft": []string{"main"}}}), "200")
		want["Pizza"] = `per_call {"default":"staging","allowed":"all","allow_draft":["main"]}`
		same("another instance after a change", other)
		if text := ben.want(ben.get("/get_projects"), "200").text; strings.Contains(text, "environment") {
			t.Errorf("a member sees %s", text)
		}
		ben.want(ben.post("/set_environments", body{"project_id": id, "environments": body{}}), "403 not_allowed")

		restored := m.elsewhere("")
		restored.must("", "restore", m.backup("kept.jsonl"))
		restored.wantEnvironments("after a restore", want)
		there := restored.start("serve")
		same("a service after a restore", there.admin())
		tokens := there.member()
		if text := tokens.want(tokens.get("/get_access_tokens"), "200").text; strings.Count(text, `"Environments":["staging"]`) != 1 || strings.Count(text, `"Environments":`) != 1 {
			t.Errorf("after a restore there are the access tokens %s", text)
		}

		key := identity(t)
		m.must("", "project", "export", "--recipient", key.Recipient().String(), "all.age")
		moved := newMachine(t, v)
		moved.must("", "migrate", "up")
		moved.report(exitOK, "", []string{"project", "import", "--identity", moved.write("key.txt", key.String()+"\n"), filepath.Join(m.folder, "all.age")}, "added 2, there already 0, refused 0")
		moved.wantEnvironments("in another installation", want)
	})
}

// TestAssistantsOfAnOlderDatabaseArePinned upgrades a database with the schema of version 7.
func TestAssistantsOfAnOlderDatabaseArePinned(t *testing.T) {
	bot, draft := withAliases("Bot"), withAliases("Draft", "development")
	m := newMachine(t, startVoiceflow(t, bot, draft))
	s := serving(t, m)
	admin := s.admin()
	admin.want(admin.post("/add_project", adding(bot)), "200")
	admin.want(admin.post("/add_project", body{"version_id": "development", "voiceflow_project_id": draft.ProjectID, "token": draft.Key}), "200")
	s.stop()
	m.downgrade(7)
	if status := m.must("", "migrate", "status"); !strings.Contains(status, "0008_environments") {
		t.Errorf("migrate status prints\n%s", status)
	}
	m.must("", "migrate", "up")
	want := map[string]string{
		"Bot":   `pinned {"default":"` + bot.VersionID + `","allowed":["` + bot.VersionID + `"],"allow_draft":[]}`,
		"Draft": `pinned {"default":"development","allowed":["development"],"allow_draft":["development"]}`,
	}
	m.wantEnvironments("after the upgrade", want)
	s = m.start("serve")
	admin = s.admin()
	if d := cmp.Diff(want, shownToAdmins(t, admin)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	everyKeyOpens(t, m, map[string]voiceflowtest.Assistant{m.idOf("Bot"): bot, m.idOf("Draft"): draft})
}

// downgrade puts a SQLite database with the schema of an earlier version in place of the database. It
// has what the tables and columns of that version can hold.
func (m *machine) downgrade(version int) {
	m.t.Helper()
	files, err := filepath.Glob("../../adapters/bunstore/migrations/sqlite/*.sql")
	if err != nil || len(files) < version {
		m.t.Fatalf("got the migrations %v and error %v", files, err)
	}
	path, older := filepath.Join(m.data(), "flowlatch.db"), filepath.Join(m.folder, "older.db")
	db, err := sql.Open("sqlite", "file:"+older)
	if err != nil {
		m.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	run := func(statement string, args ...any) {
		m.t.Helper()
		if _, err := db.ExecContext(m.t.Context(), statement, args...); err != nil {
			m.t.Fatalf("%s: %v", statement, err)
		}
	}
	texts := func(query string, args ...any) (all []string) {
		m.t.Helper()
		rows, err := db.QueryContext(m.t.Context(), query, args...)
		if err != nil {
			m.t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				m.t.Fatal(err)
			}
			all = append(all, text)
		}
		if err := rows.Err(); err != nil {
			m.t.Fatal(err)
		}
		return all
	}
	run(`CREATE TABLE schema_versions (version integer PRIMARY KEY, name text NOT NULL, applied bigint NOT NULL)`)
	for _, file := range files[:version] {
		text, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		run(string(text))
	}
	run(`ATTACH $1 AS newer`, path)
	for _, table := range texts(`SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`) {
		columns := strings.Join(texts(`SELECT name FROM pragma_table_info($1, 'main')`, table), ", ")
		from := `SELECT ` + columns + ` FROM newer.` + table
		if table == "schema_versions" {
			from += ` WHERE version <= ` + strconv.Itoa(version)
		}
		run(`INSERT INTO main.` + table + ` (` + columns + `) ` + from)
	}
	run(`DETACH newer`)
	if err := db.Close(); err != nil {
		m.t.Fatal(err)
	}
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			m.t.Fatal(err)
		}
	}
	if err := os.Rename(older, path); err != nil {
		m.t.Fatal(err)
	}
}
