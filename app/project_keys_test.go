package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
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
		p.PutKey(slot, garbage, w.now(), w.now())
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
		{"a version that no longer exists", w.admin, good, func(v *voiceflow) { delete(v.exports, versionID) }, domain.VoiceflowRejected, 1},
		{"no key", w.admin, with(func(in *app.SetToken) { in.Key = domain.Secret{} }), nil, domain.Invalid, 0},
		{"another slot", w.admin, with(func(in *app.SetToken) { in.Slot = "Primary" }), nil, domain.Invalid, 0},
		{"a name is no id", w.admin, with(func(in *app.SetToken) { in.Project = "Bot" }), nil, domain.Invalid, 0},
		{"a project that does not exist", w.admin, with(func(in *app.SetToken) { in.Project = "01890000-0000-7000-8000-000000000404" }), nil, domain.NotFound, 0},
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
		{"that is no longer news", map[string]error{firstKey: errRefused}, nil, bad, ok, nil, both, nil},
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
			for i, slot := range []domain.Slot{domain.SlotPrimary, domain.SlotSecondary} {
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
		{"a project that does not exist", "01890000-0000-7000-8000-000000000404", w.admin, domain.NotFound},
	} {
		_, err := w.CheckProject(t.Context(), tc.call, tc.text)
		wantKind(t, err, tc.kind)
	}
	w.store.Break()
	_, err := w.CheckProject(t.Context(), w.admin, string(p.ID))
	wantKind(t, err, domain.Unavailable)
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
