package clients

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// TestTheReadme runs the commands of the README: the four routes, and a turn. It puts the values of the
// installation in place of the README's, and the ids of answers in place of dots.
func TestTheReadme(t *testing.T) {
	testtools.Program(t, "curl")
	a := voiceflowtest.NewProject("Pizza Palace", "main")
	k := &kitchen{installation: newInstallation(t, startVoiceflow(t, a)), assistant: a, folder: t.TempDir()}
	k.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + k.folder}
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	section := func(heading string) string {
		_, rest, _ := strings.Cut(string(content), "\n## "+heading+"\n")
		rest, _, _ = strings.Cut(rest, "\n## ")
		block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(rest)
		if block == nil {
			t.Fatalf("README.md has no commands below %q", heading)
		}
		return block[1]
	}

	id := `$(curl -sS -b cookies.txt $at/get_projects | sed 's/.*"Id":"\([^"]*\)".*/\1/')`
	commands := strings.NewReplacer(
		"http://127.0.0.1:8080", k.url, `"password": "…"`, fmt.Sprintf(`"password": %q`, password), "VF.DM.…", a.Key, "6371c9b4e1a5b2c3d4e5f607", a.ProjectID,
		`"project_id": "…"`, `"project_id": "'"`+id+`"'"`, `"project_name": "…"`, `"project_name": "Pizza Palace"`, "curl ", "curl -sS --fail-with-body ",
	).Replace(section("The four routes"))
	said := k.sh(t, commands)
	wantAll(t, said, `"message":"the assistant was added"`, `"Name":"Pizza Palace"`, `"message":"the assistant is set"`, `"message":"the assistant was deleted here`)
	if n := strings.Count(said, `"message":`); n != 5 {
		t.Errorf("got %d answers, want 5:\n%s", n, said)
	}

	token := k.token(t, k.add(t, a, "main", allOf("main")), []string{"converse"}, nil)
	said = k.sh(t, strings.NewReplacer("https://flowlatch.example.com", k.url, "flk_…", token, "curl ", "curl -sS --fail-with-body ").Replace(section("Use an assistant")))
	wantAll(t, said, `"message":"Hi from Pizza Palace"`)
}
