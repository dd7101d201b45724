package domain_test

import (
	stdcmp "cmp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/domain"
)

func TestParseDay(t *testing.T) {
	for text, want := range map[string]domain.Day{
		"2026-11-25": "2026-11-25", " 2024-02-29\n": "2024-02-29", "0001-01-01": "0001-01-01", "9999-12-31": "9999-12-31",
	} {
		if got, err := domain.ParseDay("from", text); got != want || err != nil {
			t.Errorf("ParseDay(%q): got %q and error %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-1-2", "20261125", "2026/11/25", "25.11.2026", "0000-01-01",
		"-001-01-01", "10000-01-01", "2026-11-25T00:00:00Z", "2026-11-25 0", "today", "2026-11-2\x005",
	} {
		got, err := domain.ParseDay("from", text)
		wantKind(t, err, domain.Invalid)
		if got != "" || err != nil && !strings.Contains(err.Error(), "from") {
			t.Errorf("ParseDay(%q): got %q and error %v, want an error that names the parameter", text, got, err)
		}
	}
}

func TestADayIsOneInUTC(t *testing.T) {
	at := time.Date(2026, 11, 25, 0, 30, 0, 0, time.FixedZone("", 3600))
	if got := domain.DayOf(at); got != "2026-11-24" {
		t.Errorf("day of %v: got %s, want 2026-11-24", at, got)
	}
}

func TestNewUsageQuery(t *testing.T) {
	// 00:30 in UTC is the evening before in New York, whose clocks went back 29 days ago or less.
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 0, 30, 0, 0, time.UTC).In(newYork)
	all := domain.UsageFields()
	for _, tc := range []struct {
		name, from, to, groupBy string
		want                    domain.UsageQuery
		kind                    domain.Kind
	}{
		{"nothing is the last 30 days by everything", "", " ", "", domain.UsageQuery{From: "2026-10-27", To: "2026-11-25", GroupBy: all}, ""},
		{"both days are as they are given", "2026-01-01", "2026-01-31", "", domain.UsageQuery{From: "2026-01-01", To: "2026-01-31", GroupBy: all}, ""},
		{"one day is a time", "2026-01-01", "2026-01-01", "", domain.UsageQuery{From: "2026-01-01", To: "2026-01-01", GroupBy: all}, ""},
		{"from alone goes until today", "2026-01-01", "", "", domain.UsageQuery{From: "2026-01-01", To: "2026-11-25", GroupBy: all}, ""},
		{"to alone is the 30 days until then", "", "2026-01-31", "", domain.UsageQuery{From: "2026-01-02", To: "2026-01-31", GroupBy: all}, ""},
		{"days to come may be asked for", "2026-11-25", "2027-01-01", "", domain.UsageQuery{From: "2026-11-25", To: "2027-01-01", GroupBy: all}, ""},
		{"from behind to is refused", "2026-01-02", "2026-01-01", "", domain.UsageQuery{}, domain.Invalid},
		{"from behind today is refused", "2026-11-26", "", "", domain.UsageQuery{}, domain.Invalid},
		{"what is no day is refused in from", "yesterday", "", "", domain.UsageQuery{}, domain.Invalid},
		{"what is no day is refused in to", "", "2026-02-30", "", domain.UsageQuery{}, domain.Invalid},
		{"one field is a group", "2026-01-01", "2026-01-01", "user", domain.UsageQuery{From: "2026-01-01", To: "2026-01-01", GroupBy: []domain.UsageField{"user"}}, ""},
		{"fields come in their own order", "2026-01-01", "2026-01-01", " scope, day ,project", domain.UsageQuery{From: "2026-01-01", To: "2026-01-01", GroupBy: []domain.UsageField{"day", "project", "scope"}}, ""},
		{"all fields may be named", "2026-01-01", "2026-01-01", "token,scope,day,user,project", domain.UsageQuery{From: "2026-01-01", To: "2026-01-01", GroupBy: all}, ""},
		{"an unknown field is refused", "", "", "day,month", domain.UsageQuery{}, domain.Invalid},
		{"a field that comes twice is refused", "", "", "day,day", domain.UsageQuery{}, domain.Invalid},
		{"an empty field is refused", "", "", "day,", domain.UsageQuery{}, domain.Invalid},
		{"commas alone are refused", "", "", ",", domain.UsageQuery{}, domain.Invalid},
		{"capitals are refused", "", "", "Day", domain.UsageQuery{}, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.NewUsageQuery(tc.from, tc.to, tc.groupBy, now)
			wantKind(t, err, tc.kind)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
	if got := domain.UsageFields(); !cmp.Equal(got, all) {
		t.Errorf("UsageFields after queries: got %v, want %v", got, all)
	}
}

// A report goes on where its page ended, whatever it was grouped by.
func TestACursorOfUsageComesBack(t *testing.T) {
	user := rapid.Custom(func(t *rapid.T) domain.UserID {
		id, err := domain.ParseUserID(rapid.StringN(1, -1, 128).Draw(t, "user"))
		if err != nil {
			return uuid
		}
		return id
	})
	rapid.Check(t, func(t *rapid.T) {
		want := domain.UsageKey{
			Day:     rapid.SampledFrom([]domain.Day{"", "2026-11-25"}).Draw(t, "day"),
			Project: rapid.SampledFrom([]domain.ProjectID{"", uuid}).Draw(t, "project"),
			User:    rapid.OneOf(rapid.Just(domain.UserID("")), user).Draw(t, "user"),
			Token:   rapid.SampledFrom([]domain.TokenID{"", uuid}).Draw(t, "token"),
			Scope:   rapid.SampledFrom(append([]domain.Scope{""}, every...)).Draw(t, "scope"),
		}
		c, err := domain.ParseCursor(domain.UsageList, want.Cursor().Text(domain.UsageList))
		if err != nil {
			t.Fatalf("cursor of %+v: got error %v, want it back", want, err)
		}
		if got, err := domain.UsageKeyAt(c); err != nil || got == nil || *got != want {
			t.Fatalf("place of the cursor: got %+v and error %v, want %+v", got, err, want)
		}
	})
}

func TestACursorOfNoReportIsInvalid(t *testing.T) {
	for _, c := range []domain.Cursor{
		{ID: uuid, Name: "name"}, {ID: uuid, Name: "a\nb\nc\nd"}, {ID: uuid, Name: "a\nb\nc\nd\ne\nf"}, {ID: uuid, Name: "a\nb\nc\nd\ne"}, {ID: uuid},
	} {
		got, err := domain.UsageKeyAt(c)
		if wantKind(t, err, domain.Invalid); got != nil {
			t.Errorf("place of %+v: got %+v, want none", c, got)
		}
	}
	if got, err := domain.UsageKeyAt(domain.Cursor{}); got != nil || err != nil {
		t.Errorf("place of no cursor: got %+v and error %v, want none", got, err)
	}
}

func TestAKeyByFieldsHasThoseOnly(t *testing.T) {
	key := domain.UsageKey{Day: "2026-11-25", Project: "p", User: "u", Token: "t", Scope: "s"}
	for _, tc := range []struct {
		by   []domain.UsageField
		want domain.UsageKey
	}{
		{nil, domain.UsageKey{}},
		{[]domain.UsageField{"day"}, domain.UsageKey{Day: "2026-11-25"}},
		{[]domain.UsageField{"project"}, domain.UsageKey{Project: "p"}},
		{[]domain.UsageField{"user"}, domain.UsageKey{User: "u"}},
		{[]domain.UsageField{"token"}, domain.UsageKey{Token: "t"}},
		{[]domain.UsageField{"scope"}, domain.UsageKey{Scope: "s"}},
		{[]domain.UsageField{"project", "scope"}, domain.UsageKey{Project: "p", Scope: "s"}},
		{domain.UsageFields(), key},
	} {
		if got := key.By(tc.by); got != tc.want {
			t.Errorf("By(%v): got %+v, want %+v", tc.by, got, tc.want)
		}
	}
}

func TestKeysAreInTheOrderOfTheirFields(t *testing.T) {
	sorted := []domain.UsageKey{
		{}, {Scope: "s"}, {Token: "t"}, {Token: "t", Scope: "s"}, {User: "B"}, {User: "a", Scope: "s"}, {User: "ab"}, {User: "Ü"},
		{Project: "p"}, {Project: "p", User: "u"}, {Day: "2026-11-25"}, {Day: "2026-11-25", Project: "p"}, {Day: "2026-11-26"},
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := a.Compare(b), stdcmp.Compare(i, j); got != want {
				t.Errorf("Compare of %+v with %+v: got %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestUsageAddsUpUnderTheKeyOfTheFirst(t *testing.T) {
	u := domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25"}, Calls: 1, Errors: 2, Milliseconds: 3}
	got := u.Plus(domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-26"}, Calls: 10, Errors: 20, Milliseconds: 30})
	want := domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25"}, Calls: 11, Errors: 22, Milliseconds: 33}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
