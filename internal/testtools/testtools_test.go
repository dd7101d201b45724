package testtools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// recorder is a test that notes how it was ended.
type recorder struct {
	testing.TB
	how, said string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.how, r.said = "skipped", fmt.Sprintf(format, args...)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.how, r.said = "failed", fmt.Sprintf(format, args...)
}

// TestProgram does not run in parallel: it changes the environment.
func TestProgram(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "here"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	for _, tc := range []struct {
		name, program, required string
		path, how               string
	}{
		{"a program that is there has a path", "here", "", filepath.Join(bin, "here"), ""},
		{"a missing program skips the test", "no-such-program", "", "", "skipped"},
		{"a missing program fails the test where it is required", "no-such-program", "required", "", "failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("FLOWLATCH_TEST_TOOLS", tc.required)
			r := &recorder{TB: t}
			if path := Program(r, tc.program); path != tc.path || r.how != tc.how {
				t.Errorf("got the path %q, and the test was %q; want %q, %q", path, r.how, tc.path, tc.how)
			}
		})
	}
}

// TestLeaveOut does not run in parallel: it changes the environment.
func TestLeaveOut(t *testing.T) {
	for _, tc := range []struct{ name, required, how, said string }{
		{"a test that this machine can't run is skipped", "", "skipped", "There is no moon. This test was left out. Wait a week."},
		{"it fails where it is required", "required", "failed", "There is no moon. Wait a week."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("FLOWLATCH_TEST_TOOLS", tc.required)
			r := &recorder{TB: t}
			LeaveOut(r, "There is no moon.", "Wait a week.")
			if r.how != tc.how || r.said != tc.said {
				t.Errorf("the test was %q with %q, want %q with %q", r.how, r.said, tc.how, tc.said)
			}
		})
	}
}

// TestStart starts a program and ends it with the test.
func TestStart(t *testing.T) {
	nginx := Program(t, "nginx")
	addr := FreeAddr(t)
	var cmd *exec.Cmd
	t.Run("the program runs during the test", func(t *testing.T) {
		folder := t.TempDir()
		conf := filepath.Join(folder, "nginx.conf")
		text := "daemon off; pid nginx.pid; error_log stderr; events {} http { access_log off; " +
			"client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi; " +
			"server { listen " + addr + "; return 204; } }"
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command(nginx, "-p", folder, "-c", conf)
		Start(t, cmd, addr, syscall.SIGTERM)
	})
	if cmd.ProcessState == nil || !cmd.ProcessState.Success() {
		t.Errorf("after the test, the program is in the state %v", cmd.ProcessState)
	}
}
