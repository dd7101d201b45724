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

// table is one of those that are printed at the end.
type table struct{ lines [][]string }

func (t *table) add(cells ...string) { t.lines = append(t.lines, cells) }

// print writes the table as Markdown, with the notes, unless there is nothing in it.
func (t *table) write(to io.Writer, heading []string, notes string) {
	if len(t.lines) == 0 {
		return
	}
	rule := slices.Repeat([]string{"---"}, len(heading))
	_, _ = fmt.Fprintln(to)
	for _, line := range append([][]string{heading, rule}, t.lines...) {
		_, _ = fmt.Fprintln(to, "| "+strings.Join(line, " | ")+" |")
	}
	_, _ = fmt.Fprintln(to, "\n"+notes)
	if !slices.ContainsFunc(t.lines, func(line []string) bool { return strings.HasPrefix(line[1], "PostgreSQL") }) {
		_, _ = fmt.Fprintln(to, "There was no Postgres, so this is SQLite only.")
	}
}

// routesTable is about the routes, beside handlers written by hand.
type routesTable struct{ table }

// compare adds a line that sets the service against the reference.
func (t *routesTable) compare(what string, f *field, service, reference *contender, goal string) {
	t.add(what, f.version, count(len(f.world.projects)), speed(service), speed(reference), ratio(service, reference), goal)
}

// alone adds a line about the reference only.
func (t *routesTable) alone(what string, f *field, reference *contender) {
	t.add(what, f.version, count(len(f.world.projects)), "", speed(reference), "", "")
}

// scale adds a line that sets a large database against a small one.
func (t *routesTable) scale(what, database string, large, small *contender) {
	t.add(what, database, "", "", "", ratio(large, small), "1.00")
}

func (t *routesTable) memory(what, database string, bytes int64, goal string) {
	t.add(what, database, "", "", "", mebibytes(bytes), goal)
}

func (t *routesTable) duration(what, database string, took []time.Duration, goal string) {
	t.add(what, database, "", "", "",
		fmt.Sprintf("%d ms (%d to %d)", median(took).Milliseconds(), slices.Min(took).Milliseconds(), slices.Max(took).Milliseconds()), goal)
}

func (t *routesTable) write(to io.Writer) {
	t.table.write(to, []string{"what", "database", "projects", "Flowlatch", "by hand", "measured", "goal"},
		fmt.Sprintf(`%d connections that walk through %s users with %d granted each; %d rounds of %v in turns: medians, and of ratios the least and the most.
"by hand" is a net/http handler that does the same work, a process of its own on the same database. CPU is that of the server per request.`,
			connections, count(members), granted, rounds, roundTime))
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

// mebibytes writes an amount of memory, which is known where Linux tells it.
func mebibytes(bytes int64) string {
	if runtime.GOOS != "linux" {
		return "only on Linux"
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

// count writes a number with commas.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// printMachine writes what everything was measured on.
func printMachine(to io.Writer, before string) {
	if len(result.lines) == 0 && len(forwarded.lines) == 0 && len(consoleResult.lines) == 0 {
		return
	}
	_, _ = fmt.Fprintf(to, "\nEverything on one machine: %s, %d of them, %s/%s, %s. Its load was %s before and %s after.\n",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), before, loadAverage())
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
