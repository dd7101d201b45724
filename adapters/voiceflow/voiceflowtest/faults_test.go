package voiceflowtest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/google/go-cmp/cmp"
)

func TestFaultsComeInTurnAndEnd(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2022)
	s := start(t, a)
	s.Fail(voiceflowtest.Status(503, voiceflowtest.FormPage))
	s.FailNext(voiceflowtest.Status(429, voiceflowtest.FormLegacy), nil)
	var got []int
	for range 4 {
		resp, _, _ := fetch(t, s, a)
		got = append(got, resp.StatusCode)
	}
	s.Fail(nil)
	resp, _, _ := fetch(t, s, a)
	got = append(got, resp.StatusCode)
	if diff := cmp.Diff([]int{429, 200, 503, 503, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestEveryErrorFormIsWhatVoiceflowSends(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2022)
	s := start(t, a)
	want := map[voiceflowtest.ErrorForm]struct{ contentType, body string }{
		voiceflowtest.FormLegacy: {"application/json; charset=utf-8",
			`{"code":400,"status":"Bad Request","dateTime":"2022-07-22T15:02:55.882Z","timestamp":1658502175882,"data":"Bad Request"}`},
		voiceflowtest.FormLegacyValidation: {"application/json; charset=utf-8",
			`{"code":400,"status":"Bad Request","dateTime":"2022-07-22T15:02:55.882Z","timestamp":1658502175882,` +
				`"data":{"errors":{"projectid":{"message":"Bad Request"}}}}`},
		voiceflowtest.FormVerror: {"application/json; charset=utf-8",
			`{"name":"verror","message":"Bad Request","requestID":"ud2uASDNx"}`},
		voiceflowtest.FormNest: {"application/json; charset=utf-8",
			`{"message":"Bad Request","statusCode":400,"statusText":"Bad Request","timestamp":"2022-07-22T15:02:55.882Z","path":"/v1/anything"}`},
		voiceflowtest.FormNestValidation: {"application/json; charset=utf-8",
			`{"message":"Validation failed","statusCode":422,"statusText":"Unprocessable Entity","details":[{"code":"invalid_type",` +
				`"expected":"string","message":"Bad Request","path":["body"],"received":"undefined"}]}`},
		voiceflowtest.FormNested: {"application/json; charset=utf-8",
			`{"error":{"code":400,"message":"Bad Request","details":"Bad Request"}}`},
		voiceflowtest.FormBare:        {"application/json; charset=utf-8", `{"statusCode":400,"message":"Bad Request"}`},
		voiceflowtest.FormPage:        {"text/html", "<html>\r\n<head><title>400 Bad Request</title></head>\r\n"},
		voiceflowtest.FormText:        {"text/plain; charset=utf-8", "Bad Request"},
		voiceflowtest.FormMislabelled: {"text/plain; charset=utf-8", `{"statusCode":400,"message":"Bad Request"}`},
	}
	for _, form := range voiceflowtest.ErrorForms() {
		t.Run(form.String(), func(t *testing.T) {
			s.FailNext(voiceflowtest.Status(400, form))
			resp, body, err := fetch(t, s, a)
			if err != nil || resp.StatusCode != 400 {
				t.Fatalf("got %d, %v", resp.StatusCode, err)
			}
			if got := resp.Header.Get("Content-Type"); got != want[form].contentType || want[form].contentType == "" {
				t.Errorf("content type: got %q, want %q", got, want[form].contentType)
			}
			if !strings.HasPrefix(body, want[form].body) {
				t.Errorf("body: got %s, want %s", body, want[form].body)
			}
		})
	}
	t.Run("a 408 in plain text names the deadline", func(t *testing.T) {
		s.FailNext(voiceflowtest.Status(408, voiceflowtest.FormText))
		if _, body, _ := fetch(t, s, a); body != "response timeout" {
			t.Errorf("got %q", body)
		}
	})
}

func TestRetryLaterSaysWhatItIsTold(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2022)
	s := start(t, a)
	for _, after := range []string{"7", "0", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999", "soon"} {
		s.FailNext(voiceflowtest.RetryLater(429, after))
		resp, _, _ := fetch(t, s, a)
		if got := resp.Header.Get("Retry-After"); resp.StatusCode != 429 || got != after {
			t.Errorf("got %d, Retry-After %q, want 429 and %q", resp.StatusCode, got, after)
		}
	}
}

func TestRedirectsLeadElsewhere(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2022)
	s := start(t, a)
	for _, status := range []int{301, 302, 307, 308} {
		s.FailNext(voiceflowtest.Redirect(status, "http://elsewhere.example/x"))
		resp, _, _ := fetch(t, s, a)
		if got := resp.Header.Get("Location"); resp.StatusCode != status || got != "http://elsewhere.example/x" {
			t.Errorf("got %d to %q, want %d", resp.StatusCode, got, status)
		}
	}
}

func TestBodiesThatAreNotAnExport(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	whole := string(export(t, a))
	for _, tc := range []struct {
		name  string
		fault voiceflowtest.Fault
		want  string
		err   error
	}{
		{"the last byte is missing", voiceflowtest.Truncated(1), whole[:len(whole)-1], nil},
		{"everything is missing", voiceflowtest.Truncated(len(whole) + 1), "", nil},
		{"text follows", voiceflowtest.Followed(" {}"), whole + " {}", nil},
		{"a member is repeated", voiceflowtest.Member("project", `{"_id":1}`), whole[:len(whole)-1] + `,"project":{"_id":1}}`, nil},
		{"the length says more", voiceflowtest.WrongLength(10), whole, io.ErrUnexpectedEOF},
		{"the length says less", voiceflowtest.WrongLength(-10), whole[:len(whole)-10], nil},
		{"no JSON", voiceflowtest.Answer(200, "text/html", "<html>"), "<html>", nil},
		{"nested", voiceflowtest.Nested(3), `{"diagrams":[[[]]]}`, nil},
		{"a giant string", voiceflowtest.GiantString(100_000), `{"diagrams":"` + strings.Repeat("x", 100_000) + `"}`, nil},
		{"the connection is reset in the body", voiceflowtest.Reset(5), whole[:5], syscall.ECONNRESET},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.FailNext(tc.fault)
			resp, body, err := fetch(t, s, a)
			if resp.StatusCode != 200 || !errors.Is(err, tc.err) {
				t.Errorf("got %d, %v, want 200, %v", resp.StatusCode, err, tc.err)
			}
			// What was under way is lost when a connection is reset.
			if body != tc.want && !errors.Is(tc.err, syscall.ECONNRESET) {
				t.Errorf("got %d bytes %.100q…, want %d", len(body), body, len(tc.want))
			}
			if tc.name == "a member is repeated" && !json.Valid([]byte(body)) {
				t.Error("the export with one more member is no JSON")
			}
		})
	}

	t.Run("the connection is reset before the head", func(t *testing.T) {
		s.FailNext(voiceflowtest.Reset(-1))
		resp, err := get(t.Context(), s.URL(), a.VersionID, a.Key)
		if err == nil {
			_ = resp.Body.Close()
			t.Fatalf("got %d", resp.StatusCode)
		}
	})
	t.Run("compressed garbage", func(t *testing.T) {
		s.FailNext(voiceflowtest.GzipGarbage())
		if _, _, err := fetch(t, s, a); err == nil {
			t.Error("the body could be read")
		}
	})
}

func TestSilentAnswersNothingUntilTheClientLeaves(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	s.FailNext(voiceflowtest.Silent())
	ctx, leave := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		resp, err := get(ctx, s.URL(), a.VersionID, a.Key)
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	requests, err := s.Await(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-requests[0].Done:
		t.Error("it answered")
	default:
	}
	leave()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	<-requests[0].Done
}

func TestSlowBodySendsAByteForATick(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	tick := make(chan time.Time)
	s.FailNext(voiceflowtest.SlowBody(tick))
	ctx, leave := context.WithCancel(t.Context())
	resp, err := get(ctx, s.URL(), a.VersionID, a.Key) // the head comes without a tick
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := bufio.NewReader(resp.Body)
	for _, want := range []byte(`{"ver`) {
		tick <- time.Time{}
		got, err := body.ReadByte()
		if err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	leave()
	<-s.Requests()[0].Done
}

func TestSlowBodyEndsWithItsLastByte(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2022)
	s := start(t, a)
	whole := export(t, a)
	tick := make(chan time.Time, len(whole))
	for range whole {
		tick <- time.Time{}
	}
	s.FailNext(voiceflowtest.SlowBody(tick))
	if _, body, err := fetch(t, s, a); err != nil || body != string(whole) {
		t.Errorf("got %d bytes, %v, want %d", len(body), err, len(whole))
	}
}

func TestEndlessBodiesGoOnUntilTheClientLeaves(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	for i, fault := range []voiceflowtest.Fault{voiceflowtest.EndlessBody(), voiceflowtest.EndlessSpace(), voiceflowtest.GiantString(1 << 50)} {
		s.FailNext(fault)
		resp, err := get(t.Context(), s.URL(), a.VersionID, a.Key)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.CopyN(io.Discard, resp.Body, 8<<20)
		if err != nil {
			t.Errorf("fault %d: after %d bytes: %v", i, n, err)
		}
		_ = resp.Body.Close()
		<-s.Requests()[i].Done
	}
}

func TestFaultsWorkOverTLS(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s, err := voiceflowtest.New(a)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewTLSServer(s)
	defer secure.Close()
	s.FailNext(voiceflowtest.Reset(-1), voiceflowtest.WrongLength(10))
	for i := range 2 {
		req, err := http.NewRequestWithContext(t.Context(), "GET", secure.URL+"/v2/versions/"+a.VersionID+"/export", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", a.Key)
		resp, err := secure.Client().Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		if err == nil {
			t.Errorf("request %d was answered in full", i)
		}
	}
}

func TestUsedUpCreditsAreA200InEveryForm(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	key := session(t, asking(t, s, a.Key).want(200, "POST", "/v4/project/"+a.ProjectID+"/session", `{"userID":"ben"}`))
	const debug = `"type":"debug","payload":{"message":"credit_limit_reached","type":"error"}}`
	for _, tc := range []struct {
		name, authorization, path string
		opening, closing          string
	}{
		{"an array of traces", a.Key, "/state/user/ben/interact", `[{"time":`, debug + "]"},
		{"the verbose form", a.Key, "/state/user/ben/interact?verbose=true", `{"request":{"type":"text","payload":"hi"},"state":{`, debug + `]}`},
		{"traces of v4", key, "/v4/interact", `{"traces":[{"time":`, debug + `]}`},
		{"a stream", a.Key, "/v2/project/" + a.ProjectID + "/user/ben/interact/stream", `event: trace` + "\n" + `data: {"time":`, debug + "\n\nevent: end\n\n"},
		{"a stream of v4", key, "/v4/interact/stream", "\n" + `event: trace` + "\n" + `data: {"time":`, debug + "\n\nevent: end\ndata: {}\n\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.FailNext(voiceflowtest.CreditsUsedUp())
			got := asking(t, s, tc.authorization).want(200, "POST", tc.path, says("hi")).text
			if !strings.HasPrefix(got, tc.opening) || !strings.HasSuffix(got, tc.closing) || strings.Contains(got, "You said") {
				t.Errorf("got %s, want %s…%s", got, tc.opening, tc.closing)
			}
		})
	}
	t.Run("what is no turn stays as it is", func(t *testing.T) {
		s.FailNext(voiceflowtest.CreditsUsedUp(), voiceflowtest.CreditsUsedUp())
		ask := asking(t, s, a.Key)
		if got := ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID, "", `[{"_id":`).text; strings.Contains(got, "credit") {
			t.Errorf("got %s", got)
		}
		asking(t, s, voiceflowtest.NewKey()).want(400, "POST", "/state/user/ben/interact", "{}", "verror")
	})
}

// open asks for a stream and reads its head.
func open(t *testing.T, ctx context.Context, s *voiceflowtest.Server, a voiceflowtest.Assistant) *http.Response {
	t.Helper()
	resp, err := get(ctx, s.URL(), a.VersionID, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type: got %q", got)
	}
	return resp
}

func TestEventsComeOneByOneAsTheyAreReleased(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)

	next := make(chan string)
	s.FailNext(voiceflowtest.Events(next))
	resp := open(t, t.Context(), s, a) // the head comes without an event
	buffer := make([]byte, 1024)
	for i := range 3 {
		sent := fmt.Sprintf("id: %d\nevent: trace\ndata: {}", i)
		next <- sent
		n, err := resp.Body.Read(buffer)
		if err != nil || string(buffer[:n]) != sent+"\n\n" {
			t.Fatalf("got %q, %v, want %q alone", buffer[:n], err, sent)
		}
	}
	close(next)
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("at its end got %q, %v", rest, err)
	}

	s.FailNext(voiceflowtest.Events(nil))
	ctx, leave := context.WithCancel(t.Context())
	open(t, ctx, s, a)
	leave()
	<-s.Requests()[1].Done
}

func TestTickingTellsWhenEachEventWasSent(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	const every = 2 * time.Millisecond
	s.FailNext(voiceflowtest.Ticking(20, every))
	began := time.Now()
	_, body, err := fetch(t, s, a)
	ended := time.Now()
	if err != nil {
		t.Fatal(err)
	}
	all := events(body)
	if len(all) != 20 {
		t.Fatalf("got %d events, want 20", len(all))
	}
	last := began.UnixNano()
	for i, e := range all {
		var got struct{ N, Sent int64 }
		if err := json.Unmarshal([]byte(e.data), &got); err != nil {
			t.Fatal(err)
		}
		if got.N != int64(i+1) || got.Sent < last || got.Sent > ended.UnixNano() {
			t.Errorf("event %d is %+v, after %d", i+1, got, last)
		}
		last = got.Sent
	}
	if took := ended.Sub(began); took < 19*every {
		t.Errorf("it took %v, faster than the pace", took)
	}

	s.FailNext(voiceflowtest.Ticking(1, time.Hour))
	ctx, leave := context.WithCancel(t.Context())
	open(t, ctx, s, a)
	leave()
	<-s.Requests()[1].Done
}

func TestStrayHeadersGoWithAGoodAnswer(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	s.FailNext(voiceflowtest.StrayHeaders())
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL()+"/v2/versions/"+a.VersionID+"/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", a.Key)
	// One that closes its connection would get a Connection of net/http's own.
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(body) != string(export(t, a)) {
		t.Errorf("got %d, %v and %d bytes", resp.StatusCode, err, len(body))
	}
	for _, name := range []string{
		"Set-Cookie", "Connection", "X-Of-This-Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Upgrade", "Server", "Via",
		"X-Powered-By", "Alt-Svc", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
	} {
		if resp.Header.Get(name) == "" {
			t.Errorf("there is no %s in %v", name, resp.Header)
		}
	}
}

func TestEchoTellsTheCredentialBack(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	for _, tc := range []struct {
		path, kind string
		status     int
	}{
		{"/state/user/ben/interact", "application/json", 200},
		{"/state/user/ben/interact", "application/json", 422},
		{"/v4/interact/stream", "text/event-stream", 200},
		{"/v4/interact/stream", "application/json", 500},
	} {
		s.FailNext(voiceflowtest.Echo(tc.status))
		got := asking(t, s, a.Key).want(tc.status, "POST", tc.path, "{}")
		if strings.Count(got.text, a.Key) != 2 || strings.Contains(got.text, a.Key+a.Key) {
			t.Errorf("%s: got the body %s", tc.path, got.text)
		}
		text := got.text
		if tc.kind == "text/event-stream" {
			text = events(text)[0].data
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%s: %s is no JSON", tc.path, text)
		}
		if kind := got.header.Get("Content-Type"); kind != tc.kind+`; key="`+a.Key+`"` {
			t.Errorf("%s: got the content type %s", tc.path, kind)
		}
		for _, name := range []string{"Authorization", "Content-Disposition", "ETag", "WWW-Authenticate", "X-Request-Id"} {
			if got.header.Get(name) != a.Key {
				t.Errorf("%s: got %s: %q", tc.path, name, got.header.Get(name))
			}
		}
	}
}
