package postgrestest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// engine stands for the docker command. RUNS, HAS and PULLS say what it can do; it has
// the image that image/build would make.
const engine = `#!/bin/sh
case "$*" in
version) [ -n "$RUNS" ] ;;
"image inspect $HAS") ;;
"pull $PULLS") ;;
"image ls "*) echo flowlatch-test-postgres:15 ;;
*) exit 1 ;;
esac
`

func TestWithPostgresFindsWhatThereIs(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(engine), 0o700); err != nil {
		t.Fatal(err)
	}
	const (
		required = "FLOWLATCH_TEST_POSTGRES=required"
		dsn      = "FLOWLATCH_TEST_POSTGRES_DSN=postgres://h/db"
	)
	for _, tc := range []struct {
		name   string
		env    []string
		want   string // what the command gets: the switch and the image
		notice string // what the last lines begin with, if there are any
	}{
		{"the image is here", []string{"RUNS=1", "HAS=postgres:17-alpine"}, "required postgres:17-alpine", ""},
		{"the image can be pulled", []string{"RUNS=1", "PULLS=mine:1", "FLOWLATCH_TEST_POSTGRES_IMAGE=mine:1"}, "required mine:1", ""},
		{"the image can't be pulled", []string{"RUNS=1"}, "off postgres:17-alpine", "Docker does not have the image postgres:17-alpine"},
		{"the image can't be pulled, but is required", []string{"RUNS=1", required}, "required flowlatch-test-postgres:15", ""},
		{"Docker does not run", nil, "off postgres:17-alpine", "Docker does not run here"},
		{"Docker does not run, but is required", []string{required}, "required postgres:17-alpine", "Docker does not run here"},
		{"a server is named", []string{dsn}, "required postgres:17-alpine", ""},
		{"switched off", []string{dsn, "FLOWLATCH_TEST_POSTGRES=off"}, "off postgres:17-alpine", "FLOWLATCH_TEST_POSTGRES is off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			out, code := withPostgres(t, bin, tc.env...)
			if code != 3 {
				t.Errorf("got exit code %d, want 3, the command's", code)
			}
			got, notice, _ := strings.Cut(out, "\n")
			if got != tc.want {
				t.Errorf("the command got %q, want %q", got, tc.want)
			}
			if tc.notice == "" && notice != "" {
				t.Errorf("got these last lines, want none:\n%s", notice)
			}
			if tc.notice != "" && !strings.HasPrefix(notice, "\nPostgres was NOT tested: "+tc.notice) {
				t.Errorf("got these last lines, want that Postgres was not tested, because %s:\n%s", tc.notice, notice)
			}
		})
	}
	t.Run("a switch that does not exist", func(t *testing.T) {
		t.Parallel()
		if out, code := withPostgres(t, bin, "FLOWLATCH_TEST_POSTGRES=true"); code != 2 || out != "" {
			t.Errorf("got exit code %d and output %q, want 2 and nothing run", code, out)
		}
	})
}

// withPostgres runs a command that exits with 3 under the script, with the docker
// command of bin.
func withPostgres(t *testing.T, bin string, env ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./with-postgres",
		"sh", "-c", `echo "$FLOWLATCH_TEST_POSTGRES $FLOWLATCH_TEST_POSTGRES_IMAGE"; exit 3`)
	cmd.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HAS=nothing", "PULLS=nothing"}, env...)
	out, err := cmd.Output()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("run with-postgres: %v", err)
	}
	return string(out), exit.ExitCode()
}
