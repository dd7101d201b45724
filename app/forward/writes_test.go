package forward_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// outcomes returns the outcomes of the forwarded calls that the audit has after the rows that
// were there before.
func (w *world) outcomes(before int) []string {
	out := []string{}
	for _, r := range w.Store.Records()[before:] {
		if r.Action == domain.ActionForward {
			out = append(out, r.Outcome)
		}
	}
	return out
}

func wantOutcomes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("got rows with outcomes %v, want %v", got, want)
	}
}

// deleting is a call that writes, by these credentials.
func deleting(by forward.Input) forward.Input {
	by.Service, by.Path = "analytics-api", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"
	return by
}

func unanswered(domain.Forward, testworld.Sent) (ports.Answer, error) {
	return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow did not answer in time", RetryAfter: time.Minute}
}

func TestCallsThatWriteLeaveTwoRows(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	ada := w.adas(t, p)
	brokeOff := func(domain.Forward, testworld.Sent) (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.Invalid}
	}
	const analytics, transcript = "analytics-api", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"
	for _, tc := range []struct {
		name, method, service, path string
		answer                      func(domain.Forward, testworld.Sent) (ports.Answer, error)
		outcomes                    []string
	}{
		{"a transcript that is deleted", "DELETE", analytics, transcript, testworld.Fine, []string{"begun", "ok"}},
		{"one that does not exist", "DELETE", analytics, transcript,
			func(domain.Forward, testworld.Sent) (ports.Answer, error) { return testworld.Says(404, `{}`), nil }, []string{"begun", "status_404"}},
		{"a path that is not forwarded", "PUT", runtime, "/state/user/ada/", testworld.Fine, nil},
		{"a state that is deleted", "DELETE", runtime, "/state/user/ada", testworld.Fine, []string{"begun", "ok"}},
		{"one whose deletion brought no answer", "DELETE", runtime, "/state/user/ada", unanswered, []string{"begun", "unknown"}},
		{"one that broke off on its way", "PUT", runtime, "/state/user/ada", brokeOff, []string{"begun", "unknown"}},
		{"one whose deletion was rejected", "DELETE", runtime, "/state/user/ada", testworld.Rejected, []string{"begun", "rejected"}},
		{"a turn", "POST", runtime, "/state/user/ada/interact", testworld.Fine, nil},
		{"a state that is read", "GET", runtime, "/state/user/ada", testworld.Fine, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.voiceflow.Answer(tc.answer)
			before := len(w.Store.Records())
			in := ada
			in.Service, in.Path = tc.service, tc.path
			_, _ = w.use(t, in, tc.method, "{}")
			wantOutcomes(t, w.outcomes(before), tc.outcomes...)
			for _, r := range w.Store.Records()[before:] {
				if r.Action != domain.ActionForward {
					continue
				}
				if !strings.HasPrefix(r.Object, domain.OnProject(p.ID)+" "+tc.method+" ") || strings.Contains(r.Object, "ada") ||
					r.RequestID != "request" || r.Address != "192.0.2.1" || r.Actor != domain.ActorUser(w.Admin.Caller.ID) {
					t.Errorf("got the row %+v", r)
				}
			}
		})
	}
}

// TestAWriteThatIsRejectedAndNotSentAgain rejects the first key. The call can't be sent with the
// other one, because the memory is used up or the calls are held off. So it was not carried out.
func TestAWriteThatIsRejectedAndNotSentAgain(t *testing.T) {
	for name, second := range map[string]error{
		"for want of memory": &domain.Error{Kind: domain.Unavailable, RetryAfter: time.Second, Cause: testworld.ErrNotSent},
		"while held off":     &domain.Error{Kind: domain.VoiceflowUnavailable, RetryAfter: time.Second, Cause: testworld.ErrNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.setKey(t, w.Project(t, "Bot"), domain.SlotSecondary, secondKey)
			ada := w.adas(t, p)
			came := w.voiceflow.Answer(func(_ domain.Forward, s testworld.Sent) (ports.Answer, error) {
				if s.Key == firstKey {
					return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected}
				}
				return ports.Answer{}, second
			})
			before := len(w.Store.Records())
			_, err := w.use(t, deleting(ada), "DELETE", "")
			if e, _ := errors.AsType[*domain.Error](err); e == nil || e.MaybeDone || e.RetryAfter == 0 {
				t.Errorf("got the error %+v, want one that says when to try again", e)
			}
			if got := came(); len(got) != 2 {
				t.Errorf("got %d attempts, want one with each key", len(got))
			}
			wantOutcomes(t, w.outcomes(before), "begun", "rejected")
		})
	}
}

func TestReadsThatTheAuditTellsOf(t *testing.T) {
	const export, transcript = "/v2/versions/{versionID}/export", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"
	two := []string{"begun", "ok"}
	for _, tc := range []struct {
		name          string
		reads         domain.AuditReads
		service, path string
		outcomes      []string
	}{
		{"an export, by default", domain.ExportReads, "api", export, two},
		{"a transcript, by default", domain.ExportReads, "analytics-api", transcript, nil},
		{"an export beside transcripts", domain.ExportAndTranscriptReads, "api", export, two},
		{"a transcript beside exports", domain.ExportAndTranscriptReads, "analytics-api", transcript, two},
		{"usage, which is neither", domain.ExportAndTranscriptReads, "analytics-api", "/v1/transcript-evaluation/aaaaaaaaaaaaaaaaaaaaaaaa", nil},
		{"an export, where none is wanted", domain.NoReads, "api", export, nil},
		{"a transcript, where none is wanted", domain.NoReads, "analytics-api", transcript, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.reads = tc.reads
			w.Forwarder = w.instance(t)
			p := w.Project(t, "Bot")
			in := w.adas(t, p)
			in.Service, in.Path = tc.service, strings.ReplaceAll(tc.path, "{versionID}", p.Version)
			came := w.voiceflow.Answer(testworld.Fine)
			before := len(w.Store.Records())
			if code, err := w.use(t, in, "GET", ""); code != 200 || err != nil {
				t.Fatalf("got status %d and error %v", code, err)
			}
			wantOutcomes(t, w.outcomes(before), tc.outcomes...)

			w.log.begins = func() error { return &domain.Error{Kind: domain.Unavailable} }
			_, err := w.use(t, in, "GET", "")
			if want, calls := domain.Unavailable, 1; len(tc.outcomes) > 0 {
				testworld.WantKind(t, err, want) // a read that can't be recorded does not happen
				if len(came()) != calls {
					t.Errorf("got %d calls at Voiceflow, want %d", len(came()), calls)
				}
			} else if err != nil {
				t.Errorf("a read that leaves no row: got error %v", err)
			}
		})
	}
}

// What can't be recorded is not done, and what was done is not refused.
func TestAWriteThatCanNotBeginIsNotSent(t *testing.T) {
	outage := &domain.Error{Kind: domain.Unavailable, Public: "the database could not answer; try again"}
	for _, tc := range []struct {
		name   string
		begins func(w *world, ben domain.Call, p domain.Project) error
		kind   domain.Kind
	}{
		{"the database is read-only", func(*world, domain.Call, domain.Project) error { return outage }, domain.Unavailable},
		{"the grant has lost the scope since the call came", func(w *world, call domain.Call, p domain.Project) error {
			w.grant(t, call.Caller.ID, p, "converse")
			return nil
		}, domain.NotAllowed},
		{"the user was disabled since the call came", func(w *world, call domain.Call, _ domain.Project) error {
			w.update(t, call.Caller.ID, func(u *domain.User, _ bool) error {
				u.Disabled = true
				return nil
			})
			return nil
		}, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			call, ben := w.talker(t, "ben", p, "converse", "transcripts:delete")
			came := w.voiceflow.Answer(testworld.Fine)
			before := len(w.Store.Records())
			w.log.begins = func() error { return tc.begins(w, call, p) }
			_, err := w.use(t, deleting(ben), "DELETE", "")
			testworld.WantKind(t, err, tc.kind)
			if e, _ := errors.AsType[*domain.Error](err); e.MaybeDone {
				t.Errorf("the error says that the call may have been carried out: %v", err)
			}
			if got := came(); len(got) > 0 {
				t.Errorf("Voiceflow got %+v", got)
			}
			w.log.begins = nil
			must(t, w.FlushOutcomes(t.Context()))
			wantOutcomes(t, w.outcomes(before))
		})
	}
}

func TestAnOutcomeThatCanNotBeStoredIsStoredLater(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(domain.Forward, testworld.Sent) (ports.Answer, error)
		code   int
		kind   domain.Kind
		stored bool // the database has stored the row, and could not say so
		last   string
	}{
		{"of what was done", testworld.Fine, 200, "", false, "ok"},
		{"of what failed", func(domain.Forward, testworld.Sent) (ports.Answer, error) { return testworld.Says(500, `{}`), nil }, 500, "", false, "status_500"},
		{"of what was not answered", unanswered, 0, domain.VoiceflowUnavailable, false, "unknown"},
		{"of what was rejected", testworld.Rejected, 0, domain.CredentialsRejected, false, "rejected"},
		{"that is stored, but for the database's answer", testworld.Fine, 200, "", true, "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			in := deleting(w.adas(t, w.Project(t, "Bot")))
			outage := &domain.Error{Kind: domain.Unavailable}
			w.voiceflow.Answer(tc.answer)
			w.log.appends = func() error {
				if tc.stored {
					rec := w.Store.Records()[len(w.Store.Records())-1]
					rec.Outcome = tc.last
					must(t, w.log.AuditLog.Append(t.Context(), rec))
				}
				return outage
			}
			before := len(w.Store.Records())
			out, err := w.Forward(t.Context(), domain.Call{RequestID: "request"}, in, testworld.Request("DELETE", in.Path, ""))
			testworld.WantKind(t, err, tc.kind)
			if err == nil {
				must(t, out.Answer.Body.Close())
			}
			if out.Answer.StatusCode != tc.code || !errors.Is(out.Unrecorded, outage) {
				t.Errorf("got status %d and the error for the log %v, want %d and %v", out.Answer.StatusCode, out.Unrecorded, tc.code, outage)
			}
			if tc.stored {
				w.log.appends = nil
			} else {
				wantOutcomes(t, w.outcomes(before), "begun")
				testworld.WantKind(t, w.FlushOutcomes(t.Context()), domain.Unavailable)
				w.log.appends = nil
				w.Store.Break()
				testworld.WantKind(t, w.FlushOutcomes(t.Context()), domain.Unavailable)
				w.Store.Mend()
			}
			for range 2 {
				must(t, w.FlushOutcomes(t.Context()))
				wantOutcomes(t, w.outcomes(before), "begun", tc.last)
			}
		})
	}
}

// While more outcomes wait than are kept, no call begins, so that none is forgotten.
func TestNoCallBeginsWhileTooManyOutcomesWait(t *testing.T) {
	w := newWorld(t)
	in := deleting(w.adas(t, w.Project(t, "Bot")))
	came := w.voiceflow.Answer(testworld.Fine)
	w.log.appends = func() error { return &domain.Error{Kind: domain.Unavailable} }
	before, sent := len(w.Store.Records()), 0
	var err error
	for ; err == nil && sent < 20_000; sent++ {
		_, err = w.use(t, in, "DELETE", "")
	}
	testworld.WantKind(t, err, domain.Unavailable)
	if sent--; len(came()) != sent || sent == 0 {
		t.Errorf("Voiceflow got %d calls, want %d", len(came()), sent)
	}
	w.log.appends = nil
	must(t, w.log.AuditLog.Append(t.Context())) // the store works
	if got := len(w.outcomes(before)); got != sent {
		t.Errorf("got %d rows of calls that have begun, want %d", got, sent)
	}
}

func TestACallerWhoLeaves(t *testing.T) {
	t.Run("while the call begins has sent nothing", func(t *testing.T) {
		w := newWorld(t)
		in := deleting(w.adas(t, w.Project(t, "Bot")))
		came := w.voiceflow.Answer(testworld.Fine)
		ctx, leave := context.WithCancel(t.Context())
		w.log.begins = func() error {
			leave()
			return nil
		}
		before := len(w.Store.Records())
		_, err := w.Forward(ctx, domain.Call{}, in, testworld.Request("DELETE", in.Path, ""))
		if !errors.Is(err, context.Canceled) || len(came()) > 0 {
			t.Errorf("got error %v and %d calls at Voiceflow", err, len(came()))
		}
		wantOutcomes(t, w.outcomes(before), "begun", "not_sent")
	})
	t.Run("while Voiceflow has the call leaves its end unknown", func(t *testing.T) {
		w := newWorld(t)
		in := deleting(w.adas(t, w.Project(t, "Bot")))
		w.voiceflow.Answer(testworld.Fine)
		arrived := make(chan bool)
		w.voiceflow.Hang(arrived)
		ctx, leave := context.WithCancel(t.Context())
		before, done := len(w.Store.Records()), make(chan error, 1)
		go func() {
			_, err := w.Forward(ctx, domain.Call{}, in, testworld.Request("DELETE", in.Path, ""))
			done <- err
		}()
		<-arrived
		wantOutcomes(t, w.outcomes(before), "begun")
		leave()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v", err)
		}
		wantOutcomes(t, w.outcomes(before), "begun", "unknown")
	})
}

// The outcome of a write is stored before anybody can read its answer.
func TestTheOutcomeOfAWriteIsThereBeforeItsAnswer(t *testing.T) {
	w := newWorld(t)
	in := deleting(w.adas(t, w.Project(t, "Bot")))
	w.voiceflow.Answer(testworld.Fine)
	before := len(w.Store.Records())
	out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("DELETE", in.Path, ""))
	must(t, err)
	wantOutcomes(t, w.outcomes(before), "begun", "ok")
	_, err = io.Copy(io.Discard, out.Answer.Body)
	must(t, errors.Join(err, out.Answer.Body.Close()))
	wantOutcomes(t, w.outcomes(before), "begun", "ok")
}

func TestNobodyIsAskedToRepeatWhatMayHaveBeenDone(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	ada := w.adas(t, p)
	busy := func(status int) func(domain.Forward, testworld.Sent) (ports.Answer, error) {
		return func(domain.Forward, testworld.Sent) (ports.Answer, error) {
			a := testworld.Says(status, `{}`)
			a.Header.Set("Retry-After", "7")
			return a, nil
		}
	}
	read := ada
	read.Service, read.Path = "analytics-api", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"
	for _, tc := range []struct {
		name   string
		in     forward.Input
		method string
		answer func(domain.Forward, testworld.Sent) (ports.Answer, error)
		maybe  bool // the error says that the call may have been carried out
		retry  string
	}{
		{"a write without an answer", deleting(ada), "DELETE", unanswered, true, ""},
		{"a write that Voiceflow rejected", deleting(ada), "DELETE", testworld.Rejected, false, ""},
		{"a write that a gateway answers", deleting(ada), "DELETE", busy(504), false, ""},
		{"a write that Voiceflow does not want now", deleting(ada), "DELETE", busy(429), false, "7"},
		{"a read without an answer", read, "GET", unanswered, false, ""},
		{"a read that a gateway answers", read, "GET", busy(503), false, "7"},
		{"a turn without an answer", turn("x", ada), "POST", unanswered, false, ""},
		{"a turn that a gateway answers", turn("x", ada), "POST", busy(503), false, "7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.voiceflow.Answer(tc.answer)
			out, err := w.Forward(t.Context(), domain.Call{}, tc.in, testworld.Request(tc.method, tc.in.Path, "{}"))
			e, _ := errors.AsType[*domain.Error](err)
			if (e != nil && e.MaybeDone) != tc.maybe {
				t.Errorf("got error %v, want one that says it may have been carried out: %v", err, tc.maybe)
			}
			if tc.maybe && (e.Public != "Voiceflow did not answer in time; "+domain.LookFirst || e.RetryAfter != 0) {
				t.Errorf("got the sentence %q and RetryAfter %v", e.Public, e.RetryAfter)
			}
			if got := out.Answer.Header.Get("Retry-After"); got != tc.retry {
				t.Errorf("got Retry-After %q, want %q", got, tc.retry)
			}
			if err == nil {
				must(t, out.Answer.Body.Close())
			}
		})
	}
}
