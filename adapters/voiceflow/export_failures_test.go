package voiceflow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/google/go-cmp/cmp"
)

func TestWhatIsNotAnExportIsUnavailable(t *testing.T) {
	const id = "64dbb6696a8fab0013dba194"
	project := `"project":{"_id":"` + id + `","name":"n"}`
	version := `"version":{"projectID":"` + id + `"}`
	jsonAnswer := func(body string) voiceflowtest.Fault { return voiceflowtest.Answer(200, "application/json", body) }
	for _, tc := range []struct {
		name  string
		fault voiceflowtest.Fault
	}{
		{"an empty body", jsonAnswer(``)},
		{"an HTML page under a 200", voiceflowtest.Status(200, voiceflowtest.FormPage)},
		{"an error under a 200", voiceflowtest.Status(200, voiceflowtest.FormLegacy)},
		{"null", jsonAnswer(`null`)},
		{"an array", jsonAnswer(`[{` + project + `,` + version + `}]`)},
		{"an empty object", jsonAnswer(`{}`)},
		{"no project", jsonAnswer(`{` + version + `}`)},
		{"no version", jsonAnswer(`{` + project + `}`)},
		{"a project that is null", jsonAnswer(`{"project":null,` + version + `}`)},
		{"a project that is text", jsonAnswer(`{"project":"` + id + `",` + version + `}`)},
		{"a project without id", jsonAnswer(`{"project":{"name":"n"},` + version + `}`)},
		{"an id that is a number", jsonAnswer(`{"project":{"_id":1,"name":"n"},` + version + `}`)},
		{"an id that is too short", jsonAnswer(`{"project":{"_id":"64db"},"version":{"projectID":"64db"}}`)},
		{"a name that is a number", jsonAnswer(`{"project":{"_id":"` + id + `","name":1},` + version + `}`)},
		{"a name that is an object", jsonAnswer(`{"project":{"_id":"` + id + `","name":{}},` + version + `}`)},
		{"names in another case", jsonAnswer(`{"Project":{"_id":"` + id + `","name":"n"},` + version + `}`)},
		{"the version of another project", jsonAnswer(`{` + project + `,"version":{"projectID":"64dbb6696a8fab0013dba195"}}`)},
		{"project twice", voiceflowtest.Member("project", `{"_id":"`+id+`","name":"n"}`)},
		{"project twice, once null", voiceflowtest.Member("project", `null`)},
		{"version twice", voiceflowtest.Member("version", `{"projectID":"`+id+`"}`)},
		{"an id twice", jsonAnswer(`{"project":{"_id":"` + id + `","_id":"` + id + `"},` + version + `}`)},
		{"a name twice", jsonAnswer(`{"project":{"_id":"` + id + `","name":"a","n\u0061me":"b"},` + version + `}`)},
		{"the last byte is missing", voiceflowtest.Truncated(1)},
		{"half is missing", voiceflowtest.Truncated(1000)},
		{"everything is missing", voiceflowtest.Truncated(1 << 20)},
		{"text follows", voiceflowtest.Followed("x")},
		{"a second export follows", voiceflowtest.Followed("{}")},
		{"the length says less", voiceflowtest.WrongLength(-10)},
		{"nested 100,000 deep", voiceflowtest.Nested(100_000)},
		{"one string of 5 MiB", voiceflowtest.GiantString(5 << 20)},
		{"a raw NUL in a name", jsonAnswer("{\"project\":{\"_id\":\"" + id + "\",\"name\":\"a\x00\"}," + version + `}`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.server.Fail(tc.fault)
			_, err := w.export(t.Context())
			if domain.KindOf(err) != domain.VoiceflowUnavailable {
				t.Errorf("got %v, want VoiceflowUnavailable", err)
			}
			if n := len(w.server.Requests()); n != 1 {
				t.Errorf("it was asked %d times, want once: the answer would be the same", n)
			}
		})
	}
}

func TestAnExcessiveHeadIsUnavailable(t *testing.T) {
	w := newWorld(t)
	w.server.Fail(func(rw http.ResponseWriter, r *http.Request, answer http.Handler) {
		rw.Header().Set("X-Filler", strings.Repeat("x", 100<<10))
		answer.ServeHTTP(rw, r)
	})
	if _, err := w.export(t.Context()); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
}

func TestEveryStatusHasItsKind(t *testing.T) {
	for _, tc := range []struct {
		statuses []int
		want     domain.Kind
		tries    int
	}{
		{[]int{400, 401, 403, 404, 409, 410, 418, 422, 451, 499}, domain.VoiceflowRejected, 1},
		{[]int{201, 202, 206, 300, 301, 302, 303, 305, 307, 308}, domain.VoiceflowUnavailable, 1},
		{[]int{408, 429, 500, 501, 502, 503, 504, 520, 599}, domain.VoiceflowUnavailable, 3},
	} {
		for _, status := range tc.statuses {
			t.Run(fmt.Sprint(status), func(t *testing.T) {
				w := newWorld(t)
				w.server.Fail(voiceflowtest.Status(status, voiceflowtest.FormLegacy))
				if _, err := w.export(t.Context()); domain.KindOf(err) != tc.want {
					t.Errorf("got %v, want %s", err, tc.want)
				}
				if n := len(w.server.Requests()); n != tc.tries {
					t.Errorf("it was asked %d times, want %d", n, tc.tries)
				}
			})
		}
	}
}

func TestTheFormOfARefusalDoesNotMatter(t *testing.T) {
	for _, form := range voiceflowtest.ErrorForms() {
		for status, want := range map[int]domain.Kind{
			400: domain.VoiceflowRejected, 404: domain.VoiceflowRejected,
			408: domain.VoiceflowUnavailable, 503: domain.VoiceflowUnavailable,
		} {
			t.Run(fmt.Sprintf("%d as %v", status, form), func(t *testing.T) {
				w := newWorld(t)
				w.server.Fail(voiceflowtest.Status(status, form))
				if _, err := w.export(t.Context()); domain.KindOf(err) != want {
					t.Errorf("got %v, want %s", err, want)
				}
			})
		}
	}
}

func TestAWrongKeyOrVersionIsRejected(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name string
		v    domain.VersionRef
		key  string
	}{
		{"a wrong key", domain.VersionRef{Version: w.a.VersionID}, voiceflowtest.NewKey()},
		{"an unknown version", domain.VersionRef{Version: "000000000000000000000000"}, w.a.Key},
		{"an unknown alias", domain.VersionRef{Version: "staging", Project: domain.VoiceflowID(w.a.ProjectID)}, w.a.Key},
	} {
		if _, err := w.client.Export(t.Context(), tc.v, domain.NewSecret(tc.key)); domain.KindOf(err) != domain.VoiceflowRejected {
			t.Errorf("%s: got %v, want VoiceflowRejected", tc.name, err)
		}
	}
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	busy := voiceflowtest.Status(503, voiceflowtest.FormPage)
	for _, tc := range []struct {
		name   string
		faults []voiceflowtest.Fault
		pauses []time.Duration
	}{
		{"nothing is wrong", nil, nil},
		{"once", []voiceflowtest.Fault{busy}, []time.Duration{250 * time.Millisecond}},
		{"twice, waiting longer", []voiceflowtest.Fault{busy, busy}, []time.Duration{250 * time.Millisecond, 500 * time.Millisecond}},
		{"a connection that is reset", []voiceflowtest.Fault{voiceflowtest.Reset(-1)}, []time.Duration{250 * time.Millisecond}},
		{"one that is reset in the body", []voiceflowtest.Fault{voiceflowtest.Reset(100)}, []time.Duration{250 * time.Millisecond}},
		{"a body that is shorter than it says", []voiceflowtest.Fault{voiceflowtest.WrongLength(9)}, []time.Duration{250 * time.Millisecond}},
		{"compressed garbage", []voiceflowtest.Fault{voiceflowtest.GzipGarbage()}, []time.Duration{250 * time.Millisecond}},
		{"as long as Voiceflow asks", []voiceflowtest.Fault{voiceflowtest.RetryLater(429, "7")}, []time.Duration{7 * time.Second}},
		{"not at once though it says so", []voiceflowtest.Fault{voiceflowtest.RetryLater(429, "0")}, []time.Duration{250 * time.Millisecond}},
		{
			"until the date it gives",
			[]voiceflowtest.Fault{voiceflowtest.RetryLater(503, now.Add(11*time.Second).Format(http.TimeFormat))},
			[]time.Duration{11 * time.Second},
		},
		{
			"not before a date that is past",
			[]voiceflowtest.Fault{voiceflowtest.RetryLater(503, now.Add(-time.Hour).Format(http.TimeFormat))},
			[]time.Duration{250 * time.Millisecond},
		},
		{"without a wait that makes sense", []voiceflowtest.Fault{voiceflowtest.RetryLater(429, "soon")}, []time.Duration{250 * time.Millisecond}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.server.FailNext(tc.faults...)
			got, err := w.export(t.Context())
			if err != nil || got.Name != "Pizza" {
				t.Fatalf("got %+v, %v", got, err)
			}
			if diff := cmp.Diff(tc.pauses, w.pauses.taken); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetryAfterIsToldWhenThereIsNoTimeToWait(t *testing.T) {
	for _, tc := range []struct {
		name, after string
		tries       int
		want        time.Duration
	}{
		{"longer than there is time", "20", 1, 20 * time.Second},
		{"just within the time, but never ending", "5", 3, 5 * time.Second},
		{"a date", now.Add(time.Hour).Format(http.TimeFormat), 1, time.Hour},
		{"absurd", "99999999999999999999999", 1, 24 * time.Hour},
		{"a date in the far future", "Fri, 31 Dec 9999 23:59:59 GMT", 1, 24 * time.Hour},
		{"zero says nothing", "0", 3, 0},
		{"nor does what can't be read", "-5", 3, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.server.Fail(voiceflowtest.RetryLater(429, tc.after))
			_, err := w.export(t.Context())
			e, ok := errors.AsType[*domain.Error](err)
			if !ok {
				t.Fatalf("got %v, want a *domain.Error", err)
			}
			if e.Kind != domain.VoiceflowUnavailable || e.RetryAfter != tc.want {
				t.Errorf("got %v, RetryAfter %v, want %v", err, e.RetryAfter, tc.want)
			}
			if n := len(w.server.Requests()); n != tc.tries {
				t.Errorf("it was asked %d times, want %d", n, tc.tries)
			}
		})
	}
}

func TestWaitsCountTowardsTheTimeout(t *testing.T) {
	clock := now
	w := newWorld(t, func(o *voiceflow.Options) {
		o.Timeout = 10 * time.Second
		o.Clock = func() time.Time { return clock }
		o.Wait = func(_ context.Context, d time.Duration) error { clock = clock.Add(d); return nil }
	})
	w.server.Fail(voiceflowtest.RetryLater(429, "6"))
	if _, err := w.export(t.Context()); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
	if n := len(w.server.Requests()); n != 2 {
		t.Errorf("it was asked %d times, want 2: six seconds fit into ten once", n)
	}
}

func TestTheDeadlineEndsEverything(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault voiceflowtest.Fault
	}{
		{"nothing is ever said", voiceflowtest.Silent()},
		{"the body never comes", voiceflowtest.SlowBody(nil)},
		{"it drips", voiceflowtest.SlowBody(dripping(t))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, brief)
			w.server.Fail(tc.fault)
			_, err := w.export(t.Context())
			if domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want VoiceflowUnavailable by the deadline", err)
			}
			requests := w.server.Requests()
			if len(requests) > 1 {
				t.Errorf("it was asked %d times, want once", len(requests))
			}
			for _, r := range requests {
				<-r.Done // the server was told to stop
			}
		})
	}
}

// dripping ticks until the test ends.
func dripping(t *testing.T) <-chan time.Time {
	ticker := time.NewTicker(time.Millisecond)
	t.Cleanup(ticker.Stop)
	return ticker.C
}

func TestACallerWhoLeavesEndsAWait(t *testing.T) {
	w := newWorld(t, func(o *voiceflow.Options) { o.Timeout, o.Wait = 24*time.Hour, nil })
	w.server.Fail(voiceflowtest.RetryLater(503, "3600"))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.export(ctx)
		failed <- err
	}()
	requests, err := w.server.Await(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	<-requests[0].Done
	cancel()
	if err := <-failed; domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
	if n := len(w.server.Requests()); n != 1 {
		t.Errorf("it was asked %d times, want once", n)
	}
}

func TestACallerWhoLeavesEndsTheCall(t *testing.T) {
	w := newWorld(t)
	w.server.Fail(voiceflowtest.Silent())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.export(ctx)
		failed <- err
	}()
	requests, err := w.server.Await(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-failed; domain.KindOf(err) != domain.VoiceflowUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want VoiceflowUnavailable by the caller", err)
	}
	<-requests[0].Done
}

func TestNobodyListens(t *testing.T) {
	w := newWorld(t)
	w.server.Close()
	if _, err := w.export(t.Context()); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
	if len(w.pauses.taken) != 2 {
		t.Errorf("it was tried %d times, want 3", len(w.pauses.taken)+1)
	}
}
