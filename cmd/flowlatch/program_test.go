package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	code := postgrestest.Run(m)
	if programFolder != "" {
		_ = os.RemoveAll(programFolder)
	}
	os.Exit(code)
}

var programFolder string

// program is the built binary. It is built once, by the first test that asks.
var program = sync.OnceValues(func() (string, error) {
	var err error
	if programFolder, err = os.MkdirTemp("", "flowlatch-program-"); err != nil {
		return "", err
	}
	binary := filepath.Join(programFolder, "flowlatch")
	build := exec.Command("go", "build", "-trimpath", "-tags", "nomsgpack", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return binary, nil
})

// machine is where the program runs: a folder of its own, and an environment that has
// what the test puts there and nothing of the test's own.
type machine struct {
	t       *testing.T
	program string
	folder  string // the working directory
	env     map[string]string
	said    *transcript // everything that was printed by any run
}

// newMachine is a machine with a made-up Voiceflow in place of Voiceflow.
func newMachine(t *testing.T, v *voiceflowtest.Server) *machine {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	return &machine{t: t, program: binary, folder: folder, said: new(transcript), env: map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": folder, "TMPDIR": folder,
		"FLOWLATCH_ADDR": "127.0.0.1:0", "FLOWLATCH_COOKIE_SECURE": "false",
		"FLOWLATCH_VOICEFLOW_API_URL": v.URL(), "FLOWLATCH_VOICEFLOW_RUNTIME_URL": v.URL(),
		"FLOWLATCH_VOICEFLOW_ANALYTICS_URL": v.URL(), "FLOWLATCH_VOICEFLOW_REALTIME_URL": v.URL(),
	}}
}

// with is the same machine with more in its environment. An empty value takes away.
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

// database is how a test opens the database itself, beside programs that write to it.
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
	return cmd
}

// result is what came of a command.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end, with input on standard input.
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

// must runs a command that succeeds and returns its standard output.
func (m *machine) must(input string, args ...string) string {
	m.t.Helper()
	r := m.run(input, args...)
	if r.code != exitOK {
		m.t.Fatalf("flowlatch %s: exit code %d, want 0\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// fails runs a command that fails with that exit code and one sentence on standard
// error, which has want in it. The log of serve may stand before it.
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

// transcript keeps what is written to it. It is safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// server is a serve, or a demo, that is up.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stdout *transcript
	stderr *transcript
	ended  chan struct{} // closed when the process is gone and all that it said is in
	err    error         // how it ended
}

// start starts a command that goes on, and waits until it has said where it listens.
func (m *machine) start(args ...string) *server {
	m.t.Helper()
	s, listening := m.launch(args...)
	s.url = await(m.t, s, listening)
	return s
}

// await waits until a server has said where it listens.
func await(t *testing.T, s *server, listening <-chan string) string {
	t.Helper()
	select {
	case url := <-listening:
		return url
	case <-s.ended:
		t.Fatalf("it ended: %v\n%s%s", s.err, s.stdout, s.stderr)
	case <-time.After(patience):
		t.Fatalf("it does not say where it listens\n%s%s", s.stdout, s.stderr)
	}
	return ""
}

// launch starts a command. Where it listens comes by the channel. The process is killed
// when the test ends.
func (m *machine) launch(args ...string) (*server, <-chan string) {
	m.t.Helper()
	s := &server{t: m.t, cmd: m.command(context.Background(), args...), stdout: new(transcript), stderr: new(transcript), ended: make(chan struct{})}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	s.cmd.Stderr = io.MultiWriter(s.stderr, m.said)
	if err := s.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(s.ended)
		lines := bufio.NewScanner(io.TeeReader(stdout, io.MultiWriter(s.stdout, m.said)))
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
				listening <- url
			}
		}
		s.err = s.cmd.Wait()
	}()
	m.t.Cleanup(s.kill)
	return s, listening
}

// kill ends the process as a crash does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// interrupt asks the process to end.
func (s *server) interrupt() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

// stop asks the process to end, and expects that it does, with exit code 0.
func (s *server) stop() {
	s.t.Helper()
	s.interrupt()
	s.mustEnd(exitOK)
}

// mustEnd waits until the process has ended, with that exit code.
func (s *server) mustEnd(code int) {
	s.t.Helper()
	select {
	case <-s.ended:
		if got := s.cmd.ProcessState.ExitCode(); got != code {
			s.t.Fatalf("exit code %d, want %d (%v)\n%s%s", got, code, s.err, s.stdout, s.stderr)
		}
	case <-time.After(patience):
		s.t.Fatalf("the process does not end\n%s%s", s.stdout, s.stderr)
	}
}

// eachDatabase runs the test on SQLite, in the data folder, and on a Postgres of its own.
// database is the URL, "" for SQLite.
func eachDatabase(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("Postgres", func(t *testing.T) { test(t, postgrestest.DSN(t)) })
}

// eventually asks until the answer is yes. It fails the test when that takes too long.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// startVoiceflow starts a made-up Voiceflow that knows the assistants.
func startVoiceflow(t *testing.T, assistants ...voiceflowtest.Assistant) *voiceflowtest.Server {
	t.Helper()
	v, err := voiceflowtest.Start(assistants...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
