package forward_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

func TestOpenCallsEndWhenTheirRightGoes(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	_, token := w.token(t, call, p, "")
	_, eve := w.talker(t, "eve", p)
	_, fay := w.talker(t, "fay", p)
	gusCall, gus := w.talker(t, "gus", p)
	w.voiceflow.Answer(testworld.Fine)
	w.voiceflow.Stream(true)
	open := func(by forward.Input) (ended chan error) {
		t.Helper()
		in := turn("x", by)
		out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		ended = make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, out.Answer.Body)
			_ = out.Answer.Body.Close()
			ended <- err
		}()
		return ended
	}
	byCookie, byToken, ofEve := open(ben), open(token), open(eve)
	ofFay, ofGus := open(fay), open(gus)
	check := func() {
		t.Helper()
		w.After(300 * time.Millisecond)
		if err := w.EndLostUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check()
	for _, c := range []chan error{byCookie, byToken, ofEve, ofFay, ofGus} {
		select {
		case err := <-c:
			t.Fatalf("a call ended while it had its right: %v", err)
		default:
		}
	}
	w.revoke(t, call.Caller.ID, p)
	check()
	testworld.WantKind(t, <-byCookie, domain.NotAuthenticated) // its session has ended
	testworld.WantKind(t, <-byToken, domain.NotAllowed)        // it opens nothing at present

	w.end(t, domain.OneSession(w.opened(t, domain.AssistantSession, fay.AssistantCookie).Session))
	w.end(t, domain.SessionsOf(gusCall.Caller.ID))
	check()
	testworld.WantKind(t, <-ofFay, domain.NotAuthenticated)
	testworld.WantKind(t, <-ofGus, domain.NotAuthenticated)

	w.Store.Break()
	for range 5 { // seconds, after which it ends
		select {
		case err := <-ofEve:
			t.Fatalf("a call ended as soon as the database was away: %v", err)
		default:
		}
		w.After(time.Second)
		_ = w.EndLostUses(t.Context())
	}
	testworld.WantKind(t, <-ofEve, domain.Unavailable)
}

func TestAWriteThatWasUnderWayWhenItsRightWentLeavesARow(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	arrived := make(chan bool)
	w.voiceflow.Answer(testworld.Fine)
	w.voiceflow.Hang(arrived)
	before, done := len(w.Store.Records()), make(chan error, 1)
	in := ben
	in.Service, in.Path = runtime, "/state/user/ben"
	go func() {
		_, err := w.use(t, in, "DELETE", "")
		done <- err
	}()
	<-arrived
	w.revoke(t, call.Caller.ID, p)
	w.After(time.Second)
	if err := w.EndLostUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	testworld.WantKind(t, <-done, domain.NotAuthenticated)
	testworld.WantActions(t, w.Actions(before), "user forward", "user revoke_project", "user forward")
}

func TestAnOpenCallKeepsItsSessionInUse(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, ben := w.talker(t, "ben", p)
	w.voiceflow.Answer(testworld.Fine)
	w.voiceflow.Stream(true)
	in := turn("x", ben)
	out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, out.Answer.Body)
		ended <- err
	}()
	for range 10 { // 100 minutes, of a session that lasts 30 without use
		w.After(10 * time.Minute)
		if err := w.EndLostUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the stream was ended: %v", err)
	default:
	}
	w.voiceflow.Stream(false)
	_, err = w.use(t, turn("x", ben), "POST", "{}") // nor is the login over
	testworld.WantKind(t, err, "")
	_ = out.Answer.Body.Close()
	if err := <-ended; err == nil {
		t.Error("a stream that was closed came to a good end")
	}
}

// Whoever loses the right before the last byte of the body has sent nothing to Voiceflow,
// whether the body is kept for another key or not.
func TestARightThatIsLostInTheMiddleOfABody(t *testing.T) {
	for _, tc := range []struct {
		name string
		two  bool // keys
		take func(t *testing.T, w *world, ben domain.Call, p domain.Project)
		kind domain.Kind
	}{
		{"the grant, with one key", false, func(t *testing.T, w *world, ben domain.Call, p domain.Project) {
			w.revoke(t, ben.Caller.ID, p)
		}, domain.NotAuthenticated},
		{"the grant, with two keys", true, func(t *testing.T, w *world, ben domain.Call, p domain.Project) {
			w.revoke(t, ben.Caller.ID, p)
		}, domain.NotAuthenticated},
		{"the scope to set variables", false, func(t *testing.T, w *world, ben domain.Call, p domain.Project) {
			w.grant(t, ben.Caller.ID, p, "converse", "debug")
		}, domain.NotAllowed},
		{"the scope for debug output", false, func(t *testing.T, w *world, ben domain.Call, p domain.Project) {
			w.grant(t, ben.Caller.ID, p, "converse", "state")
		}, domain.NotAllowed},
		{"the scope, with two keys", true, func(t *testing.T, w *world, ben domain.Call, p domain.Project) {
			w.grant(t, ben.Caller.ID, p, "analytics")
		}, domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			if tc.two {
				p = w.setKey(t, p, domain.SlotSecondary, secondKey)
			}
			call, ben := w.talker(t, "ben", p, "converse", "state", "debug")
			came := w.voiceflow.Answer(testworld.Fine)
			in := turn("x", ben)
			r := testworld.Request("POST", in.Path, "")
			body, rest := io.Pipe()
			r.Body = body
			done := make(chan error, 1)
			go func() {
				_, err := w.Forward(t.Context(), domain.Call{}, in, r)
				done <- err
			}()
			_, _ = rest.Write([]byte("{")) // returns once it was read
			tc.take(t, w, call, p)
			w.After(forward.CheckInterval)
			must(t, w.EndLostUses(t.Context()))
			_, _ = rest.Write([]byte("}"))
			_ = rest.Close()
			testworld.WantKind(t, <-done, tc.kind)
			if got := came(); len(got) > 0 {
				t.Errorf("Voiceflow got %+v", got)
			}
		})
	}
}

// No session is started at Voiceflow for a turn whose right is gone.
func TestARightThatIsLostDuringATurnRenewsNothing(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	w.voiceflow.Answer(func(f domain.Forward, _ testworld.Sent) (ports.Answer, error) {
		return testworld.Starts(f, "session-key"), nil
	})
	alone := w.openSession(t, p, ben)
	came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		w.revoke(t, call.Caller.ID, p)
		w.After(forward.CheckInterval)
		must(t, w.EndLostUses(t.Context()))
		return testworld.Rejected(f, s)
	})
	_, err := w.use(t, alone, "POST", "{}")
	testworld.WantKind(t, err, domain.NotAuthenticated)
	if got := came(); len(got) != 1 {
		t.Errorf("Voiceflow got %+v, want the turn only", got)
	}
}

// A panic leaves no call open: the sessions of one would stay in use for ever.
func TestAPanicLeavesNoCallOpen(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, ben := w.talker(t, "ben", p)
	w.voiceflow.Answer(func(domain.Forward, testworld.Sent) (ports.Answer, error) { panic("boom") })
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("got the panic %v", v)
			}
		}()
		_, _ = w.use(t, turn("x", ben), "POST", strings.Repeat("x", 10))
	}()
	w.After(time.Minute)
	w.Store.Break()
	testworld.WantKind(t, w.EndLostUses(t.Context()), "") // there is nothing to ask the database
}
