package testtools

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

var flowlatchFolder string

// Flowlatch returns the path of the program that this project makes. The first test that asks builds
// it. TestMain calls RemoveFlowlatch at the end. The folder of the package is two levels below the
// project's.
var Flowlatch = sync.OnceValues(func() (string, error) {
	err := lookAtSources()
	if err != nil {
		return "", err
	}
	if flowlatchFolder, err = os.MkdirTemp("", "flowlatch-program-"); err != nil {
		return "", err
	}
	binary := filepath.Join(flowlatchFolder, "flowlatch")
	build := exec.Command("go", "build", "-trimpath", "-tags", "nomsgpack", "-o", binary, "github.com/flowlatch/flowlatch/cmd/flowlatch")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return binary, nil
})

// RemoveFlowlatch deletes the program that Flowlatch built. It does nothing if there is none.
func RemoveFlowlatch() {
	if flowlatchFolder != "" {
		_ = os.RemoveAll(flowlatchFolder)
	}
}

// lookAtSources looks at every file of the project. The go command reuses the result of a
// test unless a file changes at which the test has looked, and it does not see what the
// build of the program reads.
func lookAtSources() error {
	return filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "bin" || strings.HasPrefix(d.Name(), ".") && path != "../.."):
			return fs.SkipDir
		}
		_, err = os.Stat(path)
		return err
	})
}

// FlowlatchEnv returns the environment of a program that works in folder, listens on a free port of
// this machine, and calls the stand-in at the URL voiceflow.
func FlowlatchEnv(folder, voiceflow string) map[string]string {
	return map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": folder, "TMPDIR": folder,
		"FLOWLATCH_ADDR": "127.0.0.1:0", "FLOWLATCH_COOKIE_SECURE": "false",
		"FLOWLATCH_VOICEFLOW_API_URL": voiceflow, "FLOWLATCH_VOICEFLOW_RUNTIME_URL": voiceflow,
		"FLOWLATCH_VOICEFLOW_ANALYTICS_URL": voiceflow, "FLOWLATCH_VOICEFLOW_REALTIME_URL": voiceflow,
	}
}

// Service is the program while it runs serve or demo.
type Service struct {
	Cmd            *exec.Cmd
	Stdout, Stderr *Transcript
	Listening      <-chan string // receives the URL at which it listens
	Ended          chan struct{} // closed when the process has ended and its output is complete
	Err            error         // how it ended; to be read after that
}

// Launch starts serve or demo. What it writes also goes to also.
func Launch(cmd *exec.Cmd, also io.Writer) (*Service, error) {
	s := &Service{Cmd: cmd, Stdout: new(Transcript), Stderr: new(Transcript), Ended: make(chan struct{})}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = io.MultiWriter(s.Stderr, also)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	s.Listening = listening
	go func() {
		defer close(s.Ended)
		lines := bufio.NewScanner(io.TeeReader(stdout, io.MultiWriter(s.Stdout, also)))
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
				listening <- url
			}
		}
		s.Err = cmd.Wait()
	}()
	return s, nil
}

// Await waits until the service has printed where it listens, and returns the URL. It fails if the
// service ends before that, or takes too long.
func (s *Service) Await() (string, error) {
	select {
	case url := <-s.Listening:
		return url, nil
	case <-s.Ended:
		return "", fmt.Errorf("it ended: %w\n%s%s", s.Err, s.Stdout, s.Stderr)
	case <-time.After(patience):
		return "", fmt.Errorf("it does not say where it listens\n%s%s", s.Stdout, s.Stderr)
	}
}

// Kill ends the process as a crash does.
func (s *Service) Kill() {
	_ = s.Cmd.Process.Kill()
	<-s.Ended
}

// Transcript keeps what is written to it. Goroutines may use it at the same time.
type Transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps b. It never fails.
func (t *Transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// String returns all that was written so far.
func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
