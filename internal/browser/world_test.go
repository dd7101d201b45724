package browser

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// The passwords of ada and ben.
const (
	adminPassword  = "correct horse 11 battery"
	memberPassword = "staple 22 correct horse"
)

// world is the built program, which serves in an empty folder in front of a stand-in for Voiceflow.
type world struct {
	t          *testing.T
	voiceflow  *voiceflowtest.Server
	folder     string
	env        []string
	service    *testtools.Service
	url        string
	assistants []voiceflowtest.Assistant
	logIn      string // the name of the button beside the password
}

// newWorld starts the program. There are no users. settings are variables, such as
// "FLOWLATCH_BASE_URL=https://example.com/flowlatch".
func newWorld(t *testing.T, assistants []voiceflowtest.Assistant, settings ...string) *world {
	t.Helper()
	program, err := testtools.Flowlatch()
	if err != nil {
		t.Fatal(err)
	}
	v, err := voiceflowtest.Start(assistants...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	w := &world{t: t, voiceflow: v, folder: t.TempDir(), assistants: assistants, logIn: "Log in"}
	for name, value := range testtools.FlowlatchEnv(w.folder, v.URL()) {
		w.env = append(w.env, name+"="+value)
	}
	w.env = append(w.env, settings...)
	if w.service, err = testtools.Launch(w.command(program, "serve"), new(testtools.Transcript)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.service.Kill()
		if t.Failed() {
			t.Logf("the service wrote\n%s%s", w.service.Stdout, w.service.Stderr)
		}
	})
	if w.url, err = w.service.Await(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = w.folder, w.env
	return cmd
}

// run runs a command of the program. input is its standard input.
func (w *world) run(input string, args ...string) {
	w.t.Helper()
	cmd := w.command(w.service.Cmd.Path, args...)
	cmd.Stdin = strings.NewReader(input)
	if said, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("flowlatch %s: %v\n%s", strings.Join(args, " "), err, said)
	}
}

// withUsers creates the admin ada and the member ben.
func (w *world) withUsers() *world {
	w.t.Helper()
	w.run(adminPassword+"\n", "user", "create", "--admin", "ada")
	w.run(memberPassword+"\n", "user", "create", "ben")
	return w
}

// login opens a tab in which a person logs in.
func (w *world) login(s Settings, name, password string) *Tab {
	w.t.Helper()
	tab := Start(w.t).Person(w.t, w.url).Tab(s)
	tab.Open("/console/login")
	tab.Fill("username", name)
	tab.Fill("password", password)
	tab.Submit(w.logIn)
	return tab
}

// ada returns a tab in which the admin is logged in, and ben one of the member.
func (w *world) ada(s Settings) *Tab { w.t.Helper(); return w.login(s, "ada", adminPassword) }
func (w *world) ben(s Settings) *Tab { w.t.Helper(); return w.login(s, "ben", memberPassword) }

// TestLogin logs in the admin and the member, each with cookies of their own.
func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil).withUsers()
	for _, s := range []Settings{{}, {NoScripts: true, Width: 768}} {
		for _, tab := range []*Tab{w.ada(s), w.ben(s)} {
			tab.WaitURL("/console/")
			tab.Check("main", "navigation")
		}
	}
}
