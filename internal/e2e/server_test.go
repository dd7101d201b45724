package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// transcript keeps what is written to it. Goroutines may use it at the same time.
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

// server is a running serve or demo.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stdout *transcript
	stderr *transcript
	ended  chan struct{} // closed when the process has ended and its output is complete
	err    error         // how it ended
}

// start starts serve or demo, and waits until it has printed where it listens.
func (m *machine) start(args ...string) *server {
	m.t.Helper()
	s, listening := m.launch(args...)
	s.url = await(m.t, s, listening)
	return s
}

// await waits until a server has printed where it listens.
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

// launch starts a command. The channel receives the URL at which it listens. The process is
// killed at the end of the test.
func (m *machine) launch(args ...string) (*server, <-chan string) {
	m.t.Helper()
	return m.launchFrom(nil, args...)
}

// launchFrom is launch with a standard input.
func (m *machine) launchFrom(stdin *os.File, args ...string) (*server, <-chan string) {
	m.t.Helper()
	s := &server{t: m.t, cmd: m.command(context.Background(), args...), stdout: new(transcript), stderr: new(transcript), ended: make(chan struct{})}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	s.cmd.Stderr = io.MultiWriter(s.stderr, m.said)
	if stdin != nil {
		s.cmd.Stdin = stdin
	}
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

// interrupt sends SIGTERM.
func (s *server) interrupt() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

// stop sends SIGTERM and waits until the process has ended. The exit code must be 0.
func (s *server) stop() {
	s.t.Helper()
	s.interrupt()
	s.mustEnd(exitOK)
}

// mustEnd waits until the process has ended. It fails the test if the exit code differs.
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

// serving starts a server on the machine, and creates the admin ada and the member ben.
func serving(t *testing.T, m *machine) *server {
	t.Helper()
	s := m.start("serve")
	m.must(adminPassword+"\n", "user", "create", "--admin", "ada")
	m.must(memberPassword+"\n", "user", "create", "ben")
	return s
}

// admin returns a browser in which ada is logged in.
func (s *server) admin() *browser { return newBrowser(s.t, s.url).login("ada", adminPassword) }

// member returns a browser in which ben is logged in.
func (s *server) member() *browser { return newBrowser(s.t, s.url).login("ben", memberPassword) }
