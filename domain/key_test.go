package domain_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// sealed is a sealed key that is told from others by its bytes.
func sealed(bytes string) domain.Sealed { return domain.Sealed{Key: "k", Bytes: []byte(bytes)} }

// aProject has a key of the status in each slot of a project's key, and a good personal key. The
// bytes of the sealed keys are first, second and third.
func aProject(primary, secondary domain.KeyStatus) domain.Project {
	p := domain.Project{
		Name:      "Bot",
		Primary:   domain.Key{Sealed: sealed("first"), Status: primary, Set: start, Checked: start},
		Secondary: domain.Key{Sealed: sealed("second"), Status: secondary, Set: start, Checked: start},
		Personal:  domain.Key{Sealed: sealed("third"), Status: domain.KeyOK, Set: start, Checked: start},
	}
	for _, k := range []*domain.Key{&p.Primary, &p.Secondary} {
		if k.Status == domain.KeyNone {
			*k = domain.Key{Status: domain.KeyNone}
		}
	}
	return p
}

// clone copies a project so that changes of its keys do not show in p.
func clone(p domain.Project) domain.Project {
	p.Primary.Sealed.Bytes, p.Secondary.Sealed.Bytes = bytes.Clone(p.Primary.Sealed.Bytes), bytes.Clone(p.Secondary.Sealed.Bytes)
	p.Personal.Sealed.Bytes = bytes.Clone(p.Personal.Sealed.Bytes)
	return p
}

func wantProject(t *testing.T, want, got domain.Project) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("project (-want +got):\n%s", diff)
	}
}

func TestKeysAreTriedInOrder(t *testing.T) {
	const ok, bad, reenter, unchecked = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked
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
		{domain.KeyNone, ok, []domain.Slot{domain.SlotSecondary}},
		{domain.KeyNone, domain.KeyNone, nil},
	} {
		var got []domain.Slot
		for _, k := range aProject(tc.primary, tc.secondary).KeysToTry(stableOrNot(t, false)) {
			got = append(got, k.Slot)
			if want := map[domain.Slot]string{domain.SlotPrimary: "first", domain.SlotSecondary: "second"}[k.Slot]; string(k.Key.Bytes) != want {
				t.Errorf("the %s key is %s", k.Slot, k.Key.Bytes)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("primary %s and secondary %s: got the order %v, want %v", tc.primary, tc.secondary, got, tc.want)
		}
	}
	if got := (domain.Project{}).KeysToTry(stableOrNot(t, true)); len(got) != 0 {
		t.Errorf("the zero project has the keys %v", got)
	}
}

// stableOrNot returns an endpoint that takes a personal key, or one that does not.
func stableOrNot(t *testing.T, stable bool) *domain.Endpoint {
	t.Helper()
	path := "/v1/transcript/0123456789abcdef01234567"
	service := domain.ServiceAnalytics
	if stable {
		path, service = "/v1/stable/transcript/0123456789abcdef01234567", domain.ServiceRealtime
	}
	route, err := domain.MatchEndpoint(string(service), "GET", path)
	if err != nil {
		t.Fatal(err)
	}
	return route.Endpoint
}

func TestAPersonalKeyIsTheOnlyOneForTheStableAPIAndForNothingElse(t *testing.T) {
	for _, status := range []domain.KeyStatus{domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked, domain.KeyNone} {
		p := aProject(domain.KeyOK, domain.KeyOK)
		p.Personal.Status = status
		stable, other := p.KeysToTry(stableOrNot(t, true)), p.KeysToTry(stableOrNot(t, false))
		want := []domain.Slot{domain.SlotPersonal}
		if status == domain.KeyNone {
			want = []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}
		}
		if got := slotsOf(stable); !slices.Equal(got, want) {
			t.Errorf("with a personal key that is %s, a call of the stable API tries %v, want %v", status, got, want)
		}
		if status != domain.KeyNone && string(stable[0].Key.Bytes) != "third" {
			t.Errorf("the personal key is %s", stable[0].Key.Bytes)
		}
		if got := slotsOf(other); !slices.Equal(got, []domain.Slot{domain.SlotPrimary, domain.SlotSecondary}) {
			t.Errorf("with a personal key that is %s, another call tries %v", status, got)
		}
		if used := p.UsesPersonal(stableOrNot(t, true)); used != (status != domain.KeyNone) || p.UsesPersonal(stableOrNot(t, false)) {
			t.Errorf("with a personal key that is %s, UsesPersonal is %v for the stable API", status, used)
		}
	}
}

func slotsOf(keys []domain.SlotKey) []domain.Slot {
	var all []domain.Slot
	for _, k := range keys {
		all = append(all, k.Slot)
	}
	return all
}

func TestOnlyAKeyThatIsThereAndNotThePrimaryOneCanBeDeleted(t *testing.T) {
	for text, want := range map[string]domain.Slot{"secondary": domain.SlotSecondary, " personal\n": domain.SlotPersonal} {
		slot, err := domain.ParseSlotToEmpty(text)
		if slot != want || err != nil {
			t.Fatalf("ParseSlotToEmpty(%q): got %q and error %v", text, slot, err)
		}
		p := aProject(domain.KeyOK, domain.KeyRejected)
		wanted := clone(p)
		if slot == domain.SlotSecondary {
			wanted.Secondary = domain.Key{Status: domain.KeyNone}
		} else {
			wanted.Personal = domain.Key{Status: domain.KeyNone}
		}
		wantKind(t, p.DeleteKey(slot), "")
		wantProject(t, wanted, p)
		wantKind(t, p.DeleteKey(slot), domain.NotFound)
		wantProject(t, wanted, p)
	}
	for _, text := range []string{"", "primary", "Personal", "tertiary", "personal secondary"} {
		if _, err := domain.ParseSlotToEmpty(text); domain.KindOf(err) != domain.Invalid {
			t.Errorf("ParseSlotToEmpty(%q): got error %v, want Invalid", text, err)
		}
	}
}

func TestAProjectMayBeSetUnlessItIsKnownThatNoKeyOpens(t *testing.T) {
	const none, ok, bad, reenter, unchecked = domain.KeyNone, domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked
	for _, tc := range []struct {
		name               string
		primary, secondary domain.KeyStatus
		want               domain.Kind
	}{
		{"with a key that is good", ok, none, ""},
		{"with a key that Voiceflow rejected", bad, none, ""},
		{"with a key that was not checked", unchecked, none, ""},
		{"with a key that needs re-entry it may not", reenter, none, domain.NeedsReentry},
		{"with two keys that need re-entry it may not", reenter, reenter, domain.NeedsReentry},
		{"with a secondary key that is good", reenter, ok, ""},
		{"with a secondary key that Voiceflow rejected", reenter, bad, ""},
		{"with a secondary key that was not checked", reenter, unchecked, ""},
		{"with a secondary key that needs re-entry and a good primary one", ok, reenter, ""},
		{"with a secondary key alone", none, ok, ""},
		{"with a secondary key alone that needs re-entry it may not", none, reenter, domain.NeedsReentry},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := aProject(tc.primary, tc.secondary).MayBeSet()
			wantKind(t, err, tc.want)
			if err != nil && !strings.Contains(err.Error(), "Bot") {
				t.Errorf("the error %q does not name the project", err)
			}
		})
	}
}

func TestPutKeyReplacesTheKeyOfOneSlot(t *testing.T) {
	at := start.Add(time.Hour)
	want := domain.Key{Sealed: sealed("new"), Status: domain.KeyOK, Set: at, Checked: at.Add(-time.Second)}
	for _, status := range []domain.KeyStatus{domain.KeyNone, domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked} {
		for _, slot := range domain.Slots() {
			p := aProject(status, status)
			wanted := clone(p)
			switch slot {
			case domain.SlotPrimary:
				wanted.Primary = want
			case domain.SlotSecondary:
				wanted.Secondary = want
			case domain.SlotPersonal:
				wanted.Personal = want
			}
			p.PutKey(slot, sealed("new"), at.Add(999).In(time.FixedZone("", 3600)), at.Add(-time.Second))
			wantProject(t, wanted, p)
			if got := p.Key(slot); !got.Equal(want) || got.Set.Location() != time.UTC {
				t.Errorf("the %s key: got %+v, want %+v", slot, got, want)
			}
		}
	}
}

func TestMarkRecordsTheNewestNewsOfTheKeyThatWasAsked(t *testing.T) {
	const ok, rejected, reenter = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry
	checked := func(k domain.Key, status domain.KeyStatus, at time.Time) domain.Key {
		k.Status, k.Checked = status, at
		return k
	}
	later := start.Add(time.Minute)
	both := aProject(ok, ok)
	for _, tc := range []struct {
		name    string
		project domain.Project
		of      domain.Sealed
		status  domain.KeyStatus
		at      time.Time
		primary domain.Key
		second  domain.Key
		news    bool
	}{
		{"a primary key that was rejected", both, sealed("first"), rejected, later, checked(both.Primary, rejected, later), both.Secondary, true},
		{"a secondary key that was rejected", both, sealed("second"), rejected, later, both.Primary, checked(both.Secondary, rejected, later), true},
		{"the same again is no news, and it was checked", both, sealed("first"), ok, later, checked(both.Primary, ok, later), both.Secondary, false},
		{"news of the same instant count", both, sealed("first"), rejected, start, checked(both.Primary, rejected, start), both.Secondary, true},
		{"news of less than a microsecond before are of the same instant", both, sealed("first"), rejected, start.Add(999), checked(both.Primary, rejected, start), both.Secondary, true},
		{"older news change nothing", both, sealed("first"), rejected, start.Add(-time.Microsecond), both.Primary, both.Secondary, false},
		{"older news that say the same do not take the time back", both, sealed("first"), ok, start.Add(-time.Hour), both.Primary, both.Secondary, false},
		{"news of a key that was replaced change nothing", both, sealed("gone"), rejected, later, both.Primary, both.Secondary, false},
		{"news of the same bytes under another keyset key change nothing", both, domain.Sealed{Key: "other", Bytes: []byte("first")}, rejected, later, both.Primary, both.Secondary, false},
		{"news of no key change nothing", both, domain.Sealed{}, rejected, later, both.Primary, both.Secondary, false},
		{"news of an empty slot change nothing", aProject(ok, domain.KeyNone), domain.Sealed{}, rejected, later, both.Primary, domain.Key{Status: domain.KeyNone}, false},
		{"a rejected key that is accepted", aProject(rejected, ok), sealed("first"), ok, later, checked(both.Primary, ok, later), both.Secondary, true},
		{"a key that needed re-entry and was accepted", aProject(reenter, ok), sealed("first"), ok, later, checked(both.Primary, ok, later), both.Secondary, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := clone(tc.project)
			if news := p.Mark(tc.of, tc.status, tc.at); news != tc.news {
				t.Errorf("news: got %v, want %v", news, tc.news)
			}
			want := clone(tc.project)
			want.Primary, want.Secondary = tc.primary, tc.second
			wantProject(t, want, p)
		})
	}
}

// A call that was under way when an admin set a key brings news of the key that it was made
// with, whichever slot the admin chose.
func TestNewsOfACallThatWasUnderWayWhenAKeyWasSet(t *testing.T) {
	asked, set := start.Add(time.Minute), start.Add(2*time.Minute)
	t.Run("the other slot was set meanwhile, so the news count", func(t *testing.T) {
		p := aProject(domain.KeyOK, domain.KeyOK)
		p.PutKey(domain.SlotSecondary, sealed("new"), set, set)
		if !p.Mark(sealed("first"), domain.KeyRejected, asked) || p.Primary.Status != domain.KeyRejected || !p.Primary.Checked.Equal(asked) {
			t.Errorf("primary key: got %+v, want it rejected", p.Primary)
		}
		if want := (domain.Key{Sealed: sealed("new"), Status: domain.KeyOK, Set: set, Checked: set}); !p.Secondary.Equal(want) {
			t.Errorf("secondary key: got %+v, want %+v", p.Secondary, want)
		}
	})
	t.Run("the same slot was set meanwhile, so the news are of a key that is gone", func(t *testing.T) {
		p := aProject(domain.KeyOK, domain.KeyOK)
		p.PutKey(domain.SlotPrimary, sealed("new"), set, set)
		want := clone(p)
		if p.Mark(sealed("first"), domain.KeyRejected, set.Add(time.Minute)) {
			t.Error("news of a key that is gone are news")
		}
		wantProject(t, want, p)
	})
	t.Run("news of the new key from before it was set are older", func(t *testing.T) {
		p := aProject(domain.KeyOK, domain.KeyOK)
		p.PutKey(domain.SlotPrimary, sealed("new"), set, set)
		if p.Mark(sealed("new"), domain.KeyRejected, asked) || p.Primary.Status != domain.KeyOK {
			t.Errorf("primary key: got %+v, want it unchanged", p.Primary)
		}
	})
	t.Run("two calls that answer in the other order leave the later one's news", func(t *testing.T) {
		p := aProject(domain.KeyOK, domain.KeyOK)
		p.Mark(sealed("first"), domain.KeyOK, set)
		if p.Mark(sealed("first"), domain.KeyRejected, asked) || p.Primary.Status != domain.KeyOK || !p.Primary.Checked.Equal(set) {
			t.Errorf("primary key: got %+v, want it accepted at %v", p.Primary, set)
		}
	})
}

func TestMarkOpensRecordsWhetherAKeyCanBeOpened(t *testing.T) {
	const ok, rejected, reenter, unchecked = domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked
	for _, tc := range []struct {
		name   string
		was    domain.KeyStatus
		of     domain.Sealed
		opens  bool
		want   domain.KeyStatus
		itNews bool
	}{
		{"a good key that can't be opened needs re-entry", ok, sealed("second"), false, reenter, true},
		{"a rejected key that can't be opened needs re-entry", rejected, sealed("second"), false, reenter, true},
		{"an unchecked key that can't be opened needs re-entry", unchecked, sealed("second"), false, reenter, true},
		{"a key that still can't be opened is no news", reenter, sealed("second"), false, reenter, false},
		{"a key that can be opened again is unchecked", reenter, sealed("second"), true, unchecked, true},
		{"a good key that can be opened is no news", ok, sealed("second"), true, ok, false},
		{"a rejected key that can be opened stays rejected", rejected, sealed("second"), true, rejected, false},
		{"a key that was replaced changes nothing", ok, sealed("gone"), false, ok, false},
		{"no key changes nothing", ok, domain.Sealed{}, false, ok, false},
		{"an empty slot stays empty", domain.KeyNone, domain.Sealed{}, false, domain.KeyNone, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := aProject(ok, tc.was)
			want := clone(p)
			want.Secondary.Status = tc.want // and neither the times nor the other slot
			if news := p.MarkOpens(tc.of, tc.opens); news != tc.itNews {
				t.Errorf("news: got %v, want %v", news, tc.itNews)
			}
			wantProject(t, want, p)
		})
	}
}

// A list leaves the sealed bytes out, so its projects can't be marked.
func TestAProjectWithoutItsSealedBytesIsNotMarked(t *testing.T) {
	p := aProject(domain.KeyOK, domain.KeyOK)
	p.Primary.Sealed, p.Secondary.Sealed = domain.Sealed{}, domain.Sealed{}
	want := clone(p)
	if p.Mark(domain.Sealed{}, domain.KeyRejected, start.Add(time.Minute)) || p.MarkOpens(domain.Sealed{}, false) {
		t.Error("there is news of no key")
	}
	wantProject(t, want, p)
}

func TestMarksAreOfOneSlot(t *testing.T) {
	for of, slot := range map[string]domain.Slot{"first": domain.SlotPrimary, "second": domain.SlotSecondary} {
		other := map[domain.Slot]domain.Slot{domain.SlotPrimary: domain.SlotSecondary, domain.SlotSecondary: domain.SlotPrimary}[slot]
		p := aProject(domain.KeyOK, domain.KeyUnchecked)
		was := p.Key(other)
		if p.Mark(sealed(of), domain.KeyRejected, start); p.Key(slot).Status != domain.KeyRejected || !p.Key(other).Equal(was) {
			t.Errorf("marking the %s key gives %+v", slot, p)
		}
	}
}

func TestDescribeAndMarkCreditsTellNews(t *testing.T) {
	p := domain.Project{Name: "Bot", Platform: "webchat", Credits: domain.CreditsOK}
	for _, tc := range []struct {
		name   string
		change func() bool
		news   bool
		want   domain.Project
	}{
		{"the same description", func() bool { return p.Describe(domain.Description{Name: "Bot", Platform: "webchat"}) }, false, p},
		{"another name", func() bool { return p.Describe(domain.Description{Name: "Tico", Platform: "webchat"}) }, true,
			domain.Project{Name: "Tico", Platform: "webchat", Credits: domain.CreditsOK}},
		{"another platform", func() bool { return p.Describe(domain.Description{Name: "Tico"}) }, true, domain.Project{Name: "Tico", Credits: domain.CreditsOK}},
		{"the same credits", func() bool { return p.MarkCredits(domain.CreditsOK) }, false, domain.Project{Name: "Tico", Credits: domain.CreditsOK}},
		{"used-up credits", func() bool { return p.MarkCredits(domain.CreditsUsedUp) }, true, domain.Project{Name: "Tico", Credits: domain.CreditsUsedUp}},
	} {
		if news := tc.change(); news != tc.news {
			t.Errorf("%s: news is %v, want %v", tc.name, news, tc.news)
		}
		wantProject(t, tc.want, p)
	}
}

func TestProjectsAreEqualInAllThatIsStored(t *testing.T) {
	p := aProject(domain.KeyOK, domain.KeyRejected)
	p.ID, p.Voiceflow, p.Version, p.Platform, p.Credits = uuid, hex24, "main", "webchat", domain.CreditsOK
	p.Created, p.VoiceflowCreated = start, start
	same := clone(p)
	zone := time.FixedZone("", 3600)
	same.Created, same.VoiceflowCreated = start.In(zone), start.In(zone)
	same.Primary.Set, same.Primary.Checked = start.In(zone), start.In(zone)
	if !p.Equal(same) {
		t.Error("the same instants in another zone make another project")
	}
	for name, alter := range map[string]func(*domain.Project){
		"id":                 func(p *domain.Project) { p.ID = "other" },
		"name":               func(p *domain.Project) { p.Name = "other" },
		"Voiceflow id":       func(p *domain.Project) { p.Voiceflow = "other" },
		"version":            func(p *domain.Project) { p.Version = "other" },
		"platform":           func(p *domain.Project) { p.Platform = "other" },
		"credits":            func(p *domain.Project) { p.Credits = domain.CreditsUsedUp },
		"time":               func(p *domain.Project) { p.Created = start.Add(time.Microsecond) },
		"time at Voiceflow":  func(p *domain.Project) { p.VoiceflowCreated = start.Add(time.Microsecond) },
		"primary key":        func(p *domain.Project) { p.Primary.Sealed = sealed("other") },
		"keyset key":         func(p *domain.Project) { p.Primary.Sealed.Key = "other" },
		"secondary key":      func(p *domain.Project) { p.Secondary.Sealed = sealed("other") },
		"status of a key":    func(p *domain.Project) { p.Secondary.Status = domain.KeyOK },
		"time of a key":      func(p *domain.Project) { p.Secondary.Set = start.Add(time.Microsecond) },
		"check of a key":     func(p *domain.Project) { p.Secondary.Checked = start.Add(time.Microsecond) },
		"key that is gone":   func(p *domain.Project) { p.Secondary = domain.Key{Status: domain.KeyNone} },
		"keys the other way": func(p *domain.Project) { p.Primary, p.Secondary = p.Secondary, p.Primary },
	} {
		other := clone(p)
		alter(&other)
		if p.Equal(other) || other.Equal(p) {
			t.Errorf("a project with another %s is equal", name)
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
