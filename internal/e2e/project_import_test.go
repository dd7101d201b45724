package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// noKeyIn fails the test if the output or the stored data contain a key.
func (m *machine) noKeyIn(keys ...string) {
	m.t.Helper()
	for where, text := range map[string]string{"what was printed": m.said.String(), "the data folder": contentOf(m.t, m.data())} {
		for _, key := range keys {
			for form, trace := range tracesOf(key) {
				if strings.Contains(text, trace) {
					m.t.Errorf("a key is found in %s, %s", where, form)
				}
			}
		}
	}
}

// write creates a file in the folder of the machine, with mode 0600.
func (m *machine) write(name, content string) string {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.folder, name), []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return name
}

// names returns the names of the assistants.
func (m *machine) names() []string {
	m.t.Helper()
	var names []string
	for line := range strings.Lines(m.must("", "project", "list", "--json")) {
		var p struct{ Name string }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			m.t.Fatal(err)
		}
		names = append(names, p.Name)
	}
	return names
}

// report runs a command and checks the exit code and standard output: each line must begin as
// the line of lines does. It returns standard error without the lines of progress.
func (m *machine) report(code int, input string, args []string, lines ...string) string {
	m.t.Helper()
	r := m.run(input, args...)
	got := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	wrong := r.code != code || len(got) != len(lines)
	for i := range lines {
		wrong = wrong || !strings.HasPrefix(got[i], lines[i])
	}
	if wrong {
		m.t.Errorf("flowlatch %s: exit code %d, want %d\n%s%swant\n%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr, strings.Join(lines, "\n"))
	}
	var said strings.Builder
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "flowlatch: adding: ") {
			said.WriteString(line)
		}
	}
	return said.String()
}

// downFor returns a fault: Voiceflow is down for requests with the key.
func downFor(key string) voiceflowtest.Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		if r.Header.Get("Authorization") == key {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer.ServeHTTP(w, r)
	}
}

func TestImport(t *testing.T) {
	pizza, trains, down, alias := newAssistant("Pizza, \"hot\""), newAssistant("Train times"), newAssistant("Down"), newAssistant("Alias")
	wrong := voiceflowtest.NewKey()
	v := startVoiceflow(t, pizza, trains, down, alias)
	v.Fail(downFor(down.Key))
	m := newMachine(t, v)
	m.must("", "migrate", "up")

	csv := strings.Join([]string{
		"version_id,token,name,voiceflow_project_id",
		pizza.VersionID + "," + pizza.Key + `,"Pizza, ""hot""",`,
		pizza.VersionID + "," + wrong + ",,",
		trains.VersionID + "," + trains.Key + ",Trains,",
		"",
		`oops,"` + trains.Key,
		down.VersionID + "," + down.Key + ",Down,",
		alias.Aliases[0] + "," + alias.Key + ",,",
		alias.Aliases[0] + "," + alias.Key + ",Alias," + alias.ProjectID,
		pizza.VersionID + "," + pizza.Key + ",,",
		trains.Key + "," + trains.VersionID + ",,",
	}, "\r\n")
	refused := func(line func(csv int) string, malformed string) []string {
		return []string{
			line(3) + " was refused: Voiceflow rejected the key",
			line(4) + ` was refused: the name at Voiceflow is different: "Train times"`,
			line(6) + " was refused: " + malformed,
			line(7) + " was refused: Voiceflow gave no usable answer; try again later",
			line(8) + " was refused: version_id is an environment alias, so voiceflow_project_id is needed",
			line(11) + " was refused: version_id can only contain letters",
		}
	}
	ofCSV := refused(func(n int) string { return fmt.Sprint("line ", n) }, "a quotation mark is out of place")
	args := []string{"project", "import", "--csv", m.write("assistants.csv", csv)}
	said := m.report(exitFailure, "", args, append(ofCSV, "added 2, there already 1, refused 6")...)
	if said != "flowlatch: 6 of 9 assistants were refused\n" {
		t.Errorf("standard error is %q", said)
	}
	before := m.must("", "project", "list")
	m.report(exitFailure, "", args, append(ofCSV, "added 0, there already 3, refused 6")...)
	m.report(exitFailure, csv, []string{"project", "import", "--csv", "-"}, append(ofCSV, "added 0, there already 3, refused 6")...)

	// The same list in JSON.
	array := strings.Join([]string{
		"[",
		`{"version_id":"` + pizza.VersionID + `","token":"` + pizza.Key + `","name":"Pizza, \"hot\""},`,
		`{"version_id":"` + pizza.VersionID + `","token":"` + wrong + `"},`,
		`{"version_id":"` + trains.VersionID + `","token":"` + trains.Key + `","name":"Trains"},`,
		"",
		`{"version_id":"oops","` + trains.Key + `":1},`,
		`{"version_id":"` + down.VersionID + `","token":"` + down.Key + `","name":"Down"},`,
		`{"version_id":"` + alias.Aliases[0] + `","token":"` + alias.Key + `"},`,
		`{"version_id":"` + alias.Aliases[0] + `","token":"` + alias.Key + `","voiceflow_project_id":"` + alias.ProjectID + `"},`,
		`{"version_id":"` + pizza.VersionID + `","token":"` + pizza.Key + `"},`,
		`{"version_id":"` + trains.Key + `","token":"` + trains.VersionID + `"}`,
		"]",
	}, "\n")
	element := func(n int) string {
		if n > 5 {
			return fmt.Sprintf("line %d (element %d)", n, n-2)
		}
		return fmt.Sprintf("line %d (element %d)", n, n-1)
	}
	ofJSON := refused(element, "it has an unknown member")
	m.report(exitFailure, "", []string{"project", "import", "--json", m.write("assistants.json", array)}, append(ofJSON, "added 0, there already 3, refused 6")...)
	if after := m.must("", "project", "list"); after != before {
		t.Errorf("what was imported again is changed:\n%swant\n%s", after, before)
	}

	// The refused entries are corrected and added. Then every assistant is there.
	v.Fail(nil)
	m.report(exitOK, "version_id,token\n"+down.VersionID+","+down.Key+"\n"+trains.VersionID+","+trains.Key+"\n", []string{"project", "import", "--csv", "-"},
		"added 2, there already 0, refused 0")
	everyKeyOpens(t, m, map[string]voiceflowtest.Assistant{m.idOf("Pizza, \"hot\""): pizza, m.idOf("Train times"): trains, m.idOf("Down"): down, m.idOf("Alias"): alias})
	m.noKeyIn(pizza.Key, trains.Key, down.Key, alias.Key, wrong)
}

// idOf returns the Id of the assistant with that name.
func (m *machine) idOf(name string) string {
	m.t.Helper()
	for line := range strings.Lines(m.must("", "project", "list", "--json")) {
		var p struct{ Name, ID string }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			m.t.Fatal(err)
		}
		if p.Name == name {
			return p.ID
		}
	}
	m.t.Fatalf("there is no %s", name)
	return ""
}

func TestImportOfAFileThatCantBeRead(t *testing.T) {
	a := newAssistant("Pizza")
	m := newMachine(t, startVoiceflow(t, a))
	m.must("", "migrate", "up")
	good := `{"version_id":"` + a.VersionID + `","token":"` + a.Key + `"}`
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"no file", "no such file", []string{"--csv", "nowhere.csv"}},
		{"a folder", "is a directory", []string{"--csv", "."}},
		{"no names", "nothing was added: the file should begin with a line that names its columns", []string{"--csv", m.write("a.csv", a.VersionID+","+a.Key)}},
		{"JSON that breaks off", "nothing was added: the file ends in the middle", []string{"--json", m.write("a.json", "["+good+",")}},
		{"CSV as JSON", "nothing was added: the file should hold one JSON array", []string{"--json", "a.csv"}},
		{"no identity", "no such file", []string{"--identity", "nowhere.txt", "a.json"}},
		{"an invalid identity", "contains no usable identity", []string{"--identity", "a.csv", "a.json"}},
		{"a device in place of a sealed file", "must be a regular file", []string{"--identity", "a.csv", "/dev/null"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m.fails(exitFailure, tc.want, "", append([]string{"project", "import"}, tc.args...)...)
		})
	}
	for _, args := range [][]string{{}, {"--csv", "a", "--json", "b"}, {"--csv", "a", a.Key}, {"--identity", "k"}} {
		m.fails(exitUsage, "see flowlatch project import --help", "", append([]string{"project", "import"}, args...)...)
	}
	if got := m.names(); len(got) != 0 {
		t.Errorf("%v were added", got)
	}
	// If the file is a pipe, the entries before the error are added.
	said := m.report(exitFailure, "["+good+",", []string{"project", "import", "--json", "-"}, "added 1, there already 0, refused 0")
	if said != "flowlatch: the rest was not added: the file ends in the middle of its JSON\n" {
		t.Errorf("standard error is %q", said)
	}
	m.noKeyIn(a.Key)
}

func TestImportWarnsOfAFileThatEverybodyMayRead(t *testing.T) {
	a := newAssistant("Pizza")
	m := newMachine(t, startVoiceflow(t, a))
	m.must("", "migrate", "up")
	file := m.write("a.csv", "version_id,token\n"+a.VersionID+","+a.Key+"\n")
	if err := os.Chmod(filepath.Join(m.folder, file), 0o644); err != nil {
		t.Fatal(err)
	}
	said := m.report(exitOK, "", []string{"project", "import", "--csv", file}, "added 1, there already 0, refused 0")
	if said != "flowlatch: warning: every user of this machine may read a.csv (mode 0644), which contains keys\n" {
		t.Errorf("standard error is %q", said)
	}
}

// TestImportThatIsInterrupted interrupts an import with each signal. A second run adds the rest.
func TestImportThatIsInterrupted(t *testing.T) {
	const all, before = 12, 5
	for _, tc := range []struct {
		name   string
		signal syscall.Signal
		says   string
	}{
		{"Ctrl-C", syscall.SIGINT, "interrupted; run the same command again to add the rest"},
		{"a crash that prints what runs", syscall.SIGQUIT, "goroutine "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assistants := make([]voiceflowtest.Assistant, all)
			csv, keys := "version_id,token\n", []string{}
			for i := range assistants {
				assistants[i] = newAssistant(fmt.Sprintf("Assistant %02d", i))
				csv += assistants[i].VersionID + "," + assistants[i].Key + "\n"
				keys = append(keys, assistants[i].Key)
			}
			v := startVoiceflow(t, assistants...)
			m := newMachine(t, v)
			m.must("", "migrate", "up")
			v.Fail(func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
				for _, a := range assistants[:before] {
					if strings.Contains(r.URL.Path, a.VersionID) {
						answer.ServeHTTP(w, r)
						return
					}
				}
				<-r.Context().Done() // the others wait for the signal
			})
			s := m.launch("project", "import", "--csv", m.write("a.csv", csv))
			eventually(t, "the first are added", func() bool { return len(m.names()) == before && v.Received() > before })
			if err := s.cmd.Process.Signal(tc.signal); err != nil {
				t.Fatal(err)
			}
			<-s.ended
			if code := s.cmd.ProcessState.ExitCode(); code == exitOK || !strings.Contains(s.stderr.String(), tc.says) {
				t.Errorf("exit code %d, and it says\n%s%s", code, s.stdout, s.stderr)
			}
			if tc.signal == syscall.SIGINT && s.stdout.String() != fmt.Sprintf("added %d, there already 0, refused 0\n", before) {
				t.Errorf("it reports %q", s.stdout)
			}
			v.Fail(nil)
			m.report(exitOK, "", []string{"project", "import", "--csv", "a.csv"}, fmt.Sprintf("added %d, there already %d, refused 0", all-before, before))
			m.noKeyIn(keys...)
		})
	}
}

func TestImportEndsWhileItWaitsForStandardInput(t *testing.T) {
	a := newAssistant("Pizza")
	m := newMachine(t, startVoiceflow(t, a))
	m.must("", "migrate", "up")
	input, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = input.Close(), feed.Close() }()
	cmd := m.command(t.Context(), "project", "import", "--csv", "-")
	var said transcript
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := feed.WriteString("version_id,token\n" + a.VersionID + "," + a.Key + "\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the assistant is added", func() bool { return len(m.names()) == 1 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailure || !strings.Contains(said.String(), "added 1, there already 0, refused 0\nflowlatch: interrupted") {
		t.Errorf("it ended with %v and said\n%s", err, &said)
	}
}
