package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

const (
	watchdogVariable = "FLOWLATCH_TEST_WATCHDOG"
	sessionVariable  = "TESTCONTAINERS_SESSION_ID"
	sessionLabel     = "org.testcontainers.sessionId"

	removeLimit = time.Minute
)

// ran reports whether Run was called. It is written before the first test starts.
var ran bool

// release lets the watchdog do its work, waits for it, and returns its error. It does nothing
// until a watchdog starts.
var release = func() error { return nil }

// Run runs the tests of m and returns the exit code for TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }
//
// Run drops the database of each [Template]. It removes the containers and networks that testcontainers-go started in this process.
// They are also removed if the process panics, exceeds the time limit of go test, or is
// killed: a second process of the same binary, the watchdog, waits for the end of this one.
//
// The watchdog replaces the reaper of testcontainers, whose image is not available everywhere.
// TESTCONTAINERS_RYUK_DISABLED=false runs the reaper too.
func Run(m *testing.M) int {
	log.SetDefault(log.NewNoopLogger())
	if os.Getenv(watchdogVariable) != "" {
		return watch()
	}
	ran = true
	if err := settle(); err != nil {
		fmt.Fprintln(os.Stderr, "postgrestest:", err)
		return 1
	}
	code := m.Run()
	if err := dropTemplates(); err != nil {
		fmt.Fprintln(os.Stderr, "postgrestest:", err)
		code = max(code, 1)
	}
	if err := release(); err != nil {
		fmt.Fprintln(os.Stderr, "postgrestest: containers may be left:", err)
		return max(code, 1)
	}
	return code
}

// settle sets the variables that testcontainers reads once, at its first use. Each process
// gets a session of its own. By default all binaries of one go test share a session, and the
// first to end would remove the containers of the others.
func settle() error {
	const ryukVariable = "TESTCONTAINERS_RYUK_DISABLED"
	if os.Getenv(ryukVariable) == "" {
		if err := os.Setenv(ryukVariable, "true"); err != nil {
			return err
		}
	}
	return os.Setenv(sessionVariable, rand.Text())
}

// startWatchdog starts the process that outlives this one. The two share a pipe. When this
// process ends, for whatever reason, the system closes its end of the pipe.
func startWatchdog() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	watchdog := exec.Command(self)
	watchdog.Env = append(os.Environ(), watchdogVariable+"=1")
	var said bytes.Buffer
	watchdog.Stderr = &said
	pipe, err := watchdog.StdinPipe()
	if err != nil {
		return err
	}
	if err := watchdog.Start(); err != nil {
		return err
	}
	release = func() error {
		if err := errors.Join(pipe.Close(), watchdog.Wait()); err != nil {
			return fmt.Errorf("%w: %s", err, said.Bytes())
		}
		return nil
	}
	return nil
}

// watch runs the watchdog and returns its exit code.
func watch() int {
	// A signal that ends the tests, such as Ctrl-C, also reaches the watchdog. The reader of
	// its standard error may be gone.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), removeLimit)
	defer cancel()
	if err := removeSession(ctx, os.Getenv(sessionVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// removeSession removes the containers of a session with their volumes, and then its
// networks. A network can't be removed before its containers.
func removeSession(ctx context.Context, session string) error {
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return err
	}
	ours := make(client.Filters).Add("label", sessionLabel+"="+session)
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range containers.Items {
		_, err := engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		errs = append(errs, err)
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	errs = append(errs, err)
	for _, n := range networks.Items {
		_, err := engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
