package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// soakVariable says how many requests the soak sends, and seedVariable with which seed.
	soakVariable, seedVariable = "FLOWLATCH_SOAK", "FLOWLATCH_SOAK_SEED"
	// fewRequests is how many a plain run of the tests sends.
	fewRequests = 5_000
	// soakEpoch is after how many requests the users of the soak are made again.
	soakEpoch = 2_500
	// enoughToWeigh is how many requests it takes to say something about memory.
	enoughToWeigh = 100_000
	// soakGrowth is by how much the memory may grow from a fifth of the run to its end, in bytes.
	// The collector makes it go up and down by about as much.
	soakGrowth = 24 << 20

	soakWorkers = 8
)

// TestSoak sends random requests to all routes: no answer may be a failure of the service, nothing
// may panic, and the memory may not grow. `make soak` sends a million.
func TestSoak(t *testing.T) {
	n := numberIn(t, soakVariable, fewRequests)
	seed := numberIn(t, seedVariable, int(time.Now().UnixNano()&0xffffffff))
	t.Logf("%s=%d %s=%d repeats this run", soakVariable, n, seedVariable, seed)
	s := newSoak(t, uint64(seed))
	began := time.Now()
	for from := 0; from < n && !t.Failed(); from += soakEpoch {
		s.begin(from / soakEpoch)
		s.send(from, min(from+soakEpoch, n))
		s.weigh()
		if from/soakEpoch%20 == 0 {
			t.Logf("%d requests after %v, %d MiB", from+soakEpoch, time.Since(began).Round(time.Second), s.weights[len(s.weights)-1]>>20)
		}
	}
	s.server.stop()
	for line := range strings.Lines(s.server.stderr.String()) {
		t.Errorf("the log has an error: %.2000s", line)
	}
	if grown := s.grown(); n >= enoughToWeigh && grown > soakGrowth {
		t.Errorf("the memory grew by %d MiB: %d", grown>>20, s.weights)
	}
	t.Logf("%d requests in %v; by status: %v; the memory grew by %d MiB", n, time.Since(began).Round(time.Second), s.tally(), s.grown()>>20)
}

func numberIn(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s must be a number", variable)
	}
	return n
}

// soak is a service that gets random requests, and those who send them.
type soak struct {
	t      *testing.T
	server *server
	keeper *browser // an admin whom no request names
	seed   uint64
	pool   soakPool

	statuses [600]atomic.Int64
	broken   atomic.Int64 // connections that were closed without an answer: HTTP does so if it can't read on
	weights  []int64      // the memory of the service after each epoch
}

func newSoak(t *testing.T, seed uint64) *soak {
	a, second := newAssistant("Pizza Palace"), newAssistant("Burger Barn")
	v := startVoiceflow(t, a, second)
	// Everything that is refused for want of a rate is not tried.
	m := newMachine(t, v).with("FLOWLATCH_WRITE_RATE", "0", "FLOWLATCH_LOGIN_RATE", "0", "FLOWLATCH_FORWARD_RATE", "0", "FLOWLATCH_FORWARD_READ_RATE", "0", "FLOWLATCH_FORWARD_OPEN", "10000",
		"FLOWLATCH_LOGIN_FAILURES", "20", "FLOWLATCH_LOG_LEVEL", "error", "FLOWLATCH_MEMORY_BODIES", "1GiB")
	s := &soak{t: t, server: m.start("serve"), seed: seed}
	m.must(adminPassword+"\n", "user", "create", "--admin", "keeper")
	s.pool.voiceflow, s.pool.version, s.pool.key = a.ProjectID, a.VersionID, a.Key
	s.pool.second = second
	return s
}

// begin makes the users and tokens of an epoch. What earlier requests ended or deleted is there
// again.
func (s *soak) begin(epoch int) {
	s.t.Helper()
	s.keeper = newBrowser(s.t, s.server.url).login("keeper", adminPassword)
	k, p := s.keeper, &s.pool
	if a := k.post("/add_project", body{"version_id": p.version, "token": p.key}); a.status == http.StatusOK {
		p.project = a.added(s.t).ID
	} else if a.code != "already_added" {
		s.t.Fatalf("an assistant can't be added: %v %s", a, a.text)
	}
	suffix := "-" + strconv.Itoa(epoch)
	p.users = nil
	login := func(name, role string) (*browser, string) {
		k.want(k.post("/create_user", body{"username": name + suffix, "password": memberPassword, "role": role}), "200")
		id := userID(s.t, k, name+suffix)
		p.users = append(p.users, id)
		return newBrowser(s.t, s.server.url).login(name+suffix, memberPassword), id
	}
	admin, _ := login("admin", "admin")
	member, id := login("member", "member")
	k.want(k.post("/grant_project", body{"user_id": id, "project_id": p.project, "scopes": []string{"converse", "knowledge", "transcripts", "analytics"}}), "200")
	member.want(member.post("/set_project", body{"project_id": p.project}), "200")
	admin.want(admin.post("/set_project", body{"project_id": p.project}), "200")
	token := func(b *browser, params body) string {
		params["password"] = memberPassword
		return b.want(b.post("/create_access_token", params), "200").member(s.t, "token")
	}
	talks := token(member, body{"name": "talks", "project_id": p.project})
	opened := member.program("Bearer " + talks)
	handle := opened.want(opened.post(runtimeAt+"/v4/project/"+p.voiceflow+"/session", body{"userID": "same"}), "200").member(s.t, "sessionKey")
	p.credentials = []string{
		"", "", cookieLine(member), cookieLine(member), cookieLine(admin), cookieLine(admin),
		"Authorization: Bearer " + talks, "Authorization: " + handle,
		"Authorization: " + token(admin, body{"name": "manages", "scopes": []string{"manage"}}),
		"Authorization: " + token(admin, body{"name": "all", "project_id": p.project, "user_ids": "own"}),
	}
}

// cookieLine returns the header with the cookies of b.
func cookieLine(b *browser) string { return "Cookie: " + b.cookies().Get("Cookie") }

// send sends the requests with these numbers. A number and the seed say what a request is.
func (s *soak) send(from, to int) {
	var next atomic.Int64
	next.Store(int64(from))
	var workers sync.WaitGroup
	for range soakWorkers {
		workers.Go(func() {
			c := &soakConnection{address: strings.TrimPrefix(s.server.url, "http://")}
			defer c.close()
			for {
				i := next.Add(1) - 1
				if i >= int64(to) || s.t.Failed() {
					return
				}
				s.sendOne(c, int(i))
			}
		})
	}
	workers.Wait()
}

func (s *soak) sendOne(c *soakConnection, i int) {
	r := s.pool.request(rand.New(rand.NewPCG(s.seed, uint64(i))))
	status, said, err := c.do(r)
	if status == 0 && !r.leaves && s.broken.Add(1) > int64(i/20+100) {
		s.t.Errorf("request %d: %v, as for %d others\n%.3000q", i, err, s.broken.Load(), r.text)
	}
	s.statuses[status].Add(1)
	if status >= http.StatusInternalServerError && !r.mayFail(said) {
		s.t.Errorf("request %d: got %d %.1000s\n%.3000q", i, status, said, r.text)
	}
}

// tally returns how often each status came.
func (s *soak) tally() map[int]int64 {
	all := map[int]int64{}
	for status := range s.statuses {
		if n := s.statuses[status].Load(); n > 0 {
			all[status] = n
		}
	}
	return all
}

var anonymousMemory = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

// weigh notes the anonymous memory of the service. It is 0 where there is no /proc as Linux has it.
func (s *soak) weigh() {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.server.cmd.Process.Pid))
	kilobytes := 0
	if found := anonymousMemory.FindSubmatch(text); found != nil {
		kilobytes, _ = strconv.Atoi(string(found[1]))
	}
	s.weights = append(s.weights, int64(kilobytes)<<10)
}

// grown returns by how much the memory grew from the second fifth of the run to the last one.
func (s *soak) grown() int64 {
	n := len(s.weights) / 5
	if n == 0 {
		return 0
	}
	mean := func(of []int64) (sum int64) {
		for _, w := range of {
			sum += w
		}
		return sum / int64(len(of))
	}
	return mean(s.weights[len(s.weights)-n:]) - mean(s.weights[n:2*n])
}

// soakConnection is a connection that is opened again when it was closed.
type soakConnection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

func (c *soakConnection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// do sends a request and reads its answer. The status is 0 if there was none.
func (c *soakConnection) do(r soakRequest) (status int, said []byte, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			return 0, nil, err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	_, wrong := c.conn.Write(r.text) // the service may answer before it has read all
	if r.leaves {
		c.close()
		return 0, nil, nil
	}
	var answer *http.Response
	answer, err = http.ReadResponse(c.reader, &http.Request{Method: r.method})
	if err != nil {
		c.close()
		return 0, nil, errors.Join(err, wrong)
	}
	said, err = io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if answer.Close || err != nil || wrong != nil || r.closes {
		c.close()
	}
	return answer.StatusCode, said, err
}
