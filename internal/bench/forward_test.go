package bench

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// The calls after which the memory of the service is looked at.
const (
	someCalls = 50_000
	allCalls  = 500_000
)

// BenchmarkForward measures calls that are forwarded, beside a bare reverse proxy. All go
// to the same stand-in for Voiceflow, which is a process of its own and answers at once.
func BenchmarkForward(b *testing.B) {
	measured := false
	b.Run("PostgresAndSQLite", func(b *testing.B) {
		postgres := postgrestest.DSN(b)
		measured = true
		newRelay(b, postgres).run(b)
	})
	if !measured && !b.Failed() {
		b.Run("SQLite", func(b *testing.B) { newRelay(b, "").run(b) })
	}
}

// relay is what all measurements of forwarded calls share.
type relay struct {
	installation
	standIn, bare *server
	services      []*server

	sqlite     string  // the URL of the database
	withTokens *server // on it
}

// server is one to which a turn is sent, by callers of one kind.
type server struct {
	name string
	*process
	turns []request
}

// newRelay starts all servers and makes sure that they give the same answers. Without a
// postgres, which is the URL of an empty database, the service is on SQLite only.
func newRelay(b *testing.B, postgres string) *relay {
	upstream := startSelf(b, upstreamVariable, "anything")
	r := &relay{
		installation: newInstallation(b, "http://"+upstream.addr),
		sqlite:       "sqlite://" + filepath.Join(b.TempDir(), "flowlatch.db"),
	}
	proxy := startSelf(b, proxyVariable, r.upstream)
	r.standIn = &server{"the stand-in itself", upstream, bareTurns(upstream.addr)}
	r.bare = &server{"bare reverse proxy", proxy, bareTurns(proxy.addr)}

	w := newWorld(b, fewProjects, r.installation)
	uses := newUses(b, w, r.keys)
	all := append(w.rows(), rowsOfUses(uses)...)
	if postgres != "" {
		tell("forwarding: filling a database of Postgres")
		r.open(b, kind{fill: fillPostgres}, postgres, all, uses)
	}
	tell("forwarding: filling a database of SQLite")
	r.withTokens = r.open(b, kind{fill: fillSQLite}, r.sqlite, all, uses)
	if err := sameAnswers(r.contenders(full)...); err != nil {
		b.Fatal(err)
	}
	return r
}

// open fills the database at url and starts the service on it. It returns the service as
// callers with access tokens use it.
func (r *relay) open(b *testing.B, k kind, url string, all []rows, uses []use) *server {
	version := k.prepare(b, url, all)
	service := r.startRelaying(b, url)
	withTokens := &server{version + ", access tokens", service, tokenTurns(service.addr, uses)}
	r.services = append(r.services, &server{version + ", cookies", service, cookieTurns(service.addr, uses)}, withTokens)
	return withTokens
}

// startRelaying starts the service without a limit on how often somebody may call.
func (r *relay) startRelaying(b *testing.B, url string) *process {
	return r.startService(b, url, "FLOWLATCH_FORWARD_RATE=0", "FLOWLATCH_FORWARD_READ_RATE=0", "FLOWLATCH_FORWARD_OPEN=0")
}

// contenders are all servers under the same pressure, first the stand-in itself and then
// the bare proxy.
func (r *relay) contenders(under pressure) []*contender {
	var all []*contender
	for _, s := range append([]*server{r.standIn, r.bare}, r.services...) {
		all = append(all, &contender{of: s.process, requests: s.turns, under: under})
	}
	return all
}

// run measures everything.
func (r *relay) run(b *testing.B) {
	tell("forwarding: %d connections", connections)
	atFull := r.contenders(full)
	alternate(b, atFull)
	tell("forwarding: one connection")
	alone := r.contenders(pressure{connections: 1})
	alternate(b, alone)
	paced := pressure{connections: connections, perSecond: 1_000}
	tell("forwarding: %d calls a second", paced.perSecond)
	steady := r.contenders(paced)
	alternate(b, steady)

	names := []string{r.standIn.name, r.bare.name}
	for _, s := range r.services {
		names = append(names, s.name)
	}
	for i, name := range names {
		forwarded.throughput(name, atFull[i], atFull[1], i > 1)
	}
	for i, name := range names {
		forwarded.latency(name, alone[i], alone[0], i > 0)
	}
	for i, name := range names {
		forwarded.steady(name, steady[i], steady[1], i > 1)
	}
	for _, s := range r.services {
		s.stop(b)
	}
	tell("forwarding: memory")
	r.memory(b)
}

// memory looks at the memory of a service that has just started, again and again while
// calls are forwarded.
func (r *relay) memory(b *testing.B) {
	service := r.startRelaying(b, r.sqlite)
	c := &contender{of: service, under: full}
	for _, turn := range r.withTokens.turns {
		turn.addr = service.addr
		c.requests = append(c.requests, turn)
	}
	var after []int64
	for range allCalls / someCalls {
		if _, err := c.send(time.Hour, someCalls); err != nil {
			b.Fatal(err)
		}
		after = append(after, anonymous(service.pid))
	}
	service.stop(b)
	forwarded.memory(r.withTokens.name, after, service.peak)
}
