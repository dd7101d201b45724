// Package voiceflowtest is a stand-in for Voiceflow that runs inside the process.
//
// It listens on a real port and answers like the part of Voiceflow's public HTTP API that
// Flowlatch uses, failures included. Tests point the real client at it. `flowlatch demo` does
// the same, so nothing here needs package testing.
//
// It imitates Voiceflow's own documentation (https://docs.voiceflow.com/api-reference) and
// exports that users of Voiceflow published. If neither says what Voiceflow does, the comment on
// the code says what was chosen.
//
// One Server plays all of Voiceflow's services, because their paths differ. So their base URLs
// may all be the Server's URL. To serve another endpoint, add its handler and a line to routes.
// Recording and faults work for every endpoint.
package voiceflowtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a stand-in for Voiceflow with some assistants. It is an [http.Handler], so a program
// can also serve it over TLS or on an address of its own.
//
// All methods are safe for concurrent use.
type Server struct {
	mux      *http.ServeMux
	world    *world
	listener *http.Server
	url      string
	stopped  chan struct{}

	mu        sync.Mutex
	byVersion map[string]Assistant
	byKey     map[string][]string // the keys of byVersion that a key opens
	byProject map[string][]string // the keys of byVersion of a project, the last one that was added last
	versions  map[string]string   // from every version id of an assistant to its key of byVersion
	personal  map[string][]string // from a personal access token to the projects that it sees
	noKeys    bool                // project keys do not open /v1/stable
	standing  Fault
	next      []Fault
	requests  []Request
	keep      int
	watch     func(Request)
	recorded  int
	changed   chan struct{}
}

// New returns a Server with the assistants that does not listen. Returns the errors of
// [Server.Add].
func New(assistants ...Assistant) (*Server, error) {
	s := &Server{
		mux:       http.NewServeMux(),
		world:     newWorld(),
		byVersion: map[string]Assistant{},
		byKey:     map[string][]string{},
		byProject: map[string][]string{},
		versions:  map[string]string{},
		personal:  map[string][]string{},
		keep:      keptRequests,
		changed:   make(chan struct{}),
	}
	s.routes()
	if err := s.Add(assistants...); err != nil {
		return nil, err
	}
	return s, nil
}

// Start returns a Server with the assistants that listens with plain HTTP on a free port of
// 127.0.0.1. The caller closes it. Returns the errors of [Server.Add], and an error if no port
// is free.
func Start(assistants ...Assistant) (*Server, error) {
	s, err := New(assistants...)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("voiceflowtest: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	s.listener = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.stopped = make(chan struct{})
	go func() {
		defer close(s.stopped)
		// Serve ends only because Close was called.
		_ = s.listener.Serve(l)
	}()
	return s, nil
}

// URL returns the base URL of a Server that listens, without a slash at its end. It is empty for
// a Server that came from [New].
func (s *Server) URL() string { return s.url }

// Close stops listening and cuts every open connection. Closing a Server twice, or closing one
// that never listened, does nothing.
func (s *Server) Close() {
	if s.listener == nil {
		return
	}
	_ = s.listener.Close()
	<-s.stopped
}

// Add adds the assistants. An assistant with a known version id replaces the known one. The old
// name, keys and aliases are gone at once. That is how a test creates, promotes and revokes
// keys. Add returns an error, and adds none, if an id is not 24 hex digits or a key is empty.
func (s *Server) Add(assistants ...Assistant) error {
	for _, a := range assistants {
		if err := a.check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range assistants {
		s.forget(a.VersionID)
		s.byVersion[a.VersionID] = a
		for _, key := range a.keys() {
			s.byKey[key] = append(s.byKey[key], a.VersionID)
		}
		s.byProject[a.ProjectID] = append(s.byProject[a.ProjectID], a.VersionID)
		for _, id := range a.versions() {
			s.versions[id] = a.VersionID
		}
	}
	return nil
}

// forget removes what byVersion holds. The caller holds the lock.
func (s *Server) forget(versionID string) {
	old, ok := s.byVersion[versionID]
	if !ok {
		return
	}
	delete(s.byVersion, versionID)
	for _, key := range old.keys() {
		without(s.byKey, key, versionID)
	}
	without(s.byProject, old.ProjectID, versionID)
	for _, id := range old.versions() {
		// A later assistant may have the version by now.
		if s.versions[id] == versionID {
			delete(s.versions, id)
		}
	}
}

// without takes id from the list of name.
func without(lists map[string][]string, name, id string) {
	lists[name] = slices.DeleteFunc(lists[name], func(other string) bool { return other == id })
	if len(lists[name]) == 0 {
		delete(lists, name)
	}
}

// AddPersonalToken makes the token a personal access token that sees the projects. It opens
// /v1/stable only, after Bearer (https://docs.voiceflow.com/api-reference/authentication). A token
// that is known sees other projects from then on.
func (s *Server) AddPersonalToken(token string, projectIDs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.personal[token] = slices.Clone(projectIDs)
}

// ExpirePersonalToken ends a personal access token. It opens nothing from then on.
func (s *Server) ExpirePersonalToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.personal, token)
}

// NewPersonalToken returns a random token in the form of Voiceflow's personal access tokens.
func NewPersonalToken() string { return "vfp_" + rand.Text()[:12] + "_" + rand.Text() }

// PersonalTokensOnly makes /v1/stable refuse project keys, as its documentation says. Otherwise
// they open it.
func (s *Server) PersonalTokensOnly() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noKeys = true
}

// SaveTranscripts makes PUT /v2/transcripts save a transcript, as private clouds of Voiceflow that are
// older do. Otherwise it is a 503.
func (s *Server) SaveTranscripts() {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.saves = true
}

// EndSessions makes every key of a v4 session invalid, as Voiceflow may do at any time. A turn
// with such a key is a 401 until a new session is opened.
func (s *Server) EndSessions() { s.world.endSessions() }

// Fail makes every later request fail with f, whatever its key. A nil f ends that. Faults of
// [Server.FailNext] come first.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = f
}

// FailNext makes the next request fail with the first fault, the request after it with the
// second, and so on. A nil fault means a normal answer.
func (s *Server) FailNext(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, faults...)
}

// ServeHTTP records the request and answers it, or runs the fault that is due.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	defer close(done)
	answered := &atomic.Pointer[Answered]{}
	if err := s.record(r, done, answered); err != nil {
		// The client left before it had sent its body.
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), answeredKey{}, answered))
	if fault := s.due(); fault != nil {
		fault(w, r, s.mux)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) due() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next) == 0 {
		return s.standing
	}
	fault := s.next[0]
	s.next = s.next[1:]
	return fault
}

// Keep makes the Server remember the last n requests instead of the last 1,000, and forget all
// earlier ones. If n is 0, it remembers none, which suits very many requests. [Server.Received]
// still counts them.
func (s *Server) Keep(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = max(n, 0)
	s.requests = slices.Clone(s.requests[max(0, len(s.requests)-s.keep):])
}

// Watch calls f with each later request, before the request is answered and before
// [Server.Await] counts it. Several requests may call f at once, and its time delays the answer.
// A nil f ends that.
func (s *Server) Watch(f func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// Received returns the number of requests so far.
func (s *Server) Received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recorded
}

// Requests returns the received requests, oldest first. It returns the last 1,000, or as many as
// [Server.Keep] says, so that a Server can run for long.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Await waits until the Server has received n requests in all, and returns what
// [Server.Requests] returns. Returns an error if ctx is done first.
func (s *Server) Await(ctx context.Context, n int) ([]Request, error) {
	for {
		s.mu.Lock()
		recorded, requests, changed := s.recorded, slices.Clone(s.requests), s.changed
		s.mu.Unlock()
		if recorded >= n {
			return requests, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("voiceflowtest: %d of %d requests came: %w", recorded, n, context.Cause(ctx))
		}
	}
}
