package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildBinary builds the binary as `make build` does.
func buildBinary(b *testing.B) string {
	binary := filepath.Join(b.TempDir(), "flowlatch")
	build := exec.Command("go", "build", "-trimpath", "-tags", "nomsgpack", "-ldflags", "-s -w", "-o", binary,
		"github.com/flowlatch/flowlatch/cmd/flowlatch")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build the binary: %v\n%s", err, said)
	}
	return binary
}

// process is a server that runs beside us.
type process struct {
	command *exec.Cmd
	pid     int
	addr    string
	log     string // the file that its standard error goes to
	peak    int64  // of its anonymous memory, under load
}

// installation is what all services of a benchmark share.
type installation struct {
	binary   string
	keys     keys
	upstream string // the URL of what stands in for Voiceflow
}

func newInstallation(b *testing.B, upstream string) installation {
	return installation{binary: buildBinary(b), keys: newKeys(b), upstream: upstream}
}

// startService starts the binary on the database at url. Settings are variables that
// are to be other than by default.
func (i *installation) startService(b *testing.B, url string, settings ...string) *process {
	folder := b.TempDir()
	command := exec.Command(i.binary, "serve")
	command.Env = append(i.settings(folder, url), settings...)
	return startProcess(b, command, filepath.Join(folder, "log"))
}

// settings returns the environment of the binary on the database at url.
func (i *installation) settings(folder, url string) []string {
	return append(foreignVariables(),
		"FLOWLATCH_ADDR=127.0.0.1:0",
		"FLOWLATCH_DATA_DIR="+folder,
		"FLOWLATCH_DATABASE_URL="+url,
		"FLOWLATCH_KEYSET_FILE="+i.keys.file,
		"FLOWLATCH_VOICEFLOW_API_URL="+i.upstream,
		"FLOWLATCH_VOICEFLOW_RUNTIME_URL="+i.upstream,
		"FLOWLATCH_VOICEFLOW_ANALYTICS_URL="+i.upstream,
		"FLOWLATCH_VOICEFLOW_REALTIME_URL="+i.upstream,
	)
}

// roles are the servers that a process of this binary can be. The variable that names
// one holds what it is on.
var roles = map[string]func(ctx context.Context, of string) error{
	referenceVariable: serveReference,
	upstreamVariable:  serveUpstream,
	proxyVariable:     serveProxy,
}

// startSelf starts a process of this binary in the role that the variable names.
func startSelf(b *testing.B, variable, of string) *process {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(foreignVariables(), variable+"="+of)
	return startProcess(b, command, filepath.Join(b.TempDir(), "log"))
}

// play serves in a role until it is told to stop.
func play(serve func(context.Context, string) error, of string) int {
	// As the service does, so that the two differ in what they do and not in a setting.
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := serve(ctx, of); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serveHTTP serves at a free port, which it tells, until ctx is done.
func serveHTTP(ctx context.Context, handler http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, listening+l.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// foreignVariables is our environment without what is meant for the service.
func foreignVariables() []string {
	var all []string
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "FLOWLATCH_") {
			all = append(all, line)
		}
	}
	return all
}

// listening is how the line begins that says where a server listens.
const listening = "listening on http://"

// startProcess returns once the server listens. It ends with b at the latest.
func startProcess(b *testing.B, command *exec.Cmd, log string) *process {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	command.Stderr = file
	said, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{command: command, pid: command.Process.Pid, log: log}
	b.Cleanup(func() { p.stop(b) })
	for lines := bufio.NewScanner(said); p.addr == ""; {
		if !lines.Scan() {
			text, _ := os.ReadFile(log)
			b.Fatalf("a server does not start: %s", text)
		}
		p.addr, _ = strings.CutPrefix(lines.Text(), listening)
		if !strings.HasPrefix(lines.Text(), listening) {
			p.addr = ""
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return p
}

// stop ends the process as an operator does. Stopping twice does nothing.
func (p *process) stop(b *testing.B) {
	if p.command.ProcessState != nil {
		return
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		b.Error(err)
	}
	if err := p.command.Wait(); err != nil {
		b.Errorf("a server ended with %v", err)
	}
}

// forgetLog empties the log, which gets a line for each request.
func (p *process) forgetLog() { _ = os.Truncate(p.log, 0) }

// watch looks at the anonymous memory of the process again and again, and returns a
// function that stops this and returns the most that it saw.
func (p *process) watch(every time.Duration) (stop func() int64) {
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		peak := anonymous(p.pid)
		for {
			select {
			case <-tick.C:
				peak = max(peak, anonymous(p.pid))
			case <-done:
				most <- max(peak, anonymous(p.pid))
				return
			}
		}
	}()
	return func() int64 { close(done); return <-most }
}

// anonymous is the anonymous memory of a process, in bytes: what belongs to it alone,
// without the files that it has mapped. It is 0 where there is no /proc as Linux has it
// (proc_pid_status(5)).
func anonymous(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kilobytes, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(kilobytes), 10, 64)
	return n << 10
}

// processorTime is what a process has used of the processors. It is 0 where there is no
// /proc as Linux has it (proc_pid_stat(5)).
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name of the program comes second and may hold anything, blanks too.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ, which is 100 on all that Go runs on
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}
