package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// newTerminal opens a pseudo-terminal. What a person types is written to mine; the program
// gets its.
func newTerminal(t *testing.T) (mine, its *os.File) {
	t.Helper()
	mine, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mine.Close() })
	var number, locked int32
	control(t, mine, syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(t, mine, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	its, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = its.Close() })
	return mine, its
}

func control(t *testing.T, terminal *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), request, uintptr(argument)); errno != 0 {
		t.Fatal(errno)
	}
}

// atTerminal runs a command at a terminal and types each answer after its question. It returns
// the ended command and what the terminal showed.
func (m *machine) atTerminal(t *testing.T, questionsAndAnswers []string, args ...string) (*server, string) {
	t.Helper()
	mine, its := newTerminal(t)
	cmd := m.command(context.Background(), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = its, its, its
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = its.Close() // so that the reading ends when the command ends
	echoes := func() bool {
		var state syscall.Termios
		control(t, mine, syscall.TCGETS, unsafe.Pointer(&state))
		return state.Lflag&syscall.ECHO != 0
	}
	s := newServer(t, &testtools.Service{Cmd: cmd, Stdout: new(transcript), Stderr: new(transcript), Ended: make(chan struct{})})
	go func() {
		defer close(s.ended)
		buffer := make([]byte, 1024)
		for {
			n, err := mine.Read(buffer)
			_, _ = s.stdout.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		s.service.Err = cmd.Wait()
	}()
	for i := 0; i < len(questionsAndAnswers); i += 2 {
		question := questionsAndAnswers[i]
		eventually(t, "it asks "+question, func() bool { return strings.Contains(s.stdout.String(), question) && !echoes() })
		if answer := questionsAndAnswers[i+1]; answer == "" {
			s.interrupt()
		} else if _, err := mine.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	<-s.ended
	return s, s.stdout.String()
}

func TestSecretsAreAskedForAtATerminal(t *testing.T) {
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a))
	for _, tc := range []struct {
		name   string
		typed  []string
		args   []string
		code   int
		says   string
		hidden string
	}{
		{"a password, twice", []string{"Password: ", adminPassword, "The same again: ", adminPassword},
			[]string{"user", "create", "--admin", "ada"}, exitOK, "created the admin ada", adminPassword},
		{"a password and another one", []string{"Password: ", adminPassword, "The same again: ", memberPassword},
			[]string{"user", "create", "ben"}, exitFailure, "the two passwords differ", adminPassword},
		{"a key, once", []string{"API key of the assistant: ", a.Key},
			[]string{"project", "add", a.VersionID}, exitOK, "added Pizza Palace", a.Key},
		{"an interruption", []string{"Password: ", ""},
			[]string{"user", "passwd", "ada"}, exitFailure, "interrupted; nothing was done", adminPassword},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, shown := m.atTerminal(t, tc.typed, tc.args...)
			if got := s.cmd.ProcessState.ExitCode(); got != tc.code || !strings.Contains(shown, tc.says) {
				t.Errorf("exit code %d, want %d, and %q in\n%s", got, tc.code, tc.says, shown)
			}
			if strings.Contains(shown, tc.hidden) {
				t.Errorf("the terminal shows the secret:\n%s", shown)
			}
		})
	}
}

func TestImportShowsABarAtATerminal(t *testing.T) {
	pizza, trains := newAssistant("Pizza Palace"), newAssistant("Train times")
	m := newMachine(t, startVoiceflow(t, pizza, trains))
	m.must("", "migrate", "up")
	file := m.write("a.csv", "version_id,token,name\n"+trains.VersionID+","+trains.Key+",\n"+pizza.VersionID+","+pizza.Key+",Pizza\n")
	s, shown := m.atTerminal(t, nil, "project", "import", "--csv", file)
	if got := s.cmd.ProcessState.ExitCode(); got != exitFailure {
		t.Errorf("exit code %d, want %d", got, exitFailure)
	}
	for _, want := range []string{
		"adding", "(1/2)", "\rline 3 was refused: the name at Voiceflow is different", "\radded 1, there already 0, refused 1\r\n", "flowlatch: 1 of 2 assistants were refused\r\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in %q", want, shown)
		}
	}
	if strings.Contains(shown, pizza.Key) || strings.Contains(shown, trains.Key) {
		t.Errorf("the terminal shows a key: %q", shown)
	}
}
