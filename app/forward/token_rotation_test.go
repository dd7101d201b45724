package forward_test

import (
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// rotate gives the token of the user another text and returns it.
func (w *world) rotate(t *testing.T, call domain.Call, id domain.TokenID, overlap time.Duration) (domain.AccessToken, forward.Input) {
	t.Helper()
	text, hash, prefix, err := domain.NewAccessTokenText(rand.Reader)
	must(t, err)
	act := call.Act(w.Now(), domain.NeedsCaller(), domain.ActionRotateAccessToken, domain.OnToken(id))
	token, err := w.Store.Ports().Tokens.Rotate(t.Context(), act, id, domain.Rotation{Hash: hash, Prefix: prefix, Overlap: overlap})
	must(t, err)
	return token, forward.Input{Token: text}
}

// hold begins a call that goes on. ended gets its error when it ends.
func (w *world) hold(t *testing.T, in forward.Input, body string) (ended chan error) {
	t.Helper()
	return w.holdAs(t, domain.Caller{}, in, body)
}

// holdAs is hold for a caller who is known already.
func (w *world) holdAs(t *testing.T, caller domain.Caller, in forward.Input, body string) (ended chan error) {
	t.Helper()
	out, err := w.Forward(t.Context(), domain.Call{Caller: caller}, in, testworld.Request("POST", in.Path, body))
	must(t, err)
	ended = make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, out.Answer.Body)
		_ = out.Answer.Body.Close()
		ended <- err
	}()
	return ended
}

func wantOpen(t *testing.T, what string, ended chan error) {
	t.Helper()
	select {
	case err := <-ended:
		t.Fatalf("%s has ended: %v", what, err)
	default:
	}
}

// A stream that was opened with a text that leaked ends with that text.
func TestAnOpenCallEndsWithTheTextThatItBeganWith(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, _ := w.talker(t, "ben", p)
	id, first := w.token(t, call, p, "")
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			return testworld.Starts(f, "session-key"), nil
		}
		return testworld.Fine(f, s)
	})
	inConversation := w.openSession(t, p, first)
	w.voiceflow.Stream(true)
	check := func(after time.Duration) {
		t.Helper()
		w.After(after)
		must(t, w.EndLostUses(t.Context()))
	}
	byFirst, conversation := w.hold(t, turn("x", first), "{}"), w.hold(t, inConversation, "{}")
	_, second := w.rotate(t, call, id, time.Hour)
	bySecond := w.hold(t, turn("x", second), "{}")
	check(59 * time.Minute)
	wantOpen(t, "a call by the text of before, in the overlap", byFirst)
	check(time.Minute)
	testworld.WantKind(t, <-byFirst, domain.NotAuthenticated)
	wantOpen(t, "a call by the current text", bySecond)

	call, _ = w.login(t, call.Caller.ID, domain.RoleMember)
	_, third := w.rotate(t, call, id, 0)
	byThird := w.hold(t, turn("x", third), "{}")
	check(300 * time.Millisecond)
	testworld.WantKind(t, <-bySecond, domain.NotAuthenticated)
	wantOpen(t, "a call by the new text", byThird)
	wantOpen(t, "a turn of a conversation", conversation)
	remove := domain.Call{Caller: domain.Operator()}.Act(w.Now(), domain.NeedsCaller(), domain.ActionDeleteAccessToken, domain.OnToken(id))
	must(t, w.Store.Ports().Tokens.Remove(t.Context(), remove, id))
	check(300 * time.Millisecond)
	for what, ended := range map[string]chan error{"access token": byThird, "session key": conversation} {
		err := <-ended
		testworld.WantKind(t, err, domain.NotAuthenticated)
		if !strings.Contains(err.Error(), "the "+what+" in Authorization") {
			t.Errorf("a call by the %s: it says %v", what, err)
		}
	}
}

// A call that writes is not sent if its text ends before it begins.
func TestACallDoesNotBeginWithATextThatHasEnded(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, _ := w.talker(t, "ben", p)
	id, first := w.token(t, call, p, "")
	came := w.voiceflow.Answer(testworld.Fine)
	in := first
	in.Service, in.Path = runtime, "/state/user/ben"
	_, err := w.use(t, in, "DELETE", "")
	must(t, err)
	var next forward.Input
	w.log.begins = func() error {
		w.log.begins = nil
		_, next = w.rotate(t, call, id, 0)
		return nil
	}
	before := len(came())
	_, err = w.use(t, in, "DELETE", "")
	testworld.WantKind(t, err, domain.NotAuthenticated)
	if len(came()) != before {
		t.Error("the call was sent")
	}
	next.Service, next.Path = in.Service, in.Path
	_, err = w.use(t, next, "DELETE", "")
	must(t, err)
}

// The handle says when the token was to end when the conversation began.
func TestAConversationGoesOnAfterARotation(t *testing.T) {
	for name, overlap := range map[string]time.Duration{"with an overlap": time.Hour, "without one": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			call, _ := w.talker(t, "ben", p)
			id, first := w.token(t, call, p, "")
			came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
				if f.Route.Endpoint.Starts {
					return testworld.Starts(f, "session-key"), nil
				}
				return testworld.Fine(f, s)
			})
			inConversation := w.openSession(t, p, first)
			_, err := w.use(t, turn("x", first), "POST", "{}")
			must(t, err)
			w.After(89 * 24 * time.Hour)
			call, _ = w.login(t, call.Caller.ID, domain.RoleMember)
			token, second := w.rotate(t, call, id, overlap)
			_, err = w.use(t, turn("x", second), "POST", "{}")
			must(t, err)
			if sent := came(); sent[1].UserID == "" || sent[2].UserID != sent[1].UserID {
				t.Errorf("the user id became %s, and %s before", sent[2].UserID, sent[1].UserID)
			}
			w.After(2 * 24 * time.Hour) // beyond the end that the token had
			_, err = w.use(t, inConversation, "POST", "{}")
			must(t, err)
			_, err = w.use(t, turn("x", first), "POST", "{}")
			testworld.WantKind(t, err, domain.NotAuthenticated)
			w.After(token.Expires.Sub(w.Now()))
			_, err = w.use(t, inConversation, "POST", "{}")
			testworld.WantKind(t, err, domain.NotAuthenticated)
		})
	}
}

func TestTheEndOfATokenIsTold(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	id, first := w.token(t, call, p, "")
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			return testworld.Starts(f, "session-key"), nil
		}
		return testworld.Fine(f, s)
	})
	inConversation := w.openSession(t, p, first)
	expires := domain.Instant(w.Now()).Add(90 * day)
	told := func(what string, in forward.Input, want time.Time) {
		t.Helper()
		out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, "{}"))
		if err != nil || !out.TokenEnds.Equal(want) {
			t.Errorf("%s: got the end %v and error %v, want %v", what, out.TokenEnds, err, want)
		}
		if err == nil {
			_ = out.Answer.Body.Close()
		}
	}
	never := time.Time{}
	told("a cookie", turn("x", ben), never)
	told("a new token", turn("x", first), never)
	w.After(76*day - time.Second)
	told("too early", turn("x", first), never)
	told("a conversation, too early", inConversation, never)
	w.After(time.Second)
	told("14 days before", turn("x", first), expires)
	told("a conversation, 14 days before", inConversation, expires)
	call, _ = w.login(t, call.Caller.ID, domain.RoleMember)
	token, second := w.rotate(t, call, id, 2*time.Hour)
	told("the text of before", turn("x", first), domain.Instant(w.Now()).Add(2*time.Hour))
	told("the new text", turn("x", second), never)
	told("a conversation, after the rotation", inConversation, never)
	w.After(80 * day)
	told("the new text, later", turn("x", second), token.Expires)
}
