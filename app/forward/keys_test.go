package forward_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// TestTheOtherKeyIsTried forwards calls of an assistant with two keys.
func TestTheOtherKeyIsTried(t *testing.T) {
	const ok, bad, reenter, none = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyNone
	type answers map[string]func(domain.Forward, testworld.Sent) (ports.Answer, error)
	status := func(code int) func(domain.Forward, testworld.Sent) (ports.Answer, error) {
		return func(domain.Forward, testworld.Sent) (ports.Answer, error) { return testworld.Says(code, `{}`), nil }
	}
	outage := func(domain.Forward, testworld.Sent) (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "no answer", RetryAfter: time.Minute}
	}
	talk := [3]string{runtime, "POST", "/state/user/x/interact"}
	write := [3]string{runtime, "DELETE", "/state/user/x"}
	ofOthers := [3]string{"analytics-api", "DELETE", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"} // the id may be refused
	both, fresh := []string{firstKey, secondKey}, [2]domain.KeyStatus{ok, ok}
	for _, tc := range []struct {
		name               string
		spoiled            []domain.Slot
		marked             [2]domain.KeyStatus
		call               [3]string
		answers            answers
		code               int
		kind               domain.Kind
		keys               []string // that Voiceflow got
		primary, secondary domain.KeyStatus
		actions            string
	}{
		{"the primary is good", nil, fresh, talk, answers{firstKey: testworld.Fine, secondKey: testworld.Fine}, 200, "", both[:1], ok, ok, ""},
		{"the primary is refused", nil, fresh, talk, answers{firstKey: testworld.Rejected, secondKey: testworld.Fine}, 200, "", both, bad, ok, "mark_key"},
		{"both are refused", nil, fresh, talk, answers{firstKey: testworld.Rejected, secondKey: testworld.Rejected}, 0, domain.CredentialsRejected, both, bad, bad, "mark_key mark_key"},
		{"the primary is refused and there is an outage", nil, fresh, talk, answers{firstKey: testworld.Rejected, secondKey: outage}, 0, domain.VoiceflowUnavailable, both, bad, ok, "mark_key"},
		{"an outage is no refusal", nil, fresh, talk, answers{firstKey: outage, secondKey: testworld.Fine}, 0, domain.VoiceflowUnavailable, both[:1], ok, ok, ""},
		{"nor is a failure of Voiceflow's", nil, fresh, talk, answers{firstKey: status(500), secondKey: testworld.Fine}, 500, "", both[:1], ok, ok, ""},
		{"nor is a 403", nil, fresh, talk, answers{firstKey: status(403), secondKey: testworld.Fine}, 403, "", both[:1], ok, ok, ""},
		{"a primary that is known to be refused comes second", nil, [2]domain.KeyStatus{bad, ok}, talk, answers{firstKey: testworld.Fine, secondKey: testworld.Fine}, 200, "", both[1:], bad, ok, ""},
		{"and is tried when the secondary is refused", nil, [2]domain.KeyStatus{bad, ok}, talk, answers{firstKey: testworld.Fine, secondKey: testworld.Rejected}, 200, "", []string{secondKey, firstKey}, ok, bad, "mark_key mark_key"},
		{"it comes first when both are known to be refused", nil, [2]domain.KeyStatus{bad, bad}, talk, answers{firstKey: testworld.Rejected, secondKey: testworld.Fine}, 200, "", both, bad, ok, "mark_key"},
		{"a secondary that is known to be refused is tried too", nil, [2]domain.KeyStatus{ok, bad}, talk, answers{firstKey: testworld.Rejected, secondKey: testworld.Fine}, 200, "", both, bad, ok, "mark_key mark_key"},
		{"a write that is refused and then done begins once", nil, fresh, write, answers{firstKey: testworld.Rejected, secondKey: testworld.Fine}, 200, "", both, bad, ok, "forward begun mark_key forward ok"},
		{"a write that is refused twice begins once", nil, fresh, write, answers{firstKey: testworld.Rejected, secondKey: testworld.Rejected}, 0, domain.CredentialsRejected, both, bad, bad, "forward begun mark_key mark_key forward rejected"},
		{"a write without an answer begins once", nil, fresh, write, answers{firstKey: testworld.Rejected, secondKey: outage}, 0, domain.VoiceflowUnavailable, both, bad, ok, "forward begun mark_key forward unknown"},
		{"what may be refused for itself marks nothing", nil, fresh, ofOthers, answers{firstKey: testworld.Rejected, secondKey: testworld.Rejected}, 0, domain.CredentialsRejected, both, ok, ok, "forward begun forward rejected"},
		{"but where the other key is taken for the same", nil, fresh, ofOthers, answers{firstKey: testworld.Rejected, secondKey: testworld.Fine}, 200, "", both, bad, ok, "forward begun mark_key forward ok"},
		{"which an error does not show", nil, fresh, ofOthers, answers{firstKey: testworld.Rejected, secondKey: status(404)}, 404, "", both, ok, ok, "forward begun forward status_404"},
		{"a primary that does not open", []domain.Slot{domain.SlotPrimary}, fresh, talk, answers{secondKey: testworld.Fine}, 200, "", both[1:], reenter, ok, "mark_key"},
		{"a secondary that does not open is not looked at", []domain.Slot{domain.SlotSecondary}, fresh, talk, answers{firstKey: testworld.Fine}, 200, "", both[:1], ok, ok, ""},
		{"but where the primary is refused", []domain.Slot{domain.SlotSecondary}, fresh, talk, answers{firstKey: testworld.Rejected}, 0, domain.CredentialsRejected, both[:1], bad, reenter, "mark_key mark_key"},
		{"neither opens", []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}, fresh, talk, nil, 0, domain.NeedsReentry, nil, reenter, reenter, "mark_key mark_key"},
		{"one key alone that does not open", []domain.Slot{domain.SlotPrimary}, [2]domain.KeyStatus{ok, none}, talk, nil, 0, domain.NeedsReentry, nil, reenter, none, "mark_key"},
		{"one key alone that was marked and is good", nil, [2]domain.KeyStatus{reenter, none}, talk, answers{firstKey: testworld.Fine}, 200, "", both[:1], ok, none, "mark_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			call, by := w.talker(t, "ben", p, "converse", "transcripts", "transcripts:delete")
			if tc.marked[1] != none {
				p = w.setKey(t, p, domain.SlotSecondary, secondKey)
			}
			for _, slot := range tc.spoiled {
				p = w.spoil(t, p, slot)
			}
			w.After(time.Second)
			for slot, status := range map[domain.Slot]domain.KeyStatus{domain.SlotPrimary: tc.marked[0], domain.SlotSecondary: tc.marked[1]} {
				if status == none {
					continue
				}
				_, err := w.Store.Ports().Projects.Update(t.Context(), w.act(domain.ActionMarkKey), p.ID, func(p *domain.Project) error {
					if slot == domain.SlotPrimary {
						p.Primary.Status = status
					} else {
						p.Secondary.Status = status
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) { return tc.answers[s.Key](f, s) })
			before, was := len(w.Store.Records()), w.Stored(t, p)
			by.Service, by.Path = tc.call[0], tc.call[2]
			code, err := w.use(t, by, tc.call[1], `{"say":"once"}`)
			testworld.WantKind(t, err, tc.kind)
			if code != tc.code {
				t.Errorf("got status %d, want %d", code, tc.code)
			}
			var keys []string
			for _, s := range came() {
				keys = append(keys, s.Key)
				if s.Body != `{"say":"once"}` {
					t.Errorf("Voiceflow got the body %q", s.Body)
				}
			}
			if !slices.Equal(keys, tc.keys) {
				t.Errorf("Voiceflow got the keys %q, want %q", keys, tc.keys)
			}
			is := w.Stored(t, p)
			wantStatuses(t, is, tc.primary, tc.secondary)
			if news := is.Primary.Status != was.Primary.Status || is.Secondary.Status != was.Secondary.Status; !news && !is.Equal(was) {
				t.Errorf("without news the project was changed from %+v to %+v", was, is)
			}
			var rows []string
			for _, r := range w.Store.Records()[before:] {
				rows = append(rows, string(r.Action))
				switch {
				case r.Action == domain.ActionForward:
					rows = append(rows, r.Outcome)
				case r.Actor != call.Caller.Actor(), r.Object != domain.OnSlot(p.ID, domain.SlotPrimary) && r.Object != domain.OnSlot(p.ID, domain.SlotSecondary):
					t.Errorf("got the row %+v", r)
				}
			}
			if got := strings.Join(rows, " "); got != tc.actions {
				t.Errorf("audit has %q, want %q", got, tc.actions)
			}
			if tc.kind == domain.NeedsReentry && !strings.Contains(err.Error(), "Bot can't be decrypted; an admin has to set it again") {
				t.Errorf("it says %q", err)
			}
		})
	}
}

// What is too long to be kept is not sent again. The key that was refused is marked, so
// that the next call is sent with the other.
func TestALongBodyIsSentOnce(t *testing.T) {
	long := strings.Repeat("x", 1<<20+1)
	for _, tc := range []struct {
		name      string
		two       bool
		service   string
		path      string
		body      string
		rejects   string
		first     domain.Kind
		then      domain.Kind
		calls     int
		afterward domain.KeyStatus
	}{
		{"one key", false, runtime, "/state/user/x/interact", long, "", "", "", 2, domain.KeyOK},
		{"two keys, the first is good", true, runtime, "/state/user/x/interact", long, "", "", "", 2, domain.KeyOK},
		{"two keys, the first is refused", true, runtime, "/state/user/x/interact", long, firstKey, domain.VoiceflowUnavailable, "", 2, domain.KeyRejected},
		{"a body of the longest length that is kept", true, runtime, "/state/user/x/interact", long[1:], firstKey, "", "", 3, domain.KeyRejected},
		{"a call that may be refused for itself", true, "analytics-api", "/v1/query/usage", long, firstKey, domain.CredentialsRejected, domain.CredentialsRejected, 2, domain.KeyOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			_, by := w.talker(t, "ben", p, "converse", "analytics")
			if tc.two {
				p = w.setKey(t, p, domain.SlotSecondary, secondKey)
			}
			came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
				if s.Key == tc.rejects {
					return testworld.Rejected(f, s)
				}
				return testworld.Fine(f, s)
			})
			by.Service, by.Path = tc.service, tc.path
			for _, kind := range []domain.Kind{tc.first, tc.then} {
				_, err := w.use(t, by, "POST", tc.body)
				testworld.WantKind(t, err, kind)
			}
			got := came()
			if len(got) != tc.calls {
				t.Errorf("Voiceflow was called %d times, want %d", len(got), tc.calls)
			}
			for _, s := range got {
				if s.Body != tc.body {
					t.Errorf("Voiceflow got a body of %d bytes, want %d", len(s.Body), len(tc.body))
				}
			}
			if is := w.Stored(t, p); is.Primary.Status != tc.afterward {
				t.Errorf("the primary key is marked %q, want %q", is.Primary.Status, tc.afterward)
			}
		})
	}
	t.Run("a body that breaks off is sent nowhere", func(t *testing.T) {
		w := newWorld(t)
		p := w.setKey(t, w.Project(t, "Bot"), domain.SlotSecondary, secondKey)
		_, by := w.talker(t, "ben", p)
		came := w.voiceflow.Answer(testworld.Fine)
		in := turn("x", by)
		r := testworld.Request("POST", in.Path, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
		_, err := w.Forward(t.Context(), domain.Call{}, in, r)
		testworld.WantKind(t, err, domain.Invalid)
		if len(came()) != 0 {
			t.Error("it was sent")
		}
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, testworld.ErrBoom }

// A v4 session is renewed with the other key, too, and the turn is said once.
func TestV4SessionsAreRenewedWithTheOtherKey(t *testing.T) {
	w := newWorld(t)
	p := w.setKey(t, w.Project(t, "Bot"), domain.SlotSecondary, secondKey)
	_, ben := w.talker(t, "ben", p)
	keys, good, live := 0, map[string]bool{}, map[string]bool{firstKey: true, secondKey: true}
	var said []string
	came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		switch {
		case f.Route.Endpoint.Starts && live[s.Key]:
			keys++
			key := fmt.Sprint("session-key-", keys)
			good[key] = true
			return testworld.Starts(f, key), nil
		case good[s.Key]:
			said = append(said, s.Body)
			return testworld.Fine(f, s)
		}
		return testworld.Rejected(f, s)
	})
	alone := w.openSession(t, p, ben)

	live, good = map[string]bool{secondKey: true}, map[string]bool{}
	before := len(came())
	_, err := w.use(t, alone, "POST", "one")
	testworld.WantKind(t, err, "")
	var got []string
	for _, s := range came()[before:] {
		got = append(got, s.Key)
	}
	if want := []string{"session-key-1", firstKey, secondKey, "session-key-2"}; !slices.Equal(got, want) {
		t.Errorf("Voiceflow got the keys %q, want %q", got, want)
	}
	wantStatuses(t, w.Stored(t, p), domain.KeyRejected, domain.KeyOK)

	live, good = map[string]bool{}, map[string]bool{}
	_, err = w.use(t, alone, "POST", "two")
	testworld.WantKind(t, err, domain.CredentialsRejected)
	wantStatuses(t, w.Stored(t, p), domain.KeyRejected, domain.KeyRejected)

	live = map[string]bool{firstKey: true}
	_, err = w.use(t, alone, "POST", "three")
	testworld.WantKind(t, err, "")
	wantStatuses(t, w.Stored(t, p), domain.KeyOK, domain.KeyRejected)
	if want := []string{"one", "three"}; !slices.Equal(said, want) {
		t.Errorf("Voiceflow heard %q, want %q", said, want)
	}

	p = w.spoil(t, w.spoil(t, p, domain.SlotPrimary), domain.SlotSecondary)
	good = map[string]bool{}
	_, err = w.use(t, alone, "POST", "four")
	testworld.WantKind(t, err, domain.NeedsReentry)
	wantStatuses(t, w.Stored(t, p), domain.KeyNeedsReentry, domain.KeyNeedsReentry)
}

// After one was promoted at Voiceflow both slots have the same key, which is sent once.
func TestOneKeyInBothSlotsIsSentOnce(t *testing.T) {
	w := newWorld(t)
	p := w.setKey(t, w.Project(t, "Bot"), domain.SlotSecondary, firstKey)
	_, by := w.talker(t, "ben", p)
	came := w.voiceflow.Answer(testworld.Rejected)
	for n := range 2 {
		_, err := w.use(t, turn("x", by), "POST", strings.Repeat("x", n<<20+n))
		testworld.WantKind(t, err, domain.CredentialsRejected)
		if got := came(); len(got) != n+1 {
			t.Errorf("Voiceflow was called %d times, want %d", len(got), n+1)
		}
		wantStatuses(t, w.Stored(t, p), domain.KeyRejected, domain.KeyRejected)
	}
}

// A refusal of a key that was replaced while it was being used says nothing of the new one.
func TestARefusalOfAKeyThatWasReplacedMarksNothing(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, by := w.talker(t, "ben", p)
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		w.After(time.Second)
		p = w.setKey(t, p, domain.SlotPrimary, secondKey)
		return testworld.Rejected(f, s)
	})
	_, err := w.use(t, turn("x", by), "POST", "{}")
	testworld.WantKind(t, err, domain.CredentialsRejected)
	wantStatuses(t, w.Stored(t, p), domain.KeyOK, domain.KeyNone)
}
