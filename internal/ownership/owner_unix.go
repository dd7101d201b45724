//go:build unix

package ownership

import (
	"io/fs"
	"syscall"
)

const hasOwners = true

// owner returns the user and the group of a file.
func owner(info fs.FileInfo) (uid, gid int) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(stat.Uid), int(stat.Gid)
}
