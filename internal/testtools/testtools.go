// Package testtools starts the programs that tests use beside the Go toolchain: proxies,
// poolers and databases. The script install gets them from Debian's packages. It also builds
// and starts the program of this project.
package testtools

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a program may take to start or to end.
const patience = 30 * time.Second

// Folders where Debian keeps programs that are not in the PATH of every user. Postgres has a
// folder for each of its versions.
var folders = []string{"/usr/sbin", "/usr/lib/postgresql/*/bin"}

// Program returns the absolute path of a program, such as nginx or pg_ctl. If it is missing,
// LeaveOut ends the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, ok := find(name)
	if !ok {
		LeaveOut(t, name+" is missing.", "Run make test-tools.")
	}
	return path
}

// LeaveOut skips a test that this machine can't run. With FLOWLATCH_TEST_TOOLS=required, it fails
// the test instead. why and remedy are sentences: what is wrong here, and what to do.
func LeaveOut(t testing.TB, why, remedy string) {
	t.Helper()
	if os.Getenv("FLOWLATCH_TEST_TOOLS") == "required" {
		t.Fatalf("%s %s", why, remedy)
		return
	}
	t.Skipf("%s This test was left out. %s", why, remedy)
}

// find looks for a program in PATH, then in Debian's folders. Of several versions of Postgres
// the newest counts.
func find(name string) (path string, ok bool) {
	if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
		return path, true
	}
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(folder, name))
		if err == nil && len(found) > 0 {
			return found[len(found)-1], true
		}
	}
	return "", false
}

// FreeAddr returns an address of this machine, host and port, where nothing listens.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Start starts cmd and waits until addr accepts connections. At the end of the test it sends
// the signal stop, and kills the program if that takes too long. What the program wrote is
// logged if the test fails. The program must stay in the foreground and leave no processes
// when it ends.
func Start(t testing.TB, cmd *exec.Cmd, addr string, stop os.Signal) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = patience // a child may hold the output open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(stop)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s: %v\n%s", filepath.Base(cmd.Path), cmd.ProcessState, said.String())
		}
	})
	if !answers(addr, ended) {
		t.Fatalf("%s does not listen on %s", filepath.Base(cmd.Path), addr)
	}
}

// answers waits until addr accepts connections. It reports false if the program ends before
// that, or takes too long.
func answers(addr string, ended <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
