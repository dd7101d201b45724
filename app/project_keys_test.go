package app_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const firstKey, secondKey = "VF.DM.key", "VF.DM.second"

var (
	errRefused = &domain.Error{Kind: domain.VoiceflowRejected, Public: "refused"}
	errOutage  = &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "no answer", RetryAfter: time.Minute}
)

// setToken puts the key into the slot.
func (w *world) setToken(t *testing.T, p domain.Project, slot, key string) domain.Project {
	t.Helper()
	p, err := w.SetToken(t.Context(), w.admin, app.SetToken{Project: string(p.ID), Key: domain.NewSecret(key), Slot: slot})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// spoil puts sealed bytes into the slot that do not open.
func (w *world) spoil(t *testing.T, p domain.Project, slot domain.Slot) domain.Project {
	t.Helper()
	p = w.stored(t, p)
	garbage := domain.Sealed{Key: "1", Bytes: []byte("garbage in " + string(slot))}
	p, err := w.store.Ports().Projects.Update(t.Context(), act(domain.ActionSetToken), p.ID, func(p *domain.Project) error {
		p.PutKey(slot, garbage, w.now())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stored is the project as it is stored.
func (w *world) stored(t *testing.T, p domain.Project) domain.Project {
	t.Helper()
	p, err := w.FindProject(t.Context(), w.admin, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantStatuses(t *testing.T, p domain.Project, primary, secondary domain.KeyStatus) {
	t.Helper()
	if p.Primary.Status != primary || p.Secondary.Status != secondary {
		t.Errorf("the primary key is marked %q and the secondary %q, want %q and %q", p.Primary.Status, p.Secondary.Status, primary, secondary)
	}
}

func TestSetTokenReplacesOneKey(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	for _, tc := range []struct {
		name, slot, key  string
		primary, another string // what is there then
	}{
		{"the secondary", "secondary", secondKey, firstKey, secondKey},
		{"the primary, where no slot is named", "", "VF.DM.third", "VF.DM.third", secondKey},
		{"the primary, by what is the secondary", "primary", secondKey, secondKey, secondKey},
		{"the secondary once more", " secondary\n", "  " + firstKey + "\n", secondKey, firstKey},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.after(time.Minute)
			before := len(w.store.Records())
			got := w.setToken(t, p, tc.slot, tc.key)
			slot, _ := domain.ParseSlot(tc.slot)
			stored := w.stored(t, p)
			if set := got.Key(slot); !got.Equal(stored) || !set.Set.Equal(w.now()) || !set.Checked.Equal(w.now()) {
				t.Errorf("got %+v, and stored is %+v", got, stored)
			}
			wantStatuses(t, got, domain.KeyOK, domain.KeyOK)
			for slot, want := range map[domain.Slot]string{domain.SlotPrimary: tc.primary, domain.SlotSecondary: tc.another} {
				key, err := w.cipher.Open(stored.Key(slot).Sealed, domain.BindKey(p.ID, slot, w.voiceflow.origin))
				if err != nil || key.Reveal() != want {
					t.Errorf("the %s key is another one, or does not open: %v", slot, err)
				}
			}
			rows := w.store.Records()[before:]
			if len(rows) != 1 || rows[0].Action != domain.ActionSetToken || rows[0].Object != domain.OnSlot(p.ID, slot) || rows[0].Outcome != "ok" {
				t.Errorf("got the rows %+v, want one of what was set", rows)
			}
		})
	}
}

func TestSetTokenTriesTheProjectsOwnVersion(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.put("production", domain.Export{Project: voiceflowID, Name: "Bot"})
	aliased, err := w.AddProject(t.Context(), w.admin, app.AddProject{Version: "production", VoiceflowProject: string(voiceflowID), Key: domain.NewSecret(firstKey)})
	if err != nil {
		t.Fatal(err)
	}
	w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: " Renamed\x00 ", Platform: "webchat"})
	w.voiceflow.put("production", domain.Export{Project: voiceflowID, Name: strings.Repeat("n", 513), Platform: "alexa"})
	asked := len(w.voiceflow.asks)
	if got := w.setToken(t, p, "", secondKey); got.Name != "Renamed\uFFFD" || got.Platform != "webchat" {
		t.Errorf("got name %q and platform %q, want what Voiceflow says now", got.Name, got.Platform)
	}
	if got := w.setToken(t, aliased, "", secondKey); got.Name != "Bot" || got.Platform != "alexa" {
		t.Errorf("got name %q and platform %q, want the name that it had: the new one is too long", got.Name, got.Platform)
	}
	want := []domain.VersionRef{{Version: versionID}, {Version: "production", Project: voiceflowID}}
	if got := w.voiceflow.asks[asked:]; !slices.Equal(got, want) {
		t.Errorf("Voiceflow was asked for %v, want %v", got, want)
	}
	_, err = w.SetToken(t.Context(), w.admin, app.SetToken{Project: string(voiceflowID), Key: domain.NewSecret(secondKey)})
	wantKind(t, err, domain.AmbiguousName)
}

func TestSetTokenThatIsRefusedChangesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	member, _ := w.talker(t, "ben", p)
	good := app.SetToken{Project: string(p.ID), Key: domain.NewSecret(secondKey), Slot: "secondary"}
	with := func(change func(*app.SetToken)) app.SetToken {
		in := good
		change(&in)
		return in
	}
	for _, tc := range []struct {
		name   string
		call   domain.Call
		in     app.SetToken
		before func(v *voiceflow)
		kind   domain.Kind
		asked  int
	}{
		{"a member", member, good, nil, domain.NotAllowed, 0},
		{"a key that Voiceflow refuses", w.admin, good, func(v *voiceflow) { v.refuses = map[string]error{secondKey: errRefused} }, domain.VoiceflowRejected, 1},
		{"an outage is no refusal", w.admin, good, func(v *voiceflow) { v.refuses = map[string]error{secondKey: errOutage} }, domain.VoiceflowUnavailable, 1},
		{"a key of another project", w.admin, good, func(v *voiceflow) {
			v.exports[versionID] = domain.Export{Project: "aaaaaaaaaaaaaaaaaaaaaaaa", Name: "Other"}
		}, domain.VoiceflowRejected, 1},
		{"a version that is not there any more", w.admin, good, func(v *voiceflow) { delete(v.exports, versionID) }, domain.VoiceflowRejected, 1},
		{"no key", w.admin, with(func(in *app.SetToken) { in.Key = domain.Secret{} }), nil, domain.Invalid, 0},
		{"another slot", w.admin, with(func(in *app.SetToken) { in.Slot = "Primary" }), nil, domain.Invalid, 0},
		{"a name is no id", w.admin, with(func(in *app.SetToken) { in.Project = "Bot" }), nil, domain.Invalid, 0},
		{"a project that is not there", w.admin, with(func(in *app.SetToken) { in.Project = "01890000-0000-7000-8000-000000000404" }), nil, domain.NotFound, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.after(time.Minute)
			w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Bot"})
			w.voiceflow.refuse(nil)
			if tc.before != nil {
				tc.before(w.voiceflow)
			}
			was, rows, asked := w.stored(t, p), len(w.store.Records()), w.voiceflow.asked
			_, err := w.SetToken(t.Context(), tc.call, tc.in)
			wantKind(t, err, tc.kind)
			if is := w.stored(t, p); !is.Equal(was) || !is.Secondary.Empty() || len(w.store.Records()) != rows {
				t.Errorf("it changed %+v to %+v, with %d rows", was, is, len(w.store.Records())-rows)
			}
			if got := w.voiceflow.asked - asked; got != tc.asked {
				t.Errorf("Voiceflow was asked %d times, want %d", got, tc.asked)
			}
		})
	}
}

func TestCheckProject(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey)
	member, _ := w.talker(t, "ben", p)
	const ok, bad, reenter = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry
	both, second, neither := [2]bool{true, true}, [2]bool{false, true}, [2]bool{}
	for _, tc := range []struct {
		name               string
		refuses            map[string]error
		before             func()
		primary, secondary domain.KeyStatus
		unanswered         []domain.Slot
		checked            [2]bool // the primary, the secondary
		actions            []string
	}{
		{"nothing is news", nil, nil, ok, ok, nil, both, nil},
		{"the primary is refused", map[string]error{firstKey: errRefused}, nil, bad, ok, nil, both, []string{"user mark_key"}},
		{"that is no news any more", map[string]error{firstKey: errRefused}, nil, bad, ok, nil, both, nil},
		{"an outage is no refusal and no success", map[string]error{firstKey: errOutage, secondKey: errOutage}, nil, bad, ok,
			[]domain.Slot{domain.SlotPrimary, domain.SlotSecondary}, neither, nil},
		{"an outage of one", map[string]error{firstKey: errOutage, secondKey: errRefused}, nil, bad, bad,
			[]domain.Slot{domain.SlotPrimary}, second, []string{"user mark_key"}},
		{"both are good again, under another name", nil, func() { w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Renamed"}) },
			ok, ok, nil, both, []string{"user mark_key", "user refresh_project", "user mark_key"}},
		{"both are of another project", nil, func() {
			w.voiceflow.put(versionID, domain.Export{Project: "aaaaaaaaaaaaaaaaaaaaaaaa", Name: "Other"})
		}, bad, bad, nil, both, []string{"user mark_key", "user mark_key"}},
		{"the primary does not open", nil, func() {
			w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Renamed"})
			w.spoil(t, p, domain.SlotPrimary)
		}, reenter, ok, nil, second, []string{"user mark_key", "user mark_key"}},
		{"neither does the secondary", nil, func() { w.spoil(t, p, domain.SlotSecondary) }, reenter, reenter, nil, neither, []string{"user mark_key"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.after(time.Minute)
			w.voiceflow.refuse(tc.refuses)
			if tc.before != nil {
				tc.before()
				w.after(time.Second)
			}
			was, before := w.stored(t, p), len(w.store.Records())
			got, err := w.CheckProject(t.Context(), w.admin, string(p.ID))
			if err != nil {
				t.Fatal(err)
			}
			if is := w.stored(t, p); !got.Project.Equal(is) || !slices.Equal(got.Unanswered, tc.unanswered) {
				t.Errorf("got %+v and stored is %+v", got, is)
			}
			wantStatuses(t, got.Project, tc.primary, tc.secondary)
			for i, slot := range domain.Slots() {
				is, want := got.Project.Key(slot), was.Key(slot).Checked
				if tc.checked[i] {
					want = w.now()
				}
				if !is.Checked.Equal(want) || !is.Set.Equal(was.Key(slot).Set) {
					t.Errorf("the %s key: checked at %v, want %v; set at %v", slot, is.Checked, want, is.Set)
				}
			}
			wantActions(t, w.actions(before), tc.actions...)
		})
	}
	for _, tc := range []struct {
		name, text string
		call       domain.Call
		kind       domain.Kind
	}{
		{"a member", string(p.ID), member, domain.NotAllowed},
		{"a name", "Bot", w.admin, domain.Invalid},
		{"a project that is not there", "01890000-0000-7000-8000-000000000404", w.admin, domain.NotFound},
	} {
		_, err := w.CheckProject(t.Context(), tc.call, tc.text)
		wantKind(t, err, tc.kind)
	}
	w.store.Break()
	_, err := w.CheckProject(t.Context(), w.admin, string(p.ID))
	wantKind(t, err, domain.Unavailable)
}

// TestTheOtherKeyIsTried forwards calls of an assistant with two keys.
func TestTheOtherKeyIsTried(t *testing.T) {
	const ok, bad, reenter, none = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyNone
	type answers map[string]func(domain.Forward, sent) (ports.Answer, error)
	status := func(code int) func(domain.Forward, sent) (ports.Answer, error) {
		return func(domain.Forward, sent) (ports.Answer, error) { return says(code, `{}`), nil }
	}
	outage := func(domain.Forward, sent) (ports.Answer, error) { return ports.Answer{}, errOutage }
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
		{"the primary is good", nil, fresh, talk, answers{firstKey: fine, secondKey: fine}, 200, "", both[:1], ok, ok, ""},
		{"the primary is refused", nil, fresh, talk, answers{firstKey: rejected, secondKey: fine}, 200, "", both, bad, ok, "mark_key"},
		{"both are refused", nil, fresh, talk, answers{firstKey: rejected, secondKey: rejected}, 0, domain.CredentialsRejected, both, bad, bad, "mark_key mark_key"},
		{"the primary is refused and there is an outage", nil, fresh, talk, answers{firstKey: rejected, secondKey: outage}, 0, domain.VoiceflowUnavailable, both, bad, ok, "mark_key"},
		{"an outage is no refusal", nil, fresh, talk, answers{firstKey: outage, secondKey: fine}, 0, domain.VoiceflowUnavailable, both[:1], ok, ok, ""},
		{"nor is a failure of Voiceflow's", nil, fresh, talk, answers{firstKey: status(500), secondKey: fine}, 500, "", both[:1], ok, ok, ""},
		{"nor is a 403", nil, fresh, talk, answers{firstKey: status(403), secondKey: fine}, 403, "", both[:1], ok, ok, ""},
		{"a primary that is known to be refused comes second", nil, [2]domain.KeyStatus{bad, ok}, talk, answers{firstKey: fine, secondKey: fine}, 200, "", both[1:], bad, ok, ""},
		{"and is tried when the secondary is refused", nil, [2]domain.KeyStatus{bad, ok}, talk, answers{firstKey: fine, secondKey: rejected}, 200, "", []string{secondKey, firstKey}, ok, bad, "mark_key mark_key"},
		{"it comes first when both are known to be refused", nil, [2]domain.KeyStatus{bad, bad}, talk, answers{firstKey: rejected, secondKey: fine}, 200, "", both, bad, ok, "mark_key"},
		{"a secondary that is known to be refused is tried too", nil, [2]domain.KeyStatus{ok, bad}, talk, answers{firstKey: rejected, secondKey: fine}, 200, "", both, bad, ok, "mark_key mark_key"},
		{"a write that is refused and then done leaves one row", nil, fresh, write, answers{firstKey: rejected, secondKey: fine}, 200, "", both, bad, ok, "mark_key forward ok"},
		{"a write that is refused twice leaves one row", nil, fresh, write, answers{firstKey: rejected, secondKey: rejected}, 0, domain.CredentialsRejected, both, bad, bad, "mark_key mark_key forward rejected"},
		{"a write without an answer leaves one row", nil, fresh, write, answers{firstKey: rejected, secondKey: outage}, 0, domain.VoiceflowUnavailable, both, bad, ok, "mark_key forward unknown"},
		{"what may be refused for itself marks nothing", nil, fresh, ofOthers, answers{firstKey: rejected, secondKey: rejected}, 0, domain.CredentialsRejected, both, ok, ok, "forward rejected"},
		{"but where the other key is taken for the same", nil, fresh, ofOthers, answers{firstKey: rejected, secondKey: fine}, 200, "", both, bad, ok, "mark_key forward ok"},
		{"which an error does not show", nil, fresh, ofOthers, answers{firstKey: rejected, secondKey: status(404)}, 404, "", both, ok, ok, "forward status_404"},
		{"a primary that does not open", []domain.Slot{domain.SlotPrimary}, fresh, talk, answers{secondKey: fine}, 200, "", both[1:], reenter, ok, "mark_key"},
		{"a secondary that does not open is not looked at", []domain.Slot{domain.SlotSecondary}, fresh, talk, answers{firstKey: fine}, 200, "", both[:1], ok, ok, ""},
		{"but where the primary is refused", []domain.Slot{domain.SlotSecondary}, fresh, talk, answers{firstKey: rejected}, 0, domain.CredentialsRejected, both[:1], bad, reenter, "mark_key mark_key"},
		{"neither opens", []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}, fresh, talk, nil, 0, domain.NeedsReentry, nil, reenter, reenter, "mark_key mark_key"},
		{"one key alone that does not open", []domain.Slot{domain.SlotPrimary}, [2]domain.KeyStatus{ok, none}, talk, nil, 0, domain.NeedsReentry, nil, reenter, none, "mark_key"},
		{"one key alone that was marked and is good", nil, [2]domain.KeyStatus{reenter, none}, talk, answers{firstKey: fine}, 200, "", both[:1], ok, none, "mark_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.project(t, "Bot", versionID)
			call, by := w.talker(t, "ben", p, "converse", "transcripts", "transcripts:delete")
			if tc.marked[1] != none {
				p = w.setToken(t, p, "secondary", secondKey)
			}
			for _, slot := range tc.spoiled {
				p = w.spoil(t, p, slot)
			}
			w.after(time.Second)
			for slot, status := range map[domain.Slot]domain.KeyStatus{domain.SlotPrimary: tc.marked[0], domain.SlotSecondary: tc.marked[1]} {
				if status == none {
					continue
				}
				_, err := w.store.Ports().Projects.Update(t.Context(), act(domain.ActionMarkKey), p.ID, func(p *domain.Project) error {
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
			came := w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) { return tc.answers[s.key](f, s) })
			before, was := len(w.store.Records()), w.stored(t, p)
			by.Service, by.Path = tc.call[0], tc.call[2]
			code, err := w.use(t, by, tc.call[1], `{"say":"once"}`)
			wantKind(t, err, tc.kind)
			if code != tc.code {
				t.Errorf("got status %d, want %d", code, tc.code)
			}
			var keys []string
			for _, s := range came() {
				keys = append(keys, s.key)
				if s.body != `{"say":"once"}` {
					t.Errorf("Voiceflow got the body %q", s.body)
				}
			}
			if !slices.Equal(keys, tc.keys) {
				t.Errorf("Voiceflow got the keys %q, want %q", keys, tc.keys)
			}
			is := w.stored(t, p)
			wantStatuses(t, is, tc.primary, tc.secondary)
			if news := is.Primary.Status != was.Primary.Status || is.Secondary.Status != was.Secondary.Status; !news && !is.Equal(was) {
				t.Errorf("without news the project was changed from %+v to %+v", was, is)
			}
			var rows []string
			for _, r := range w.store.Records()[before:] {
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
			if tc.kind == domain.NeedsReentry && !strings.Contains(err.Error(), "Bot can't be opened; an admin has to set it again") {
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
			p := w.project(t, "Bot", versionID)
			_, by := w.talker(t, "ben", p, "converse", "analytics")
			if tc.two {
				p = w.setToken(t, p, "secondary", secondKey)
			}
			came := w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
				if s.key == tc.rejects {
					return rejected(f, s)
				}
				return fine(f, s)
			})
			by.Service, by.Path = tc.service, tc.path
			for _, kind := range []domain.Kind{tc.first, tc.then} {
				_, err := w.use(t, by, "POST", tc.body)
				wantKind(t, err, kind)
			}
			got := came()
			if len(got) != tc.calls {
				t.Errorf("Voiceflow was called %d times, want %d", len(got), tc.calls)
			}
			for _, s := range got {
				if s.body != tc.body {
					t.Errorf("Voiceflow got a body of %d bytes, want %d", len(s.body), len(tc.body))
				}
			}
			if is := w.stored(t, p); is.Primary.Status != tc.afterward {
				t.Errorf("the primary key is marked %q, want %q", is.Primary.Status, tc.afterward)
			}
		})
	}
	t.Run("a body that breaks off is sent nowhere", func(t *testing.T) {
		w := newWorld(t)
		p := w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey)
		_, by := w.talker(t, "ben", p)
		came := w.voiceflow.forwardTo(fine)
		in := turn("x", by)
		r := request("POST", in.Path, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
		_, err := w.Forward(t.Context(), domain.Call{}, in, r)
		wantKind(t, err, domain.Invalid)
		if len(came()) != 0 {
			t.Error("it was sent")
		}
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBoom }

// A v4 session is renewed with the other key, too, and the turn is said once.
func TestV4SessionsAreRenewedWithTheOtherKey(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey)
	_, ben := w.talker(t, "ben", p)
	keys, good, live := 0, map[string]bool{}, map[string]bool{firstKey: true, secondKey: true}
	var said []string
	came := w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		switch {
		case f.Route.Endpoint.Starts && live[s.key]:
			keys++
			key := fmt.Sprint("session-key-", keys)
			good[key] = true
			return starts(f, key), nil
		case good[s.key]:
			said = append(said, s.body)
			return fine(f, s)
		}
		return rejected(f, s)
	})
	alone := w.openSession(t, ben)

	live, good = map[string]bool{secondKey: true}, map[string]bool{}
	before := len(came())
	_, err := w.use(t, alone, "POST", "one")
	wantKind(t, err, "")
	var got []string
	for _, s := range came()[before:] {
		got = append(got, s.key)
	}
	if want := []string{"session-key-1", firstKey, secondKey, "session-key-2"}; !slices.Equal(got, want) {
		t.Errorf("Voiceflow got the keys %q, want %q", got, want)
	}
	wantStatuses(t, w.stored(t, p), domain.KeyRejected, domain.KeyOK)

	live, good = map[string]bool{}, map[string]bool{}
	_, err = w.use(t, alone, "POST", "two")
	wantKind(t, err, domain.CredentialsRejected)
	wantStatuses(t, w.stored(t, p), domain.KeyRejected, domain.KeyRejected)

	live = map[string]bool{firstKey: true}
	_, err = w.use(t, alone, "POST", "three")
	wantKind(t, err, "")
	wantStatuses(t, w.stored(t, p), domain.KeyOK, domain.KeyRejected)
	if want := []string{"one", "three"}; !slices.Equal(said, want) {
		t.Errorf("Voiceflow heard %q, want %q", said, want)
	}

	p = w.spoil(t, w.spoil(t, p, domain.SlotPrimary), domain.SlotSecondary)
	good = map[string]bool{}
	_, err = w.use(t, alone, "POST", "four")
	wantKind(t, err, domain.NeedsReentry)
	wantStatuses(t, w.stored(t, p), domain.KeyNeedsReentry, domain.KeyNeedsReentry)
}

// After one was promoted at Voiceflow both slots have the same key, which is sent once.
func TestOneKeyInBothSlotsIsSentOnce(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.project(t, "Bot", versionID), "secondary", firstKey)
	_, by := w.talker(t, "ben", p)
	came := w.voiceflow.forwardTo(rejected)
	for n := range 2 {
		_, err := w.use(t, turn("x", by), "POST", strings.Repeat("x", n<<20+n))
		wantKind(t, err, domain.CredentialsRejected)
		if got := came(); len(got) != n+1 {
			t.Errorf("Voiceflow was called %d times, want %d", len(got), n+1)
		}
		wantStatuses(t, w.stored(t, p), domain.KeyRejected, domain.KeyRejected)
	}
}

// A refusal of a key that was replaced while it was being used says nothing of the new one.
func TestARefusalOfAKeyThatWasReplacedMarksNothing(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, by := w.talker(t, "ben", p)
	w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		w.after(time.Second)
		p = w.setToken(t, p, "", secondKey)
		return rejected(f, s)
	})
	_, err := w.use(t, turn("x", by), "POST", "{}")
	wantKind(t, err, domain.CredentialsRejected)
	wantStatuses(t, w.stored(t, p), domain.KeyOK, domain.KeyNone)
}

// TestAnAssistantThatNoKeyOpensIsNotSet spoils keys, and lets the service look.
func TestAnAssistantThatNoKeyOpensIsNotSet(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey)
	member, _ := w.talker(t, "ben", p)
	w.spoil(t, p, domain.SlotPrimary)
	if err := w.Keyset().MarkUnopened(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.set(t, member, p) // by the other key
	w.spoil(t, p, domain.SlotSecondary)
	if err := w.Keyset().MarkUnopened(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, call := range []domain.Call{member, w.admin} {
		_, err := w.SetProject(t.Context(), call, string(p.ID))
		wantKind(t, err, domain.NeedsReentry)
	}
	w.user(t, w.admin, "eve", "member")
	eve, _ := w.login(t, "eve", false)
	_, err := w.SetProject(t.Context(), eve, string(p.ID))
	wantKind(t, err, domain.NotAllowed)
	w.setToken(t, w.stored(t, p), "primary", firstKey)
	w.set(t, member, p)
}

// TestNoKeyIsKeptUnderAKeysetThatIsNotTheDatabases has the database taken over by a keyset
// that the service does not have, as a restore beside it does.
func TestNoKeyIsKeptUnderAKeysetThatIsNotTheDatabases(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	foreign := memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	err := w.store.Ports().Installation.Prepare(t.Context(), func(is domain.Installation) (domain.Installation, error) {
		var err error
		is.Known, err = foreign.Seal(domain.NewSecret("flowlatch"), domain.BindKnownValue(is.Origin))
		return is, err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := len(w.store.Records())
	const other = "6371c9b4e1a5b2c3d4e5f6ab"
	w.voiceflow.put(other, domain.Export{Project: voiceflowID, Name: "Other"})
	_, err = w.AddProject(t.Context(), w.admin, app.AddProject{Version: other, Key: domain.NewSecret(firstKey)})
	wantKind(t, err, domain.Unavailable)
	_, err = w.SetToken(t.Context(), w.admin, app.SetToken{Project: string(p.ID), Key: domain.NewSecret(secondKey), Slot: "secondary"})
	wantKind(t, err, domain.Unavailable)
	if got := w.stored(t, p); !got.Equal(p) || len(w.store.Records()) != before {
		t.Errorf("stored is %+v, and the audit has %v", got, w.actions(before))
	}
}
