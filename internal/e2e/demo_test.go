package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

func TestTheDemoDoesWhatItPrints(t *testing.T) {
	testtools.Program(t, "curl")
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_ADDR", "", "FLOWLATCH_COOKIE_SECURE", "", "FLOWLATCH_VOICEFLOW_API_URL", "nonsense",
		"FLOWLATCH_DATABASE_URL", "nonsense", "FLOWLATCH_KEYSET_FILE", "/nowhere", "FLOWLATCH_DATA_DIR", "/nowhere")
	s := m.launch("demo", "--addr=127.0.0.1:0")
	eventually(t, "the demo has printed all", func() bool {
		select {
		case <-s.ended:
			t.Fatalf("it ended: %v\n%s", s.service.Err, s.stderr)
		default:
		}
		return strings.Contains(s.stdout.String(), "Ctrl-C ends the demo")
	})

	wanted := regexp.MustCompile(`^# \d+\. [A-Za-z0-9 .,-]+ Expect (\d{3}) ?([a-z_]*)$`)
	lines := strings.Split(s.stdout.String(), "\n")
	steps, checked := 0, map[string]bool{}
	for i, line := range lines {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		steps++
		want := wanted.FindStringSubmatch(lines[i-1])
		if want == nil {
			t.Fatalf("%q is no comment that every shell takes for nothing", lines[i-1])
		}
		sh := exec.Command("sh", "-c", line)
		sh.Dir, sh.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		output, err := sh.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%s: %v\n%s", lines[i-1], line, err, output)
		}
		said := strings.TrimSpace(string(output))
		last := strings.LastIndex(said, "\n")
		text, status := said[:max(last, 0)], said[last+1:]
		if status != want[1] || !strings.Contains(text, `"code":"`+want[2]+`"`) && want[2] != "" {
			t.Errorf("%s\n%s\nbrought %s", lines[i-1], line, output)
		}
		for about, has := range map[string]string{
			"which is all three": `"Name":"Größe & Farbe 👟"`, "which is that one": `"Name":"Pizza Palace"`,
			"which assistant is set": `"assistant":{"Name":"Pizza Palace"`, "no longer has an assistant set": `"assistant":null`,
			"as a client of Voiceflow does": "one Margherita", "as a stream of events": "event: end", "read the transcripts.": `"userID":"ben"`,
			"without a cookie": "hello from a program", "a handle of Flowlatch": `"sessionKey":"`, "how often": `"Calls":`, "both keys": `"secondary_status":"ok"`, "the handle alone": "hello again",
		} {
			if !strings.Contains(lines[i-1], about) {
				continue
			}
			checked[about] = true
			if !strings.Contains(text, has) {
				t.Errorf("%s\nbrought %s, want %s in it", lines[i-1], text, has)
			}
		}
	}
	if len(checked) != 12 {
		t.Errorf("the answers of %d steps were checked, want 12: %v", len(checked), checked)
	}
	if steps != 34 {
		t.Errorf("%d commands, want 34:\n%s", steps, s.stdout)
	}
	s.stop()
	if left, err := os.ReadDir(m.folder); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v (%v)", left, err)
	}
	if s.stderr.String() != "" {
		t.Errorf("the demo writes to standard error:\n%s", s.stderr)
	}
}

func TestTheDemoFindsAnotherPort(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_ADDR", "")
	one := m.launch("demo")
	two := m.launch("demo") // one of them gets the default port, if no other program has it
	for _, s := range []*server{one, two} {
		eventually(t, "the demo has printed all", func() bool { return strings.Contains(s.stdout.String(), "Ctrl-C ends the demo") })
		s.stop()
	}
}

// TestTheDemoLeadsToTheConsole checks the first lines of the demo.
func TestTheDemoLeadsToTheConsole(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_ADDR", "")
	said := func(settings ...string) string {
		s := m.with(settings...).launch("demo", "--addr=127.0.0.1:0")
		defer s.stop()
		eventually(t, "the demo has printed all", func() bool { return strings.Contains(s.stdout.String(), "Ctrl-C ends the demo") })
		text, _, _ := strings.Cut(s.stdout.String(), "\n# 1. ")
		return text
	}
	for _, tc := range []struct {
		name, want string
		settings   []string
	}{
		{"the address of the service", `^Flowlatch runs with a stand-in for Voiceflow\. Open the console in a browser:\n\n  http://127\.0\.0\.1:\d+/console/\n`, nil},
		{"the logins and an assistant", `(?s)\n  admin +ada +\w+\n  member +ben +\w+\n.*\n  assistant +Pizza Palace\n  version id +\w+\n  Voiceflow key +VF\.DM\.`, nil},
		{"the path of the base URL", `\n  https://example\.com/flowlatch/console/\n`, []string{"FLOWLATCH_BASE_URL", "https://example.com/flowlatch"}},
	} {
		if text := said(tc.settings...); !regexp.MustCompile(tc.want).MatchString(text) {
			t.Errorf("%s: got\n%s\nwant %s", tc.name, text, tc.want)
		}
	}
	if text := said("FLOWLATCH_CONSOLE", "false"); strings.Contains(text, "/console/") || !strings.Contains(text, "Voiceflow. Paste these into a second terminal") {
		t.Errorf("without the console the demo begins with\n%s", text)
	}
}
