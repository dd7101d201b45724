package voiceflow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
)

func TestEventsComeAsTheyAreSent(t *testing.T) {
	next := make(chan struct{})
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "\n")
		_ = http.NewResponseController(w).Flush()
		for i := 0; ; i++ {
			if _, ok := <-next; !ok {
				return
			}
			_, _ = fmt.Fprintf(w, "id: %d\nevent: trace\ndata: {\"userID\":\"fl-bound-%[1]d\"}\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != -1 || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("got length %d, %v", resp.ContentLength, resp.Header)
	}
	buffer := make([]byte, 4096)
	if n, err := resp.Body.Read(buffer); err != nil || string(buffer[:n]) != "\n" {
		t.Fatalf("got %q, %v, want the blank line", buffer[:n], err)
	}
	for i := range 100 {
		next <- struct{}{}
		n, err := resp.Body.Read(buffer)
		if want := fmt.Sprintf("id: %d\nevent: trace\ndata: {\"userID\":\"%[1]d\"}\n\n", i); err != nil || string(buffer[:n]) != want {
			t.Fatalf("got %q, %v, want %q", buffer[:n], err, want)
		}
	}
	close(next)
	if n, err := resp.Body.Read(buffer); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v, want the end", buffer[:n], err)
	}
}

// events sends an event with each tick until ticks is closed or the client has left.
func events(ticks <-chan time.Time, left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case _, ok := <-ticks:
				if !ok {
					return
				}
				_, _ = io.WriteString(w, "data: {}\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestAStreamHasAnIdleLimitAndNoOther(t *testing.T) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	left := make(chan struct{})
	f := far(t, events(ticker.C, left), func(o *voiceflow.Options) {
		o.ForwardTimeout, o.ForwardIdle, o.MaxAnswer = 500*time.Millisecond, 2*time.Second, 20
	})
	began := time.Now()
	resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buffer := make([]byte, 4096)
	// Beyond the time and the size that any other answer may have.
	for time.Since(began) < time.Second {
		if _, err := resp.Body.Read(buffer); err != nil {
			t.Fatalf("after %v: got %v, want events to go on", time.Since(began), err)
		}
	}
	ticker.Stop()
	for err == nil {
		_, err = resp.Body.Read(buffer)
	}
	if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want VoiceflowUnavailable by the idle limit", err)
	}
	<-left // the far side was told to stop
}

func TestACallerWhoIsSlowToReadAStreamIsNotIdle(t *testing.T) {
	ticks, left := make(chan time.Time), make(chan struct{})
	f := far(t, events(ticks, left), func(o *voiceflow.Options) { o.ForwardIdle = 100 * time.Millisecond })
	resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ticks <- now
	buffer := make([]byte, 4096)
	for range 2 {
		if n, err := resp.Body.Read(buffer); err != nil || string(buffer[:n]) != "data: {}\n\n" {
			t.Fatalf("got %q, %v, want an event", buffer[:n], err)
		}
		<-time.After(300 * time.Millisecond)
		go func() { ticks <- now }()
	}
}

func TestTheTimeOfAWholeExchangeIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
	}{
		{"nothing is ever said", unanswered},
		{"the body never comes", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		{"it drips", func(w http.ResponseWriter, r *http.Request) {
			ticks := dripping(t)
			for r.Context().Err() == nil {
				<-ticks
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}},
		{"a refusal drips", func(w http.ResponseWriter, r *http.Request) {
			ticks := dripping(t)
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				<-ticks
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}},
		{"events that are a refusal", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(500)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			done := make(chan struct{})
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				tc.h(w, r)
			}, func(o *voiceflow.Options) { o.ForwardTimeout = 200 * time.Millisecond })
			for _, c := range []domain.Forward{turn(t)} {
				resp, err := f.forward(t.Context(), c, sent("", ""))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want VoiceflowUnavailable by the time", err)
				}
			}
			<-done
		})
	}
}

func TestTheCallEndsAtVoiceflow(t *testing.T) {
	why := errors.New("the grant was revoked")
	for _, tc := range []struct {
		name     string
		answered bool
		end      func(cancel context.CancelCauseFunc, body io.Closer)
	}{
		{"when its context ends before there is an answer", false, func(cancel context.CancelCauseFunc, _ io.Closer) { cancel(why) }},
		{"when its context ends in the answer", true, func(cancel context.CancelCauseFunc, _ io.Closer) { cancel(why) }},
		{"when the answer is closed", true, func(_ context.CancelCauseFunc, body io.Closer) { _ = body.Close() }},
	} {
		for name, change := range map[string]func(*voiceflow.Options){"patient": func(o *voiceflow.Options) { o.ForwardTimeout, o.ForwardIdle = time.Hour, time.Hour }} {
			for _, contentType := range []string{"text/event-stream", "application/json"} {
				t.Run(tc.name+" "+name+" "+contentType, func(t *testing.T) {
					came, left := make(chan struct{}), make(chan struct{})
					f := far(t, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if tc.answered {
							w.Header().Set("Content-Type", contentType)
							_, _ = io.WriteString(w, "data: {}\n\n")
							_ = http.NewResponseController(w).Flush()
						}
						close(came)
						<-r.Context().Done()
						close(left)
					}, change)
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					if !tc.answered {
						go func() {
							<-came
							tc.end(cancel, nil)
						}()
						_, err := f.forward(ctx, turn(t), sent("", "{}"))
						if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, why) {
							t.Errorf("got %v, want VoiceflowUnavailable by the caller", err)
						}
						<-left
						return
					}
					resp, err := f.forward(ctx, turn(t), sent("", "{}"))
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					buffer := make([]byte, 100)
					if _, err := resp.Body.Read(buffer); err != nil {
						t.Fatal(err)
					}
					tc.end(cancel, resp.Body)
					if _, err := resp.Body.Read(buffer); domain.KindOf(err) != domain.VoiceflowUnavailable || context.Cause(ctx) != nil && !errors.Is(err, why) {
						t.Errorf("got %v, want VoiceflowUnavailable, by the caller who left", err)
					}
					<-left
				})
			}
		}
	}
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []domain.Forward{turn(t), state(t)} {
		if _, err := f.forward(ctx, c, sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want VoiceflowUnavailable by the caller", err)
		}
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
}
