package e2e

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/lostright"
)

// gates hold Voiceflow's answers to requests with certain keys.
type gates struct {
	mu     sync.Mutex
	closed map[string]*gate // by key
}

// gate holds one answer.
type gate struct {
	arrived chan struct{} // closed when the request has come
	opened  chan struct{} // closed when it may be answered
}

func newGates() *gates { return &gates{closed: map[string]*gate{}} }

// hold returns the gate that holds the answer to the next request with the key.
func (g *gates) hold(key string) *gate {
	at := &gate{arrived: make(chan struct{}), opened: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed[key] = at
	return at
}

// await waits until the request has come.
func (g *gate) await(t *testing.T) {
	t.Helper()
	select {
	case <-g.arrived:
	case <-time.After(patience):
		t.Fatal("Voiceflow is not asked")
	}
}

// pass is the fault that holds an answer.
func (g *gates) pass(w http.ResponseWriter, r *http.Request, answer http.Handler) {
	key := r.Header.Get("Authorization")
	g.mu.Lock()
	at := g.closed[key]
	delete(g.closed, key)
	g.mu.Unlock()
	if at != nil {
		close(at.arrived)
		select {
		case <-at.opened:
		case <-r.Context().Done():
		}
	}
	answer.ServeHTTP(w, r)
}

// slowly are assistants whose Voiceflow keys a test may hold.
type slowly struct {
	toAdd   voiceflowtest.Assistant // was not added
	there   voiceflowtest.Assistant // was added
	thereID string
}

// slowRequest is a request of eve's for which Voiceflow holds its answer.
type slowRequest struct {
	name     string
	want     string
	gate     *gate
	answered chan answer
}

// askSlowly sends requests and returns when Voiceflow has got its part of each.
func (s *stage) askSlowly(l lostright.Loss) []*slowRequest {
	s.t.Helper()
	refused := func(path string) string {
		status, code := l.Answer(lostright.Change{Route: "POST " + path})
		return answer{status: status, code: code}.String()
	}
	var asked []*slowRequest
	ask := func(path, want, key string, params body) {
		text, err := json.Marshal(params)
		if err != nil {
			s.t.Fatal(err)
		}
		r := &slowRequest{name: path, want: want, gate: s.gates.hold(key), answered: make(chan answer, 1)}
		go func() {
			defer close(r.answered)
			if got, err := s.ask(s.here, "POST", path, string(text)); err != nil {
				s.t.Errorf("%s: %v", path, err)
			} else {
				r.answered <- got
			}
		}()
		r.gate.await(s.t)
		asked = append(asked, r)
	}
	ask("/add_project", refused("/add_project"), s.slow.toAdd.Key, adding(s.slow.toAdd))
	ask("/set_token", refused("/set_token"), s.slow.there.SecondKey,
		body{"project_id": s.slow.thereID, "token": s.slow.there.SecondKey, "slot": "secondary"})
	ask("/check_project", "200", s.slow.there.Key, body{"project_id": s.slow.thereID})
	return asked
}

// finishSlowly lets Voiceflow answer. It accepts the keys of the first requests, which store
// nothing, and rejects the key of the last one, which stores that.
func (s *stage) finishSlowly(asked []*slowRequest) {
	for _, r := range asked {
		before := s.everything()
		if r.name == "/check_project" {
			revoked := s.slow.there
			revoked.Key, revoked.SecondKey = voiceflowtest.NewKey(), ""
			if err := s.voiceflow.Add(revoked); err != nil {
				s.t.Fatal(err)
			}
		}
		close(r.gate.opened)
		if got := <-r.answered; got.String() != r.want {
			s.t.Errorf("%s while Voiceflow holds its answer: got %s, want %s", r.name, got.text, r.want)
		}
		after := s.everything()
		if changed := after != before; changed != (r.name == "/check_project") {
			s.t.Errorf("%s while Voiceflow holds its answer changed\n%s\nto\n%s", r.name, before, after)
		}
		if r.name == "/check_project" {
			if known := keysOf(s.t, s.boss, s.slow.thereID); known.Status != "rejected" || known.SecondaryStatus != "none" {
				s.t.Errorf("the keys are %+v, want the primary one rejected and no secondary one", known)
			}
		}
	}
}
