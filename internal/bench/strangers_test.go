package bench

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// strangers is how many bodies of strangers are open.
	strangers = 1_500
	// beforeVariable may name another binary to be measured too, which takes larger bodies of
	// strangers.
	beforeVariable = "FLOWLATCH_BENCH_BEFORE"
)

// strangersTable is about the cost of a request while strangers send bodies slowly.
type strangersTable struct{ table }

func (t *strangersTable) write(to *os.File) {
	t.table.write(to, []string{"binary", "database", "bodies of strangers", "processor time of a request", "with strangers", "ratio", "goal", "memory at its peak"},
		fmt.Sprintf("A request is GET /get_projects of a member. %d strangers each sent a part of a body to /login. Rounds with and without them alternate; the medians are compared.", strangers))
}

// BenchmarkStrangers measures what a request of a known caller costs while strangers' bodies are
// open.
func BenchmarkStrangers(b *testing.B) {
	c := newContest(b, kind{name: "SQLite", fill: fillSQLite})
	c.besideStrangers(b, "this", 4<<10)
	if other := os.Getenv(beforeVariable); other != "" {
		c.binary = other
		c.besideStrangers(b, filepath.Base(other), 64<<10)
	}
}

// besideStrangers measures one binary.
func (c *contest) besideStrangers(b *testing.B, name string, body int) {
	url := "sqlite://" + filepath.Join(b.TempDir(), "strangers.db")
	w := newWorld(b, fewProjects, c.installation)
	version := c.prepare(b, url, w.rows())
	service := c.startService(b, url)
	alone := &contender{of: service, requests: w.gets(service.addr, serviceLogins), under: full}
	if err := sameAnswers(alone); err != nil {
		b.Fatal(err)
	}
	beside := &contender{of: service, requests: alone.requests, under: full}
	for n := range rounds + 1 { // the first round warms up
		tell("%s: %d strangers, round %d of %d", name, strangers, n, rounds)
		without, err := alone.load(roundTime)
		if err != nil {
			b.Fatal(err)
		}
		leave := openStrangers(b, service.addr, body)
		with, err := beside.load(roundTime)
		leave()
		if err != nil {
			b.Fatal(err)
		}
		if n > 0 {
			alone.rounds, beside.rounds = append(alone.rounds, without), append(beside.rounds, with)
		}
	}
	cost := func(c *contender) time.Duration {
		var all []time.Duration
		for _, r := range c.rounds {
			all = append(all, r.processor)
		}
		return median(all)
	}
	a, s := cost(alone), cost(beside)
	strangersResult.add(name, version, fmt.Sprintf("%d of %d KiB", strangers, body>>10), a.String(), s.String(),
		fmt.Sprintf("%.2f", float64(s)/float64(a)), "at most 1.20", mebibytes(service.peak))
	service.stop(b)
}

// openStrangers opens the strangers' bodies, all but their last byte. leave closes them. It fails
// unless all of them are open when they leave.
func openStrangers(b *testing.B, addr string, body int) (leave func()) {
	b.Helper()
	text := fmt.Sprintf("POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", body, strings.Repeat(" ", body-1))
	open := make([]net.Conn, strangers)
	for i := range open {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			b.Fatal(err)
		}
		open[i] = conn
	}
	return func() {
		answered := 0
		for _, conn := range open {
			_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			if n, _ := conn.Read(make([]byte, 1)); n > 0 {
				answered++
			}
			_ = conn.Close()
		}
		if answered > 0 {
			b.Errorf("%d of %d strangers were answered before they had sent their body", answered, strangers)
		}
	}
}
