package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

const personalKey = "vfp_abc_def"

func TestAPersonalKeyIsTriedByItsProjectAndStored(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Renamed"})
	w.after(time.Minute)
	rows, asked := len(w.store.Records()), len(w.voiceflow.asks)
	got := w.setToken(t, p, "personal", " "+personalKey+"\n")
	if is := w.stored(t, p); !got.Equal(is) || got.Name != "Bot" || !got.Primary.Equal(p.Primary) || !got.Secondary.Equal(p.Secondary) {
		t.Errorf("got %+v and stored is %+v, want only another personal key", got, is)
	}
	if k := got.Personal; k.Status != domain.KeyOK || !k.Set.Equal(w.now()) || !k.Checked.Equal(w.now()) {
		t.Errorf("got %+v", k)
	}
	key, err := w.cipher.Open(got.Personal.Sealed, domain.BindKey(p.ID, domain.SlotPersonal, w.voiceflow.origin))
	if err != nil || key.Reveal() != personalKey {
		t.Errorf("the personal key is another one, or does not open: %v", err)
	}
	if _, err := w.cipher.Open(got.Personal.Sealed, domain.BindKey(p.ID, domain.SlotPrimary, w.voiceflow.origin)); err == nil {
		t.Error("the personal key opens as the primary one")
	}
	if asks := w.voiceflow.asks[asked:]; !slices.Equal(asks, []domain.VersionRef{{Project: voiceflowID}}) {
		t.Errorf("Voiceflow was asked for %v, want the project", asks)
	}
	wantActions(t, w.actions(rows), "user set_token")
}

func TestAPersonalKeyThatIsRefusedChangesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	for _, tc := range []struct {
		name, slot, key string
		brings          error
		kind            domain.Kind
		asked           int
	}{
		{"one that Voiceflow refuses", "personal", personalKey, errRefused, domain.VoiceflowRejected, 1},
		{"an outage is no refusal", "personal", personalKey, errOutage, domain.VoiceflowUnavailable, 1},
		{"a project's key", "personal", firstKey, nil, domain.Invalid, 0},
		{"as the primary key", "", personalKey, nil, domain.Invalid, 0},
		{"as the secondary key", "secondary", personalKey, nil, domain.Invalid, 0},
		{"with its scheme", "personal", "Bearer " + personalKey, nil, domain.Invalid, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.voiceflow.refuse(map[string]error{personalKey: tc.brings})
			was, rows, asked := w.stored(t, p), len(w.store.Records()), w.voiceflow.asked
			_, err := w.SetToken(t.Context(), w.admin, app.SetToken{Project: string(p.ID), Key: domain.NewSecret(tc.key), Slot: tc.slot})
			wantKind(t, err, tc.kind)
			if is := w.stored(t, p); !is.Equal(was) || len(w.store.Records()) != rows {
				t.Errorf("it changed %+v to %+v", was, is)
			}
			if got := w.voiceflow.asked - asked; got != tc.asked {
				t.Errorf("Voiceflow was asked %d times, want %d", got, tc.asked)
			}
		})
	}
	_, err := w.AddProject(t.Context(), w.admin, app.AddProject{Version: "0123456789abcdef01234567", Key: domain.NewSecret(personalKey)})
	wantKind(t, err, domain.Invalid)
}

func TestCheckProjectTriesThePersonalKeyToo(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey), "personal", personalKey)
	for _, tc := range []struct {
		name       string
		refuses    map[string]error
		before     func()
		want       [3]domain.KeyStatus
		unanswered []domain.Slot
		actions    []string
	}{
		{"nothing is news", nil, nil, [3]domain.KeyStatus{domain.KeyOK, domain.KeyOK, domain.KeyOK}, nil, nil},
		{"it is over", map[string]error{personalKey: errRefused}, nil, [3]domain.KeyStatus{domain.KeyOK, domain.KeyOK, domain.KeyRejected}, nil,
			[]string{"user mark_key"}},
		{"an outage of its service", map[string]error{personalKey: errOutage}, nil, [3]domain.KeyStatus{domain.KeyOK, domain.KeyOK, domain.KeyRejected},
			[]domain.Slot{domain.SlotPersonal}, nil},
		{"it is the only one that is good", map[string]error{firstKey: errRefused, secondKey: errOutage}, nil,
			[3]domain.KeyStatus{domain.KeyRejected, domain.KeyOK, domain.KeyOK}, []domain.Slot{domain.SlotSecondary}, []string{"user mark_key", "user mark_key"}},
		{"it does not open", nil, func() { w.spoil(t, p, domain.SlotPersonal) },
			[3]domain.KeyStatus{domain.KeyOK, domain.KeyOK, domain.KeyNeedsReentry}, nil, []string{"user mark_key", "user mark_key"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.after(time.Minute)
			w.voiceflow.refuse(tc.refuses)
			if tc.before != nil {
				tc.before()
				w.after(time.Second)
			}
			rows := len(w.store.Records())
			got, err := w.CheckProject(t.Context(), w.admin, string(p.ID))
			if err != nil {
				t.Fatal(err)
			}
			if is := w.stored(t, p); !got.Project.Equal(is) || !slices.Equal(got.Unanswered, tc.unanswered) {
				t.Errorf("got %+v and stored is %+v", got, is)
			}
			for i, slot := range domain.Slots() {
				if status := got.Project.Key(slot).Status; status != tc.want[i] {
					t.Errorf("the %s key is marked %q, want %q", slot, status, tc.want[i])
				}
			}
			wantActions(t, w.actions(rows), tc.actions...)
		})
	}
	status, err := w.Keyset().Status(t.Context(), w.operator(t))
	if err != nil || len(status.Unopened) != 1 || status.Unopened[0].Ref.Slot != domain.SlotPersonal {
		t.Errorf("the status of the keyset has %+v and error %v, want the personal key", status.Unopened, err)
	}
}

func TestDeleteToken(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey), "personal", personalKey)
	member, _ := w.talker(t, "ben", p)
	for _, tc := range []struct {
		name, project, slot string
		call                domain.Call
		kind                domain.Kind
	}{
		{"a member", string(p.ID), "personal", member, domain.NotAllowed},
		{"the primary key", string(p.ID), "primary", w.admin, domain.Invalid},
		{"no slot", string(p.ID), "", w.admin, domain.Invalid},
		{"another slot", string(p.ID), "tertiary", w.admin, domain.Invalid},
		{"a name is no id", "Bot", "personal", w.admin, domain.Invalid},
		{"a project that does not exist", "01890000-0000-7000-8000-000000000404", "personal", w.admin, domain.NotFound},
	} {
		was, rows := w.stored(t, p), len(w.store.Records())
		_, err := w.DeleteToken(t.Context(), tc.call, app.DeleteToken{Project: tc.project, Slot: tc.slot})
		wantKind(t, err, tc.kind)
		if is := w.stored(t, p); !is.Equal(was) || len(w.store.Records()) != rows {
			t.Errorf("%s: it changed %+v to %+v", tc.name, was, is)
		}
	}
	asked := w.voiceflow.asked
	for _, slot := range []domain.Slot{domain.SlotPersonal, domain.SlotSecondary} {
		rows := len(w.store.Records())
		got, err := w.DeleteToken(t.Context(), w.admin, app.DeleteToken{Project: string(p.ID), Slot: string(slot)})
		if is := w.stored(t, p); err != nil || !got.Equal(is) || !is.Key(slot).Equal(domain.Key{Status: domain.KeyNone}) || !is.Primary.Equal(p.Primary) {
			t.Errorf("%s: got %+v and error %v, and stored is %+v", slot, got, err, is)
		}
		if all := w.store.Records()[rows:]; len(all) != 1 || all[0].Action != domain.ActionDeleteToken || all[0].Object != domain.OnSlot(p.ID, slot) {
			t.Errorf("%s: got the rows %+v, want one of what was deleted", slot, all)
		}
		rows = len(w.store.Records())
		_, err = w.DeleteToken(t.Context(), w.admin, app.DeleteToken{Project: string(p.ID), Slot: string(slot)})
		wantKind(t, err, domain.NotFound)
		if len(w.store.Records()) != rows {
			t.Errorf("%s: the second time left a row", slot)
		}
	}
	if w.voiceflow.asked != asked {
		t.Error("Voiceflow was asked")
	}
}

// TestAPersonalKeyRotatesWithTheKeyset re-encrypts a key in each slot, and retires the keyset key that
// sealed them.
func TestAPersonalKeyRotatesWithTheKeyset(t *testing.T) {
	w := newWorld(t)
	p := w.setToken(t, w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey), "personal", personalKey)
	old := p.Personal.Sealed.Key
	operator := w.operator(t)
	current, err := w.Keyset().Rotate(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Keyset().Retire(t.Context(), operator, []domain.KeyID{old}, true); domain.KindOf(err) != domain.Conflict {
		t.Errorf("retire of a keyset key that is needed: got error %v, want Conflict", err)
	}
	if _, err := w.Keyset().Reencrypt(t.Context(), operator, false, nil); err != nil {
		t.Fatal(err)
	}
	p = w.stored(t, p)
	for slot, want := range map[domain.Slot]string{domain.SlotPrimary: firstKey, domain.SlotSecondary: secondKey, domain.SlotPersonal: personalKey} {
		k := p.Key(slot)
		key, err := w.cipher.Open(k.Sealed, domain.BindKey(p.ID, slot, w.voiceflow.origin))
		if err != nil || key.Reveal() != want || k.Sealed.Key != current || k.Status != domain.KeyOK {
			t.Errorf("the %s key is another one, is sealed by %s, is marked %s, or does not open: %v", slot, k.Sealed.Key, k.Status, err)
		}
	}
	if _, err := w.Keyset().Retire(t.Context(), operator, []domain.KeyID{old}, true); err != nil {
		t.Errorf("retire of the old keyset key: got error %v", err)
	}
}
