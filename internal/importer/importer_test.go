// Package importer holds the tests of a program outside of this module that imports it. They
// build the program, run it and call it.
package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

var update = flag.Bool("update", false, "write the host program into the pages that show it")

const (
	root    = "../.."
	program = "testdata/hostprogram"
	// limit bounds what may hang, the building of everything from nothing included.
	limit = 5 * time.Minute
)

func TestAHostProgramMountsTheRoutes(t *testing.T) {
	t.Parallel()
	assistant := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2026)
	upstream, err := voiceflowtest.Start(assistant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Close)
	h := start(t, upstream.URL())
	add := map[string]any{"version_id": assistant.VersionID, "token": assistant.Key}

	h.call("", "POST", "/add_project", add).want(t, http.StatusUnauthorized, "not_authenticated")
	h.call("ben", "POST", "/add_project", add).want(t, http.StatusUnauthorized, "not_allowed")
	added := h.call("ada", "POST", "/add_project", add).want(t, http.StatusOK, "").Assistant
	if added == nil || added.Name != "Pizza Palace" {
		t.Fatalf("/add_project: got %+v, want the assistant's name", added)
	}
	id := added.ID

	listed := h.call("ada", "GET", "/get_projects", nil).want(t, http.StatusOK, "").Assistants
	if d := cmp.Diff([]project{*added}, listed); d != "" {
		t.Errorf("an admin's list (-want +got):\n%s", d)
	}
	h.call("ben", "GET", "/get_projects", nil).want(t, http.StatusNotFound, "not_found")
	h.call("ben", "POST", "/set_project", map[string]any{"project_id": id}).want(t, http.StatusUnauthorized, "not_allowed")

	h.call("ada", "POST", "/grant_project", map[string]any{"user_id": "ben", "project_id": id}).want(t, http.StatusOK, "")
	listed = h.call("ben", "GET", "/get_projects", nil).want(t, http.StatusOK, "").Assistants
	if d := cmp.Diff([]project{*added}, listed); d != "" {
		t.Errorf("a member's list (-want +got):\n%s", d)
	}
	set := h.call("ben", "POST", "/set_project", map[string]any{"project_id": id}).want(t, http.StatusOK, "")
	session := h.call("ben", "GET", "/check_session", nil, set.cookies...).want(t, http.StatusOK, "")
	if d := cmp.Diff(added, session.Assistant); d != "" {
		t.Errorf("the assistant that is set (-want +got):\n%s", d)
	}

	turn := "/voiceflow/general-runtime/state/user/ben/interact"
	h.call("ben", "POST", turn, nil).want(t, http.StatusConflict, "no_assistant")
	h.call("eve", "POST", turn, nil, set.cookies...).want(t, http.StatusUnauthorized, "not_authenticated")
	if got := h.call("ben", "POST", turn, map[string]any{"action": map[string]any{"type": "launch"}}, set.cookies...); got.status != http.StatusOK {
		t.Errorf("a turn through the host program: got status %d and code %q, want 200", got.status, got.Code)
	}
	h.call("ada", "GET", "/get_usage", nil).want(t, http.StatusOK, "")

	h.call("ada", "POST", "/delete_project", map[string]any{"project_name": "Pizza Palace"}).want(t, http.StatusOK, "")
	h.call("ben", "GET", "/get_projects", nil).want(t, http.StatusNotFound, "not_found")
	session = h.call("ben", "GET", "/check_session", nil, set.cookies...).want(t, http.StatusOK, "")
	if session.Assistant != nil {
		t.Errorf("after the assistant was deleted: got %+v as the one that is set, want none", session.Assistant)
	}

	// The login is the host's, so there are no routes for ours.
	if got := h.call("ada", "POST", "/login", add).status; got != http.StatusNotFound {
		t.Errorf("/login under a host's own login: got status %d, want 404", got)
	}
}

// TestSIGTERMLosesNothing ends the host program while a turn is open.
func TestSIGTERMLosesNothing(t *testing.T) {
	t.Parallel()
	assistant := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2026)
	upstream, err := voiceflowtest.Start(assistant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Close)
	h := start(t, upstream.URL())
	add := map[string]any{"version_id": assistant.VersionID, "token": assistant.Key}
	added := h.call("ada", "POST", "/add_project", add).want(t, http.StatusOK, "").Assistant
	set := h.call("ada", "POST", "/set_project", map[string]any{"project_id": added.ID}).want(t, http.StatusOK, "")

	release, asked := make(chan struct{}), upstream.Received()
	upstream.FailNext(func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		select {
		case <-release:
			answer.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
	turn := make(chan answer, 1)
	go func() {
		got, err := h.try("ada", "POST", "/voiceflow/general-runtime/state/user/ada/interact",
			map[string]any{"action": map[string]any{"type": "launch"}}, set.cookies...)
		if err != nil {
			t.Errorf("the open turn: got error %v, want an answer", err)
		}
		turn <- got
	}()
	waiting, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if _, err := upstream.Await(waiting, asked+1); err != nil {
		t.Fatal(err)
	}
	// The first refusal has a row at once. The others wait for the end of the minute.
	for range 4 {
		h.call("ben", "POST", "/add_project", add).want(t, http.StatusUnauthorized, "not_allowed")
	}

	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until it accepts no more connections
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(release)
	if got := <-turn; got.status != http.StatusOK {
		t.Errorf("the open turn: got status %d and code %q, want 200", got.status, got.Code)
	}
	<-h.ended
	if code := h.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	wantStored(t, h.data, added.ID)
}

// wantStored fails the test unless the database in folder has one call of ada's to the project,
// and four refusals of ben's to add one.
func wantStored(t *testing.T, folder, project string) {
	t.Helper()
	store, err := bunstore.Open(t.Context(), domain.NewSecret("sqlite://"+folder+"/flowlatch.db"), bunstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	views := store.Ports()
	q, err := domain.NewUsageQuery("", "", "project,user", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	usage, err := views.Usage.Report(t.Context(), q, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []domain.Usage{{UsageKey: domain.UsageKey{Project: domain.ProjectID(project), User: "ada"}, Calls: 1}}
	if d := cmp.Diff(want, usage, cmpopts.IgnoreFields(domain.Usage{}, "Milliseconds")); d != "" {
		t.Errorf("the usage in the database (-want +got):\n%s", d)
	}
	rows, err := views.Audit.Page(t.Context(), domain.AuditFilter{Actor: domain.ActorUser("ben"), Action: domain.ActionAddProject}, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int64
	for _, row := range rows {
		counts = append(counts, row.Count)
	}
	if d := cmp.Diff([]int64{3, 1}, counts); d != "" {
		t.Errorf("the counts of the refusals in the database, newest first (-want +got):\n%s", d)
	}
}

func TestAHostsOwnRepositoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	out := goTool(t, module(t), slices.Concat([]string{"test", "-v"}, race(), []string{"./projects"})...)
	if got := strings.Count(out, "    --- PASS: TestRepository/"); got < 20 {
		t.Errorf("got %d sentences of the suite that passed, want all of them:\n%s", got, out)
	}
}

// TestTheHostProgramIsShownAsItIs compares the two places that show the host program with it.
// With -update it writes the program into them.
func TestTheHostProgramIsShownAsItIs(t *testing.T) {
	t.Parallel()
	code := mainFile(t)
	example := strings.NewReplacer("\npackage main\n", "\npackage flowlatch_test\n", "\nfunc main() {\n", "\nfunc Example() {\n").Replace(code)
	readme := read(t, filepath.Join(root, "README.md"))
	const begin, end = "<!-- program -->\n", "<!-- /program -->\n"
	before, rest, begins := strings.Cut(readme, begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("README.md has no lines %s%s", begin, end)
	}
	for file, want := range map[string]string{
		"README.md":       before + begin + "```go\n" + code + "```\n" + end + after,
		"example_test.go": example,
	} {
		file = filepath.Join(root, file)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if d := cmp.Diff(want, read(t, file)); d != "" {
			t.Errorf("%s does not show the host program. Run: go test ./internal/importer -run TestTheHostProgramIsShown -update\n%s", file, d)
		}
	}
}

func TestTheHostProgramIsShort(t *testing.T) {
	t.Parallel()
	_, code, ok := strings.Cut(mainFile(t), "\n)\n") // the end of the imports
	lines := 0
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	if !ok || lines < 30 || lines > 40 {
		t.Errorf("the host program has %d lines besides imports and comments, want 30 to 40", lines)
	}
}

func mainFile(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join(program, "main.go"))
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// module copies the host program out of this tree and makes it a module of its own,
// which takes all versions from ours, so that building it needs no network.
func module(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(program)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	const ours = "github.com/flowlatch/flowlatch"
	goTool(t, folder, "mod", "edit", "-module=example.com/host", "-require="+ours+"@v0.0.0", "-replace="+ours+"="+checkout)
	return folder
}

// race is the flag that this test was built with: what it builds is then there already.
func race() []string {
	info, ok := debug.ReadBuildInfo()
	if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return []string{"-race"}
	}
	return nil
}

// goTool runs the go command in folder and returns what it printed.
func goTool(t *testing.T, folder string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// host is a host program that runs.
type host struct {
	t    *testing.T
	url  string
	data string // its folder
	cmd  *exec.Cmd
	// ended is closed when the program has ended and all that it said is in said.
	ended chan struct{}
	said  *bytes.Buffer
}

// start builds and starts the host program.
func start(t *testing.T, voiceflow string) host {
	t.Helper()
	folder := module(t)
	binary := filepath.Join(folder, "host")
	goTool(t, folder, slices.Concat([]string{"build", "-o", binary}, race(), []string{"."})...)

	h := host{t: t, data: t.TempDir(), cmd: exec.CommandContext(t.Context(), binary), ended: make(chan struct{}), said: new(bytes.Buffer)}
	h.cmd.Env = append(os.Environ(), "DATA_DIR="+h.data, "VOICEFLOW_API_URL="+voiceflow, "VOICEFLOW_RUNTIME_URL="+voiceflow,
		"ADDR=127.0.0.1:0", "GIN_MODE=release")
	stderr, err := h.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		<-h.ended
		if t.Failed() || strings.Contains(h.said.String(), "DATA RACE") {
			t.Errorf("the host program said:\n%s", h.said)
		}
	})
	address := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); { // the race detector writes here too
			h.said.WriteString(lines.Text() + "\n")
			if at := regexp.MustCompile(`listening on (\S+)$`).FindStringSubmatch(lines.Text()); at != nil {
				address <- at[1]
			}
		}
		_ = h.cmd.Wait() // the exit code is in ProcessState
		close(h.ended)
	}()
	select {
	case at := <-address:
		h.url = "http://" + at
	case <-h.ended:
		t.Fatal("the host program ended before it listened")
	}
	return h
}

type project struct{ Name, ID, Created string }

type answer struct {
	route      string
	status     int
	cookies    []*http.Cookie
	Code       string
	Assistant  *project
	Assistants []project
}

// call sends a request of user, as the proxy in front of the host program would. ada is
// an admin.
func (h host) call(user, method, route string, body map[string]any, cookies ...*http.Cookie) answer {
	h.t.Helper()
	got, err := h.try(user, method, route, body, cookies...)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

// try is call for any goroutine.
func (h host) try(user, method, route string, body map[string]any, cookies ...*http.Cookie) (answer, error) {
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	content, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, h.url+route, bytes.NewReader(content))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if user != "" {
		req.Header.Set("X-Forwarded-User", user)
	}
	if user == "ada" {
		req.Header.Set("X-Forwarded-Groups", "admins")
	}
	for _, c := range cookies {
		req.AddCookie(c) // they are Secure, and a cookie jar would keep them from plain HTTP
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{route: route, status: resp.StatusCode, cookies: resp.Cookies()}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		// What Voiceflow says may be an array.
		if err := json.Unmarshal(text, &got); err != nil && !strings.HasPrefix(route, "/voiceflow/") {
			return answer{}, err
		}
	}
	return got, nil
}

// want fails the test unless the answer has that status and code.
func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status || a.Code != code {
		t.Fatalf("%s: got status %d and code %q, want %d and %q", a.route, a.status, a.Code, status, code)
	}
	return a
}
