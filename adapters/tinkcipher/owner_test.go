//go:build unix

package tinkcipher_test

import (
	"fmt"
	"io/fs"
	"syscall"
)

// owner is who owns the file.
func owner(info fs.FileInfo) string {
	stat := info.Sys().(*syscall.Stat_t)
	return fmt.Sprint(stat.Uid, ":", stat.Gid)
}
