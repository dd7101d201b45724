package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

func TestUsageErrorsExitWith2(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no command", nil, "expected one of"},
		{"an unknown command", []string{"srve"}, "serve"},
		{"a command without its own", []string{"user"}, "flowlatch user --help"},
		{"a flag that does not exist", []string{"serve", "--colour=red"}, "unknown flag --colour"},
		{"a flag of serve elsewhere", []string{"user", "list", "--addr=:1"}, "unknown flag --addr"},
		{"a flag for a secret", []string{"serve", "--database-url=postgres://h/d"}, "unknown flag --database-url"},
		{"a flag that demo has not", []string{"demo", "--data-dir=/srv"}, "unknown flag --data-dir"},
		{"an argument that is missing", []string{"user", "create"}, `expected "<name>"`},
	} {
		t.Run(tc.name, func(t *testing.T) { m.fails(exitUsage, tc.want, "", tc.args...) })
	}
}

func TestASecretOnTheCommandLineIsNotRepeated(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	for _, args := range [][]string{
		{"project", "add", "65f1c0ffee0123456789abcd", "VF.DM.secret"},
		{"project", "add", "65f1c0ffee0123456789abcd", "--key=VF.DM.secret"},
		{"user", "passwd", "ben", "VF.DM.secret"},
		{"serve", "--database-url=VF.DM.secret"},
	} {
		m.fails(exitUsage, "see flowlatch", "", args...)
	}
	if strings.Contains(m.said.String(), "VF.DM.secret") {
		t.Errorf("a secret is repeated:\n%s", m.said)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	all := m.must("", "--help")
	for _, command := range []string{
		"serve", "demo", "setup-link", "login-link", "user create", "user list", "user disable", "user enable", "user passwd", "user grant", "user revoke",
		"project add", "project list", "project delete", "project import", "project export",
		"voiceflow origins", "keys new", "keys status", "keys rotate", "keys rewrap", "keys retire", "audit verify", "audit export", "audit unfinished",
		"migrate up", "migrate status", "backup", "restore", "healthcheck", "version",
	} {
		t.Run(command, func(t *testing.T) {
			help := m.must("", append(strings.Fields(command), "--help")...)
			if !strings.HasPrefix(help, "Usage: flowlatch "+command) || !strings.Contains(help, "flowlatch "+command+"\n") && !strings.Contains(help, "flowlatch "+command+" ") {
				t.Errorf("no usage or example of %q in\n%s", command, help)
			}
			if !strings.Contains(all, strings.Fields(command)[0]) {
				t.Errorf("%q is not in flowlatch --help", command)
			}
		})
	}
}

func TestVersionNamesItself(t *testing.T) {
	got := newMachine(t, startVoiceflow(t)).must("", "version")
	if !strings.HasPrefix(got, "flowlatch ") || !strings.Contains(got, " go1.") {
		t.Errorf("got %q", got)
	}
}

func TestUsersByCommands(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))

	made := m.must(adminPassword+"\n", "user", "create", "--admin", "Ada")
	if !strings.Contains(made, "created the data folder "+m.data()) || !strings.Contains(made, "created the admin ada") {
		t.Errorf("user create says %q, want where the data folder is and whom it made", made)
	}
	if again := m.must(memberPassword, "user", "create", "ben"); strings.Contains(again, "data folder") {
		t.Errorf("a second user create says %q", again)
	}
	for _, tc := range []struct {
		name, want, input string
		args              []string
	}{
		{"a name that is taken", "taken", memberPassword + "\n", []string{"user", "create", "ben"}},
		{"an invalid name", "username can only contain", memberPassword + "\n", []string{"user", "create", "ben!"}},
		{"no password", "the first line of standard input is empty; it should be the password", "", []string{"user", "create", "eve"}},
		{"an empty password", "is empty; it should be the password", "\n", []string{"user", "create", "eve"}},
		{"a short password", "shorter than 8", "short\n", []string{"user", "create", "eve"}},
		{"a common password", "too easy to guess", "password1\n", []string{"user", "create", "eve"}},
		{"a line without an end in sight", "too long", strings.Repeat("x", 1<<20), []string{"user", "create", "eve"}},
		{"the last admin", "last admin", "", []string{"user", "disable", "ada"}},
		{"a user who does not exist", "no such user", "", []string{"user", "enable", "eve"}},
		{"a password for nobody", "no such user", memberPassword, []string{"user", "passwd", "eve"}},
		{"a grant to nobody", "no such user", "", []string{"user", "grant", "eve", "Pizza"}},
		{"a grant of nothing", "no such assistant", "", []string{"user", "grant", "ben", "Pizza"}},
	} {
		t.Run(tc.name, func(t *testing.T) { m.fails(exitFailure, tc.want, tc.input, tc.args...) })
	}

	m.must("", "user", "disable", "ben")
	list := m.must("", "user", "list")
	rows := strings.Split(strings.TrimSpace(list), "\n")
	if len(rows) != 3 || strings.Join(strings.Fields(rows[0]), " ") != "NAME ROLE STATE GRANTS CREATED ID IDENTITY" ||
		!strings.HasPrefix(strings.Join(strings.Fields(rows[1]), " "), "ada admin enabled 0 ") ||
		!strings.HasPrefix(strings.Join(strings.Fields(rows[2]), " "), "ben member disabled 0 ") {
		t.Errorf("user list prints\n%s", list)
	}
	if strings.Index(rows[1], "admin") != strings.Index(rows[2], "member") {
		t.Errorf("the columns are not aligned:\n%s", list)
	}
	m.must("", "user", "enable", "ben")

	var user struct {
		ID, Username, Role, Created string
		Disabled                    bool
		Assistants                  []string
	}
	line := strings.Split(m.must("", "user", "list", "--json"), "\n")[1]
	if err := json.Unmarshal([]byte(line), &user); err != nil {
		t.Fatal(err)
	}
	if user.Username != "ben" || user.Role != "member" || user.Disabled || user.Assistants == nil || len(user.ID) != 36 || !instantWithin(user.Created, patience) {
		t.Errorf("user list --json prints %s", line)
	}
}

func TestCommandsActOnARunningService(t *testing.T) {
	pizza, trains := newAssistant("Pizza Palace"), newAssistant("Train times")
	m := newMachine(t, startVoiceflow(t, pizza, trains))
	s := serving(t, m)
	admin, member := s.admin(), s.member()
	admin.want(admin.get("/get_projects"), "404 not_found")

	m.must(pizza.Key+"\n", "project", "add", pizza.VersionID)
	m.must(trains.Key, "project", "add", trains.Aliases[0], "--voiceflow-project", trains.ProjectID)
	added := admin.want(admin.get("/get_projects"), "200").listed(t)
	if len(added) != 2 || added[0].Name != "Pizza Palace" {
		t.Fatalf("listed %v", added)
	}

	member.want(member.get("/get_projects"), "404 not_found")
	for _, by := range []string{"Pizza Palace", pizza.ProjectID, added[0].ID} {
		m.must("", "user", "grant", "ben", by)
		member.want(member.post("/set_project", body{"project_id": pizza.ProjectID}), "200")
		m.must("", "user", "revoke", "ben", by)
		member.want(member.post("/set_project", body{"project_id": pizza.ProjectID}), "401 not_allowed")
	}

	m.must("", "user", "disable", "ben")
	member.want(member.get("/get_projects"), "401 not_authenticated")
	m.must("", "user", "enable", "ben")
	member = s.member()
	m.must("", "user", "grant", "ben", pizza.ProjectID)
	_, token := newToken(member, body{"name": "x", "project_id": pizza.ProjectID})
	program := member.program(token)
	if said := m.must(memberPassword+"\n", "user", "passwd", "--keep-access-tokens", "ben"); !strings.Contains(said, "their access tokens still work") {
		t.Errorf("user passwd --keep-access-tokens says %q", said)
	}
	program.want(program.get("/check_session"), "200")
	if said := m.must(adminPassword+"\n", "user", "passwd", "ben"); !strings.Contains(said, "their access tokens are deleted") {
		t.Errorf("user passwd says %q", said)
	}
	program.want(program.get("/check_session"), "401 not_authenticated")
	member.want(member.get("/get_projects"), "401 not_authenticated")
	newBrowser(t, s.url).login("ben", adminPassword)

	for _, what := range []string{"Pizza Palace", trains.ProjectID} {
		m.must("", "project", "delete", what)
	}
	admin.want(admin.get("/get_projects"), "404 not_found")
	m.fails(exitFailure, "no such assistant", "", "project", "delete", "Pizza Palace")
	s.stop()
}

func TestProjectsByCommands(t *testing.T) {
	const shady = "Evil\x1b[2J\u202e\u0085\nname"
	one, two, evil := newAssistant("Twin"), newAssistant("Twin"), newAssistant(shady)
	m := newMachine(t, startVoiceflow(t, one, two, evil))
	m.fails(exitFailure, "there is no data folder "+m.data(), "", "project", "list")
	m.must(adminPassword, "user", "create", "--admin", "ada")
	if got := m.must("", "project", "list"); strings.TrimSpace(got) != "NAME  VOICEFLOW PROJECT  VERSION  MODE  ENVIRONMENTS  DRAFTS  CREATED  ID" {
		t.Errorf("an empty list is %q", got)
	}
	for _, tc := range []struct {
		name, want, input string
		args              []string
	}{
		{"no key", "API key of the assistant", "", []string{"project", "add", one.VersionID}},
		{"an invalid version", "version_id can only contain", one.Key, []string{"project", "add", "a b"}},
		{"an alias alone", "voiceflow_project_id is needed", one.Key, []string{"project", "add", "production"}},
		{"a wrong key", "Voiceflow rejected the key", voiceflowtest.NewKey(), []string{"project", "add", one.VersionID}},
	} {
		t.Run(tc.name, func(t *testing.T) { m.fails(exitFailure, tc.want, tc.input, tc.args...) })
	}
	for _, a := range []voiceflowtest.Assistant{one, two, evil} {
		m.must(a.Key, "project", "add", a.VersionID)
	}
	m.fails(exitFailure, "Twin has the Id", one.Key, "project", "add", one.VersionID) // it was added before
	for _, args := range [][]string{{"project", "delete", "Twin"}, {"user", "grant", "ada", "Twin"}} {
		m.fails(exitFailure, "several assistants match", "", args...)
	}

	table, lines := m.must("", "project", "list"), m.must("", "project", "list", "--json")
	for _, text := range []string{table, lines} {
		if strings.ContainsAny(text, "\x1b\u202e\u0085") || strings.Count(text, "\n") > 4 {
			t.Errorf("characters that command a terminal are printed: %q", text)
		}
	}
	if want := `"Evil\x1b[2J\u202e\u0085\nname"`; !strings.Contains(table, want) {
		t.Errorf("%s is not in\n%s", want, table)
	}
	var p struct{ Name, ID, Created, VoiceflowProject, Version string }
	if err := json.Unmarshal([]byte(strings.Split(lines, "\n")[0]), &p); err != nil {
		t.Fatal(err)
	}
	if p.Name != shady || len(p.ID) != 36 || p.VoiceflowProject != evil.ProjectID || p.Version != evil.VersionID || !instantWithin(p.Created, patience) {
		t.Errorf("project list --json prints %+v", p)
	}
}

func TestKeysOfProjectsByCommands(t *testing.T) {
	a, b := newAssistant("Pizza Palace"), newAssistant("Train times")
	first, second := a.Key, voiceflowtest.NewKey()
	v := startVoiceflow(t, a, b)
	live := func(key, second string) {
		t.Helper()
		a.Key, a.SecondKey = key, second
		if err := v.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(t, v)
	m.must("", "migrate", "up")
	if got := m.must("", "project", "check", "--all"); got != "" {
		t.Errorf("a check of no assistants prints %q", got)
	}
	m.must(first, "project", "add", a.VersionID)
	m.must(b.Key, "project", "add", b.VersionID)

	m.fails(exitFailure, "rejected the key for Pizza Palace", second, "project", "set-token", "Pizza Palace", "--slot", "secondary")
	m.fails(exitFailure, "rejected the key for Pizza Palace", b.Key, "project", "set-token", "Pizza Palace")
	m.fails(exitFailure, "slot must be primary, secondary or personal", second, "project", "set-token", "Pizza Palace", "--slot", "third")
	m.fails(exitFailure, "no such assistant", second, "project", "set-token", "Nothing")
	m.fails(exitFailure, "API key of the assistant", "", "project", "set-token", "Pizza Palace")
	live(first, second)
	if got := m.must(second, "project", "set-token", a.ProjectID, "--slot", "secondary"); got != "set the secondary key of Pizza Palace\n" {
		t.Errorf("project set-token prints %q", got)
	}

	check := func(code int, args []string, want ...string) {
		t.Helper()
		r := m.run("", append([]string{"project", "check"}, args...)...)
		if r.code != code {
			t.Errorf("project check %v: exit code %d, want %d: %s", args, r.code, code, r.stderr)
		}
		lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
		if len(lines) != len(want) {
			t.Fatalf("project check %v prints %q, want %d lines", args, r.stdout, len(want))
		}
		for i, line := range lines {
			if _, said, _ := strings.Cut(line, " "); said != want[i] {
				t.Errorf("project check %v prints %q, want %q", args, said, want[i])
			}
		}
	}
	all := []string{"--all"}
	check(exitOK, all, "Pizza Palace: primary ok, secondary ok, personal none", "Train times: primary ok, secondary none, personal none")
	check(exitOK, []string{"Train times"}, "Train times: primary ok, secondary none, personal none")
	live(second, "")
	check(exitFailure, all, "Pizza Palace: primary rejected, secondary ok, personal none", "Train times: primary ok, secondary none, personal none")
	v.Fail(voiceflowtest.Status(503, voiceflowtest.FormLegacy))
	const unanswered = "; Voiceflow gave no usable answer"
	check(exitFailure, []string{b.ProjectID}, "Train times: primary ok, secondary none, personal none"+unanswered)
	check(exitFailure, all, "Pizza Palace: primary rejected, secondary ok, personal none"+unanswered, "Train times: primary ok, secondary none, personal none"+unanswered)
	v.Fail(nil)
	m.must(second, "project", "set-token", "Pizza Palace")
	check(exitOK, []string{a.ProjectID}, "Pizza Palace: primary ok, secondary ok, personal none")
	personalKeyByCommands(t, v, m, a)
	check(exitOK, []string{a.ProjectID}, "Pizza Palace: primary ok, secondary ok, personal none")
	m.fails(exitFailure, "name one assistant, or give --all", "", "project", "check")
	m.fails(exitFailure, "name one assistant, or give --all", "", "project", "check", "Pizza Palace", "--all")
	m.fails(exitFailure, "no such assistant", "", "project", "check", "Nothing")
}

// personalKeyByCommands sets, checks, renews and deletes the personal key of Pizza Palace.
func personalKeyByCommands(t *testing.T, v *voiceflowtest.Server, m *machine, a voiceflowtest.Assistant) {
	t.Helper()
	token, renewed, ofOthers := voiceflowtest.NewPersonalToken(), voiceflowtest.NewPersonalToken(), voiceflowtest.NewPersonalToken()
	v.AddPersonalToken(token, a.ProjectID)
	v.AddPersonalToken(renewed, a.ProjectID)
	v.AddPersonalToken(ofOthers, newAssistant("Other").ProjectID)
	set := []string{"project", "set-token", "Pizza Palace", "--slot", "personal"}
	m.fails(exitFailure, "Voiceflow rejected the personal access token for Pizza Palace", ofOthers, set...)
	m.fails(exitFailure, "its slot is primary or secondary", a.Key, set...)
	m.fails(exitFailure, "its slot is personal", token, "project", "set-token", "Pizza Palace")
	if got := m.must(token, set...); got != "set the personal key of Pizza Palace\n" {
		t.Errorf("project set-token prints %q", got)
	}
	const good, expired = "primary ok, secondary ok, personal ok", "primary ok, secondary ok, personal rejected"
	if r := m.run("", "project", "check", "Pizza Palace"); r.code != exitOK || !strings.Contains(r.stdout, good) {
		t.Errorf("project check of three keys: exit code %d, %s%s", r.code, r.stdout, r.stderr)
	}
	v.ExpirePersonalToken(token)
	if r := m.run("", "project", "check", "Pizza Palace"); r.code != exitFailure || !strings.Contains(r.stdout, expired) {
		t.Errorf("project check of a token that has expired: exit code %d, %s%s", r.code, r.stdout, r.stderr)
	}
	m.must(renewed, set...)
	if r := m.run("", "project", "check", "Pizza Palace"); r.code != exitOK || !strings.Contains(r.stdout, good) {
		t.Errorf("project check of a renewed token: exit code %d, %s%s", r.code, r.stdout, r.stderr)
	}
	remove := []string{"project", "delete-token", "Pizza Palace", "--slot"}
	m.fails(exitFailure, "the primary key can't be deleted", "", append(remove, "primary")...)
	m.fails(exitFailure, "slot must be secondary or personal", "", append(remove, "third")...)
	m.fails(exitFailure, "no such assistant", "", "project", "delete-token", "Nothing", "--slot", "personal")
	if got := m.must("", append(remove, "personal")...); got != "deleted the personal key of Pizza Palace\n" {
		t.Errorf("project delete-token prints %q", got)
	}
	m.fails(exitFailure, "Pizza Palace has no personal key", "", append(remove, "personal")...)
	m.noKeyIn(token, renewed, ofOthers)
}

func TestKeysNew(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	file := filepath.Join(m.folder, "keyset.json")
	m.must("", "keys", "new", "keyset.json")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "already", "", "keys", "new", "keyset.json")
	m.fails(exitFailure, "no such file", "", "keys", "new", "nowhere/keyset.json")
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the keyset is another one now (%v)", err)
	}
	m.with("FLOWLATCH_KEYSET_FILE", file).must(adminPassword, "user", "create", "ada")
	m.with("FLOWLATCH_KEYSET", string(before)).must("", "user", "list")
	if _, err := os.Stat(filepath.Join(m.data(), "keyset.json")); !os.IsNotExist(err) {
		t.Errorf("a keyset is in the data folder, though one is named (%v)", err)
	}
}

func TestMigrate(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	m.fails(exitFailure, "there is no data folder", "", "migrate", "status")
	if got := m.must("", "migrate", "up"); !strings.Contains(got, "created the data folder "+m.data()) || !strings.Contains(got, "applied 0001_initial") {
		t.Errorf("migrate up says %q", got)
	}
	if got := m.must("", "migrate", "up"); got != "the schema is up to date\n" {
		t.Errorf("a second migrate up says %q", got)
	}
	if got := m.must("", "migrate", "status"); !strings.Contains(got, "0001_initial") || strings.Contains(got, "not yet") {
		t.Errorf("migrate status says %q", got)
	}
	m.must(adminPassword, "user", "create", "ada") // in the database of migrate up
}

func TestUnknownVariablesAreOneWarningEach(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATA_DIRR", "/srv")
	r := m.run(adminPassword, "user", "create", "ada")
	if r.code != exitOK || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "FLOWLATCH_DATA_DIRR is not known and not read; the nearest known is FLOWLATCH_DATA_DIR") {
		t.Errorf("exit code %d, standard error %q", r.code, r.stderr)
	}
}
