package throttle_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestHeldMemory(t *testing.T) {
	portstest.HeldMemory(t, func(_ *testing.T, budget int64) ports.HeldMemory { return throttle.NewHeldMemory(budget) })
}
