package e2e

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// transcript keeps what is written to it. Goroutines may use it at the same time.
type transcript = testtools.Transcript

// server is a running serve or demo.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stdout *transcript
	stderr *transcript
	ended  chan struct{} // closed when the process has ended and its output is complete

	service *testtools.Service
}

func newServer(t *testing.T, s *testtools.Service) *server {
	t.Cleanup(s.Kill)
	return &server{t: t, cmd: s.Cmd, stdout: s.Stdout, stderr: s.Stderr, ended: s.Ended, service: s}
}

// start starts serve or demo, and waits until it has printed where it listens.
func (m *machine) start(args ...string) *server {
	m.t.Helper()
	s := m.launch(args...)
	s.await()
	return s
}

// await waits until the server has printed where it listens.
func (s *server) await() {
	s.t.Helper()
	url, err := s.service.Await()
	if err != nil {
		s.t.Fatal(err)
	}
	s.url = url
}

// launch starts a command. The process is killed at the end of the test.
func (m *machine) launch(args ...string) *server {
	m.t.Helper()
	return m.launchFrom(nil, args...)
}

// launchFrom is launch with a standard input.
func (m *machine) launchFrom(stdin *os.File, args ...string) *server {
	m.t.Helper()
	cmd := m.command(context.Background(), args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	service, err := testtools.Launch(cmd, m.said)
	if err != nil {
		m.t.Fatal(err)
	}
	return newServer(m.t, service)
}

// kill ends the process as a crash does.
func (s *server) kill() { s.service.Kill() }

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
			s.t.Fatalf("exit code %d, want %d (%v)\n%s%s", got, code, s.service.Err, s.stdout, s.stderr)
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
