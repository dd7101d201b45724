package forward_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

const (
	mainPublished = "aaaaaaaaaaaaaaaaaaaaaa02"
	mainDraft     = "aaaaaaaaaaaaaaaaaaaaaa01"
	unlisted      = "dddddddddddddddddddddd01"
)

// listed is a list of environments that counts how often it was asked for, and with which keys.
type listed struct {
	mu    sync.Mutex
	keys  []string
	err   func(key string) error
	extra []domain.EnvironmentState
}

func (l *listed) list(key string) ([]domain.EnvironmentState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, key)
	if l.err != nil {
		if err := l.err(key); err != nil {
			return nil, err
		}
	}
	main := domain.EnvironmentState{Alias: "main", Draft: mainDraft, Published: mainPublished, Releases: []string{mainPublished}}
	return append([]domain.EnvironmentState{main, {Alias: "staging"}}, l.extra...), nil
}

func (l *listed) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}

// publish makes Voiceflow list the version of p as the published one of main.
func (w *world) publish(p domain.Project) {
	w.voiceflow.List(func(string) ([]domain.EnvironmentState, error) {
		return []domain.EnvironmentState{{Alias: "main", Published: p.Version}}, nil
	})
}

// setEnvironments sets the environments of the project, as an admin does.
func (w *world) setEnvironments(t testing.TB, p domain.Project, e domain.Environments) {
	t.Helper()
	_, err := w.Store.Ports().Projects.Update(t.Context(), w.act(domain.ActionSetEnvironments), p.ID, func(p *domain.Project) error {
		p.Environments = e
		return nil
	})
	must(t, err)
}

// allowing is what an admin says: the default first.
func allowing(allowed ...string) domain.Environments {
	return domain.Environments{Default: allowed[0], Allowed: allowed}
}

// ask makes a call that names environments in the header versionID.
func (w *world) ask(t testing.TB, in forward.Input, method string, names ...string) (forward.Result, error) {
	t.Helper()
	r := testworld.Request(method, in.Path, "{}")
	r.Header[http.CanonicalHeaderKey("versionID")] = names
	out, err := w.Forward(t.Context(), domain.Call{}, in, r)
	if err == nil {
		must(t, out.Answer.Body.Close())
	}
	return out, err
}

// Voiceflow has one message for a key that it rejects and for a version that it does not know. A caller
// who names an environment that is gone must not make the key look rejected to everybody.
func TestAnEnvironmentThatIsGoneDoesNotMarkTheKey(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("main", "gone"))
	_, ben := w.talker(t, "ben", p)
	for _, step := range []struct {
		asks  string
		cause error
		want  domain.KeyStatus
	}{
		{"gone", domain.ErrKeyOrVersion, domain.KeyOK},
		{"main", domain.ErrKeyOrVersion, domain.KeyRejected},
		{"gone", nil, domain.KeyOK},
		{"gone", errors.New("status 401"), domain.KeyRejected},
	} {
		w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
			if step.cause == nil {
				return testworld.Fine(f, s)
			}
			return ports.Answer{Sent: true}, &domain.Error{Kind: domain.CredentialsRejected, Cause: step.cause}
		})
		w.After(time.Second)
		_, err := w.ask(t, turn("x", ben), "POST", step.asks)
		if (err == nil) != (step.cause == nil) {
			t.Errorf("%+v: got %v", step, err)
		}
		if got := w.Stored(t, p).Primary.Status; got != step.want {
			t.Errorf("%+v: the key is %s", step, got)
		}
	}
}

func TestTheListOfEnvironmentsIsAskedForIfACallDependsOnIt(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("main", "staging"))
	w.voiceflow.Answer(testworld.Fine)
	list := &listed{}
	w.voiceflow.List(list.list)
	_, ben := w.talker(t, "ben", p)
	in := turn("x", ben)
	for _, step := range []struct {
		name   string
		before func()
		asks   string
		want   domain.Kind
		asked  int // in all
	}{
		{"no name", nil, "", "", 0},
		{"an alias", nil, "staging", "", 0},
		{"an alias that is not allowed", nil, "other", domain.EnvironmentNotAllowed, 0},
		{"an id", nil, mainPublished, "", 1},
		{"the id again", nil, mainPublished, "", 1},
		{"another id soon after", nil, unlisted, domain.EnvironmentNotAllowed, 1},
		{"another id ten seconds later", func() { w.After(10 * time.Second) }, unlisted, domain.EnvironmentNotAllowed, 2},
		{"another id again", nil, unlisted, domain.EnvironmentNotAllowed, 2},
		{"an id that has come", func() {
			w.After(10 * time.Second)
			list.extra = []domain.EnvironmentState{{Alias: "staging", Published: unlisted}}
		}, unlisted, "", 3},
		{"an id five minutes later", func() { w.After(5 * time.Minute) }, mainPublished, "", 4},
		{"an id after the key was changed", func() { p = w.setKey(t, p, domain.SlotSecondary, secondKey) }, mainPublished, "", 5},
	} {
		if step.before != nil {
			step.before()
		}
		var asks []string
		if step.asks != "" {
			asks = []string{step.asks}
		}
		out, err := w.ask(t, in, "POST", asks...)
		testworld.WantKind(t, err, step.want)
		if want := step.asks; step.want == "" && want != "" && out.Environment.Name != want {
			t.Errorf("%s: got the environment %q", step.name, out.Environment.Name)
		}
		if got := list.asked(); got != step.asked {
			t.Errorf("%s: got %d questions for the list, want %d", step.name, got, step.asked)
		}
	}
}

func TestAListThatVoiceflowDoesNotGive(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	p = w.setKey(t, p, domain.SlotSecondary, secondKey)
	w.setEnvironments(t, p, allowing("main", unlisted))
	w.voiceflow.Answer(testworld.Fine)
	refusal := func(kind domain.Kind) func(string) error {
		return func(string) error { return &domain.Error{Kind: kind} }
	}
	_, ben := w.talker(t, "ben", p)
	for _, tc := range []struct {
		name  string
		err   func(key string) error
		asks  string
		want  domain.Kind
		again bool // the next call asks again
		keys  int
		marks []string
	}{
		{"an outage", refusal(domain.VoiceflowUnavailable), mainPublished, domain.VoiceflowUnavailable, true, 1, nil},
		{"an outage, for an id that is allowed", refusal(domain.VoiceflowUnavailable), unlisted, domain.VoiceflowUnavailable, true, 1, nil},
		{"no list, for an id that is allowed", refusal(domain.VoiceflowRejected), unlisted, "", false, 1, nil},
		{"no list, for another id", refusal(domain.VoiceflowRejected), mainPublished, domain.EnvironmentNotAllowed, false, 1, nil},
		{"both keys are rejected", refusal(domain.CredentialsRejected), mainPublished, domain.CredentialsRejected, true, 2, []string{"user mark_key", "user mark_key"}},
		{"the first key is rejected", func(key string) error {
			if key == firstKey {
				return &domain.Error{Kind: domain.CredentialsRejected}
			}
			return nil
		}, mainPublished, "", false, 2, []string{"user mark_key"}}, // the call itself shows that the first key is good
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(w.Store.Records())
			w.After(10 * time.Minute)
			list := &listed{err: tc.err}
			w.voiceflow.List(list.list)
			for range 2 {
				_, err := w.ask(t, turn("x", ben), "POST", tc.asks)
				testworld.WantKind(t, err, tc.want)
			}
			want := tc.keys
			if tc.again {
				want *= 2
			}
			if got := list.asked(); got != want {
				t.Errorf("got %d questions, want %d", got, want)
			}
			testworld.WantActions(t, w.Actions(before), tc.marks...)
		})
	}
}

// One call asks, and the others wait for its answer. A caller who leaves ends neither.
func TestOneCallAtATimeAsksForTheList(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("main"))
	w.voiceflow.Answer(testworld.Fine)
	_, ben := w.talker(t, "ben", p)
	arrived, goOn := make(chan bool, 100), make(chan bool)
	asked := 0
	w.voiceflow.List(func(string) ([]domain.EnvironmentState, error) {
		asked++ // by one call at a time
		arrived <- true
		<-goOn
		return []domain.EnvironmentState{{Alias: "main", Published: mainPublished}}, nil
	})
	results := make(chan error, 20)
	call := func() {
		_, err := w.ask(t, turn("x", ben), "POST", mainPublished)
		results <- err
	}
	go call()
	<-arrived
	for range 19 {
		go call()
	}
	close(goOn)
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("got %d questions, want 1", asked)
	}
}

func TestAV4SessionKeepsItsEnvironment(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("main", "staging", mainPublished))
	w.voiceflow.List((&listed{}).list)
	_, ben := w.talker(t, "ben", p)
	call, _ := w.login(t, w.User(t, "eve", domain.RoleAdmin), domain.RoleAdmin)
	_, limited := w.tokenOf(t, call, domain.TokenSpec{Project: p.ID, Environments: []string{"staging"}})
	keys, good := 0, map[string]bool{}
	came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			keys++
			key := fmt.Sprint("session-key-", keys)
			good[key] = true
			a := testworld.Starts(f, key)
			a.Started.UserID = fmt.Sprint("bound-", keys)
			return a, nil
		}
		if !good[s.Key] {
			return testworld.Rejected(f, s)
		}
		return testworld.Fine(f, s)
	})
	start := func(in forward.Input, environment string) forward.Input {
		t.Helper()
		in.Service, in.Path = runtime, "/v4/project/"+string(p.Voiceflow)+"/session"
		if environment != "" {
			in.Path = "/v4/project/" + string(p.Voiceflow) + "/environment/" + environment + "/session"
		}
		out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, `{"userID":"x"}`))
		must(t, err)
		handle := make([]byte, out.Answer.ContentLength)
		if _, err := out.Answer.Body.Read(handle); err != nil && !errors.Is(err, http.ErrBodyReadAfterClose) && len(handle) == 0 {
			t.Fatal(err)
		}
		must(t, out.Answer.Body.Close())
		return forward.Input{Service: runtime, Path: "/v4/interact", Handle: string(handle)}
	}
	path := func(alias string) string {
		return "/v4/project/" + string(p.Voiceflow) + "/environment/" + alias + "/session"
	}
	byDefault, staging, byID, ofToken := start(ben, ""), start(ben, "staging"), start(ben, mainPublished), start(limited, "staging")
	for i, want := range []string{"main", "staging", "main", "staging"} {
		if got := came()[i].Path; got != path(want) {
			t.Errorf("session %d: got the path %s, want that of %s", i, got, want)
		}
	}
	sessions := map[string]forward.Input{"main": byDefault, "staging": staging, mainPublished: byID}
	for name, in := range sessions {
		if out, err := w.ask(t, in, "POST"); err != nil || out.Environment.Name != name {
			t.Errorf("a turn in %s: got %+v, %v", name, out.Environment, err)
		}
	}

	// Another default does not move a session. A new session key comes from its environment.
	w.setEnvironments(t, p, allowing("staging", "main", mainPublished))
	for name, in := range sessions {
		good = map[string]bool{}
		before := len(came())
		out, err := w.ask(t, in, "POST")
		if err != nil || out.Environment.Name != name {
			t.Errorf("a turn in %s after another default was set: got %+v, %v", name, out.Environment, err)
		}
		if got, want := came()[before+1].Path, path(map[string]string{mainPublished: "main"}[name]+strings.TrimSuffix(name, mainPublished)); got != want {
			t.Errorf("the session of %s was renewed by %s, want %s", name, got, want)
		}
	}
	_, err := w.ask(t, byDefault, "POST", "staging")
	testworld.WantKind(t, err, domain.EnvironmentNotAllowed)

	// What is not allowed any longer ends with the next turn.
	w.setEnvironments(t, p, allowing("staging"))
	for _, in := range []forward.Input{byDefault, byID} {
		_, err := w.ask(t, in, "POST")
		testworld.WantKind(t, err, domain.EnvironmentNotAllowed)
	}
	for _, in := range []forward.Input{staging, ofToken} {
		_, err := w.ask(t, in, "POST")
		testworld.WantKind(t, err, "")
	}
	w.setEnvironments(t, p, allowing("main"))
	for _, in := range []forward.Input{staging, ofToken} {
		_, err := w.ask(t, in, "POST")
		testworld.WantKind(t, err, domain.EnvironmentNotAllowed)
	}
}

// Voiceflow's traffic split chooses for an assistant that is pinned to an id, and for no other.
func TestTheTrafficSplitEndsWhenEnvironmentsAreSet(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			return testworld.Starts(f, "session-key"), nil
		}
		return testworld.Fine(f, s)
	})
	_, ben := w.talker(t, "ben", p)
	split := w.openSession(t, p, ben)
	if got := came()[0].Path; got != "/v4/project/"+string(p.Voiceflow)+"/session" {
		t.Errorf("got the path %s, want that of the traffic split", got)
	}
	if out, err := w.ask(t, split, "POST"); err != nil || out.Environment != (domain.UsedEnvironment{}) {
		t.Errorf("got %+v, %v, want a turn in an environment that nobody tells", out.Environment, err)
	}
	w.setEnvironments(t, p, domain.Environments{Default: "main", All: true})
	_, err := w.ask(t, split, "POST")
	testworld.WantKind(t, err, domain.EnvironmentNotAllowed)
}

// TestNobodyReachesAnotherEnvironment makes any calls as several callers of several assistants, and
// looks at what Voiceflow gets: each caller of each assistant has users of their own in each
// environment, and gets no environment that they may not use.
func TestNobodyReachesAnotherEnvironment(t *testing.T) {
	w := newWorld(t)
	came := w.voiceflow.Answer(testworld.Fine)
	list := &listed{}
	w.voiceflow.List(list.list)
	projects := []domain.Project{w.Project(t, "One"), w.Project(t, "Two"), w.Project(t, "Pinned")}
	w.setEnvironments(t, projects[0], allowing("main", "staging"))
	w.setEnvironments(t, projects[1], domain.Environments{Default: "staging", All: true})
	type caller struct {
		name    string
		project int
		in      forward.Input
		may     func(name string) bool
	}
	oneOf := func(names ...string) func(string) bool {
		return func(name string) bool {
			for _, each := range names {
				if name == each {
					return true
				}
			}
			return false
		}
	}
	var callers []caller
	for i, p := range projects {
		may := []func(string) bool{oneOf("main", "staging", mainPublished), func(name string) bool { return name != mainDraft && name != unlisted && name != "development" }, oneOf(p.Version)}[i]
		for _, name := range []string{"ben", "eve"} {
			call, in := w.talker(t, fmt.Sprint(name, i), p)
			_, token := w.token(t, call, p, "")
			callers = append(callers, caller{fmt.Sprint(name, i), i, in, may}, caller{fmt.Sprint(name, i, "'s token"), i, token, may})
		}
		if i < 2 {
			call, _ := w.login(t, w.User(t, domain.Username(fmt.Sprint("ada", i)), domain.RoleAdmin), domain.RoleAdmin)
			_, limited := w.tokenOf(t, call, domain.TokenSpec{Project: p.ID, Environments: []string{"main"}})
			callers = append(callers, caller{fmt.Sprint("limited ", i), i, limited, oneOf("main", mainPublished)})
		}
	}
	owner := map[string]string{}
	names := []string{"main", "staging", "other", "development", mainPublished, mainDraft, unlisted, projects[2].Version}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(callers).Draw(t, "caller")
		user := rapid.SampledFrom([]string{"a", "b", "a b"}).Draw(t, "user")
		session := rapid.SampledFrom([]string{"", "a", "s"}).Draw(t, "session")
		asked := rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, "asked")
		in := turn(url.PathEscape(user), c.in)
		r := testworld.Request("POST", in.Path, `{"sessionID":"`+session+`"}`)
		r.Header[http.CanonicalHeaderKey("versionID")] = asked
		before := len(came())
		out, err := w.Forward(t.Context(), domain.Call{}, in, r)
		if err != nil {
			if kind := domain.KindOf(err); kind != domain.EnvironmentNotAllowed || len(came()) != before {
				t.Fatalf("got %v and %d calls at Voiceflow", err, len(came())-before)
			}
			if c.project == 2 {
				t.Fatalf("a call of a pinned assistant was refused: %v", err)
			}
			return
		}
		if err := out.Answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
		sent := came()[before]
		if !c.may(sent.Used.Send) || sent.Used != out.Environment {
			t.Fatalf("%s used %+v and was told %+v", c.name, sent.Used, out.Environment)
		}
		if c.project != 2 && len(asked) > 0 && (out.Environment.Name != asked[0] || asked[0] != asked[len(asked)-1]) {
			t.Fatalf("asked for %v, got %s", asked, out.Environment.Name)
		}
		for _, bound := range []string{sent.UserID, sent.SessionID} {
			is := c.name + "\x00" + user
			if bound == sent.SessionID {
				is = c.name + "\x00" + session
			}
			if was, there := owner[bound]; bound != "" && there && was != is {
				t.Fatalf("%q and %q are one id at Voiceflow", was, is)
			}
			owner[bound] = is
		}
	})
}
