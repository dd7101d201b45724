package e2e

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTheKeysetTurnsOverUnderLoad replaces the keyset key of 10,000 assistants while two instances
// answer up to 8 requests at the same time. It kills the rewrap and one of the instances meanwhile.
// No request may fail and no key may be lost.
func TestTheKeysetTurnsOverUnderLoad(t *testing.T) {
	eachDatabase(t, turnOver)
}

func turnOver(t *testing.T, database string) {
	const projects = 10_000
	used := newAssistant("Pizza Palace")
	v := startVoiceflow(t, used)
	v.Keep(1)
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_FORWARD_RATE", "0", "FLOWLATCH_FORWARD_READ_RATE", "0", "FLOWLATCH_FORWARD_OPEN", "0",
		"FLOWLATCH_DATABASE_TIMEOUT", patience.String()) // a busy machine is not an outage
	here := serving(t, m)
	there := m.start("serve")
	admin := here.admin()
	id := admin.want(admin.post("/add_project", adding(used)), "200").added(t).ID
	ben := here.user(admin, "bo", id)
	driver, dsn := m.database()
	answered := m.crowded(projects - 1)
	old := func() int {
		return count(t, driver, dsn, "SELECT count(*) FROM project_keys WHERE key_id <> (SELECT key_id FROM installation)")
	}
	answered[id] = used
	idle := newBrowser(t, here.url)
	idle.want(idle.post("/login", body{"username": "ada", "password": adminPassword, "remember": true}), "200")

	load := &load{t: t, ben: ben, admin: admin, project: id, urls: [2]string{here.url, there.url}}
	stop := load.start()
	defer stop()

	m.must("", "keys", "rotate")
	load.goesOn()

	// A rewrap is killed after it has begun.
	before := load.answered.Load()
	rewrap := m.command(context.Background(), "keys", "rewrap")
	if err := rewrap.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rewrap has begun", func() bool { return old() < projects })
	_ = rewrap.Process.Kill()
	_ = rewrap.Wait()
	left := old()
	t.Logf("%d keys were left when the rewrap was killed", left)
	if left == 0 {
		t.Error("the rewrap was not killed in the middle")
	}

	// An instance is killed.
	load.down.Store(true)
	there.kill()
	began := time.Now()
	m.must("", "keys", "rewrap")
	if load.answered.Load() == before {
		t.Error("no request was answered while keys were re-encrypted")
	}
	t.Logf("the rest was re-encrypted in %v", time.Since(began).Round(time.Millisecond))
	there = m.start("serve")
	load.moved(there.url)
	load.goesOn()
	if left := old(); left != 0 {
		t.Errorf("%d keys are sealed with the old key after the rewrap", left)
	}

	// The remembered login that is not used prevents the retirement. Used logins do not.
	m.fails(exitFailure, "1 session", "", "keys", "retire")
	idle.want(idle.get("/check_session"), "200")
	m.must("", "keys", "retire", "--end-sessions")
	idle.want(idle.get("/check_session"), "401 not_authenticated")
	load.goesOn()
	stop()
	t.Logf("%d requests were answered", load.answered.Load())
	if got := strings.Count(m.must("", "keys", "status"), "seals"); got != 1 {
		t.Errorf("keys status names %d keys that seal", got)
	}
	everyKeyOpens(t, m, answered)
}

// load sends requests to two instances in turn. It never has more than 8 under way, so that a slow
// machine gets fewer requests and not ever more of them.
type load struct {
	t          *testing.T
	ben, admin *browser
	project    string

	mu   sync.Mutex
	urls [2]string
	down atomic.Bool // the second instance is being killed

	answered atomic.Int64
}

// start starts the load: at most 200 requests a second. stop ends it and waits for open requests.
func (l *load) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	tick := time.NewTicker(5 * time.Millisecond) // it drops ticks while all senders are busy
	var senders sync.WaitGroup
	var sent atomic.Int64
	for range 8 {
		senders.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					l.send(int(sent.Add(1)))
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		senders.Wait()
		tick.Stop()
	})
}

// send sends one request that must succeed.
func (l *load) send(i int) {
	which := i % 2
	if which == 1 && l.down.Load() {
		which = 0
	}
	l.mu.Lock()
	url := l.urls[which]
	l.mu.Unlock()
	ben, admin := l.ben.at(url), l.admin.at(url)
	var got answer
	var err error
	switch i / 2 % 5 {
	case 0:
		got, err = ben.try("GET", "/check_session", nil)
	case 1:
		got, err = ben.try("GET", "/get_projects", nil)
	case 2:
		got, err = admin.try("GET", "/get_projects?limit=20", nil)
	case 3:
		got, err = ben.try("GET", runtimeAt+"/state/user/bo", nil)
	case 4:
		got, err = admin.try("GET", "/get_grants?limit=1", nil)
	}
	if which == 1 && err != nil && l.down.Load() {
		return // the instance was killed while it answered
	}
	l.answered.Add(1)
	if err != nil || got.status != 200 {
		l.t.Errorf("a request to instance %d was answered %s, %v: %s", which, got, err, got.text)
	}
}

// moved sets the URL of the second instance.
func (l *load) moved(url string) {
	l.mu.Lock()
	l.urls[1] = url
	l.mu.Unlock()
	l.down.Store(false)
}

// goesOn waits until so many more requests were answered that each instance has had each kind of
// request many times.
func (l *load) goesOn() {
	l.t.Helper()
	until := l.answered.Load() + 200
	eventually(l.t, "requests are answered", func() bool { return l.answered.Load() >= until })
}
