package portstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func forwardAnswer(t *testing.T, far FarSide) {
	for _, status := range []int{200, 201, 400, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504} {
		c := far.Client(t, patience)
		far.serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "a="+marker)
			w.Header().Set("Server", marker)
			w.Header().Set("Access-Control-Allow-Origin", marker)
			w.Header().Set("Retry-After", "7")
			w.Header().Set("X-RateLimit-Reset", "2026-11-25T16:00:00Z")
			w.Header().Set("ETag", r.Header.Get("Authorization"))
			says(status, "application/json", `{"a":1}`)(w, r)
		})
		answer, body := wantForwarded(t, fmt.Sprintf("Forward answered with %d", status), c, turnOf(t), from("", "{}"))
		wantSame(t, "status", answer.StatusCode, status)
		wantSame(t, "body", body, `{"a":1}`)
		wantSame(t, "Retry-After", answer.Header.Values("Retry-After"), []string{"7"})
		wantSame(t, "X-RateLimit-Reset", answer.Header.Values("X-RateLimit-Reset"), []string{"2026-11-25T16:00:00Z"})
		wantSame(t, "Content-Type", answer.Header.Values("Content-Type"), []string{"application/json"})
		if shown := fmt.Sprintf("%+v", answer); strings.Contains(shown, marker) || strings.Contains(shown, credential.Reveal()) {
			t.Fatalf("Forward answered with %d: got %s, want the headers of a short list", status, shown)
		}
	}
}

func forwardUserIDs(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	const object = `{"userID":"fl-bound-b\"en","a":[{"sessionID" : "fl-bound-sue"},"\u0066l-bound-x"],"text":"hi fl-bound-x","fl-bound-y":"fl-bound-y","c":{"userID":"fl-others"}}`
	const want = `{"userID":"b\"en","a":[{"sessionID" : "sue"},"x"],"text":"hi fl-bound-x","y":"y","c":{"userID":"fl-others"}}`
	for _, tc := range []struct{ name, contentType, body, want string }{
		{"JSON", "application/json; charset=utf-8", object, want},
		{"events", "text/event-stream", "\nevent: trace\ndata: " + object + "\n\n: fl-bound-x\n\n", "\nevent: trace\ndata: " + want + "\n\n: fl-bound-x\n\n"},
		{"something else", "application/octet-stream", object, object},
	} {
		far.serve(t, says(200, tc.contentType, tc.body))
		_, body := wantForwarded(t, "Forward answered with "+tc.name, c, turnOf(t), from("", "{}"))
		wantSame(t, tc.name, body, tc.want)
	}
	call := turnOf(t)
	call.UserIDs.Own = func(string) (string, bool) { return "", false }
	far.serve(t, says(200, "application/json", `{"userID":"fl-bound-ben","a":{"userID":"fl-bound-sue"}}`))
	_, body := wantForwarded(t, "Forward with an id that only this call knows", c, call, from("", "{}"))
	wantSame(t, "an answer with an id that only this call knows", body, `{"userID":"ben","a":{"userID":"fl-bound-sue"}}`)

	far.serve(t, says(200, "application/json", object))
	call.UserIDs = domain.UserIDs{}
	_, body = wantForwarded(t, "Forward for one with users of their own", c, call, from("", "{}"))
	wantSame(t, "an answer for one with users of their own", body, object)
}

func forwardCredential(t *testing.T, far FarSide) {
	for _, contentType := range []string{"application/json", "text/event-stream", "text/plain", "application/pdf"} {
		for _, status := range []int{200, 404} {
			c := far.Client(t, patience)
			far.serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", contentType)
				w.WriteHeader(status)
				key := r.Header.Get("Authorization")
				for _, part := range []string{`{"`, key, `":"x`, key[:10], key[10:], `x"}`} {
					_, _ = io.WriteString(w, part)
					_ = http.NewResponseController(w).Flush()
				}
			})
			_, body := wantForwarded(t, "Forward that is answered with the credential", c, turnOf(t), from("", "{}"))
			stars := strings.Repeat("*", len(credential.Reveal()))
			wantSame(t, fmt.Sprintf("%d, %s", status, contentType), body, `{"`+stars+`":"x`+stars+`x"}`)
		}
	}
}

func forwardSession(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	far.serve(t, says(200, "application/json", `{"x":"`+marker+`","sessionKey":"`+marker+`","y":{"userID":"fl-bound-ben"}}`))
	call := sessionOf(t)
	answer, body := wantForwarded(t, "Forward that opens a session", c, call, from("", `{"userID":"ben"}`))
	wantSame(t, "the answer", body, `{"x":"`+strings.Repeat("*", len(marker))+`","sessionKey":"the handle","y":{"userID":"ben"}}`)
	wantSame(t, "the session that was started", answer.Started, ports.Started{UserID: "fl-bound-ben", Key: domain.NewSecret(marker)})

	far.serve(t, says(200, "application/json", `{"sessionKey":"`+marker+`"}`))
	answer, _ = wantForwarded(t, "Forward that starts no session", c, turnOf(t), from("", "{}"))
	wantSame(t, "the session that a turn starts", answer.Started, ports.Started{})
	for _, body := range []string{`{}`, `{"sessionKey":""}`, `{"sessionKey":7}`, `[]`, `x`, ``} {
		far.serve(t, says(200, "application/json", body))
		wantKind(t, "Forward answered without a session key", outcome(t.Context(), c, call, from("", `{"userID":"ben"}`)), domain.VoiceflowUnavailable)
	}
}

func forwardCredits(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	const trace = `{"type":"debug","payload":{"message":"credit_limit_reached"}}`
	for _, tc := range []struct {
		name, contentType, body string
		call                    domain.Forward
		want                    bool
	}{
		{"in traces", "application/json", "[" + trace + "," + trace + "]", turnOf(t), true},
		{"in events", "text/event-stream", "data: " + trace + "\n\ndata: " + trace + "\n\n", streamOf(t), true},
		{"in what the assistant says", "application/json", `[{"type":"text","payload":{"message":"credit_limit_reached"}}]`, turnOf(t), false},
		{"in a transcript", "application/json", "[" + trace + "]", callOf(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), false},
	} {
		far.serve(t, says(200, tc.contentType, tc.body))
		answer, body := wantForwarded(t, "Forward", c, tc.call, from("", "{}"))
		wantSame(t, "CreditsUsedUp "+tc.name, answer.Body.CreditsUsedUp(), tc.want)
		wantSame(t, "the answer", body, tc.body)
	}
}

func forwardEvents(t *testing.T, far FarSide) {
	next := make(chan struct{})
	left := make(chan struct{})
	far.serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-next:
				_, _ = io.WriteString(w, "data: {\"userID\":\"fl-bound-ben\"}\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	const idle = 400 * time.Millisecond
	answer, err := far.Client(t, idle).Forward(t.Context(), streamOf(t), from("", "{}"), credential)
	wantNil(t, "Forward", err)
	defer func() { _ = answer.Body.Close() }()
	buffer := make([]byte, 4096)
	// In all it takes longer than any other answer may.
	for began := time.Now(); time.Since(began) < 3*idle; {
		next <- struct{}{}
		n, err := answer.Body.Read(buffer)
		wantNil(t, "reading an event", err)
		wantSame(t, "an event, before the next one is sent", string(buffer[:n]), "data: {\"userID\":\"ben\"}\n\n")
		<-time.After(idle / 20)
	}
	_, err = answer.Body.Read(buffer)
	wantKind(t, "reading on after the last part", err, domain.VoiceflowUnavailable)
	wantReturn(t, "the far side of a stream that was idle", left)
}

func forwardTime(t *testing.T, far FarSide) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for what, h := range map[string]http.HandlerFunc{
		"does not come": neverAnswers,
		"goes on for too long": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				<-ticker.C
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		},
	} {
		left := make(chan struct{})
		far.serve(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(left)
			h(w, r)
		})
		err := outcome(t.Context(), far.Client(t, 100*time.Millisecond), turnOf(t), from("", "{}"))
		wantKind(t, "Forward whose answer "+what, err, domain.VoiceflowUnavailable)
		wantReturn(t, "the far side whose answer "+what, left)
	}
}

func forwardRefusals(t *testing.T, far FarSide) {
	for _, tc := range []struct{ name, contentType, body, want string }{
		{"JSON", "application/json", `{"code":404}`, `{"code":404}`},
		{"JSON that is called text", "text/plain", `{"code":404}`, `{"code":404}`},
		{"a page", "text/html", "<html>" + marker, ""},
		{"text that is called JSON", "application/json", marker, ""},
		{"nothing", "application/json", "", ""},
	} {
		for _, status := range []int{400, 404, 429, 500, 503} {
			c := far.Client(t, patience)
			far.serve(t, says(status, tc.contentType, tc.body))
			answer, body := wantForwarded(t, "Forward answered with "+tc.name, c, turnOf(t), from("", "{}"))
			wantSame(t, "status", answer.StatusCode, status)
			wantSame(t, tc.name, body, tc.want)
			wantSame(t, "ContentLength of "+tc.name, answer.ContentLength, int64(len(tc.want)))
		}
	}
}

// forwardEnds gives the client much patience, so that only the caller can end the call.
func forwardEnds(t *testing.T, far FarSide) {
	c := far.Client(t, time.Hour)
	why := errors.New("the caller left")
	for _, tc := range []struct {
		name     string
		answered bool
		end      func(cancel context.CancelCauseFunc, answer ports.Answer)
	}{
		{"before there is an answer", false, func(cancel context.CancelCauseFunc, _ ports.Answer) { cancel(why) }},
		{"within the answer", true, func(cancel context.CancelCauseFunc, _ ports.Answer) { cancel(why) }},
		{"by closing the answer", true, func(_ context.CancelCauseFunc, answer ports.Answer) { _ = answer.Body.Close() }},
	} {
		came, left := make(chan struct{}), make(chan struct{})
		far.serve(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(left)
			if tc.answered {
				w.Header().Set("Content-Type", "text/event-stream")
				_ = http.NewResponseController(w).Flush()
			}
			close(came)
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		returned := make(chan struct{})
		var err error
		go func() {
			defer close(returned)
			var answer ports.Answer
			if answer, err = c.Forward(ctx, streamOf(t), from("", "{}"), credential); err != nil {
				return
			}
			tc.end(cancel, answer)
			_, err = answer.Body.Read(make([]byte, 10))
			_ = answer.Body.Close()
		}()
		<-came
		if !tc.answered {
			tc.end(cancel, ports.Answer{})
		}
		wantReturn(t, "Forward that ends "+tc.name, returned)
		wantReturn(t, "the far side of a call that ends "+tc.name, left)
		if problem := otherThan(err, domain.VoiceflowUnavailable, domain.Unavailable); problem != "" {
			t.Fatalf("Forward that ends %s: %s", tc.name, problem)
		}
		if context.Cause(ctx) != nil && !errors.Is(err, why) {
			t.Fatalf("Forward that ends %s: got %v, want the cause of its context in it", tc.name, err)
		}
		cancel(nil)
	}
}
