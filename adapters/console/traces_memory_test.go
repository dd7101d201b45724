package console_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/console"
)

// TestAHostileAnswerTakesLittleMemory checks that neither nesting nor many items make the work for an
// answer much larger than the answer. Reading nested cards again at each level would take minutes of
// the processor's time for the largest answer.
func TestAHostileAnswerTakesLittleMemory(t *testing.T) {
	const size = 256 << 10
	for _, tc := range []struct {
		name, body string
		messages   int
	}{
		{"an array of numbers", "[" + strings.Repeat("1,", size/2) + "1]", 301},
		{"a choice with many buttons", `[{"type":"choice","payload":{"buttons":[` + strings.Repeat("1,", size/2) + `1]}}]`, 1},
		{"a carousel with many cards", `[{"type":"carousel","payload":{"cards":[` + strings.Repeat("1,", size/2) + `1]}}]`, 1},
		{
			"a carousel in a carousel, 1000 deep",
			`[{"type":"carousel","payload":` + strings.Repeat(`{"cards":[`, 1000) + `"` + strings.Repeat("x", size) + `"` + strings.Repeat(`]}`, 1000) + `}]`, 1,
		},
		{"an array that does not end", "[" + strings.Repeat("1,", size/2), 1},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := console.ShowTraces([]byte(tc.body))
		runtime.ReadMemStats(&after)
		if got != tc.messages {
			t.Errorf("%s: got %d messages, want %d", tc.name, got, tc.messages)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) / uint64(len(tc.body)); took > 100 {
			t.Errorf("%s: each byte took %d bytes of memory, want at most 100", tc.name, took)
		}
	}
}
