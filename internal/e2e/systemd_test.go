package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/testtools"
	"github.com/flowlatch/flowlatch/internal/vaulttest"
)

// manager receives what a service tells systemd (sd_notify(3)).
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

// newManager listens at a socket and returns the value of NOTIFY_SOCKET.
func newManager(t *testing.T, at string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t, conn}
}

// next returns the next message.
func (m *manager) next() string {
	m.t.Helper()
	buffer := make([]byte, 4096)
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	n, err := m.conn.Read(buffer)
	if err != nil {
		m.t.Fatalf("nothing was told: %v", err)
	}
	return string(buffer[:n])
}

func (m *manager) wants(pattern string) {
	m.t.Helper()
	if got := m.next(); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		m.t.Errorf("systemd was told %q, want %q", got, pattern)
	}
}

func TestSystemdIsTold(t *testing.T) {
	for name, at := range map[string]func(t *testing.T) string{
		"at a path":           func(t *testing.T) string { return filepath.Join(t.TempDir(), "notify") },
		"at an abstract name": func(t *testing.T) string { return "@" + strings.ReplaceAll(t.TempDir(), "/", "-") },
	} {
		t.Run(name, func(t *testing.T) {
			socket := at(t)
			systemd := newManager(t, socket)
			a := newAssistant("Pizza Palace")
			v := startVoiceflow(t, a)
			m := newMachine(t, v).with("NOTIFY_SOCKET", socket)
			s := m.start("serve")
			systemd.wants(`READY=1\nSTATUS=listening on ` + regexp.QuoteMeta(s.url))
			b := newBrowser(t, s.url)
			b.want(b.get("/readyz"), "200")

			s.hangUp()
			systemd.wants(`RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\nSTATUS=reading files again`)
			systemd.wants(`READY=1\nSTATUS=listening on ` + regexp.QuoteMeta(s.url))

			m.must(adminPassword, "user", "create", "--admin", "ada") // commands tell nothing
			v.Fail(voiceflowtest.Silent())
			answered := openRequest(t, v, s.admin(), a)
			s.interrupt()
			systemd.wants(`STOPPING=1\nSTATUS=waiting until open requests have ended`)
			s.kill()
			<-answered
		})
	}
}

func TestTheWatchdogOfSystemdIsFed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	systemd := newManager(t, socket)
	s := newMachine(t, startVoiceflow(t)).with("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", "20000").start("serve")
	systemd.wants(`(?s)READY=1.*`)
	systemd.wants(`WATCHDOG=1`)
	systemd.wants(`WATCHDOG=1`)
	s.stop()
}

// TestAFileThatHangsDoesNotStarveTheWatchdog reads a file again that can.t be opened to the end, like
// one on a network that is gone.
func TestAFileThatHangsDoesNotStarveTheWatchdog(t *testing.T) {
	folder := t.TempDir()
	socket, file := filepath.Join(folder, "notify"), filepath.Join(folder, "token")
	systemd := newManager(t, socket)
	vault := vaulttest.Start(t)
	must(t, os.WriteFile(file, []byte(vaulttest.Token+"\n"), 0o600))
	s := newMachine(t, startVoiceflow(t)).with("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", "20000",
		"FLOWLATCH_KEYSET_KMS", vault.Transit("keyset"), "FLOWLATCH_KEYSET_KMS_TOKEN_FILE", file).start("serve")
	systemd.wants(`(?s)READY=1.*`)
	must(t, os.Remove(file))
	must(t, syscall.Mkfifo(file, 0o600)) // nobody writes to it
	s.hangUp()
	for got := ""; !strings.HasPrefix(got, "RELOADING=1"); got = systemd.next() {
		continue
	}
	for range 5 {
		systemd.wants(`WATCHDOG=1`)
	}
	s.stop()
}

func TestASocketOfSystemdThatIsGoneStopsNothing(t *testing.T) {
	const warning = "systemd can't be told about the state of the service"
	s := newMachine(t, startVoiceflow(t)).with("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"), "WATCHDOG_USEC", "2000").start("serve")
	s.says(warning)
	b := newBrowser(t, s.url)
	b.want(b.get("/readyz"), "200")
	s.hangUp()
	s.says("read files again")
	s.stop()
	if n := strings.Count(s.stderr.String(), warning); n != 1 {
		t.Errorf("got %d warnings, want 1:\n%s", n, s.stderr)
	}
}

func TestTheUnitInTheDocsIsValid(t *testing.T) {
	analyze := testtools.Program(t, "systemd-analyze")
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```ini\n")
	unit, _, found := strings.Cut(rest, "```\n")
	m := newMachine(t, startVoiceflow(t))
	unit = strings.Replace(unit, "/usr/local/bin/flowlatch", m.program, 1)
	file := filepath.Join(t.TempDir(), "flowlatch.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil || !found {
		t.Fatalf("a unit is in the page: %t, %v", found, err)
	}
	if output, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("systemd-analyze: %v\n%s", err, output)
	}
}
