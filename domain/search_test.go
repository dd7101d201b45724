package domain_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

func TestNamesAreSearchedInOneForm(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"small letters stay", "pizza palace", "pizza palace"},
		{"capitals become small letters", "Pizza PALACE", "pizza palace"},
		{"accents stay", "CAFÉ Äpfel", "café äpfel"},
		{"sharp s is ss", "Straße STRAẞE strasse", "strasse strasse strasse"},
		{"each i is the same", "İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"},
		{"each sigma is the same", "ΣΊΣΥΦΟΣ σίσυφος", "σίσυφοσ σίσυφοσ"},
		{"Cyrillic", "ПОМОЩНИК", "помощник"},
		{"a title case letter", "ǅ Ǆ", "ǆ ǆ"},
		{"the sign of the kelvin is k", "\u212a", "k"},
		{"a long s is s", "ſ", "s"},
		{"full-width letters are ASCII", "Ｂｏｔ １２！", "bot 12!"},
		{"ligatures are letters", "ﬁne oﬃce", "fine office"},
		{"white space is one space", " a\t\n b\u00a0\u3000c ", "a b c"},
		{"what nobody sees is left out", "soft\u00adhyphen zero\u200bwidth \u202eright\u202c", "softhyphen zerowidth right"},
		{"nothing but that is nothing", "\u200b \u200d", ""},
		{"emoji stay, without what joins them", "👩\u200d💻 ❤\ufe0f", "👩💻 ❤"},
		{"scripts without case stay", "客服助手 عميل मदद", "客服助手 عميل मदद"},
		{"patterns stay", `100% _ \ * '`, `100% _ \ * '`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := domain.SearchText(tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestEachCharacterIsSearchedWithoutItsCase(t *testing.T) {
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		form := domain.SearchText(string(r))
		for _, other := range []rune{unicode.SimpleFold(r), unicode.ToLower(r), unicode.ToUpper(r), unicode.ToTitle(r)} {
			if got := domain.SearchText(string(other)); got != form {
				t.Errorf("%q is %q, and %q is %q", r, form, other, got)
			}
		}
		if again := domain.SearchText(form); again != form {
			t.Errorf("%q is %q, and that is %q", r, form, again)
		}
		if !utf8.ValidString(form) || len(form) > 2*utf8.RuneLen(r) {
			t.Errorf("%q is %q", r, form)
		}
	}
}

func TestAFilterPicksProjects(t *testing.T) {
	const id, voiceflow, version = uuid, domain.VoiceflowID("6371c9b4e1a5b2c3d4e5f607"), "65f1c0ffee0123456789abcd"
	p := domain.Project{ID: id, Name: "Pizza Palace 100%", Voiceflow: voiceflow, Version: version, Credits: domain.CreditsOK}
	aliased := p
	aliased.Version = "Production"
	for _, tc := range []struct {
		name, search string
		p            domain.Project
		want         bool
	}{
		{"nothing", "", p, true},
		{"spaces", "  ", p, true},
		{"the name", "Pizza Palace 100%", p, true},
		{"a part of it in other letters", "za PAL", p, true},
		{"spaces around a part", " palace ", p, true},
		{"another name", "pasta", p, false},
		{"no pattern", "p%e", p, false},
		{"no pattern of one character", "p_zza", p, false},
		{"the sign of a pattern", "0%", p, true},
		{"the Id", strings.ToUpper(string(id)), p, true},
		{"a part of the Id", string(id[:8]), p, false},
		{"the Voiceflow project id", " " + strings.ToUpper(string(voiceflow)), p, true},
		{"a part of it", string(voiceflow[:8]), p, false},
		{"the version id", strings.ToUpper(version), p, true},
		{"an alias", "Production", aliased, true},
		{"an alias in other letters", "production", aliased, false},
		{"a part of an alias", "Prod", aliased, false},
		{"an invisible character", "\u200b", p, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := domain.ParseProjectFilter(tc.search, false)
			if err != nil || f.Picks(tc.p) != tc.want {
				t.Errorf("picked is %v, want %v; error %v", f.Picks(tc.p), tc.want, err)
			}
			if all := f.All(); all && !tc.want || all != (domain.SearchText(tc.search) == "") {
				t.Errorf("All is %v", all)
			}
		})
	}
	for _, text := range []string{"a\x00", "\xff", strings.Repeat("x", domain.MaxProjectName+1)} {
		_, err := domain.ParseProjectFilter(text, false)
		wantKind(t, err, domain.Invalid)
	}
}

func TestProjectsInTrouble(t *testing.T) {
	statuses := []domain.KeyStatus{domain.KeyOK, domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked, domain.KeyNone}
	troubled := map[domain.KeyStatus]bool{}
	for _, status := range domain.TroubledStatuses() {
		troubled[status] = true
	}
	for _, status := range statuses {
		if troubled[status] != status.Fails() {
			t.Errorf("a key that is %s is listed: %v, and fails: %v", status, troubled[status], status.Fails())
		}
		for _, slot := range domain.Slots() {
			for _, credits := range []domain.Credits{domain.CreditsOK, domain.CreditsUsedUp} {
				p := domain.Project{Credits: credits}
				switch slot {
				case domain.SlotPrimary:
					p.Primary.Status = status
				case domain.SlotSecondary:
					p.Secondary.Status = status
				default:
					p.Personal.Status = status
				}
				want := troubled[status] || credits == domain.CreditsUsedUp
				if got := p.InTrouble(); got != want || (domain.ProjectFilter{Trouble: true}).Picks(p) != want || (domain.ProjectFilter{Trouble: true}).All() {
					t.Errorf("%s key %s, credits %s: in trouble is %v, want %v", slot, status, credits, got, want)
				}
			}
		}
	}
}
