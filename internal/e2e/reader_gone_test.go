package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// pipe returns both ends of a pipe. They are closed at the end of the test.
func pipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
	return reader, writer
}

// serveInto starts serve with standard error going to that file, and waits until it listens. It
// returns the URL.
func serveInto(t *testing.T, m *machine, stderr *os.File) (*exec.Cmd, string) {
	t.Helper()
	reader, stdout := pipe(t)
	cmd := m.command(context.Background(), "serve")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_ = stdout.Close()
	if stderr != nil {
		_ = stderr.Close() // the program has it
	}
	var said strings.Builder
	for buffer := make([]byte, 4096); ; {
		n, err := reader.Read(buffer)
		said.Write(buffer[:n])
		if _, rest, ok := strings.Cut(said.String(), "listening on "); ok {
			if url, _, whole := strings.Cut(rest, "\n"); whole {
				_ = reader.Close() // nobody reads standard output from now on
				return cmd, url
			}
		}
		if err != nil {
			t.Fatalf("it does not say where it listens: %v\n%s", err, said.String())
		}
	}
}

func TestServeGoesOnWithoutAReaderOfItsOutput(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_LOG_LEVEL", "debug")
	reader, writer := pipe(t)
	_ = reader.Close()
	_, url := serveInto(t, m, writer)
	b := newBrowser(t, url)
	for range 10 {
		b.want(b.get("/healthz"), "200")
		b.want(b.get("/get_projects"), "401 not_authenticated")
	}
}

// TestRequestsDoNotWaitForTheReaderOfTheLog writes more than a pipe holds. That is 64 KiB on
// Linux (pipe(7)).
func TestRequestsDoNotWaitForTheReaderOfTheLog(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_LOG_LEVEL", "debug")
	reader, writer := pipe(t)
	cmd, url := serveInto(t, m, writer)
	b := newBrowser(t, url)
	for range 2000 {
		b.want(b.get("/get_projects"), "401 not_authenticated")
	}
	// A reader that wakes up gets what is left, and a line that says how many are not.
	var said strings.Builder
	for buffer := make([]byte, 64<<10); !strings.Contains(said.String(), "lines of this log were dropped"); {
		n, err := reader.Read(buffer)
		if err != nil {
			t.Fatalf("no line says that lines were dropped: %v", err)
		}
		said.Write(buffer[:n])
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestCommandsEndQuietlyIfNobodyReads(t *testing.T) {
	m, _ := withOneAssistant(t)
	for _, args := range []string{"user list", "user list --json", "project list", "audit export", "audit export -", "backup -", "keys status", "migrate status", "voiceflow origins", "serve --help", "version"} {
		t.Run(args, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			reader, writer := pipe(t)
			_ = reader.Close()
			cmd := m.command(ctx, strings.Fields(args)...)
			var stderr strings.Builder
			cmd.Stdout, cmd.Stderr = writer, &stderr
			err := cmd.Run()
			if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); stderr.Len() > 0 || code != exitPipe && code != exitOK {
				t.Errorf("exit code %d, want %d or 0, and standard error is %q", code, exitPipe, stderr.String())
			}
		})
	}
}

// TestACommandDoesItsWorkIfNobodyReads creates a user although nobody reads what it says.
func TestACommandDoesItsWorkIfNobodyReads(t *testing.T) {
	m, _ := withOneAssistant(t)
	reader, writer := pipe(t)
	_ = reader.Close()
	cmd := m.command(context.Background(), "user", "create", "eve")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(memberPassword), writer, writer
	if err := cmd.Run(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if got := m.must("", "user", "list"); !strings.Contains(got, "eve") {
		t.Errorf("the users are\n%s", got)
	}
}
