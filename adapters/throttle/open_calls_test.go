package throttle_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestOpenCalls(t *testing.T) {
	portstest.OpenCalls(t, func(_ *testing.T, limit int) ports.OpenCalls { return throttle.NewOpenCalls(limit) })
}

func TestALimitOfOpenCallsBelowZeroIsNone(t *testing.T) {
	o := throttle.NewOpenCalls(-1)
	for range 100 {
		if _, err := o.Begin(domain.Budget{Who: "user:ada", Limit: -1}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCallsThatEndedTakeNoMemory(t *testing.T) {
	o := throttle.NewOpenCalls(32)
	before := heap()
	for i := range 40_000 {
		text := strings.Repeat(" ", 4<<10) + fmt.Sprintf("user:%d", i)
		end, err := o.Begin(domain.Budget{Who: domain.Actor(text[4<<10:])})
		if err != nil {
			t.Fatal(err)
		}
		end()
	}
	if got := heap() - before; got > 1<<20 {
		t.Errorf("memory after 40,000 callers: got %d KiB more, want at most 1 MiB", got>>10)
	}
	runtime.KeepAlive(o)
}
