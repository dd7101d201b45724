package ginhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestWhatVoiceflowAnswersWithErrors(t *testing.T) {
	w, _ := talking(t)
	for _, tc := range []struct {
		name   string
		answer func() (ports.Answer, error)
		status int
		code   string
		has    string
	}{
		{"JSON passes", func() (ports.Answer, error) {
			return response(422, "application/json", `{"message":"Validation failed","code":"theirs","request_id":"theirs"}`), nil
		}, 422, "theirs", "Validation failed"},
		{"a 4xx without anything has a body of ours", func() (ports.Answer, error) { return response(404, "", ""), nil }, 404, "voiceflow_rejected", "404"},
		{"a 5xx has one", func() (ports.Answer, error) { return response(503, "", ""), nil }, 503, "voiceflow_unavailable", "503"},
		{"a 429 has one, and its Retry-After", func() (ports.Answer, error) {
			a := response(429, "", "")
			a.Header.Set("Retry-After", "7")
			return a, nil
		}, 429, "voiceflow_unavailable", "429"},
		{"a key that is refused is no 401", func() (ports.Answer, error) { return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected} }, 502, "assistant_credentials_rejected", "admin"},
		{"no answer is a 503", func() (ports.Answer, error) {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, RetryAfter: 7 * time.Second}
		}, 503, "voiceflow_unavailable", ""},
		{"a body that was too large is a 413", func() (ports.Answer, error) {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Cause: fmt.Errorf("sending: %w", &http.MaxBytesError{Limit: 1})}
		}, 413, "too_large", ""},
		{"anything else is ours and says nothing", func() (ports.Answer, error) { return ports.Answer{}, errors.New("canary") }, 500, "internal", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
				return tc.answer()
			})
			r, err := noRedirects.Do(w.member.request(t, "POST", turn, `{}`))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			raw, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != tc.status || !bytes.Contains(raw, []byte(`"code":"`+tc.code+`"`)) || !bytes.Contains(raw, []byte(tc.has)) {
				t.Errorf("got %d %s, %v; want %d with the code %s", r.StatusCode, raw, err, tc.status, tc.code)
			}
			if retry := r.Header.Get("Retry-After"); (retry == "7") != (strings.Contains(tc.name, "Retry") || strings.HasPrefix(tc.name, "no answer")) {
				t.Errorf("got Retry-After %q", retry)
			}
		})
	}
	w.log.reset() // an error of the far side's own is logged as it is
}

// A call that takes too long must not spoil the connection for what comes after it.
func TestACallThatTakesTooLongLeavesTheConnectionGood(t *testing.T) {
	w, _ := talking(t, func(w *world) { w.options.ForwardTimeout = 50 * time.Millisecond })
	w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		timer := time.NewTimer(200 * time.Millisecond) // as the client of Voiceflow gives up by itself, if late
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			t.Error("the server took the caller for gone")
		}
		return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
	})
	for range 2 {
		w.member.do(t, "GET", "/voiceflow/general-runtime/state/user/ben", "").want(t, 503, "voiceflow_unavailable")
		w.member.do(t, "DELETE", "/voiceflow/general-runtime/state/user/ben", "").want(t, 503, "voiceflow_unavailable")
		w.member.do(t, "POST", turn, `{}`).want(t, 503, "voiceflow_unavailable")
		w.member.do(t, "GET", "/check_session", "").want(t, 200, "")
	}
}

// piped is an answer that the test writes part by part.
func piped(ctx context.Context, contentType string) (ports.Answer, *io.PipeWriter) {
	from, to := io.Pipe()
	context.AfterFunc(ctx, func() { _ = from.CloseWithError(context.Cause(ctx)) })
	a := response(200, contentType, "")
	a.Body, a.ContentLength = body{from}, -1
	return a, to
}

func TestEventsPassOneByOne(t *testing.T) {
	w, _ := talking(t, func(w *world) {
		w.configure = func(s *httptest.Server) { s.Config.ReadTimeout, s.Config.WriteTimeout = time.Second, time.Second }
	})
	parts := make(chan string)
	w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		a, to := piped(ctx, "text/event-stream")
		go func() {
			for part := range parts {
				_, _ = io.WriteString(to, part)
			}
			_ = to.Close()
		}()
		return a, nil
	})
	r, err := noRedirects.Do(w.member.request(t, "POST", turn, `{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewReader(r.Body)
	began := time.Now()
	for n := 0; n < 5 || time.Since(began) < 2500*time.Millisecond; n++ { // longer than any deadline of the server's
		sent := fmt.Sprintf("data: %d\n", n)
		parts <- sent
		if got, err := lines.ReadString('\n'); err != nil || got != sent {
			t.Fatalf("got %q and error %v, want %q before anything else is sent", got, err, sent)
		}
		if n >= 5 {
			<-time.After(50 * time.Millisecond)
		}
	}
	close(parts)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("at the end: got %q and error %v", rest, err)
	}
}

func TestACallerWhoLeavesEndsTheCall(t *testing.T) {
	w, _ := talking(t)
	ended := make(chan struct{})
	w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		a, to := piped(ctx, "text/event-stream")
		context.AfterFunc(ctx, func() { close(ended) })
		go func() { _, _ = io.WriteString(to, "data: 1\n\n") }()
		return a, nil
	})
	ctx, leave := context.WithCancel(t.Context())
	r, err := noRedirects.Do(w.member.request(t, "POST", turn, `{}`).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	leave()
	_ = r.Body.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the call at Voiceflow goes on")
	}
}

func TestAnAnswerThatBreaksIsCut(t *testing.T) {
	w, _ := talking(t)
	for _, contentType := range []string{"text/event-stream", "application/json"} {
		w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
			a, to := piped(ctx, contentType)
			go func() {
				_, _ = io.WriteString(to, "data: 1\n\n")
				_ = to.CloseWithError(&domain.Error{Kind: domain.VoiceflowUnavailable, Public: "it took too long"})
			}()
			return a, nil
		})
		r, err := noRedirects.Do(w.member.request(t, "POST", turn, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err == nil {
			t.Errorf("%s: got %q as if it were whole", contentType, got)
		}
	}
	w.server.Close()
	if log := w.log.String(); !strings.Contains(log, `"cut":true`) || !strings.Contains(log, "it took too long") {
		t.Errorf("the log does not say that and why an answer was cut:\n%s", log)
	}
}

// A browser sends a request again, also one that writes, if a connection that it used before ends
// without any answer (Chromium, HttpNetworkTransaction::ShouldResendRequest).
func TestAnAnswerThatBreaksHasBegun(t *testing.T) {
	w, _ := talking(t)
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		a := response(200, "application/json", "")
		a.Body, a.ContentLength = body{io.NopCloser(io.MultiReader(strings.NewReader("{"), breaksOff{}))}, 50
		return a, nil
	})
	r, err := noRedirects.Do(w.member.request(t, "POST", turn, `{}`))
	if err != nil {
		t.Fatalf("got no answer at all, but %v", err)
	}
	got, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err == nil || r.StatusCode != 200 || string(got) != "{" {
		t.Errorf("got %d, %q and the error %v, want what came of the answer, and an error", r.StatusCode, got, err)
	}
}

func TestARevokedCallIsCut(t *testing.T) {
	w, p := talking(t)
	w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		a, to := piped(ctx, "text/event-stream")
		go func() { _, _ = io.WriteString(to, "data: 1\n\n") }()
		return a, nil
	})
	defer w.service.Start(nil)()
	r, err := noRedirects.Do(w.member.request(t, "POST", turn, `{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	w.clock.move(time.Second)
	w.admin.do(t, "POST", "/revoke_project", `{"user_id":"`+w.userID(t, "member")+`","project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	if _, err := io.ReadAll(r.Body); err == nil {
		t.Error("the stream came to a good end")
	}
	w.member.do(t, "POST", turn, `{}`).want(t, 401, "not_authenticated")
}
