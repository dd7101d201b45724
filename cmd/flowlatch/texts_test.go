package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

func TestSentence(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"an error of another kind", errors.New("no space left"), "no space left"},
		{"what may be shown, and why", &domain.Error{Kind: domain.Unavailable, Public: "the database could not answer", Cause: errors.New("timeout")},
			"the database could not answer: timeout"},
		{"a cause that is one of ours", &domain.Error{Kind: domain.Corrupt, Public: "the keyset is wanted",
			Cause: &domain.Error{Kind: domain.Corrupt, Public: "there is none"}}, "the keyset is wanted: there is none"},
		{"one of ours inside another", fmt.Errorf("start-up check: %w", &domain.Error{Kind: domain.Conflict, Public: "too new"}), "too new"},
		{"one that has nothing to say", &domain.Error{Kind: domain.NotFound}, "not_found"},
		{"the assistants it is about", &domain.Error{Kind: domain.AmbiguousName, Public: "several",
			Projects: []domain.Project{{ID: "1", Name: "Twin"}, {ID: "2", Name: "Tw\x1bin"}}}, `several: Twin has the Id 1: "Tw\x1bin" has the Id 2`},
		{"several lines", errors.New("one\ntwo\x1b[2J"), `one\ntwo\x1b[2J`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := sentence(tc.err); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPrintedJSONCommandsNoTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var line strings.Builder
		if err := printJSON(&line, text); err != nil {
			t.Fatal(err)
		}
		printed := strings.TrimSuffix(line.String(), "\n")
		for _, r := range printed {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q is printed as %q", text, printed)
			}
		}
	})
}

func TestAWordOfAShellIsThatWord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[ -~]{0,12}`).Draw(rt, "text")
		output, err := exec.Command("sh", "-c", "printf %s "+shellQuoted(text)).Output()
		if err != nil || string(output) != text {
			rt.Fatalf("%q becomes %s, which is %q (%v)", text, shellQuoted(text), output, err)
		}
	})
}

func TestFirstAdminNamesWhatMatters(t *testing.T) {
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"the data folder", []string{"FLOWLATCH_DATA_DIR=/srv/my data"},
			"in another terminal:\n  FLOWLATCH_DATA_DIR='/srv/my data' flowlatch user create --admin NAME"},
		{"secrets, which are not repeated", []string{"FLOWLATCH_DATABASE_URL=postgres://u:hunter2@h/d", "FLOWLATCH_KEYSET=hunter2"},
			"in another terminal, with FLOWLATCH_DATABASE_URL and FLOWLATCH_KEYSET set as here:\n  flowlatch user create --admin NAME"},
		{"files of secrets", []string{"FLOWLATCH_DATABASE_URL_FILE=" + fileWith(t, "postgres://u:hunter2@h/d"), "FLOWLATCH_KEYSET_FILE=/k"},
			" FLOWLATCH_KEYSET_FILE=/k flowlatch user create --admin NAME"},
		{"a key that wraps the keyset", []string{"FLOWLATCH_DATA_DIR=/d", "FLOWLATCH_KEYSET_KMS=vault-transit://v/transit/k?namespace=n", "FLOWLATCH_KEYSET_KMS_TOKEN=hunter2"},
			", with FLOWLATCH_KEYSET_KMS_TOKEN set as here:\n  FLOWLATCH_DATA_DIR=/d FLOWLATCH_KEYSET_KMS='vault-transit://v/transit/k?namespace=n' flowlatch user create --admin NAME"},
		{"another Voiceflow", []string{"FLOWLATCH_DATA_DIR=/d", "FLOWLATCH_VOICEFLOW_API_URL=http://v", "FLOWLATCH_VOICEFLOW_ALLOW_HTTP=true"},
			":\n  FLOWLATCH_DATA_DIR=/d FLOWLATCH_VOICEFLOW_API_URL=http://v FLOWLATCH_VOICEFLOW_ALLOW_HTTP=true flowlatch user create --admin NAME"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, _, err := config.Read(config.Source{Environ: tc.environ})
			if err != nil {
				t.Fatal(err)
			}
			got := firstAdmin(cfg, "flowlatch", func(name string) string {
				for _, e := range tc.environ {
					if value, ok := strings.CutPrefix(e, name+"="); ok {
						return value
					}
				}
				return ""
			})
			if !strings.HasSuffix(got, tc.want) || strings.Contains(got, "hunter2") {
				t.Errorf("got %q, want it to end with %q", got, tc.want)
			}
		})
	}
	if got, want := firstAdmin(config.Config{}, "./bin/flowlatch", os.Getenv), absolute("bin/flowlatch")+" user create"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

func fileWith(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBuildVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "c0ffee"}, {Key: "vcs.time", Value: "2026-11-22T06:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if got, want := buildVersion("", info), "flowlatch v1.2.3 revision c0ffee of 2026-11-22T06:00:00Z with changes go1.26.8 "+platform; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := buildVersion("v2.0.0-4-gc0ffee1", info), "flowlatch v2.0.0-4-gc0ffee1 revision c0ffee of 2026-11-22T06:00:00Z with changes go1.26.8 "+platform; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := buildVersion("", &debug.BuildInfo{GoVersion: "go1.26.8"}), "flowlatch (unknown version) go1.26.8 "+platform; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
