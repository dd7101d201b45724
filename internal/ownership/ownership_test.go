//go:build unix

package ownership

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// The users and groups of the tests. me is a service, not root.
const (
	me, stranger    = 4001, 4002
	mine, strangers = 5001, 5002
)

var service = Process{UID: me, Groups: []int{mine}}

// ground is an empty folder that belongs to the service.
type ground struct {
	t    *testing.T
	path string
}

func newGround(t *testing.T) ground {
	t.Helper()
	if os.Getuid() != 0 {
		testtools.LeaveOut(t, "Only root can give files to other users.", "Run the tests as root.")
	}
	g := ground{t, t.TempDir()}
	g.own(".", me, mine, 0o755)
	return g
}

func (g ground) at(name string) string { return filepath.Join(g.path, name) }

// own sets owner, group and mode.
func (g ground) own(name string, uid, gid int, mode os.FileMode) {
	g.t.Helper()
	if err := errors.Join(os.Lchown(g.at(name), uid, gid), os.Chmod(g.at(name), mode)); err != nil {
		g.t.Fatal(err)
	}
}

// file makes a file, and the folders above it, which belong to the service.
func (g ground) file(name string, uid, gid int, mode os.FileMode) {
	g.t.Helper()
	if folder := filepath.Dir(name); folder != "." {
		g.folder(folder, me, mine, 0o700)
	}
	if err := os.WriteFile(g.at(name), nil, 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.own(name, uid, gid, mode)
}

func (g ground) folder(name string, uid, gid int, mode os.FileMode) {
	g.t.Helper()
	if err := os.MkdirAll(g.at(name), 0o700); err != nil {
		g.t.Fatal(err)
	}
	g.own(name, uid, gid, mode)
}

// link makes a link that belongs to uid. Its permission bits mean nothing.
func (g ground) link(target, name string, uid int) {
	g.t.Helper()
	if err := errors.Join(os.Symlink(target, g.at(name)), os.Lchown(g.at(name), uid, uid)); err != nil {
		g.t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name  string
		make  func(g ground)
		links Links
		as    Process
		want  string // a part of the problem, "" for none
		fix   string // the command, without the path
	}{
		{"nothing is there", func(ground) {}, NoLinks, service, "", ""},
		{"its own folder", func(g ground) { g.folder("x", me, mine, 0o700) }, NoLinks, service, "", ""},
		{"root's file that it may read", func(g ground) { g.file("x", 0, mine, 0o640) }, NoLinks, service, "", ""},
		{"a folder of its own group", func(g ground) { g.folder("x", 0, mine, 0o770|os.ModeSetgid) }, NoLinks, service, "", ""},
		{"a folder that others may read", func(g ground) { g.folder("x", me, strangers, 0o755) }, NoLinks, service, "", ""},
		{"a folder that everybody may write", func(g ground) { g.folder("x", me, mine, 0o777) }, NoLinks, service, "every user of this machine (mode 0777)", "chmod go-w"},
		{"a folder that everybody may write, and sticky", func(g ground) { g.folder("x", me, mine, 0o777|os.ModeSticky) }, NoLinks, service, "every user", "chmod go-w"},
		{"a file that everybody may write but not read", func(g ground) { g.file("x", me, mine, 0o602) }, NoLinks, service, "every user of this machine (mode 0602)", "chmod go-w"},
		{"a file that another group may write", func(g ground) { g.file("x", me, strangers, 0o660) }, NoLinks, service, "group 5002", "chmod g-w"},
		{"root's file that another group may write", func(g ground) { g.file("x", 0, strangers, 0o660) }, NoLinks, service, "group 5002", "chmod g-w"},
		{"a file of another user", func(g ground) { g.file("x", stranger, mine, 0o640) }, NoLinks, service, "belongs to user 4002, and neither to root nor to user 4001", "chown 4001"},
		{"root uses a file of another user", func(g ground) { g.file("x", stranger, 0, 0o600) }, NoLinks, Process{UID: 0, Groups: []int{0}}, "belongs to user 4002", "chown 0"},

		{"a folder above that everybody may write", func(g ground) { g.file("up/x", me, mine, 0o600); g.own("up", me, mine, 0o777) }, NoLinks, service, "replace what is in it", "chmod o-w"},
		{"a folder above that is sticky", func(g ground) { g.file("up/x", me, mine, 0o600); g.own("up", 0, 0, 0o777|os.ModeSticky) }, NoLinks, service, "", ""},
		{"a link of root above", func(g ground) { g.file("real/x", me, mine, 0o600); g.link("real", "up", 0) }, NoLinks, service, "", ""},
		{"a link of a stranger above", func(g ground) { g.file("real/x", me, mine, 0o600); g.link("real", "up", stranger) }, NoLinks, service, "a symbolic link that belongs to user 4002", "chown -h 4001"},

		{"a link where none may be", func(g ground) { g.file("y", me, mine, 0o600); g.link("y", "x", me) }, NoLinks, service, "is a symbolic link", ""},
		{"a link to nothing", func(g ground) { g.link("gone", "x", me) }, NoLinks, service, "is a symbolic link", ""},
		{"a link to itself", func(g ground) { g.link("x", "x", me) }, NoLinks, service, "is a symbolic link", ""},

		{"the folder of a service with DynamicUser", func(g ground) {
			g.folder("private/x", me, mine, 0o755)
			g.own("private", 0, 0, 0o755)
			g.link("private/x", "x", 0)
		}, RootLinks, service, "", ""},
		{"root follows its own link", func(g ground) { g.folder("y", 0, 0, 0o755); g.link("y", "x", 0) }, RootLinks, Process{UID: 0}, "is a symbolic link", ""},
		{"a link of root to elsewhere", func(g ground) { g.link(t.TempDir(), "x", 0) }, RootLinks, service, "is a symbolic link", ""},
		{"a link of its own where root's may be", func(g ground) { g.folder("y", me, mine, 0o755); g.link("y", "x", me) }, RootLinks, service, "is a symbolic link", ""},

		{"a secret of Kubernetes", func(g ground) { kubernetes(g, 0, 0o440) }, LinksBelow, service, "", ""},
		{"a secret of Kubernetes, used by root", func(g ground) { kubernetes(g, 0, 0o400) }, LinksBelow, Process{UID: 0}, "", ""},
		{"such a secret that everybody may write", func(g ground) { kubernetes(g, 0, 0o666) }, LinksBelow, service, "every user", "chmod go-w"},
		{"such a secret of a stranger", func(g ground) { kubernetes(g, stranger, 0o440) }, LinksBelow, service, "belongs to user 4002", "chown 4001"},
		{"a link that leaves the folder", func(g ground) { g.file("y", 0, 0, 0o440); g.folder("up", 0, 0, 0o755); g.link("../y", "up/x", 0) }, LinksBelow, service, "is a symbolic link", ""},
		{"a link to a folder whose name begins alike", func(g ground) {
			g.folder("up", 0, 0, 0o755)
			g.file("upper/y", 0, 0, 0o440)
			g.link("../upper/y", "up/x", 0)
		}, LinksBelow, service, "is a symbolic link", ""},

		{"a certificate that certbot links to", func(g ground) {
			g.file("archive/y", 0, 0, 0o600)
			g.folder("up", 0, 0, 0o755)
			g.link("../archive/y", "up/x", 0)
		}, AllLinks, service, "", ""},
		{"a link of a stranger", func(g ground) { g.file("y", me, mine, 0o600); g.link("y", "x", stranger) }, AllLinks, service, "a symbolic link that belongs to user 4002", "chown -h 4001"},
		{"a link to itself where links may be", func(g ground) { g.link("x", "x", me) }, AllLinks, service, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGround(t)
			tc.make(g)
			path := g.at("x")
			if _, err := os.Lstat(g.at("up")); err == nil {
				path = g.at("up/x")
			}
			err := tc.as.Check(path, tc.links)
			problem, ok := errors.AsType[*Problem](err)
			switch {
			case tc.want == "" && err == nil:
				return
			case !ok || tc.want == "" || !strings.Contains(problem.Error(), tc.want):
				t.Fatalf("Check: got %v, want %q", err, tc.want)
			}
			if got := strings.Join(problem.Fix, " "); got != strings.TrimSpace(tc.fix+" "+fixed(tc.fix, problem.Path)) {
				t.Errorf("the fix is %q, want %q", got, tc.fix)
			}
		})
	}
}

func fixed(fix, path string) string {
	if fix == "" {
		return ""
	}
	return path
}

// kubernetes makes what the kubelet mounts for a secret: a folder like /tmp, in which x is a link.
func kubernetes(g ground, uid int, mode os.FileMode) {
	g.file("up/..2026_11_30/x", uid, mine, mode)
	g.own("up/..2026_11_30", 0, mine, 0o755)
	g.link("..2026_11_30", "up/..data", 0)
	g.link("..data/x", "up/x", 0)
	g.own("up", 0, mine, 0o777|os.ModeSticky)
}

func TestSelfIsThisProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Self().Check(path, NoLinks); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	if err := Self().Check(path, NoLinks); err != nil {
		t.Errorf("its own group may write: %v", err)
	}
}
