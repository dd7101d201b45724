package forward_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

func TestASessionThatCanNotBeKeptIsNotAcknowledged(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, ben := w.talker(t, "ben", p)
	closed := false
	w.voiceflow.Answer(func(f domain.Forward, _ testworld.Sent) (ports.Answer, error) {
		w.Store.Break()
		a := testworld.Starts(f, "session-key")
		a.Body = testworld.Body{ReadCloser: closing{a.Body, &closed}}
		return a, nil
	})
	in := ben
	in.Service, in.Path = runtime, "/v4/project/"+string(p.Voiceflow)+"/session"
	_, err := w.use(t, in, "POST", `{"userID":"ben"}`)
	testworld.WantKind(t, err, domain.Unavailable)
	if !closed {
		t.Error("the answer that was not passed on was not closed")
	}
}

// A project that goes while Voiceflow starts a session is answered as a fresh call would be.
func TestASessionOfAProjectThatWentMeanwhile(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, ben := w.talker(t, "ben", p)
	ben.Service, ben.Path = runtime, "/v4/project/"+string(p.Voiceflow)+"/session"
	w.voiceflow.Answer(func(f domain.Forward, _ testworld.Sent) (ports.Answer, error) {
		remove := domain.Call{Caller: domain.Operator()}.Act(w.Now(), domain.NeedsAdmin(), domain.ActionDeleteProject, domain.OnProject(p.ID))
		must(t, w.Store.Ports().Projects.Remove(t.Context(), remove, p.ID))
		return testworld.Starts(f, "session-key"), nil
	})
	_, err := w.use(t, ben, "POST", `{"userID":"ben"}`)
	_, fresh := w.use(t, ben, "POST", `{"userID":"ben"}`)
	for _, err := range []error{err, fresh} {
		testworld.WantKind(t, err, domain.NotAuthenticated)
	}
}

func TestV4Sessions(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, ben := w.talker(t, "ben", p)
	keys, good := 0, map[string]bool{}
	came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			keys++
			key := fmt.Sprint("session-key-", keys)
			good[key] = true
			return testworld.Starts(f, key), nil
		}
		if !good[s.Key] {
			return testworld.Rejected(f, s)
		}
		return testworld.Fine(f, s)
	})
	alone := w.openSession(t, p, ben)
	talk := func(f *forward.Forwarder, body string) error {
		out, err := f.Forward(t.Context(), domain.Call{}, alone, testworld.Request("POST", alone.Path, body))
		if err != nil {
			return err
		}
		return out.Answer.Body.Close()
	}
	testworld.WantKind(t, talk(w.Forwarder, "one"), "")
	testworld.WantKind(t, talk(w.instance(t), "on another instance"), "")

	good = map[string]bool{}
	testworld.WantKind(t, talk(w.Forwarder, "two"), "")
	all := came()
	last := all[len(all)-3:]
	if last[0].Key != "session-key-1" || last[0].Body != "two" || !strings.Contains(last[1].Body, `"bound"`) || last[1].Key != "VF.DM.key" ||
		last[2].Key != "session-key-2" || last[2].Body != "two" {
		t.Errorf("after the session key was stale Voiceflow got %+v, want the turn, a new session for the same user, and the turn again", last)
	}
	testworld.WantKind(t, talk(w.Forwarder, "three"), "")
	if got := came(); len(got) != len(all)+1 {
		t.Errorf("the turn after that took %d calls, want 1", len(got)-len(all))
	}
	good = map[string]bool{}
	testworld.WantKind(t, talk(w.Forwarder, strings.Repeat("x", 1<<20+1)), domain.VoiceflowUnavailable) // too long to be kept
	testworld.WantKind(t, talk(w.Forwarder, strings.Repeat("x", 1<<20+1)), "")

	handle := alone.Handle
	alone.Handle = handle + "A"
	testworld.WantKind(t, talk(w.Forwarder, ""), domain.NotAuthenticated)
	alone.Handle = ben.UserCookie
	testworld.WantKind(t, talk(w.Forwarder, ""), domain.NotAuthenticated)
	alone.Handle = handle
	w.end(t, domain.OneSession(w.opened(t, domain.AssistantSession, ben.AssistantCookie).Session))
	testworld.WantKind(t, talk(w.Forwarder, "after the end"), domain.NotAuthenticated)
}
