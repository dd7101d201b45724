package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// patience is how long a program of a recipe may take.
const patience = 2 * time.Minute

// recipes returns the blocks in a language below a heading of docs/clients.md, which are as many as
// want.
func recipes(t testing.TB, heading, language string, want int) []string {
	t.Helper()
	content, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, there := strings.Cut("\n"+string(content), "\n## "+heading+"\n")
	if !there {
		t.Fatalf("docs/clients.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var all []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(section, -1) {
		all = append(all, block[1])
	}
	if len(all) != want {
		t.Fatalf("docs/clients.md has %d blocks in %s below %q, want %d", len(all), language, heading, want)
	}
	return all
}

// kitchen is where a recipe is tried: an installation, a folder, and the variables of the page.
type kitchen struct {
	*installation

	assistant voiceflowtest.Assistant
	project   string // its id at Flowlatch
	folder    string
	env       []string
}

// newKitchen returns a kitchen whose assistant was added as the page recommends, with an access
// token that has the scopes.
func newKitchen(t testing.TB, scopes []string, more map[string]any, change ...func(*ginhttp.Options)) *kitchen {
	t.Helper()
	a := voiceflowtest.NewProject("Pizza Palace", "main", "development")
	k := &kitchen{installation: newInstallation(t, startVoiceflow(t, a), change...), assistant: a, folder: t.TempDir()}
	k.project = k.add(t, a, "main", allOf("main"))
	k.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + k.folder, "FLOWLATCH=" + k.url, "PROJECT=" + a.ProjectID,
		"FLOWLATCH_TOKEN=" + k.token(t, k.project, scopes, more),
	}
	return k
}

// run runs a program in the folder, and returns what it wrote to standard output.
func (k *kitchen) run(t testing.TB, env []string, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = k.folder, slices.Concat(k.env, env)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

// sh runs commands of the page.
func (k *kitchen) sh(t testing.TB, commands string, env ...string) string {
	t.Helper()
	return k.run(t, env, testtools.Program(t, "sh"), "-euc", commands)
}

// write writes a file into the folder, and returns its path.
func (k *kitchen) write(t testing.TB, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(k.folder, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantAll fails the test unless the text has all the parts.
func wantAll(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// TestTheRecipesBeforeYouBegin adds an assistant, creates a token and renews it, as the page says.
func TestTheRecipesBeforeYouBegin(t *testing.T) {
	k := newKitchen(t, nil, nil)
	other := voiceflowtest.NewProject("Pizza Express", "main")
	if err := k.voiceflow.Add(other); err != nil {
		t.Fatal(err)
	}
	k.curlLogin(t)
	blocks := recipes(t, "Before you begin", "sh", 3)
	run := func(commands string, pairs ...string) string {
		t.Helper()
		pairs = append(pairs, "VF.DM.…", other.Key, `"password": "…"`, fmt.Sprintf(`"password": %q`, password))
		return k.sh(t, strings.NewReplacer(pairs...).Replace(commands), "PROJECT="+other.ProjectID)
	}
	wantAll(t, run(blocks[0]), `"message":"the assistant was added"`)
	created := run(blocks[1])
	wantAll(t, created, `"token":"flk_`)
	id, err := at(created, "Id")
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, run(blocks[2], `"token_id": "…"`, fmt.Sprintf(`"token_id": %q`, id)), `"token":"flk_`)

	for _, p := range k.admin.want(t, "GET", "/get_projects", "")["assistants"].([]any) {
		if p := p.(map[string]any); p["Name"] == other.Name {
			if got := encoded(p["environments"]); got != `{"allow_draft":["development"],"allowed":"all","default":"main"}` {
				t.Errorf("the environments are %s", got)
			}
		}
	}
}

// curlLogin logs in the admin. The cookies are in cookies.txt.
func (k *kitchen) curlLogin(t testing.TB) {
	t.Helper()
	testtools.Program(t, "curl")
	k.sh(t, fmt.Sprintf(`curl -sS --fail-with-body -c cookies.txt -H 'Content-Type: application/json' $FLOWLATCH/login -d '{"username": "ada", "password": %q}'`, password))
}

func TestTheRecipeForCurl(t *testing.T) {
	testtools.Program(t, "curl")
	k := newKitchen(t, []string{"converse", "knowledge:write"}, nil)
	blocks := recipes(t, "curl", "sh", 3)
	wantAll(t, k.sh(t, blocks[0]), `"message":"Hi from Pizza Palace"`)
	wantAll(t, k.sh(t, blocks[1]), `You said: one Margherita`, "event: end")
	wantAll(t, k.sh(t, blocks[2]), `"name":"opening-hours.txt"`)
}

func TestTheRecipeForPython(t *testing.T) {
	python := pythonWithRequests(t)
	k := newKitchen(t, []string{"converse", "transcripts"}, nil)
	script := k.write(t, "recipe.py", recipes(t, "Python", "python", 1)[0], 0o600)
	said := k.run(t, nil, python, script)
	wantAll(t, said, "['Hi from Pizza Palace', 'What can I do for you?']", "You said: one Margherita", "You said: and a salad")
	if lines := strings.Split(strings.TrimSpace(said), "\n"); !regexp.MustCompile(`^[0-9a-f]{24} \d{4}-`).MatchString(lines[len(lines)-1]) {
		t.Errorf("the last line is no transcript:\n%s", said)
	}
}

// pythonWithRequests returns a Python that has the package requests.
func pythonWithRequests(t testing.TB) string {
	t.Helper()
	for _, python := range []string{testtools.Program(t, "python3"), "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import requests").Run() == nil {
			return python
		}
	}
	testtools.LeaveOut(t, "Python's package requests is missing.", "Run make test-tools.")
	return ""
}

// asked is a call of a program that the page names.
type asked struct {
	args []string
	env  map[string]string
}

// calls puts a stand-in of the program first into PATH, runs the commands, and returns how they
// called it.
func (k *kitchen) calls(t testing.TB, program, commands string) []asked {
	t.Helper()
	k.write(t, program, `#!/bin/sh
{
	for arg; do printf '%s\n' "$arg"; done
	env | grep '^VF_' | sed 's/^/= /'
	echo --
} >>calls
`, 0o700)
	k.sh(t, commands, "PATH="+k.folder+":"+os.Getenv("PATH"))
	text, err := os.ReadFile(filepath.Join(k.folder, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	var all []asked
	for _, block := range strings.Split(strings.TrimSuffix(string(text), "--\n"), "--\n") {
		call := asked{env: map[string]string{}}
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			if name, value, isVariable := strings.Cut(line, "="); isVariable && name == "" {
				name, value, _ = strings.Cut(strings.TrimSpace(value), "=")
				call.env[name] = value
			} else {
				call.args = append(call.args, line)
			}
		}
		all = append(all, call)
	}
	return all
}

// flag returns the value of a flag.
func (a asked) flag(name string) string {
	if i := slices.Index(a.args, name); i >= 0 && i+1 < len(a.args) {
		return a.args[i+1]
	}
	return ""
}

// does returns the words of the command.
func (a asked) does() string {
	var words []string
	for i := 0; i < len(a.args); i++ {
		if strings.HasPrefix(a.args[i], "--") {
			i++ // its value
			continue
		}
		words = append(words, a.args[i])
	}
	return strings.Join(words, " ")
}

// send sends the first request of the client that the command stands for, to the base URLs and
// with the credential of the call. The real programs are not part of the tests.
func (k *kitchen) send(t testing.TB, c client, command, credential string, base map[string]string) reply {
	t.Helper()
	i := slices.IndexFunc(c.requests, func(r request) bool {
		return strings.HasPrefix(r.does, command)
	})
	if i < 0 {
		t.Fatalf("no request of %s is that of %q", c.name, command)
	}
	s := newSide("as the page says", k.assistant, k.voiceflow)
	s.credential = c.scheme + credential
	r := c.requests[i]
	url := base[string(r.service)]
	if url == "" {
		t.Fatalf("%s: %s has no base URL", command, r.service)
	}
	r.keeps = nil
	got, _ := s.sendTo(t, c, r, url)
	return got
}

func TestTheRecipeForVF(t *testing.T) {
	k := newKitchen(t, []string{"converse", "knowledge", "transcripts"}, nil)
	blocks := recipes(t, "vf", "sh", 2)
	k.curlLogin(t)
	personal := personalTokenOf(k.voiceflow, k.assistant)
	wantAll(t, k.sh(t, strings.ReplaceAll(blocks[1], "vfp_…", personal)), `"message":"`)
	calls := k.calls(t, "vf", blocks[0])
	if len(calls) != 3 {
		t.Fatalf("the page calls vf %d times, want 3: %v", len(calls), calls)
	}
	for _, call := range calls {
		if id := call.flag("--project-id"); id != k.assistant.ProjectID {
			t.Errorf("%s: got the project %q", call.does(), id)
		}
		got := k.send(t, vf(), call.does(), call.env["VF_TOKEN"], map[string]string{"realtime-api": call.flag("--server-url")})
		if got.status != 200 {
			t.Errorf("%s: got %d %s", call.does(), got.status, got.body)
		}
	}
	wantAll(t, calls[0].flag("--action"), `"type": "launch"`)
}

func TestTheRecipeForVoiceflowCLI(t *testing.T) {
	k := newKitchen(t, []string{"converse", "transcripts", "export"}, nil)
	calls := k.calls(t, "voiceflow", recipes(t, "voiceflow-cli", "sh", 1)[0])
	if len(calls) != 3 {
		t.Fatalf("the page calls voiceflow %d times, want 3: %v", len(calls), calls)
	}
	for _, call := range calls {
		got := k.send(t, voiceflowCLI(), call.does(), call.env["VF_API_KEY"], map[string]string{
			"api": call.env["VF_API_URL"], "general-runtime": call.env["VF_RUNTIME_URL"], "analytics-api": call.env["VF_ANALYTICS_URL"],
		})
		if got.status != 200 {
			t.Errorf("%s: got %d %s", call.does(), got.status, got.body)
		}
	}
}

// TestTheTableOfScopes sends the commands of vf and voiceflow-cli with the scopes that the page
// names for them. None may be refused for want of a scope.
func TestTheTableOfScopes(t *testing.T) {
	content, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([^`]+)`")
	covered := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`(?:vf|voiceflow-cli) [^|]*) \\| ([^|]*) \\|$").FindAllStringSubmatch(string(content), -1) {
		var scopes []string
		for _, s := range name.FindAllStringSubmatch(row[2], -1) {
			scopes = append(scopes, s[1])
		}
		program, rest, _ := strings.Cut(strings.TrimPrefix(row[1], "`"), " ")
		c := map[string]client{"vf": vf(), "voiceflow-cli": voiceflowCLI()}[program]
		c.scopes = scopes
		w := newPair(t, c)
		for _, command := range name.FindAllStringSubmatch("`"+rest, -1) {
			n := 0
			for _, r := range c.requests {
				if !strings.HasPrefix(r.does+" ", command[1]+" ") && !strings.HasPrefix(r.does, command[1]+",") {
					continue
				}
				n++
				covered[program+" "+r.does] = true
				r.keeps = nil
				if got, _ := w.through.send(t, c, r); strings.Contains(got.body, `"code":"not_allowed"`) {
					t.Errorf("%s %s with %v: %d %s", program, r.does, scopes, got.status, got.body)
				}
			}
			if n == 0 {
				t.Errorf("the table names %s %s, which no request is", program, command[1])
			}
		}
	}
	for _, c := range []client{vf(), voiceflowCLI()} {
		for _, r := range c.requests {
			if !covered[c.name+" "+r.does] {
				t.Errorf("the table of scopes has no row for %s %s", c.name, r.does)
			}
		}
	}
}
