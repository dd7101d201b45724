package e2e

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/config"
)

// TestAKnownKeyIsFoundNowhere uses a key in every right and wrong way, with the lowest log level.
// Then it looks for the key in all output and in everything that is stored.
func TestAKnownKeyIsFoundNowhere(t *testing.T) {
	eachDatabase(t, useKeyInEveryWay)
}

func useKeyInEveryWay(t *testing.T, database string) {
	known, other := newAssistant("Pizza Palace"), newAssistant("Train times")
	other.Key = known.Key // one key may open several versions
	known.SecondKey, other.SecondKey = voiceflowtest.NewKey(), known.Key
	key := known.Key
	v := startVoiceflow(t, known, other)
	personal := voiceflowtest.NewPersonalToken()
	v.AddPersonalToken(personal, known.ProjectID)
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_LOG_LEVEL", "debug", "FLOWLATCH_LOGIN_FAILURES", "1000")
	hasty := m.with("FLOWLATCH_VOICEFLOW_TIMEOUT", "200ms")
	s := serving(t, hasty)
	admin, member := s.admin(), s.member()

	for _, fault := range faults(key) {
		v.Fail(fault)
		got := admin.post("/add_project", adding(known))
		if got.String() != "400 voiceflow_rejected" && got.String() != "400 voiceflow_unavailable" {
			t.Errorf("under a fault the answer is %s: %s", got, got.text)
		}
		hasty.fails(exitFailure, "Voiceflow", key, "project", "add", known.VersionID)
	}
	v.Fail(nil)
	admin.want(admin.get("/get_projects"), "404 not_found")
	s.stop()
	s = m.start("serve")
	admin, member = admin.at(s.url), member.at(s.url)

	id := admin.want(admin.post("/add_project", adding(known)), "200").added(t).ID
	m.must(key, "project", "add", other.VersionID)
	m.must(personal, "project", "set-token", known.Name, "--slot", "personal")
	moveWithKey(t, m, known)
	everyRoute(t, admin, member, id, known, personal)
	keyInTheWrongPlaces(t, admin, key)
	keyInTheWrongPlaces(t, admin, personal)
	setKeyInEveryWay(t, v, m, hasty, known)
	usePersonalKey(t, v, m, hasty, admin.at(s.url), known, personal)
	there := onPages{assistant: admin.get("/get_projects").listed(t)[0].ID, user: userID(t, admin, "ben"), token: "none", webhook: "none"}
	there.open(t, key, admin)
	there.open(t, personal, admin)
	for _, args := range [][]string{
		{"project", "list"}, {"project", "list", "--json"}, {"user", "list"}, {"user", "list", "--json"}, {"migrate", "status"}, {"keys", "rotate"}, {"version"},
		{"audit", "verify"}, {"audit", "export"},
		{"backup", filepath.Join(m.data(), "kept.jsonl")}, {"backup", "-"},
		{"keys", "status"}, {"keys", "rewrap", "--dry-run"}, {"keys", "rewrap"},
	} {
		m.must("", args...)
	}
	for _, args := range [][]string{
		{"project", "add", known.VersionID}, {"project", "add", key}, {"project", "add", "production", "--voiceflow-project", key},
		{"project", "delete", key}, {"project", "set-token", key}, {"project", "set-token", known.VersionID, "--slot", key}, {"project", "check", key},
		{"user", "grant", "ben", key}, {"user", "passwd", key},
	} {
		m.fails(exitFailure, "", key, args...)
	}
	for _, name := range []string{"DATABASE_URL", "KEYSET", "KEYSET_KMS", "VOICEFLOW_API_URL", "TRUSTED_ORIGINS", "LOG_LEVEL", "ADDR"} {
		m.with(config.Prefix+name, key).fails(exitFailure, "", "", "serve")
	}

	found := func(where, text string) {
		t.Helper()
		for which, key := range map[string]string{"key": key, "second key": known.SecondKey, "personal key": personal} {
			for form, trace := range tracesOf(key) {
				if at := strings.Index(text, trace); at >= 0 {
					t.Errorf("the %s is found in %s, %s: …%q…", which, where, form, text[max(0, at-80):min(len(text), at+len(trace)+20)])
				}
			}
		}
	}
	kept := func(where string) {
		t.Helper()
		content := contentOf(t, m.data())
		if database != "" {
			content += tablesOf(t, database)
		}
		if !strings.Contains(content, known.Name) {
			t.Errorf("%s: even the name is not found in what is kept: the search is blind", where)
		}
		found(where, content)
	}
	kept("what is kept while the server runs")
	s.kill()
	kept("what a crash leaves")
	m.start("serve").stop()
	kept("what is left at the end")

	answers := admin.seen.String() + member.seen.String()
	for where, text := range map[string]string{"the answers and cookies": answers, "what was printed and logged": m.said.String()} {
		found(where, text)
		if !strings.Contains(text, "voiceflow_rejected") {
			t.Errorf("even Voiceflow's refusals are not found in %s: the search is blind", where)
		}
	}
	wantNothingOfCallers(t, v, key)
	wantNothingOfCallers(t, v, known.SecondKey)
	wantNothingOfCallers(t, v, personal)
	if len(v.Requests()) == 0 || !strings.Contains(v.Requests()[0].Header.Get("Authorization"), key) {
		t.Error("Voiceflow never got the key")
	}
}

// setKeyInEveryWay sets the secondary key while Voiceflow fails in every way, and then while
// Voiceflow works. It also has a key rejected, and checks the keys.
func setKeyInEveryWay(t *testing.T, v *voiceflowtest.Server, m, hasty *machine, known voiceflowtest.Assistant) {
	t.Helper()
	set := []string{"project", "set-token", known.Name, "--slot", "secondary"}
	for _, fault := range faults(known.SecondKey) {
		v.Fail(fault)
		hasty.fails(exitFailure, "Voiceflow", known.SecondKey, set...)
	}
	v.Fail(nil)
	m.must(known.SecondKey, set...)
	m.must("", "project", "check", "--all")
	revoked := known
	revoked.Key, revoked.SecondKey = voiceflowtest.NewKey(), ""
	if err := v.Add(revoked); err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "Voiceflow rejected the key", known.SecondKey, set...)
	if r := m.run("", "project", "check", known.Name); r.code != exitFailure || !strings.Contains(r.stdout, "primary rejected, secondary rejected") {
		t.Errorf("project check of two keys that were revoked: exit code %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if err := v.Add(known); err != nil {
		t.Fatal(err)
	}
	m.must("", "project", "check", known.Name)
}

// stableSearch is a call that is sent with the personal key.
const stableSearch = "/voiceflow/realtime-api/v1/stable/transcript/search"

// usePersonalKey sets and uses the personal key while Voiceflow fails in every way, and then while
// Voiceflow works. At the end it has expired, and it stays in its slot.
func usePersonalKey(t *testing.T, v *voiceflowtest.Server, m, hasty *machine, admin *browser, known voiceflowtest.Assistant, personal string) {
	t.Helper()
	admin.want(admin.post("/set_project", body{"project_id": known.ProjectID}), "200")
	set := []string{"project", "set-token", known.Name, "--slot", "personal"}
	for _, fault := range faults(personal) {
		v.Fail(fault)
		hasty.fails(exitFailure, "Voiceflow", personal, set...)
	}
	v.Fail(nil)
	m.must(personal, set...)
	admin.want(admin.post(stableSearch, body{}), "200")
	v.Fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Etag", r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"authorization":"` + r.Header.Get("Authorization") + `"}`))
	})
	if got := admin.post(stableSearch, body{}); got.String() != "200" || !strings.Contains(got.text, `"Bearer ****`) {
		t.Errorf("an answer that has the personal key: got %s %s", got, got.text)
	}
	for _, fault := range []voiceflowtest.Fault{
		voiceflowtest.Answer(http.StatusUnauthorized, "application/json", `{"message":"no such token: `+personal+`"}`),
		voiceflowtest.Answer(http.StatusForbidden, "application/json", `{"message":"Bearer `+personal+`"}`),
		voiceflowtest.Answer(http.StatusBadGateway, "text/html", "<p>"+personal+"</p>"),
		voiceflowtest.Redirect(http.StatusFound, "/?token="+personal),
	} {
		v.Fail(fault)
		if got := admin.post(stableSearch, body{}); got.status < 400 {
			t.Errorf("under a fault the answer is %s: %s", got, got.text)
		}
	}
	v.Fail(nil)
	v.ExpirePersonalToken(personal)
	admin.want(admin.post(stableSearch, body{}), "502 assistant_credentials_rejected")
	if r := m.run("", "project", "check", known.Name); r.code != exitFailure || !strings.Contains(r.stdout, "personal rejected") {
		t.Errorf("project check of a personal key that has expired: exit code %d, %s%s", r.code, r.stdout, r.stderr)
	}
	m.fails(exitFailure, "Voiceflow rejected the personal access token", personal, set...)
}

// moveWithKey imports an assistant that was added before, also with its key in wrong places, and
// exports it. The file of the export stays beside the data.
func moveWithKey(t *testing.T, m *machine, known voiceflowtest.Assistant) {
	t.Helper()
	key := known.Key
	m.report(exitFailure, "version_id,token,name\n"+known.VersionID+","+key+",\n"+key+","+key+",\n"+known.VersionID+","+key+","+key+"\n\""+key+"\n"+key+"\n",
		[]string{"project", "import", "--csv", "-"}, "line 3 was refused", "line 4 was refused", "line 5 was refused", "line 6 was refused",
		"added 0, there already 1, refused 4")
	m.report(exitFailure, `[{"version_id":"`+known.VersionID+`","token":"`+key+`"},{"`+key+`":1},"`+key+`",`+key,
		[]string{"project", "import", "--json", "-"}, "line 1 (element 2) was refused", "line 1 (element 3) was refused", "added 0, there already 1, refused 2")
	for _, args := range [][]string{
		{"import", "--csv", key}, {"import", "--identity", key, key}, {"export", "--recipient", key, "new.age"},
	} {
		m.fails(exitFailure, "", key, append([]string{"project"}, args...)...)
	}
	m.must("", "project", "export", "--recipient", identity(t).Recipient().String(), filepath.Join(m.data(), "all.age"))
}

// tracesOf returns the forms in which a key could show: the key, its secret part alone, and its
// encodings. In base64 the form depends on where in the text the key begins, so there are three.
func tracesOf(key string) map[string]string {
	traces := map[string]string{
		"as it is": key, "its secret part": key[strings.LastIndexAny(key, "._")+1:], "in hexadecimal": hex.EncodeToString([]byte(key)),
		"in lower case": strings.ToLower(key),
	}
	for from := range 3 {
		part := key[from : len(key)-(len(key)-from)%3]
		traces["in base64 from "+part[:3]] = base64.RawStdEncoding.EncodeToString([]byte(part))
	}
	return traces
}

// faults returns the ways in which Voiceflow may fail. Some of them repeat the key.
func faults(key string) []voiceflowtest.Fault {
	list := []voiceflowtest.Fault{
		voiceflowtest.Silent(), voiceflowtest.SlowBody(nil), voiceflowtest.EndlessBody(), voiceflowtest.EndlessSpace(),
		voiceflowtest.GiantString(8 << 20), voiceflowtest.Nested(100_000), voiceflowtest.Truncated(10), voiceflowtest.Followed(key),
		voiceflowtest.WrongLength(5), voiceflowtest.WrongLength(-5), voiceflowtest.Reset(-1), voiceflowtest.Reset(20),
		voiceflowtest.Redirect(http.StatusFound, "/?key="+key), voiceflowtest.RetryLater(http.StatusTooManyRequests, "0"),
		voiceflowtest.GzipGarbage(),
		voiceflowtest.Answer(http.StatusUnauthorized, "application/json", `{"message":"no such key: `+key+`"}`),
		voiceflowtest.Answer(http.StatusBadGateway, "text/html", "<p>"+key+"</p>"),
		voiceflowtest.Answer(http.StatusOK, "application/json", `{"project":`+key),
		voiceflowtest.Answer(http.StatusOK, "application/json", `{"project":{"_id":"`+key+`"}}`),
		func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n" + key + "\r\n\r\n"))
				_ = conn.Close()
			}
		},
	}
	for _, status := range []int{400, 403, 404, 408, 500, 503} {
		list = append(list, voiceflowtest.Status(status, voiceflowtest.FormLegacy))
	}
	return list
}

// everyRoute calls each route correctly.
func everyRoute(t *testing.T, admin, member *browser, id string, known voiceflowtest.Assistant, personal string) {
	t.Helper()
	ben := userID(t, admin, "ben")
	grant := body{"user_id": ben, "project_id": id}
	eve := body{"username": "eve", "password": memberPassword, "assistants": []string{id}}
	for _, c := range []struct {
		by           *browser
		method, path string
		params       any
		want         string
	}{
		{admin, "POST", "/add_project", adding(known), "400 already_added"},
		{member, "POST", "/add_project", adding(known), "401 not_allowed"},
		{admin, "GET", "/get_projects", nil, "200"},
		{admin, "GET", "/get_projects?limit=1", nil, "200"},
		{admin, "POST", "/grant_project", grant, "200"},
		{member, "POST", "/set_project", body{"project_id": known.ProjectID}, "200"},
		{member, "GET", "/check_session", nil, "200"},
		{member, "POST", runtimeAt + "/state/user/ben/interact", says("hi"), "200"},
		{member, "POST", runtimeAt + "/v2/project/" + known.ProjectID + "/user/ben/interact/stream", says("hi"), "200"},
		{member, "POST", runtimeAt + "/v4/project/" + known.ProjectID + "/session", body{"userID": "ben"}, "200"},
		{member, "DELETE", runtimeAt + "/state/user/ben", nil, "200"},
		{member, "GET", "/voiceflow/api/v2/versions/" + known.VersionID + "/export", nil, "403 not_allowed"},
		{member, "POST", "/create_access_token", body{"name": "x", "project_id": id, "password": memberPassword}, "200"},
		{member, "GET", "/get_access_tokens", nil, "200"},
		{admin, "GET", "/get_access_tokens", nil, "200"},
		{admin, "GET", "/get_grants", nil, "200"},
		{admin, "GET", "/get_usage", nil, "200"},
		{admin, "POST", "/set_token", body{"project_id": id, "token": known.SecondKey, "slot": "secondary"}, "200"},
		{admin, "POST", "/set_token", body{"project_id": id, "token": known.Key}, "200"},
		{admin, "POST", "/set_environments", body{"project_id": id, "environments": body{"default": known.Key}}, "400 invalid_request"},
		{admin, "POST", "/set_environments", body{"project_id": id, "environments": body{"allowed": known.Key}}, "400 invalid_request"},
		{admin, "POST", "/set_picture_origins", body{"project_id": id, "origins": []string{known.Key}}, "400 invalid_request"},
		{admin, "POST", "/set_picture_origins", body{"project_id": id, "origins": []string{"https://" + known.Key}}, "400 invalid_request"},
		{member, "POST", "/create_access_token", body{"name": "x", "project_id": id, "environments": []string{known.Key}, "password": memberPassword}, "400 invalid_request"},
		{member, "POST", "/set_token", body{"project_id": id, "token": known.Key}, "403 not_allowed"},
		{admin, "POST", "/set_token", body{"project_id": id, "token": known.Key, "slot": known.Key}, "400 invalid_request"},
		{admin, "POST", "/set_token", body{"project_id": id, "token": personal, "slot": "personal"}, "200"},
		{admin, "POST", "/set_token", body{"project_id": id, "token": personal}, "400 invalid_request"},
		{admin, "POST", "/set_token", body{"project_id": id, "token": known.Key, "slot": "personal"}, "400 invalid_request"},
		{member, "POST", "/set_token", body{"project_id": id, "token": personal, "slot": "personal"}, "403 not_allowed"},
		{admin, "POST", "/delete_token", body{"project_id": id, "slot": "primary"}, "400 invalid_request"},
		{admin, "POST", "/delete_token", body{"project_id": id, "slot": personal}, "400 invalid_request"},
		{member, "POST", "/delete_token", body{"project_id": id, "slot": "personal"}, "403 not_allowed"},
		{admin, "POST", "/check_project", body{"project_id": id}, "200"},
		{member, "GET", "/get_sessions", nil, "200"},
		{admin, "GET", "/get_sessions?user_id=" + ben, nil, "200"},
		{member, "POST", "/delete_session", body{"session_id": ben}, "404 not_found"},
		{admin, "GET", "/get_audit_events", nil, "200"},
		{member, "GET", "/get_audit_events", nil, "403 not_allowed"},
		{member, "POST", "/clear_project", nil, "200"},
		{member, "POST", "/change_password", body{"password": memberPassword, "new_password": adminPassword}, "200"},
		{admin, "POST", "/revoke_project", grant, "200"},
		{admin, "PATCH", "/update_user", body{"user_id": ben, "assistants": []string{id}}, "200"},
		{admin, "POST", "/create_user", eve, "200"},
		{admin, "GET", "/get_all_users", nil, "200"},
		{admin, "GET", "/healthz", nil, "200"},
		{admin, "GET", "/readyz", nil, "200"},
		{member, "POST", "/logout", nil, "200"},
		{admin, "POST", "/delete_user_sessions", body{"user_id": ben}, "200"},
	} {
		c.by.want(c.by.send(c.method, c.path, c.params), c.want)
	}
	admin.want(admin.post("/delete_user", body{"user_id": userID(t, admin, "eve")}), "200")
	admin.want(admin.post("/delete_project", body{"project_id": id}), "200")
	admin.want(admin.post("/add_project", adding(known)), "200")
}

// keyInTheWrongPlaces sends the key in every place into which a user may paste it by mistake.
// Every answer must be an error.
func keyInTheWrongPlaces(t *testing.T, b *browser, key string) {
	t.Helper()
	for _, c := range []struct {
		method, path string
		params       any
	}{
		{"POST", "/login", body{"username": key, "password": key}},
		{"POST", "/login", body{"username": "ada", "password": key}},
		{"POST", "/set_project", body{"project_id": key}},
		{"POST", "/delete_project", body{"project_name": key}},
		{"POST", "/delete_project", body{"project_id": key}},
		{"POST", "/add_project", body{"version_id": key, "token": key}},
		{"POST", "/add_project", body{"version_id": "main", "token": key, "voiceflow_project_id": key}},
		{"POST", "/add_project", body{"version_id": "65f1c0ffee0123456789abcd", "token": key + " " + key}},
		{"POST", "/add_project", body{"version_id": "65f1c0ffee0123456789abcd", "token": []string{key}}},
		{"POST", "/grant_project", body{"user_id": key, "project_id": key}},
		{"POST", "/set_token", body{"project_id": key, "token": key}},
		{"POST", "/set_token", body{"project_id": "65f1c0ffee0123456789abcd", "token": key + " " + key}},
		{"POST", "/check_project", body{"project_id": key}},
		{"POST", "/change_password", body{"password": key, "new_password": key}},
		{"POST", "/create_user", body{"username": "eve", "password": key, "role": key}},
		{"PATCH", "/update_user", body{"user_id": key, "role": key}},
		{"POST", "/delete_user", body{"user_id": key}},
		{"POST", "/delete_session", body{"session_id": key}},
		{"GET", "/get_sessions?cursor=" + key, nil},
		{"GET", "/get_projects?cursor=" + key, nil},
		{"GET", "/get_projects?limit=" + key, nil},
		{"GET", "/" + key, nil},
		{"GET", "/login?token=" + key, nil},
		{"POST", "/add_project?token=" + key, body{}},
	} {
		if got := b.send(c.method, c.path, c.params); got.status < 400 || got.status >= 500 {
			t.Errorf("%s %s: got %s, want a refusal", c.method, c.path, got)
		}
	}
	for _, text := range []string{`{"token":"` + key, `{"token":"` + key + `","token":"` + key + `"}`, `{"` + key + `":1,"` + key + `":1}`, key, `"` + key + `"`} {
		got, err := b.tryRaw("POST", "/add_project", text, http.Header{"Content-Type": {"application/json"}})
		if err != nil || got.String() != "400 invalid_request" {
			t.Errorf("a body that is no JSON: got %s, %v", got, err)
		}
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + key, "Content-Type": key, "Origin": "https://" + key, "X-Request-Id": key, "X-Forwarded-For": key, "Referer": key,
	} {
		head := http.Header{"Content-Type": {"application/json"}}
		head.Set(name, value)
		if _, err := b.tryRaw("POST", "/set_project", "{}", head); err != nil {
			t.Error(err)
		}
	}
	stranger := newBrowser(t, b.url)
	stranger.seen = b.seen
	for _, cookie := range []string{"user_session=" + key, "assistant_session=" + key} {
		if _, err := stranger.tryRaw("GET", "/check_session", "", http.Header{"Cookie": {cookie}}); err != nil {
			t.Error(err)
		}
	}
}

// contentOf returns the content of every file in the folder.
func contentOf(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		_, _ = all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// tablesOf returns every row of every table of the Postgres database, as text.
func tablesOf(t *testing.T, dsn string) string {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var all string
	// query_to_xml can read a table whose name is data.
	err = db.QueryRow(`SELECT string_agg(query_to_xml(format('SELECT t::text FROM %I.%I t', schemaname, tablename), true, false, '')::text, '')
		FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`).Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
