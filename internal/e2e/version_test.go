package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// checkout is a copy of the sources.
type checkout struct {
	t      *testing.T
	folder string
}

// newCheckout copies the sources, without a repository. With only, it copies those files alone.
func newCheckout(t *testing.T, only ...string) checkout {
	t.Helper()
	c := checkout{t, t.TempDir()}
	copied := func(name string) {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(c.folder, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(c.folder, name), content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range only {
		copied(name)
	}
	if len(only) > 0 {
		return c
	}
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".git" || name == "bin":
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			copied(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs a program in the checkout and returns what it printed. Settings of git on this machine
// do not count.
func (c checkout) run(program string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = c.folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GOFLAGS=-buildvcs=false", "TZ=Asia/Tokyo",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a.example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@a.example",
		"GIT_AUTHOR_DATE=2026-11-30T01:02:03Z", "GIT_COMMITTER_DATE=2026-11-30T01:02:03Z", "GIT_CEILING_DIRECTORIES="+filepath.Dir(filepath.Dir(c.folder)))
	output, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, output)
	}
	return string(output)
}

func (c checkout) git(args ...string) { c.t.Helper(); c.run("git", args...) }

// commit makes the checkout a repository with one commit.
func (c checkout) commit() {
	c.t.Helper()
	c.git("init", "--quiet")
	c.git("add", "--all")
	c.git("commit", "--quiet", "-m", "x")
}

func TestTheVersionOfTheSources(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(c checkout)
		want string // a regular expression
	}{
		{"no repository", func(checkout) {}, ""},
		{"a repository without a commit", func(c checkout) { c.git("init", "--quiet") }, ""},
		{"no tag", func(checkout) {}, `v0\.0\.0-20261130010203-[0-9a-f]{12}`},
		{"a tag", func(c checkout) { c.git("tag", "v1.2.3") }, `v1\.2\.3`},
		{"an annotated tag of a candidate", func(c checkout) { c.git("tag", "-a", "-m", "x", "v1.2.3-rc.1") }, `v1\.2\.3-rc\.1`},
		{"a tag that is no version", func(c checkout) { c.git("tag", "nightly") }, `v0\.0\.0-20261130010203-[0-9a-f]{12}`},
		{"a tag that a shell would run", func(c checkout) { c.git("tag", "v1.2.3;id") }, ``},
		{"a commit after a tag", func(c checkout) { c.git("tag", "v1.2.3"); c.git("commit", "--quiet", "--allow-empty", "-m", "y") }, `v1\.2\.3-1-g[0-9a-f]+`},
		{"a file that differs", func(c checkout) {
			c.git("tag", "v1.2.3")
			if err := os.WriteFile(filepath.Join(c.folder, "cmd/flowlatch/extra.go"), nil, 0o600); err != nil {
				c.t.Fatal(err)
			}
		}, `v1\.2\.3\+dirty`},
		{"an archive of the sources in another repository", func(c checkout) {
			c.git("tag", "v9.9.9")
			for name, to := range map[string]string{"cmd": "vendored/cmd"} {
				if err := os.MkdirAll(filepath.Join(c.folder, filepath.Dir(to)), 0o755); err != nil {
					c.t.Fatal(err)
				}
				if err := os.Rename(filepath.Join(c.folder, name), filepath.Join(c.folder, to)); err != nil {
					c.t.Fatal(err)
				}
			}
		}, ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCheckout(t, "cmd/flowlatch/version.sh")
			if !strings.Contains(tc.name, "repository without") && tc.name != "no repository" {
				c.commit()
			}
			tc.make(c)
			script := "cmd/flowlatch/version.sh"
			if _, err := os.Stat(filepath.Join(c.folder, script)); err != nil {
				script = "vendored/" + script
			}
			if got := strings.TrimSpace(c.run("./" + script)); !regexp.MustCompile("^(" + tc.want + ")$").MatchString(got) {
				t.Errorf("the version is %q, want %q", got, tc.want)
			}
		})
	}
}

// TestARelease builds the program as a release is built, and without a repository.
func TestARelease(t *testing.T) {
	if testing.Short() {
		t.Skip("two builds take long")
	}
	c := newCheckout(t)
	c.run("make", "build")
	if got := c.run("bin/flowlatch", "version"); !strings.HasPrefix(got, "flowlatch (devel) go") {
		t.Errorf("without a repository, the version is %q", got)
	}
	c.commit()
	c.git("tag", "v1.2.3")
	c.run("make", "build")
	if got := c.run("bin/flowlatch", "version"); !strings.HasPrefix(got, "flowlatch v1.2.3 go") {
		t.Errorf("at a tag, the version is %q", got)
	}
}
