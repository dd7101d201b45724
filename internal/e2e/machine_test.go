package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// The exit codes of the program.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitPipe    = 141
)

// machine is where the program runs: a folder, and an environment that holds only what the
// test puts there.
type machine struct {
	t       *testing.T
	program string
	folder  string // the working directory
	env     map[string]string
	said    *transcript // the output of all runs
	user    int         // who runs the program; 0 is who runs the test
	mount   string      // a shell command that mounts something for the program alone; "" for nothing
}

// newMachine returns a machine on which the program calls v in place of Voiceflow.
func newMachine(t *testing.T, v *voiceflowtest.Server) *machine {
	t.Helper()
	binary, err := testtools.Flowlatch()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	return &machine{t: t, program: binary, folder: folder, said: new(transcript), env: testtools.FlowlatchEnv(folder, v.URL())}
}

// with returns the same machine with other variables: pairs of name and value. An empty
// value removes the variable.
func (m *machine) with(pairs ...string) *machine {
	other := *m
	other.env = map[string]string{}
	for name, value := range m.env {
		other.env[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		other.env[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(other.env, pairs[i])
		}
	}
	return &other
}

func (m *machine) data() string { return filepath.Join(m.folder, "flowlatch-data") }

// database returns how a test opens the database itself. It waits for programs that write.
func (m *machine) database() (driver, dsn string) {
	if url := m.env["FLOWLATCH_DATABASE_URL"]; url != "" {
		return "pgx", url
	}
	return "sqlite", "file:" + m.data() + "/flowlatch.db?_pragma=busy_timeout(20000)&_txlock=immediate"
}

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.program, args...)
	cmd.Dir = m.folder
	cmd.Env = []string{}
	for name, value := range m.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if m.mount != "" {
		cmd.Path, cmd.Err = "/usr/bin/unshare", nil
		cmd.Args = append([]string{"unshare", "--mount", "sh", "-c", m.mount + ` && exec "$@"`, "sh", m.program}, args...)
	}
	if m.user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(m.user), Gid: uint32(m.user), Groups: []uint32{uint32(m.user)}}}
	}
	return cmd
}

// asUser returns the same machine with a program that a user other than root runs. The user owns
// the folder of the machine. If the test is not root's, testtools.LeaveOut ends it.
func (m *machine) asUser(id int) *machine {
	m.t.Helper()
	if os.Getuid() != 0 {
		testtools.LeaveOut(m.t, "Only root can run programs as other users.", "Run the tests as root.")
	}
	// The test tool makes these folders for root alone.
	for _, folder := range []string{filepath.Dir(m.program), filepath.Dir(m.folder), m.folder} {
		if err := os.Chmod(folder, 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := os.Chown(m.folder, id, id); err != nil {
		m.t.Fatal(err)
	}
	other := *m
	other.user = id
	return &other
}

// result is the exit code and the output of a command.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command until it ends. input is its standard input.
func (m *machine) run(input string, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := m.command(ctx, args...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended || ctx.Err() != nil {
		m.t.Fatalf("flowlatch %s: %v %v\n%s", strings.Join(args, " "), err, ctx.Err(), stderr.String())
	}
	_, _ = m.said.Write(append(stdout.Bytes(), stderr.Bytes()...))
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command that must succeed, and returns its standard output.
func (m *machine) must(input string, args ...string) string {
	m.t.Helper()
	r := m.run(input, args...)
	if r.code != exitOK {
		m.t.Fatalf("flowlatch %s: exit code %d, want 0\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// fails runs a command that must fail with that exit code. It must write one sentence to
// standard error that contains want. The log lines of serve do not count.
func (m *machine) fails(code int, want, input string, args ...string) {
	m.t.Helper()
	r := m.run(input, args...)
	if r.code != code {
		m.t.Errorf("flowlatch %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	var said []string
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "{") || args[0] != "serve" {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "flowlatch: ") || !strings.Contains(said[0], want) {
		m.t.Errorf("flowlatch %s: standard error is %q, want one sentence with %q", strings.Join(args, " "), r.stderr, want)
	}
}
