package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/flowlatch/flowlatch/internal/config"
)

func TestTheMemoryLimitIsAShareOfTheSmallestMemory(t *testing.T) {
	unlimited := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	unreadable := func() (uint64, error) { return 0, errors.New("no such file") }
	const gib = 1 << 30
	for _, tc := range []struct {
		name            string
		cgroup, machine memlimit.Provider
		want            int64
	}{
		{"the cgroup has less than the machine", memlimit.Limit(gib), memlimit.Limit(8 * gib), gib / 100 * 60},
		{"the cgroup has no limit", unlimited, memlimit.Limit(8 * gib), 8 * gib / 100 * 60},
		{"there is no cgroup", unreadable, memlimit.Limit(8 * gib), 8 * gib / 100 * 60},
		{"the cgroup has more than the machine", memlimit.Limit(1 << 40), memlimit.Limit(8 * gib), 8 * gib / 100 * 60},
		{"version 1 of cgroups says no limit by a huge number", memlimit.Limit(math.MaxInt64 - 4095), memlimit.Limit(8 * gib), 8 * gib / 100 * 60},
		{"the cgroup has very little", memlimit.Limit(64 << 20), memlimit.Limit(8 * gib), 128 << 20},
		{"60 percent are just the least", memlimit.Limit(200 << 20), memlimit.Limit(8 * gib), 128 << 20},
		{"a limit of nothing is no limit", memlimit.Limit(0), memlimit.Limit(8 * gib), 8 * gib / 100 * 60},
		{"nothing is known", unreadable, unlimited, math.MaxInt64},
		{"numbers beyond all", memlimit.Limit(math.MaxUint64), unlimited, math.MaxInt64},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := memoryLimit(leastOf(tc.cgroup, tc.machine)); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestABudgetForBodiesThatIsTooLargeIsToldAtStart(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name           string
		bodies, memory int64
		want           string
	}{
		{"a quarter of the memory", 128 * mib, 512 * mib, ""},
		{"less than a quarter", 16 * mib, 512 * mib, ""},
		{"nothing is known of the memory", 1 << 40, math.MaxInt64, ""},
		{"a byte more than a quarter", 128*mib + 1, 512 * mib,
			"FLOWLATCH_MEMORY_BODIES is more than a quarter of this memory of 512 MiB: set it to 128MiB or less, or give the service 513 MiB or more"},
		{"the default in a small container", 128 * mib, 256 * mib,
			"FLOWLATCH_MEMORY_BODIES is more than a quarter of this memory of 256 MiB: set it to 64MiB or less, or give the service 512 MiB or more"},
		{"the least in a tiny container", 16 * mib, 63 * mib,
			"FLOWLATCH_MEMORY_BODIES is more than a quarter of this memory of 63 MiB: give the service 64 MiB or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := bodiesWarning(tc.bodies, tc.memory); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// The page and the program name the same share.
func TestThePageNamesTheShareOfBodies(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	defaults, _, err := config.Read(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("In a container with less than %d MiB, lower `FLOWLATCH_MEMORY_BODIES` to a quarter of its memory.", defaults.MemoryBodies*bodiesPart>>20)
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/operations.md lacks %q", want)
	}
}
