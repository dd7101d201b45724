package main

import (
	"errors"
	"math"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
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
			if got := memoryLimit(tc.cgroup, tc.machine); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}
