package main

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// memoryShare is the share of the memory that Go may use before it collects garbage all the
	// time, in percent. The rest is for SQLite, whose memory Go does not see, for mapped files,
	// and for what Go needs above its own limit.
	memoryShare = 60
	// leastMemory is the smallest limit, in bytes. Each password that is hashed takes 19 MiB, and
	// below this limit the collector would run for each of them.
	leastMemory = 128 << 20
)

// setUpMemory gives the garbage collector a limit by the memory of the cgroup or the machine. If
// the operator sets GOMEMLIMIT, it changes nothing.
func setUpMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(memlimit.FromCgroup, memlimit.FromSystem))
	}
}

// memoryLimit returns the limit for the smallest memory that the sources tell. It returns
// math.MaxInt64, which is no limit, if none of them tells one.
func memoryLimit(sources ...memlimit.Provider) int64 {
	memory := uint64(math.MaxInt64)
	for _, source := range sources {
		if n, err := source(); err == nil && n > 0 {
			memory = min(memory, n)
		}
	}
	if memory == math.MaxInt64 {
		return math.MaxInt64
	}
	return max(leastMemory, int64(memory/100)*memoryShare)
}
