package main

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/flowlatch/flowlatch/internal/config"
)

const (
	// memoryShare is the share of the memory that Go may use before it collects garbage all the
	// time, in percent. The rest is for SQLite, whose memory Go does not see, for mapped files,
	// and for what Go needs above its own limit.
	memoryShare = 60
	// leastMemory is the smallest limit, in bytes. Each password that is hashed takes 19 MiB, and
	// below this limit the collector would run for each of them.
	leastMemory = 128 << 20
	// bodiesPart says that FLOWLATCH_MEMORY_BODIES may be a quarter of the memory.
	// docs/operations.md ("Memory") says the same.
	bodiesPart = 4
)

// setUpMemory gives the garbage collector a limit by the memory of the cgroup or the machine, unless
// the operator sets GOMEMLIMIT. It logs a warning if bodies may take too much of that memory.
func setUpMemory(cfg config.Config, log *slog.Logger) {
	memory := leastOf(memlimit.FromCgroup, memlimit.FromSystem)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(memory))
	}
	if warning := bodiesWarning(cfg.MemoryBodies, memory); warning != "" {
		log.Warn("bodies may take too much memory", "warning", warning)
	}
}

// leastOf returns the smallest memory that the sources tell, in bytes. It returns math.MaxInt64 if
// none of them tells one.
func leastOf(sources ...memlimit.Provider) int64 {
	memory := uint64(math.MaxInt64)
	for _, source := range sources {
		if n, err := source(); err == nil && n > 0 {
			memory = min(memory, n)
		}
	}
	return int64(memory)
}

// memoryLimit returns the limit for a memory. It returns math.MaxInt64, which is no limit, for
// math.MaxInt64.
func memoryLimit(memory int64) int64 {
	if memory == math.MaxInt64 {
		return math.MaxInt64
	}
	return max(leastMemory, memory/100*memoryShare)
}

// bodiesWarning returns a warning if bodies may take more than their share of a memory, in bytes.
// Otherwise it returns "".
func bodiesWarning(bodies, memory int64) string {
	if bodies <= memory/bodiesPart {
		return ""
	}
	const mib = 1 << 20
	lower := ""
	if most := memory / bodiesPart / mib; most >= config.LeastMemoryBodies/mib {
		lower = fmt.Sprintf("set it to %dMiB or less, or ", most)
	}
	return fmt.Sprintf("%sMEMORY_BODIES is more than a quarter of this memory of %d MiB: %sgive the service %d MiB or more",
		config.Prefix, memory/mib, lower, (bodies-1)/(mib/bodiesPart)+1)
}
