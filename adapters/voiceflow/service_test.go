package voiceflow_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
)

func TestAGETWithoutAnAnswerIsSentOnceMore(t *testing.T) {
	remove := to(t, domain.ServiceRuntime, "DELETE", "/state/user/ben")
	for _, tc := range []struct {
		name string
		call domain.Forward
		cuts int64
		want int
		ok   bool
	}{
		{"a GET that fails once", state(t), 1, 2, true},
		{"a GET that fails twice", state(t), 2, 2, false},
		{"a turn", turn(t), 1, 1, false},
		{"a DELETE", remove, 1, 1, false},
		{"a JSON body", ask(t), 1, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var left atomic.Int64
			left.Store(tc.cuts)
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				if left.Add(-1) >= 0 {
					cutOff(w, r)
				}
				answer(200, "application/json", `{}`)(w, r)
			})
			resp, err := f.forward(t.Context(), tc.call, sent("", `{"question":"why?"}`))
			if err == nil {
				resp.Body.Close()
			} else if domain.KindOf(err) != domain.VoiceflowUnavailable {
				t.Errorf("got %v, want VoiceflowUnavailable", err)
			}
			if (err == nil) != tc.ok || len(f.seen()) != tc.want {
				t.Errorf("got %v after %d requests, want %d", err, len(f.seen()), tc.want)
			}
		})
	}
	for _, h := range []http.HandlerFunc{answer(503, "text/html", "x"), answer(408, "text/html", "x"), unanswered} {
		f := far(t, h, func(o *voiceflow.Options) { o.ForwardTimeout = 100 * time.Millisecond })
		if resp, err := f.forward(t.Context(), state(t), sent("", "")); err == nil {
			resp.Body.Close()
		}
		if n := len(f.seen()); n != 1 {
			t.Errorf("a GET that was answered, or not in time, was sent %d times, want once", n)
		}
	}
}

func TestServicesThatAreDownAreLeftAlone(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() && !strings.HasPrefix(r.URL.Path, "/v1/transcript") {
			answer(503, "text/html", "x")(w, r)
			return
		}
		answer(200, "application/json", `{}`)(w, r)
	}, func(o *voiceflow.Options) { o.BreakerPause = time.Second })
	for range 20 {
		f.read(t, turn(t), sent("", "{}"))
	}
	for _, c := range []domain.Forward{turn(t), state(t), ask(t)} {
		_, err := f.forward(t.Context(), c, sent("", "{}"))
		e, ok := errors.AsType[*domain.Error](err)
		if !ok || e.Kind != domain.VoiceflowUnavailable || e.RetryAfter != time.Second {
			t.Errorf("got %v, want VoiceflowUnavailable with RetryAfter", err)
		}
	}
	if n := len(f.seen()); n != 20 {
		t.Errorf("got %d requests, want 20: then it is known to be down", n)
	}
	// What would be refused is refused for what it is.
	if _, err := f.forward(t.Context(), ask(t), sent("", "x")); domain.KindOf(err) != domain.Invalid {
		t.Errorf("got %v, want Invalid", err)
	}
	f.read(t, to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), sent("", ""))

	down.Store(false)
	f.passed.Add(int64(time.Second))
	for range 3 {
		f.read(t, turn(t), sent("", "{}"))
	}
}

func TestFailuresOfOneAssistantAreItsOwn(t *testing.T) {
	const failing = "failing"
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("projectid") == failing {
			answer(504, "text/html", "x")(w, r)
			return
		}
		answer(200, "application/json", `{}`)(w, r)
	})
	of := func(id domain.ProjectID) domain.Forward {
		c := turn(t)
		c.Project.ID, c.Project.Voiceflow = id, domain.VoiceflowID(id)
		return c
	}
	for range 20 {
		f.read(t, of(failing), sent("", "{}"))
	}
	if _, err := f.forward(t.Context(), of(failing), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("the assistant that fails: got %v, want VoiceflowUnavailable", err)
	}
	for range 3 {
		f.read(t, of("another"), sent("", "{}"))
	}
}

func TestOneShortCallFindsOutWhetherAServiceIsBack(t *testing.T) {
	const pause = 200 * time.Second
	var back atomic.Bool
	came, goOn := make(chan struct{}), make(chan struct{})
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if !back.Load() {
			answer(503, "text/html", "x")(w, r)
			return
		}
		came <- struct{}{}
		<-goOn
		answer(200, "application/json", `{}`)(w, r)
	}, func(o *voiceflow.Options) { o.BreakerPause = pause })
	for range 20 {
		f.read(t, upload(t), sent("", "{}"))
	}
	back.Store(true)
	f.passed.Add(int64(pause))

	// Whoever sends much does not try, and whoever can't send at all does not either.
	long := withFile(sent("", ""), strings.NewReader(strings.Repeat("x", 1<<20+1)))
	if _, err := f.forward(t.Context(), upload(t), long); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("a long body: got %v, want VoiceflowUnavailable", err)
	}
	broken := sent("", "x")
	broken.Body = io.NopCloser(brokenBody{strings.NewReader(""), errors.New("broken")})
	if _, err := f.forward(t.Context(), upload(t), broken); domain.KindOf(err) != domain.Invalid {
		t.Errorf("a body that breaks: got %v, want Invalid", err)
	}
	if n := len(f.seen()); n != 20 {
		t.Fatalf("got %d requests, want 20", n)
	}

	trial := make(chan error, 1)
	go func() {
		resp, err := f.forward(t.Context(), upload(t), sent("", `{"trial":1}`))
		if err == nil {
			resp.Body.Close()
		}
		trial <- err
	}()
	<-came
	for range 5 {
		if _, err := f.forward(t.Context(), upload(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
			t.Errorf("beside the trial: got %v, want VoiceflowUnavailable", err)
		}
	}
	goOn <- struct{}{}
	if err := <-trial; err != nil {
		t.Errorf("the trial: got %v, want success", err)
	}
	if got := f.seen()[20].Body; len(f.seen()) != 21 || got != `{"trial":1}` {
		t.Errorf("got %d requests, the last with %q, want 21, the last with its body", len(f.seen()), got)
	}
	go func() { <-came; goOn <- struct{}{} }()
	f.read(t, upload(t), sent("", "{}"))
}

func TestWhatIsSentIsSaid(t *testing.T) {
	f := far(t, answer(503, "text/html", ""), func(o *voiceflow.Options) { o.BreakerPause = time.Hour })
	c := ask(t)
	for range 20 {
		if resp, _ := f.read(t, c, sent("", "{}")); !resp.Sent {
			t.Error("got an answer that was not said to be sent for")
		}
	}
	for _, body := range []string{"{}", "x"} { // left alone, and refused
		if resp, err := f.forward(t.Context(), c, sent("", body)); err == nil || resp.Sent || len(f.seen()) != 20 {
			t.Errorf("got %v, said to be sent %v, and %d requests, want an error, nothing sent, and 20", err, resp.Sent, len(f.seen()))
		}
	}
}

// slowBody takes longer for a byte than a call may take in all.
type slowBody struct{}

func (slowBody) Read(p []byte) (int, error) {
	<-time.After(100 * time.Millisecond)
	return copy(p, "x"), nil
}

func TestWhatSaysNothingAboutAServiceDoesNotCount(t *testing.T) {
	retired := to(t, domain.ServiceAPI, "PUT", "/v2/transcripts")
	ended := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	same := func(ctx context.Context) context.Context { return ctx }
	for _, tc := range []struct {
		name string
		call domain.Forward
		h    http.HandlerFunc
		ctx  func(context.Context) context.Context
		body func() io.Reader
		want bool // it counts
	}{
		{"502", turn(t), answer(502, "text/html", ""), same, nil, true},
		{"504", turn(t), answer(504, "text/html", ""), same, nil, true},
		{"no answer", turn(t), cutOff, same, nil, true},
		{"no answer in time", turn(t), unanswered, same, nil, true},
		{"500", turn(t), answer(500, "text/html", ""), same, nil, false},
		{"429", turn(t), answer(429, "text/html", ""), same, nil, false},
		{"401", turn(t), answer(401, "text/html", ""), same, nil, false},
		{"a redirect", turn(t), answer(302, "text/html", ""), same, nil, false},
		{"an endpoint that is retired", retired, answer(503, "text/html", ""), same, nil, false},
		{"a caller who left", turn(t), unanswered, ended, nil, false},
		{"a caller whose body breaks", upload(t), answer(503, "text/html", ""), same, func() io.Reader {
			return brokenBody{strings.NewReader(""), errors.New("broken")}
		}, false},
		{"a caller who is slow to send", upload(t), unanswered, same, func() io.Reader { return slowBody{} }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, tc.h, func(o *voiceflow.Options) { o.ForwardTimeout, o.BreakerPause = 50*time.Millisecond, time.Hour })
			for range 20 {
				r := sent("", `{"sessionID":"s"}`)
				if tc.body != nil {
					r = withFile(r, tc.body())
				}
				if resp, err := f.forward(tc.ctx(t.Context()), tc.call, r); err == nil {
					resp.Body.Close()
				}
			}
			before := len(f.seen())
			if resp, err := f.forward(t.Context(), tc.call, sent("", `{"sessionID":"s"}`)); err == nil {
				resp.Body.Close()
			}
			if left := len(f.seen()) == before; left != tc.want {
				t.Errorf("left alone: got %v, want %v", left, tc.want)
			}
		})
	}
}

func TestASuccessBetweenFailuresKeepsAServiceUp(t *testing.T) {
	var n atomic.Int64
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%20 == 0 {
			answer(200, "application/json", "{}")(w, r)
			return
		}
		answer(503, "text/html", "")(w, r)
	})
	for range 100 {
		f.read(t, turn(t), sent("", "{}"))
	}
}
