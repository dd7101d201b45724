package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// forwardTable is about calls that are forwarded, beside a bare reverse proxy.
type forwardTable struct{ table }

// throughput adds a line about how many calls a server can take, against the bare proxy
// if it is to be compared.
func (t *forwardTable) throughput(name string, c, bare *contender, compared bool) {
	against, goal := "", ""
	if compared {
		against, goal = ratio(c, bare)+" of the bare proxy", "at least 0.90"
	}
	t.add(fmt.Sprintf("%d connections", connections), name, speed(c), against, goal)
}

// latency adds a line about how long a call takes when it is the only one.
func (t *forwardTable) latency(name string, c, standIn *contender, compared bool) {
	against := ""
	if compared {
		against = fmt.Sprintf("p50 %s, p99 %s on top of the stand-in", added(c, standIn, round.median), added(c, standIn, round.slowest))
	}
	t.add("1 connection", name, speed(c), against, "")
}

// steady adds a line about calls that come at a rate that every server can take.
func (t *forwardTable) steady(name string, c, bare *contender, compared bool) {
	against, goal := "", ""
	if compared {
		against, goal = "p99 "+added(c, bare, round.slowest)+" on top of the bare proxy", "at most 1 ms"
	}
	t.add(count(c.under.perSecond)+" calls a second", name, speed(c), against, goal)
}

// memory adds a line about the memory of the service as it was after each part of the
// calls.
func (t *forwardTable) memory(name string, after []int64, peak int64) {
	var all []string
	for _, bytes := range after {
		all = append(all, strings.TrimSuffix(mebibytes(bytes), " MiB"))
	}
	t.add(fmt.Sprintf("anonymous memory after %s and after %s calls", count(someCalls), count(allCalls)), name,
		mebibytes(after[0])+" and "+mebibytes(after[len(after)-1]),
		fmt.Sprintf("every %s: %s; at its peak %s", count(someCalls), strings.Join(all, ", "), mebibytes(peak)), "flat")
}

func (r round) median() time.Duration  { return r.p50 }
func (r round) slowest() time.Duration { return r.p99 }

// added compares how long two contenders take, round by round.
func added(one, other *contender, of func(round) time.Duration) string {
	var all []time.Duration
	for i := range one.rounds {
		all = append(all, of(one.rounds[i])-of(other.rounds[i]))
	}
	return fmt.Sprintf("%s (%s to %s)", milliseconds(median(all)), milliseconds(slices.Min(all)), milliseconds(slices.Max(all)))
}

func (t *forwardTable) write(to io.Writer) {
	t.table.write(to, []string{"POST /state/user/…/interact", "server", "measured", "against", "goal"},
		fmt.Sprintf(`%s callers, each with an assistant of their own choice among %s projects, %d granted to each; an answer of %d bytes; %d rounds of %v in turns: medians, and of what is compared round by round the least and the most.
"bare reverse proxy" is net/http/httputil.ReverseProxy with pooled buffers and 256 idle connections, a process of its own, as the stand-in for Voiceflow is. CPU is that of the server per call, without its database's. FLOWLATCH_FORWARD_RATE=0, FLOWLATCH_FORWARD_OPEN=0.`,
			count(members), count(fewProjects), granted, len(traces), rounds, roundTime))
}
