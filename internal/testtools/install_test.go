package testtools

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of a Debian system. THERE lists the packages that are installed, UID is
// the user, and each command that changes something prints itself.
const (
	dpkgQuery = "#!/bin/sh\ncase \" $THERE \" in *\" $3 \"*) printf 'install ok installed' ;; *) exit 1 ;; esac\n"
	id        = "#!/bin/sh\necho \"$UID_IS\"\n"
	apt       = "#!/bin/sh\necho \"apt-get $*\"\n"
	debconf   = "#!/bin/sh\nread -r answer\necho \"debconf $answer\"\n"
	env       = "#!/bin/sh\nshift\nexec \"$@\"\n"
	sudo      = "#!/bin/sh\necho sudo\nexec \"$@\"\n"
	systemctl = "#!/bin/sh\necho \"systemctl $*\"\n"
	nothing   = "#!/bin/sh\n"
)

func TestInstall(t *testing.T) {
	t.Parallel()
	const services = " dbconfig-no-thanks glewlwyd haproxy nginx pgbouncer postgresql"
	const scripts = " nodejs python3-requests"
	const all = "THERE=chromium-headless-shell curl gcc libc6-dev mmdebstrap systemd" + scripts + services
	debian := map[string]string{"dpkg-query": dpkgQuery, "id": id, "apt-get": apt, "apt-cache": nothing, "debconf-set-selections": debconf, "env": env, "chmod": nothing, "rm": nothing, "tee": nothing}
	ubuntu := maps.Clone(debian)
	ubuntu["apt-cache"], ubuntu["sed"] = "#!/bin/sh\nexit 100\n", "#!/bin/sh\nexec /bin/sed \"$@\"\n"
	withSudo := maps.Clone(debian)
	withSudo["sudo"] = sudo
	withSystemd := maps.Clone(debian)
	withSystemd["systemctl"] = systemctl
	for _, tc := range []struct {
		name     string
		commands map[string]string
		env      []string
		code     int
		want     string // what is in the output; "" for no output
	}{
		{"everything is there", debian, []string{all, "UID_IS=1000"}, 0, ""},
		{"root installs what is missing", debian, []string{"THERE=chromium-headless-shell curl gcc libc6-dev systemd" + scripts + services, "UID_IS=0"}, 0,
			"apt-get update\napt-get install -y --no-install-recommends mmdebstrap\n"},
		{"a system without the browser", ubuntu, []string{"THERE=curl gcc libc6-dev systemd" + scripts + services, "UID_IS=0"}, 0,
			"apt-get update\napt-get install -y --no-install-recommends mmdebstrap\n"},
		{"a user installs by sudo", withSudo, []string{"THERE=chromium-headless-shell gcc libc6-dev systemd" + scripts + services, "UID_IS=1000"}, 0,
			"sudo\napt-get update\nsudo\napt-get install -y --no-install-recommends curl mmdebstrap\n"},
		{"a new service does not start with the machine", withSystemd, []string{"THERE=chromium-headless-shell curl gcc libc6-dev mmdebstrap systemd dbconfig-no-thanks glewlwyd haproxy pgbouncer postgresql" + scripts, "UID_IS=0"}, 0,
			"apt-get install -y --no-install-recommends nginx\nsystemctl --quiet disable nginx\n"},
		{"glewlwyd comes without a configuration", withSystemd, []string{"THERE=chromium-headless-shell curl gcc libc6-dev mmdebstrap systemd dbconfig-no-thanks haproxy nginx pgbouncer postgresql" + scripts, "UID_IS=0"}, 0,
			"debconf glewlwyd glewlwyd/config_type select No configuration\napt-get install -y --no-install-recommends glewlwyd\nsystemctl --quiet disable glewlwyd\n"},
		{"a user without sudo is told", debian, []string{"THERE=chromium-headless-shell curl gcc libc6-dev systemd" + scripts + services, "UID_IS=1000"}, 1,
			"Become root and run: apt-get install mmdebstrap\n"},
		{"a system without apt-get, ready", map[string]string{"curl": nothing, "cc": nothing}, nil, 0, "This system has no apt-get."},
		{"a system without apt-get, not ready", map[string]string{"curl": nothing}, nil, 1, "install them by hand"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for name, script := range tc.commands {
				if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "./install")
			cmd.Env = append(tc.env, "PATH="+bin)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tc.code {
				t.Errorf("got exit code %d, want %d", code, tc.code)
			}
			if got := string(out); !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("got this output, want %q in it:\n%s", tc.want, got)
			}
		})
	}
}
