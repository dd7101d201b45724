package domain_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestKeysAreTriedInOrder(t *testing.T) {
	const ok, bad, reenter, unchecked = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked
	first, second := domain.Sealed{Bytes: []byte("first")}, domain.Sealed{Bytes: []byte("second")}
	for _, tc := range []struct {
		primary, secondary domain.KeyStatus
		want               []domain.Slot
	}{
		{ok, domain.KeyNone, []domain.Slot{domain.SlotPrimary}},
		{bad, domain.KeyNone, []domain.Slot{domain.SlotPrimary}},
		{ok, ok, []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}},
		{ok, bad, []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}},
		{unchecked, ok, []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}},
		{bad, ok, []domain.Slot{domain.SlotSecondary, domain.SlotPrimary}},
		{bad, unchecked, []domain.Slot{domain.SlotSecondary, domain.SlotPrimary}},
		{reenter, ok, []domain.Slot{domain.SlotSecondary, domain.SlotPrimary}},
		{bad, reenter, []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}},
		{reenter, bad, []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}},
	} {
		a := domain.Access{Key: first, Project: domain.Project{KeyStatus: tc.primary, SecondaryStatus: tc.secondary}}
		if tc.secondary != domain.KeyNone {
			a.Secondary = second
		}
		var got []domain.Slot
		for _, k := range a.Keys() {
			got = append(got, k.Slot)
			if want := map[domain.Slot]string{domain.SlotPrimary: "first", domain.SlotSecondary: "second"}[k.Slot]; string(k.Key.Bytes) != want {
				t.Errorf("the %s key is %s", k.Slot, k.Key.Bytes)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("primary %s and secondary %s: got the order %v, want %v", tc.primary, tc.secondary, got, tc.want)
		}
	}
}

func TestMarkedIsOfOneSlot(t *testing.T) {
	p := domain.Project{KeyStatus: domain.KeyOK, SecondaryStatus: domain.KeyUnchecked}
	for slot, other := range map[domain.Slot]domain.Slot{domain.SlotPrimary: domain.SlotSecondary, domain.SlotSecondary: domain.SlotPrimary} {
		if marked := p.Marked(slot, domain.KeyRejected); marked.Status(slot) != domain.KeyRejected || marked.Status(other) != p.Status(other) {
			t.Errorf("marking the %s key gives %+v", slot, marked)
		}
	}
}

func TestParseSlot(t *testing.T) {
	for text, want := range map[string]domain.Slot{
		"": "primary", "  ": "primary", "primary": "primary", " secondary\n": "secondary",
		"Primary": "", "third": "", "primary\x00": "", "none": "",
	} {
		got, err := domain.ParseSlot(text)
		if got != want || (want == "") != errors.Is(err, domain.Invalid) {
			t.Errorf("ParseSlot(%q): got %q and error %v, want %q", text, got, err, want)
		}
	}
}

func TestDescribedBy(t *testing.T) {
	p := domain.Project{Name: "Bot", Platform: "webchat", Voiceflow: "6371c9b4e1a5b2c3d4e5f607"}
	for _, tc := range []struct {
		name   string
		export domain.Export
		want   domain.Description
	}{
		{"another name", domain.Export{Name: " Renamed\n", Platform: "alexa"}, domain.Description{Name: "Renamed", Platform: "alexa"}},
		{"no platform", domain.Export{Name: "Bot"}, domain.Description{Name: "Bot"}},
		{"no name", domain.Export{Project: p.Voiceflow, Name: "\t"}, domain.Description{Name: string(p.Voiceflow)}},
		{"text that can't be kept", domain.Export{Name: "a\x00\xff"}, domain.Description{Name: "a\uFFFD\uFFFD"}},
		{"a name of the greatest length", domain.Export{Name: strings.Repeat("n", 512)}, domain.Description{Name: strings.Repeat("n", 512)}},
		{"a name that is too long, and what is new beside it", domain.Export{Name: strings.Repeat("n", 513), Platform: "alexa"}, domain.Description{Name: "Bot", Platform: "alexa"}},
	} {
		if got := p.DescribedBy(tc.export); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestRefNamesTheProjectBesideAnAlias(t *testing.T) {
	p := domain.Project{Voiceflow: "6371c9b4e1a5b2c3d4e5f607"}
	for version, want := range map[string]domain.VoiceflowID{"6371c9b4e1a5b2c3d4e5f6aa": "", "production": p.Voiceflow} {
		p.Version = version
		if got := p.Ref(); got != (domain.VersionRef{Version: version, Project: want}) {
			t.Errorf("the version %s: got %+v", version, got)
		}
	}
}
