package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is what is printed at the end.
type table struct {
	lines  [][]string
	before string // the load of the machine when it began
}

var heading = []string{"what", "database", "projects", "Flowlatch", "by hand", "measured", "goal"}

// compare adds a line that sets the service against the reference.
func (t *table) compare(what string, f *field, service, reference *contender, goal string) {
	t.lines = append(t.lines, []string{what, f.version, count(len(f.world.projects)), speed(service), speed(reference),
		ratio(service, reference), goal})
}

// alone adds a line about the reference only.
func (t *table) alone(what string, f *field, reference *contender) {
	t.lines = append(t.lines, []string{what, f.version, count(len(f.world.projects)), "", speed(reference), "", ""})
}

// scale adds a line that sets a large database against a small one.
func (t *table) scale(what, database string, large, small *contender) {
	t.lines = append(t.lines, []string{what, database, "", "", "", ratio(large, small), "1.00"})
}

func (t *table) memory(what, database string, bytes int64, goal string) {
	measured := fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	if runtime.GOOS != "linux" {
		measured = "only on Linux"
	}
	t.lines = append(t.lines, []string{what, database, "", "", "", measured, goal})
}

func (t *table) duration(what, database string, took []time.Duration, goal string) {
	t.lines = append(t.lines, []string{what, database, "", "", "",
		fmt.Sprintf("%d ms (%d to %d)", median(took).Milliseconds(), slices.Min(took).Milliseconds(), slices.Max(took).Milliseconds()), goal})
}

// speed is the median of what a contender did in its rounds.
func speed(c *contender) string {
	var perSecond []float64
	var p50, p99, processor []time.Duration
	for _, r := range c.rounds {
		perSecond = append(perSecond, r.perSecond)
		p50, p99, processor = append(p50, r.p50), append(p99, r.p99), append(processor, r.processor)
	}
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s, %d µs CPU", median(perSecond), milliseconds(median(p50)), milliseconds(median(p99)),
		median(processor).Microseconds())
}

// ratio compares two contenders round by round.
func ratio(one, other *contender) string {
	var all []float64
	for i := range one.rounds {
		all = append(all, one.rounds[i].perSecond/other.rounds[i].perSecond)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(all), slices.Min(all), slices.Max(all))
}

// median is the one in the middle, and of two the larger.
func median[T float64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64) + " ms"
}

// count writes a number with commas.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// print writes the table as Markdown, and what it was measured on.
func (t *table) print(to io.Writer) {
	if len(t.lines) == 0 {
		return
	}
	rule := slices.Repeat([]string{"---"}, len(heading))
	_, _ = fmt.Fprintln(to)
	for _, line := range append([][]string{heading, rule}, t.lines...) {
		_, _ = fmt.Fprintln(to, "| "+strings.Join(line, " | ")+" |")
	}
	_, _ = fmt.Fprintf(to, `
%d connections that walk through %s users with %d granted each; %d rounds of %v in turns: medians, and of ratios the least and the most.
"by hand" is a net/http handler that does the same work, a process of its own on the same database. CPU is that of the server per request.
Everything on one machine: %s, %d of them, %s/%s, %s. Its load was %s before and %s after.
`, connections, count(members), granted, rounds, roundTime, processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), t.before, loadAverage())
	if !slices.ContainsFunc(t.lines, func(line []string) bool { return strings.HasPrefix(line[1], "PostgreSQL") }) {
		_, _ = fmt.Fprintln(to, "There was no Postgres, so this is SQLite only.")
	}
}

// processor is the name of the processors where Linux tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, found := strings.Cut(string(text), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	if !found {
		return "processors of an unknown kind"
	}
	return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
}

// loadAverage is the load of the last minute where Linux tells it.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}
