package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestASessionThatCanNotBeKeptIsNotAcknowledged(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, ben := w.talker(t, "ben", p)
	closed := false
	w.voiceflow.forwardTo(func(f domain.Forward, _ sent) (ports.Answer, error) {
		w.store.Break()
		a := starts(f, "session-key")
		a.Body = body{ReadCloser: closing{a.Body, &closed}}
		return a, nil
	})
	in := ben
	in.Service, in.Path = runtime, "/v4/project/"+string(voiceflowID)+"/session"
	_, err := w.use(t, in, "POST", `{"userID":"ben"}`)
	wantKind(t, err, domain.Unavailable)
	if !closed {
		t.Error("the answer that was not passed on was not closed")
	}
}

func TestV4Sessions(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, ben := w.talker(t, "ben", p)
	keys, good := 0, map[string]bool{}
	came := w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			keys++
			key := fmt.Sprint("session-key-", keys)
			good[key] = true
			return starts(f, key), nil
		}
		if !good[s.key] {
			return rejected(f, s)
		}
		return fine(f, s)
	})
	alone := w.openSession(t, ben)
	talk := func(s *app.Service, body string) error {
		out, err := s.Forward(t.Context(), domain.Call{}, alone, request("POST", alone.Path, body))
		if err != nil {
			return err
		}
		return out.Response.Body.Close()
	}
	wantKind(t, talk(w.Service, "one"), "")
	wantKind(t, talk(w.open(t, w.ports()), "on another instance"), "")

	good = map[string]bool{}
	wantKind(t, talk(w.Service, "two"), "")
	all := came()
	last := all[len(all)-3:]
	if last[0].key != "session-key-1" || last[0].body != "two" || !strings.Contains(last[1].body, `"bound"`) || last[1].key != "VF.DM.key" ||
		last[2].key != "session-key-2" || last[2].body != "two" {
		t.Errorf("after the session key was stale Voiceflow got %+v, want the turn, a new session for the same user, and the turn again", last)
	}
	wantKind(t, talk(w.Service, "three"), "")
	if got := came(); len(got) != len(all)+1 {
		t.Errorf("the turn after that took %d calls, want 1", len(got)-len(all))
	}
	good = map[string]bool{}
	wantKind(t, talk(w.Service, strings.Repeat("x", 1<<20+1)), domain.VoiceflowUnavailable) // too long to be kept
	wantKind(t, talk(w.Service, strings.Repeat("x", 1<<20+1)), "")

	handle := alone.Handle
	alone.Handle = handle + "A"
	wantKind(t, talk(w.Service, ""), domain.NotAuthenticated)
	alone.Handle = ben.UserCookie
	wantKind(t, talk(w.Service, ""), domain.NotAuthenticated)
	alone.Handle = handle
	if err := w.ClearProject(t.Context(), call, ben.AssistantCookie); err != nil {
		t.Fatal(err)
	}
	wantKind(t, talk(w.Service, "after the end"), domain.NotAuthenticated)
}
