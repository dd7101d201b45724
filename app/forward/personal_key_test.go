package forward_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// TestAPersonalKeyHasNoFallback forwards calls of an assistant with a key in each slot. The personal
// key is the only one that the stable API gets, and no other call gets it.
func TestAPersonalKeyHasNoFallback(t *testing.T) {
	const personalKey = "vfp_abc_def"
	const ok, bad, reenter, none = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyNone
	status := func(code int) func(domain.Forward, testworld.Sent) (ports.Answer, error) {
		return func(domain.Forward, testworld.Sent) (ports.Answer, error) { return testworld.Says(code, `{}`), nil }
	}
	stable := func(method, path string) [3]string { return [3]string{"realtime-api", method, "/v1/stable/" + path} }
	const id = "aaaaaaaaaaaaaaaaaaaaaaaa"
	read, object, search := stable("GET", "transcript-property"), stable("GET", "transcript/"+id), stable("POST", "transcript/search")
	write, talk := stable("PUT", "transcript-property/"+id+"/value"), [3]string{runtime, "POST", "/state/user/x/interact"}
	other := [3]string{"realtime-api", "GET", "/v1alpha1/public/knowledge-base/document"}
	for _, tc := range []struct {
		name    string
		before  domain.KeyStatus // of the personal key
		spoiled bool
		call    [3]string
		answer  func(domain.Forward, testworld.Sent) (ports.Answer, error)
		code    int
		kind    domain.Kind
		keys    string // that Voiceflow got
		after   domain.KeyStatus
		actions string
	}{
		{"it is good", ok, false, read, testworld.Fine, 200, "", personalKey, ok, ""},
		{"it is good for a search", ok, false, search, testworld.Fine, 200, "", personalKey, ok, ""},
		{"it is good again", bad, false, read, testworld.Fine, 200, "", personalKey, ok, "mark_key"},
		{"it is rejected", ok, false, read, testworld.Rejected, 0, domain.CredentialsRejected, personalKey, bad, "mark_key"},
		{"it is rejected for a search", ok, false, search, testworld.Rejected, 0, domain.CredentialsRejected, personalKey, bad, "mark_key"},
		{"it is rejected for an object", ok, false, object, testworld.Rejected, 0, domain.CredentialsRejected, personalKey, bad, "mark_key"},
		{"it is still rejected", bad, false, read, testworld.Rejected, 0, domain.CredentialsRejected, personalKey, bad, ""},
		{"it is rejected for a write", ok, false, write, testworld.Rejected, 0, domain.CredentialsRejected, personalKey, bad, "forward begun mark_key forward rejected"},
		{"a 404 is no rejection", ok, false, object, status(404), 404, "", personalKey, ok, ""},
		{"nor is a 403", ok, false, read, status(403), 403, "", personalKey, ok, ""},
		{"nor is a failure of Voiceflow", bad, false, read, status(500), 500, "", personalKey, bad, ""},
		{"it does not open", ok, true, read, testworld.Fine, 0, domain.NeedsReentry, "", reenter, "mark_key"},
		{"it still does not open", reenter, true, read, testworld.Fine, 0, domain.NeedsReentry, "", reenter, ""},
		{"it does not open for a write", ok, true, write, testworld.Fine, 0, domain.NeedsReentry, "", reenter, "mark_key"},
		{"there is none", none, false, read, testworld.Fine, 200, "", firstKey, none, ""},
		{"there is none, and the primary is rejected", none, false, read, testworld.Rejected, 0, domain.CredentialsRejected, firstKey + " " + secondKey, none, ""},
		{"a turn does not take it", ok, false, talk, testworld.Fine, 200, "", firstKey, ok, ""},
		{"nor does another call of the same service", ok, false, other, testworld.Fine, 200, "", firstKey, ok, ""},
		{"nor where the project's keys are rejected", ok, false, talk, testworld.Rejected, 0, domain.CredentialsRejected, firstKey + " " + secondKey, ok, "mark_key mark_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			w.publish(p)
			call, by := w.talker(t, "ben", p, "converse", "state", "transcripts", "knowledge")
			p = w.setKey(t, p, domain.SlotSecondary, secondKey)
			if tc.before != none {
				p = w.setKey(t, p, domain.SlotPersonal, personalKey)
			}
			if tc.spoiled {
				p = w.spoil(t, p, domain.SlotPersonal)
			}
			w.After(time.Second)
			if tc.before != none {
				_, err := w.Store.Ports().Projects.Update(t.Context(), w.act(domain.ActionMarkKey), p.ID, func(p *domain.Project) error {
					p.Personal.Status = tc.before
					return nil
				})
				must(t, err)
			}
			personally := map[string]bool{}
			came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
				personally[s.Key] = f.Personal
				return tc.answer(f, s)
			})
			rows := len(w.Store.Records())
			by.Service, by.Path = tc.call[0], tc.call[2]
			code, err := w.use(t, by, tc.call[1], `{}`)
			testworld.WantKind(t, err, tc.kind)
			if code != tc.code {
				t.Errorf("got status %d, want %d", code, tc.code)
			}
			var keys []string
			for _, s := range came() {
				keys = append(keys, s.Key)
				if personally[s.Key] != (s.Key == personalKey) {
					t.Errorf("the form of %s is that of the other sort", s.Key)
				}
			}
			if got := strings.Join(keys, " "); got != tc.keys {
				t.Errorf("Voiceflow got the keys %q, want %q", got, tc.keys)
			}
			if got := w.Stored(t, p).Personal.Status; got != tc.after {
				t.Errorf("the personal key is marked %q, want %q", got, tc.after)
			}
			var did []string
			for _, r := range w.Store.Records()[rows:] {
				did = append(did, string(r.Action))
				if r.Action == domain.ActionForward {
					did = append(did, r.Outcome)
				} else if tc.call != talk && (r.Actor != call.Caller.Actor() || r.Object != domain.OnSlot(p.ID, domain.SlotPersonal)) {
					t.Errorf("got the row %+v", r)
				}
			}
			if got := strings.Join(did, " "); got != tc.actions {
				t.Errorf("audit has %q, want %q", got, tc.actions)
			}
			if tc.kind == domain.NeedsReentry && !strings.Contains(err.Error(), "the personal key of Bot can't be decrypted; an admin has to set it again") {
				t.Errorf("it says %q", err)
			}
		})
	}
}

// TestADeletedPersonalKeyIsNotMarked deletes the key while a call is open that was sent with it. The
// next call is sent with the project's key.
func TestADeletedPersonalKeyIsNotMarked(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, by := w.talker(t, "ben", p, "transcripts")
	p = w.setKey(t, p, domain.SlotPersonal, "vfp_abc_def")
	by.Service, by.Path = "realtime-api", "/v1/stable/transcript-property"
	came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if !f.Personal {
			return testworld.Fine(f, s)
		}
		_, err := w.Store.Ports().Projects.Update(t.Context(), w.act(domain.ActionDeleteToken), p.ID, func(p *domain.Project) error {
			return p.DeleteKey(domain.SlotPersonal)
		})
		must(t, err)
		return testworld.Rejected(f, s)
	})
	_, err := w.use(t, by, "GET", "")
	testworld.WantKind(t, err, domain.CredentialsRejected)
	if k := w.Stored(t, p).Personal; !k.Equal(domain.Key{Status: domain.KeyNone}) {
		t.Errorf("the slot has %+v", k)
	}
	code, err := w.use(t, by, "GET", "")
	must(t, err)
	if all := came(); code != 200 || len(all) != 2 || all[1].Key != firstKey {
		t.Errorf("got status %d and the calls %+v", code, all)
	}
}
