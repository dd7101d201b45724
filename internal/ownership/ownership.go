// Package ownership tells whether somebody else can change a file or a folder, or put another one
// in its place.
//
// A path is followed from the root, name by name, as sshd follows the path to a key file. What is
// below a folder that nobody else can change stays as it was checked.
package ownership

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Links says which symbolic link may stand in place of a path. A link must always belong to
// root or to the user of the process. Links in the folders above the path are only checked for
// their owner.
type Links int

const (
	// NoLinks allows no link.
	NoLinks Links = iota
	// RootLinks allows a link of root to a path in the same folder or below it, if the process
	// is not root's. systemd makes such links for services with DynamicUser=
	// (systemd.exec(5), StateDirectory=).
	RootLinks
	// LinksBelow allows a link to a path in the same folder or below it. Kubernetes mounts
	// secrets so: keyset.json links to ..data/keyset.json
	// (https://kubernetes.io/docs/concepts/storage/volumes/, and AtomicWriter in its source).
	LinksBelow
	// AllLinks allows every link.
	AllLinks
)

// maxLinks is how many links are followed, as in Linux (path_resolution(7)).
const maxLinks = 40

// Process is who wants to use a path.
type Process struct {
	UID    int
	Groups []int
}

// Self returns the effective user and all groups of this process.
func Self() Process {
	groups, _ := os.Getgroups() // without them, fewer files are accepted
	return Process{UID: os.Geteuid(), Groups: append(groups, os.Getegid())}
}

// OwnerOf returns the user who owns a path, with their groups. The group of the path counts as
// theirs if the system does not know the user, as in a container. ok is false if nothing is there,
// if a link is there, and on systems without owners.
func OwnerOf(path string) (p Process, ok bool) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 || !hasOwners {
		return Process{}, false
	}
	uid, gid := owner(info)
	p = Process{UID: uid}
	known, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		p.Groups = []int{gid}
		return p, true
	}
	ids, _ := known.GroupIds() // without them, fewer files are accepted
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			p.Groups = append(p.Groups, n)
		}
	}
	return p, true
}

// Problem is what is wrong with a path.
type Problem struct {
	// Path is the path, or a folder or link on the way to it.
	Path string
	// What completes a sentence that begins with the path.
	What string
	// Fix is the command that corrects it. It is nil if no single command does.
	Fix []string
	// Link reports that a link stands in place of the path, and that is the problem.
	Link bool
}

// Error returns the path and the problem.
func (p *Problem) Error() string { return p.Path + " " + p.What }

// place is a path that was followed to its end.
type place struct {
	path  string      // without links
	info  fs.FileInfo // nil if nothing is there
	first string      // the path whose last name was a link, "" if it was not
	link  fs.FileInfo // the link itself
}

// Check examines a file or a folder that only root and the process may change. Returns a *Problem
// if somebody else can change it or put another one in its place, or if a link stands there that
// links does not allow. Returns nil otherwise, also if nothing is there, if the path can't be
// examined, and on systems without owners. Whoever opens a path that can't be examined says why.
func (p Process) Check(path string, links Links) error {
	full, err := filepath.Abs(path)
	if err != nil || !hasOwners {
		return nil
	}
	at, err := p.follow(full)
	if at.link != nil && (links == NoLinks || err == nil && !p.allows(links, at)) {
		return &Problem{Path: at.first, What: "is a symbolic link", Link: true}
	}
	if problem, ok := errors.AsType[*Problem](err); ok {
		return problem
	}
	if err != nil || at.info == nil {
		return nil
	}
	return p.owned(at.path, at.info)
}

// allows reports whether a link may stand where at says.
func (p Process) allows(links Links, at place) bool {
	below := strings.HasPrefix(at.path, strings.TrimSuffix(filepath.Dir(at.first), "/")+"/")
	switch links {
	case RootLinks:
		uid, _ := owner(at.link)
		return below && uid == 0 && p.UID != 0
	case LinksBelow:
		return below
	case AllLinks:
		return true
	}
	return false
}

// owned returns a problem if somebody else may write what info describes.
func (p Process) owned(path string, info fs.FileInfo) error {
	uid, gid := owner(info)
	mode := info.Mode().Perm()
	switch {
	case !p.trusts(uid):
		return &Problem{Path: path, What: fmt.Sprintf("belongs to user %d, and neither to root nor to user %d, who runs this program", uid, p.UID),
			Fix: []string{"chown", strconv.Itoa(p.UID), path}}
	case mode&0o002 != 0:
		return &Problem{Path: path, What: fmt.Sprintf("may be changed by every user of this machine (mode %04o)", mode), Fix: []string{"chmod", "go-w", path}}
	case mode&0o020 != 0 && !slices.Contains(p.Groups, gid):
		return &Problem{Path: path, What: fmt.Sprintf("may be changed by group %d, to which this program does not belong (mode %04o)", gid, mode),
			Fix: []string{"chmod", "g-w", path}}
	}
	return nil
}

// trusts reports whether the files of that user may be used.
func (p Process) trusts(uid int) bool { return uid == 0 || uid == p.UID }

// follow follows an absolute path to its end. It checks every folder and link on the way, but not
// what is at the end. If it returns an error, the link at the end is set if it was reached.
func (p Process) follow(path string) (place, error) {
	at := place{path: "/"}
	names := split(path)
	for links := 0; len(names) > 0; {
		if err := p.passable(at.path); err != nil {
			return at, err
		}
		name := names[0]
		names = names[1:]
		if name == ".." {
			at.path = filepath.Dir(at.path)
			continue
		}
		next := filepath.Join(at.path, name)
		info, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			at.path = filepath.Join(append([]string{next}, names...)...)
			return at, nil
		case err != nil:
			return at, err
		case info.Mode()&fs.ModeSymlink == 0:
			at.path = next
			if len(names) == 0 {
				at.info = info
			}
			continue
		}
		if len(names) == 0 && at.link == nil {
			at.first, at.link = next, info
		}
		if links++; links > maxLinks {
			return at, errors.New("too many levels of symbolic links")
		}
		target, err := p.target(next, info)
		if err != nil {
			return at, err
		}
		if filepath.IsAbs(target) {
			at.path = "/"
		}
		names = append(split(target), names...)
	}
	return at, nil
}

// target returns where a link leads. Returns a problem if it belongs to somebody else.
func (p Process) target(path string, link fs.FileInfo) (string, error) {
	if uid, _ := owner(link); !p.trusts(uid) {
		return "", &Problem{Path: path, What: fmt.Sprintf("is a symbolic link that belongs to user %d, and neither to root nor to user %d, who runs this program", uid, p.UID),
			Fix: []string{"chown", "-h", strconv.Itoa(p.UID), path}}
	}
	return os.Readlink(path)
}

// passable returns a problem for a folder on the way in which every user may replace what is not
// theirs. In a sticky folder, such as /tmp, they can't.
func (p Process) passable(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return &Problem{Path: folder, What: fmt.Sprintf("may be changed by every user of this machine (mode %04o), so they can replace what is in it", info.Mode().Perm()),
			Fix: []string{"chmod", "o-w", folder}}
	}
	return nil
}

// split returns the names of a path. ".." stays where it is, because it means the parent of what
// a link leads to.
func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}
