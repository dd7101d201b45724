package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/domain"
)

// every is every scope there is, in the one order.
var every = []domain.Scope{
	"converse", "state", "debug", "transcripts", "transcripts:delete", "analytics", "knowledge", "knowledge:write", "projects", "export",
	"manage", "manage:projects", "manage:users", "manage:grants", "manage:audit",
}

func TestParseScopes(t *testing.T) {
	for _, tc := range []struct {
		name string
		list []string
		want []domain.Scope
		kind domain.Kind
	}{
		{"one scope is a set", []string{"converse"}, []domain.Scope{"converse"}, ""},
		{"the order is no matter", []string{"export", "converse", "knowledge"}, []domain.Scope{"converse", "knowledge", "export"}, ""},
		{"white space around a scope goes", []string{" analytics\n"}, []domain.Scope{"analytics"}, ""},
		{"manage is a scope", []string{"manage"}, []domain.Scope{"manage"}, ""},
		{"parts of manage mix", []string{"manage:audit", "manage:users"}, []domain.Scope{"manage:users", "manage:audit"}, ""},
		{"an unknown part of manage is refused", []string{"manage:all"}, nil, domain.Invalid},
		{"knowledge:write has nothing of knowledge", []string{"knowledge:write"}, []domain.Scope{"knowledge:write"}, ""},
		{"an empty list is refused", []string{}, nil, domain.Invalid},
		{"no list is refused", nil, nil, domain.Invalid},
		{"an empty scope is refused", []string{""}, nil, domain.Invalid},
		{"an unknown scope is refused", []string{"converse", "build"}, nil, domain.Invalid},
		{"capitals are refused", []string{"Converse"}, nil, domain.Invalid},
		{"two in one are refused", []string{"converse export"}, nil, domain.Invalid},
		{"a part of a scope is refused", []string{"transcripts:"}, nil, domain.Invalid},
		{"everything at once is refused", []string{"*"}, nil, domain.Invalid},
		{"one that comes twice is refused", []string{"converse", "export", "converse"}, nil, domain.Invalid},
		{"one that comes twice in other white space is refused", []string{"converse", " converse"}, nil, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseScopes(tc.list)
			wantKind(t, err, tc.kind)
			if got != domain.ScopesOf(tc.want...) {
				t.Errorf("got %v, want %v", got.List(), tc.want)
			}
		})
	}
}

func TestTheErrorOfScopesNamesThemAll(t *testing.T) {
	_, err := domain.ParseScopes([]string{"everything"})
	if err == nil {
		t.Fatal("ParseScopes: got success, want an error")
	}
	for _, scope := range every {
		if !strings.Contains(err.Error(), string(scope)) {
			t.Errorf("got the error %q, want it to name %s", err, scope)
		}
	}
}

func TestAGrantHasNoManage(t *testing.T) {
	for _, list := range [][]string{{"manage"}, {"converse", "manage"}, {"manage:grants"}, {"converse", "manage:audit"}, {"build"}, {}} {
		got, err := domain.ParseGrantScopes(list)
		wantKind(t, err, domain.Invalid)
		if got != 0 {
			t.Errorf("scopes %v of a grant: got %v with the error, want none", list, got.List())
		}
	}
	got, err := domain.ParseGrantScopes([]string{"export", "converse"})
	if err != nil || got != domain.ScopesOf("converse", "export") {
		t.Errorf("got %v and error %v, want converse and export", got.List(), err)
	}
}

func TestNamedSetsOfScopes(t *testing.T) {
	if diff := cmp.Diff(every[:10], domain.AllScopes().List()); diff != "" {
		t.Errorf("all scopes are those of an assistant (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]domain.Scope{"converse"}, domain.DefaultScopes().List()); diff != "" {
		t.Errorf("default scopes (-want +got):\n%s", diff)
	}
	var none domain.Scopes
	if list := none.List(); list == nil || len(list) != 0 {
		t.Errorf("the list of no scopes: got %#v, want the empty list", list)
	}
	if none.Text() != "" || domain.ScopesFromText("") != none || domain.ScopesOf() != none {
		t.Error("the empty set is not the empty text")
	}
	for _, scope := range append(slices.Clone(every), "", "build") {
		if none.Has(scope) {
			t.Errorf("the empty set has %q", scope)
		}
	}
}

func TestWhatIsNoScopeIsInNoSet(t *testing.T) {
	all := domain.ScopesOf(every...)
	for _, text := range []domain.Scope{"", "build", "Converse", "converse ", "converse export"} {
		if all.Has(text) || domain.ScopesOf(text) != 0 {
			t.Errorf("%q is taken for a scope", text)
		}
	}
}

// Sets are stored as text, which outlives releases.
func TestTextOfScopes(t *testing.T) {
	for text, want := range map[string]domain.Scopes{
		"converse":        domain.ScopesOf("converse"),
		"converse export": domain.ScopesOf("export", "converse"),
		"converse state debug transcripts transcripts:delete analytics knowledge knowledge:write projects export": domain.AllScopes(),
		"manage": domain.ScopesOf("manage"),
		"":       0,
	} {
		if got := want.Text(); got != text {
			t.Errorf("text of %v: got %q, want %q", want.List(), got, text)
		}
		if got := domain.ScopesFromText(text); got != want {
			t.Errorf("scopes of %q: got %v, want %v", text, got.List(), want.List())
		}
	}
	if got := domain.ScopesFromText("build converse:all export"); got != domain.ScopesOf("export") {
		t.Errorf("scopes of a text with unknown words: got %v, want export alone", got.List())
	}
}

func TestScopesAreASet(t *testing.T) {
	draw := rapid.SliceOfDistinct(rapid.SampledFrom(every), rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		one, other := domain.ScopesOf(a...), domain.ScopesOf(b...)
		for _, scope := range every {
			if got, want := one.Has(scope), slices.Contains(a, scope); got != want {
				t.Fatalf("Has(%s) of %v: got %v, want %v", scope, a, got, want)
			}
			if got, want := one.And(other).Has(scope), slices.Contains(a, scope) && slices.Contains(b, scope); got != want {
				t.Fatalf("Has(%s) of %v and %v: got %v, want %v", scope, a, b, got, want)
			}
		}
		want := slices.DeleteFunc(slices.Clone(every), func(s domain.Scope) bool { return !slices.Contains(a, s) })
		if got := one.List(); !slices.Equal(got, want) {
			t.Fatalf("list: got %v, want %v", got, want)
		}
		if got := domain.ScopesFromText(one.Text()); got != one {
			t.Fatalf("scopes of %q: got %v, want %v", one.Text(), got.List(), want)
		}
		if len(a) == 0 {
			return
		}
		texts := make([]string, len(a))
		for i, scope := range a {
			texts[i] = string(scope)
		}
		if got, err := domain.ParseScopes(texts); err != nil || got != one {
			t.Fatalf("ParseScopes(%v): got %v and error %v, want %v", texts, got.List(), err, want)
		}
	})
}
