// Package importer holds the tests of what a program outside of this module does with
// it: they build such a program, run it and call it.
package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

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

func TestAHostsOwnRepositoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	out := goTool(t, module(t), slices.Concat([]string{"test", "-v"}, race(), []string{"./projects"})...)
	if got := strings.Count(out, "    --- PASS: TestRepository/"); got < 20 {
		t.Errorf("got %d sentences of the suite that passed, want all of them:\n%s", got, out)
	}
}

func TestReadmeShowsTheHostProgram(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if code := mainFile(t); !strings.Contains(string(readme), "\n```go\n"+code+"```\n") {
		t.Errorf("README.md does not show internal/importer/%s/main.go, which is:\n%s", program, code)
	}
}

func TestTheHostProgramIsShort(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(mainFile(t), "\nfunc main() {\n")
	body, _, ok := strings.Cut(rest, "\n}\n")
	if got := strings.Count(body, "\n") + 1; !ok || got >= 20 {
		t.Errorf("main has %d lines, want fewer than 20", got)
	}
}

func mainFile(t *testing.T) string {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(program, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	return string(code)
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
	t   *testing.T
	url string
}

// start builds and starts the host program.
func start(t *testing.T, voiceflow string) host {
	t.Helper()
	folder, data := module(t), t.TempDir()
	binary := filepath.Join(folder, "host")
	goTool(t, folder, slices.Concat([]string{"build", "-o", binary}, race(), []string{"."})...)

	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), "DATA_DIR="+data, "VOICEFLOW_API_URL="+voiceflow, "VOICEFLOW_RUNTIME_URL="+voiceflow, "ADDR=127.0.0.1:0", "GIN_MODE=release")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	lines := bufio.NewScanner(stderr)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for lines.Scan() { // the race detector writes here
			said.WriteString(lines.Text() + "\n")
		}
		_ = cmd.Wait()
		if t.Failed() || strings.Contains(said.String(), "DATA RACE") {
			t.Errorf("the host program said:\n%s", said.String())
		}
	})
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if at := regexp.MustCompile(`listening on (\S+)$`).FindStringSubmatch(lines.Text()); at != nil {
			return host{t, "http://" + at[1]}
		}
	}
	t.Fatal("the host program ended before it listened")
	return host{}
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
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	content, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, h.url+route, bytes.NewReader(content))
	if err != nil {
		h.t.Fatal(err)
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
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := answer{route: route, status: resp.StatusCode, cookies: resp.Cookies()}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		// What Voiceflow says may be an array.
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil && !strings.HasPrefix(route, "/voiceflow/") {
			h.t.Fatal(err)
		}
	}
	return got
}

// want fails the test unless the answer has that status and code.
func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status || a.Code != code {
		t.Fatalf("%s: got status %d and code %q, want %d and %q", a.route, a.status, a.Code, status, code)
	}
	return a
}
