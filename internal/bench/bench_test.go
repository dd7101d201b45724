// Package bench measures how fast and how small the service is, for `make bench`. A
// plain go test runs none of it.
//
// The service is the binary itself, as its own process, with the settings that it has
// by default. Beside it, on the same database, stands the reference: a handler written
// by hand that does the same work and nothing more; for calls that are forwarded it is a
// bare reverse proxy. They are measured in turns, so that what else this machine does
// hits all of them, and compared round by round. The results are tables on standard
// output.
package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

const (
	rounds    = 5
	roundTime = 3 * time.Second
	warmUp    = 2 * time.Second
	starts    = 10

	fewProjects  = 1_000
	manyProjects = 100_000
)

// These are what all benchmarks of a run found. They run one after the
// other.
var (
	result          routesTable
	forwarded       forwardTable
	strangersResult strangersTable
	consoleResult   consoleTable
)

func TestMain(m *testing.M) {
	for variable, serve := range roles {
		if of := os.Getenv(variable); of != "" {
			os.Exit(play(serve, of))
		}
	}
	before := loadAverage()
	code := postgrestest.Run(m)
	result.write(os.Stdout)
	forwarded.write(os.Stdout)
	strangersResult.write(os.Stdout)
	consoleResult.write(os.Stdout)
	printMachine(os.Stdout, before)
	os.Exit(code)
}

func BenchmarkPostgres(b *testing.B) {
	few, many := postgrestest.DSN(b), postgrestest.DSN(b)
	c := newContest(b, kind{name: "PostgreSQL", fill: fillPostgres})
	c.run(b, map[int]string{fewProjects: few, manyProjects: many})
}

func BenchmarkSQLite(b *testing.B) {
	folder := b.TempDir()
	c := newContest(b, kind{name: "SQLite", fill: fillSQLite})
	c.run(b, map[int]string{
		fewProjects:  "sqlite://" + filepath.Join(folder, "few.db"),
		manyProjects: "sqlite://" + filepath.Join(folder, "many.db"),
	})
}

// kind is a kind of database.
type kind struct {
	name string
	// fill puts rows into an empty database that has the schema, and returns the version
	// of the database.
	fill func(ctx context.Context, url string, rows []rows) (version string, err error)
}

// prepare makes the schema in an empty database and fills it.
func (k kind) prepare(b *testing.B, url string, all []rows) (version string) {
	ctx := b.Context()
	store, err := bunstore.Open(ctx, domain.NewSecret(url), bunstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := store.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	if version, err = k.fill(ctx, url, all); err != nil {
		b.Fatal(err)
	}
	return version
}

// contest is one kind of database with what all measurements on it share.
type contest struct {
	kind
	installation
	voiceflow *voiceflowtest.Server
}

func newContest(b *testing.B, k kind) *contest {
	voiceflow, err := voiceflowtest.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(voiceflow.Close)
	return &contest{kind: k, installation: newInstallation(b, voiceflow.URL()), voiceflow: voiceflow}
}

// run measures everything on the databases at the URLs, which are by how many projects
// they are to hold.
func (c *contest) run(b *testing.B, urls map[int]string) {
	var fields []*field
	for _, size := range []int{fewProjects, manyProjects} {
		fields = append(fields, c.open(b, size, urls[size]))
	}
	few, many := fields[0], fields[1]

	tell("%s: GET /get_projects", c.name)
	var contenders []*contender
	for _, f := range fields {
		contenders = append(contenders, f.gets, f.referenceGets, f.referenceLists)
	}
	alternate(b, contenders)
	tell("%s: POST /set_project", c.name)
	contenders = nil
	for _, f := range fields {
		contenders = append(contenders, f.sets, f.referenceSets)
	}
	alternate(b, contenders)

	for _, f := range fields {
		result.compare("GET /get_projects", f, f.gets, f.referenceGets, "at least 0.90")
		result.alone("the list without the look-up of the session", f, f.referenceLists)
		result.compare("POST /set_project", f, f.sets, f.referenceSets, "at least 0.90")
	}
	result.scale("GET /get_projects, 100,000 against 1,000", c.name, many.gets, few.gets)
	result.scale("POST /set_project, 100,000 against 1,000", c.name, many.sets, few.sets)
	result.memory("anonymous memory at its peak under that load", c.name, max(few.service.peak, many.service.peak), "under 64 MiB")

	tell("%s: /add_project", c.name)
	result.memory("POST /add_project of 100 MB, memory on top", c.name, c.addLarge(b, few), "under 32 MiB")
	tell("%s: starts", c.name)
	result.duration("start to first answer", c.name, c.start(b, many), "under 200 ms")
}

// field is a database with both servers on it, and what is asked of them.
type field struct {
	*contest
	version string
	url     string
	world   *world
	service *process

	gets, sets                                   *contender
	referenceGets, referenceSets, referenceLists *contender
}

// open fills the database, starts both servers on it and makes sure that they give the
// same answers.
func (c *contest) open(b *testing.B, size int, url string) *field {
	tell("%s: filling a database with %d projects", c.name, size)
	f := &field{contest: c, url: url, world: newWorld(b, size, c.installation)}
	f.version = c.prepare(b, url, f.world.rows())
	f.service = c.startService(b, url)
	reference := startSelf(b, referenceVariable, url)
	w := f.world
	f.gets = &contender{of: f.service, requests: w.gets(f.service.addr, serviceLogins), under: full}
	f.sets = &contender{of: f.service, requests: w.sets(f.service.addr, serviceLogins), under: full}
	f.referenceGets = &contender{of: reference, requests: w.gets(reference.addr, referenceLogins), under: full}
	f.referenceSets = &contender{of: reference, requests: w.sets(reference.addr, referenceLogins), under: full}
	f.referenceLists = &contender{of: reference, requests: w.lists(reference.addr), under: full}
	if err := sameAnswers(f.gets, f.referenceGets, f.referenceLists); err != nil {
		b.Fatal(err)
	}
	if err := sameAnswers(f.sets, f.referenceSets); err != nil {
		b.Fatal(err)
	}
	return f
}

// contender is one server under one kind of load.
type contender struct {
	of       *process
	requests []request
	under    pressure
	next     int // of requests: a round goes on where the last one ended
	rounds   []round
}

// alternate measures all contenders in turns, forwards and backwards.
func alternate(b *testing.B, all []*contender) {
	for _, c := range all {
		if _, err := c.load(warmUp); err != nil {
			b.Fatal(err)
		}
	}
	for n := range rounds {
		for i := range all {
			if n%2 == 1 {
				i = len(all) - 1 - i
			}
			r, err := all[i].load(roundTime)
			if err != nil {
				b.Fatal(err)
			}
			all[i].rounds = append(all[i].rounds, r)
		}
	}
}

// addLarge returns how much memory the service takes beyond what it had, at its peak,
// while it adds an assistant whose export has 100 MB. The first assistant is a small
// one, so that what is made once is there.
func (c *contest) addLarge(b *testing.B, f *field) int64 {
	service := c.startService(b, f.url)
	var most int64
	for _, size := range []int64{0, 100_000_000, 100_000_000, 100_000_000} {
		assistant := voiceflowtest.NewAssistant("Large", voiceflowtest.Shape2024)
		assistant.Size = size
		if err := c.voiceflow.Add(assistant); err != nil {
			b.Fatal(err)
		}
		before := anonymous(service.pid)
		stop := service.watch(time.Millisecond)
		_, err := ask(f.world.add(service.addr, assistant))
		peak := stop()
		if err != nil {
			b.Fatal(err)
		}
		if size > 0 {
			most = max(most, peak-before)
		}
	}
	service.stop(b)
	return most
}

// start returns how long each start of the service takes from the exec to the end of
// the answer to a first GET /get_projects.
func (c *contest) start(b *testing.B, f *field) []time.Duration {
	var took []time.Duration
	for range starts {
		began := time.Now()
		service := c.startService(b, f.url)
		_, err := ask(f.world.gets(service.addr, serviceLogins)[0])
		took = append(took, time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
		service.stop(b)
	}
	return took
}

// tell says how far the run is.
func tell(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
