package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// startService starts the binary on the database at url.
func (c *contest) startService(b *testing.B, url string) *process {
	folder := b.TempDir()
	command := exec.Command(c.binary, "serve")
	command.Env = append(foreignVariables(),
		"FLOWLATCH_ADDR=127.0.0.1:0",
		"FLOWLATCH_DATA_DIR="+folder,
		"FLOWLATCH_DATABASE_URL="+url,
		"FLOWLATCH_KEYSET_FILE="+c.keys.file,
		"FLOWLATCH_VOICEFLOW_API_URL="+c.voiceflow.URL(),
	)
	return startProcess(b, command, filepath.Join(folder, "log"))
}

// startReference starts the reference on the database at url: this binary again.
func startReference(b *testing.B, url string) *process {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(foreignVariables(), referenceVariable+"="+url)
	return startProcess(b, command, filepath.Join(b.TempDir(), "log"))
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
