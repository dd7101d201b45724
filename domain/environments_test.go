package domain_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// anEnvironmentID is the version id of an environment.
const anEnvironmentID = "65f1c0ffee0123456789abcd"

func TestEnvironmentsAreRead(t *testing.T) {
	many := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("env-%d", i)
		}
		return list
	}
	list := func(names ...string) domain.AllowedSpec { return domain.AllowedSpec{Names: names} }
	all := domain.AllowedSpec{All: true}
	for _, tc := range []struct {
		name    string
		spec    domain.EnvironmentsSpec
		version string
		want    domain.Environments // zero for a spec that is refused
		says    string
	}{
		{"nothing is the version alone", domain.EnvironmentsSpec{}, "main",
			domain.Environments{Default: "main", Allowed: []string{"main"}}, ""},
		{"nothing allows the draft of development, if that is the version", domain.EnvironmentsSpec{}, "development",
			domain.Environments{Default: "development", Allowed: []string{"development"}, AllowDraft: []string{"development"}}, ""},
		{"a default alone is the only one that is allowed", domain.EnvironmentsSpec{Default: "staging"}, "main",
			domain.Environments{Default: "staging", Allowed: []string{"staging"}}, ""},
		{"a list allows the draft of development, if that is in it", domain.EnvironmentsSpec{Allowed: list("main", "development")}, "main",
			domain.Environments{Default: "main", Allowed: []string{"main", "development"}, AllowDraft: []string{"development"}}, ""},
		{"all allows the draft of development", domain.EnvironmentsSpec{Default: "main", Allowed: all}, anEnvironmentID,
			domain.Environments{Default: "main", All: true, AllowDraft: []string{"development"}}, ""},
		{"all with an empty list of drafts allows no draft", domain.EnvironmentsSpec{Allowed: all, AllowDraft: []string{}}, "main",
			domain.Environments{Default: "main", All: true, AllowDraft: []string{}}, ""},
		{"all allows the draft of each environment that is named", domain.EnvironmentsSpec{Allowed: all, AllowDraft: []string{"main", "dev"}}, "main",
			domain.Environments{Default: "main", All: true, AllowDraft: []string{"main", "dev"}}, ""},
		{"a list keeps its order", domain.EnvironmentsSpec{Default: "b", Allowed: list("c", "b", "a"), AllowDraft: []string{"c", "a"}}, "main",
			domain.Environments{Default: "b", Allowed: []string{"c", "b", "a"}, AllowDraft: []string{"c", "a"}}, ""},
		{"names are trimmed", domain.EnvironmentsSpec{Default: " main\n", Allowed: list("\tmain ", " dev"), AllowDraft: []string{" dev "}}, "x",
			domain.Environments{Default: "main", Allowed: []string{"main", "dev"}, AllowDraft: []string{"dev"}}, ""},
		{"a version id is kept in lower case", domain.EnvironmentsSpec{Default: strings.ToUpper(anEnvironmentID), Allowed: list(anEnvironmentID, "Main")}, "x",
			domain.Environments{Default: anEnvironmentID, Allowed: []string{anEnvironmentID, "Main"}}, ""},
		{"an alias in other letters is another one", domain.EnvironmentsSpec{Allowed: list("main", "MAIN")}, "main",
			domain.Environments{Default: "main", Allowed: []string{"main", "MAIN"}}, ""},
		{"a version id as the default needs no project id", domain.EnvironmentsSpec{Default: anEnvironmentID}, "main",
			domain.Environments{Default: anEnvironmentID, Allowed: []string{anEnvironmentID}}, ""},
		{"the longest name is taken", domain.EnvironmentsSpec{Default: strings.Repeat("a", 64)}, "x",
			domain.Environments{Default: strings.Repeat("a", 64), Allowed: []string{strings.Repeat("a", 64)}}, ""},
		{"the longest list is taken", domain.EnvironmentsSpec{Allowed: list(many(100)...)}, "env-7",
			domain.Environments{Default: "env-7", Allowed: many(100)}, ""},
		{"an assistant that was added as all can name it by leaving it out", domain.EnvironmentsSpec{}, "all",
			domain.Environments{Default: "all", Allowed: []string{"all"}}, ""},

		{"a list without the default is refused", domain.EnvironmentsSpec{Default: "main", Allowed: list("dev")}, "dev", domain.Environments{}, "must contain the default"},
		{"a list without the version is refused, if no default is given", domain.EnvironmentsSpec{Allowed: list("dev")}, "main", domain.Environments{}, "must contain the default"},
		{"an empty list is refused", domain.EnvironmentsSpec{Allowed: domain.AllowedSpec{Names: []string{}}}, "main", domain.Environments{}, "must contain the default"},
		{"a name that comes twice is refused", domain.EnvironmentsSpec{Allowed: list("main", "dev", " main ")}, "main", domain.Environments{}, "environments.allowed has a name twice"},
		{"an id that comes twice in other letters is refused", domain.EnvironmentsSpec{Allowed: list("main", anEnvironmentID, strings.ToUpper(anEnvironmentID))}, "main", domain.Environments{}, "twice"},
		{"a draft that comes twice is refused", domain.EnvironmentsSpec{AllowDraft: []string{"main", "main"}}, "main", domain.Environments{}, "environments.allow_draft has a name twice"},
		{"a draft of what is not allowed is refused", domain.EnvironmentsSpec{AllowDraft: []string{"dev"}}, "main", domain.Environments{}, "add it to environments.allowed"},
		{"an empty name is refused", domain.EnvironmentsSpec{Allowed: list("main", " ")}, "main", domain.Environments{}, "a name in environments.allowed is missing"},
		{"a name with a dot is refused", domain.EnvironmentsSpec{Default: "v1.0"}, "main", domain.Environments{}, "environments.default can only contain"},
		{"a name that leaves a path is refused", domain.EnvironmentsSpec{Allowed: list("main", "../x")}, "main", domain.Environments{}, "can only contain"},
		{"a name in another script is refused", domain.EnvironmentsSpec{Default: "entwürfe"}, "main", domain.Environments{}, "can only contain"},
		{"a name with a line break is refused", domain.EnvironmentsSpec{Default: "a\nb"}, "main", domain.Environments{}, "control character"},
		{"a name that is too long is refused", domain.EnvironmentsSpec{AllowDraft: []string{strings.Repeat("a", 65)}}, "main", domain.Environments{}, "longer than 64 bytes"},
		{"the name all is refused as the default", domain.EnvironmentsSpec{Default: "all"}, "main", domain.Environments{}, "can't be all"},
		{"the name all is refused in a list", domain.EnvironmentsSpec{Allowed: list("main", "all")}, "main", domain.Environments{}, "can't be all"},
		{"the name all is refused among the drafts", domain.EnvironmentsSpec{Allowed: all, AllowDraft: []string{"all"}}, "main", domain.Environments{}, "can't be all"},
		{"a list that is too long is refused", domain.EnvironmentsSpec{Allowed: list(many(101)...)}, "env-7", domain.Environments{}, "more than 100 names"},
		{"a list of drafts that is too long is refused", domain.EnvironmentsSpec{Allowed: all, AllowDraft: many(101)}, "main", domain.Environments{}, "more than 100 names"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseEnvironments(tc.spec, tc.version)
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if tc.want.Pinned() {
				wantInvalid(t, err, tc.says)
				return
			}
			if err != nil {
				t.Error(err)
			}
			if again := domain.EnvironmentsFromText(got.Text()); !again.Equal(got) {
				t.Errorf("got %+v from the text %s", again, got.Text())
			}
			if again, err := domain.ParseEnvironments(*got.Spec(), "another"); (err != nil || !again.Equal(got)) && got.Default != "all" {
				t.Errorf("got %+v and error %v from the spec of what was read", again, err)
			}
		})
	}
}

// wantInvalid fails the test unless err is Invalid and says that.
func wantInvalid(t *testing.T, err error, says string) {
	t.Helper()
	if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), says) {
		t.Errorf("got error %v, want one that says %q", err, says)
	}
}

// TestErrorsAboutEnvironmentsRepeatNoName pastes a key in each place where a name could be.
func TestErrorsAboutEnvironmentsRepeatNoName(t *testing.T) {
	const key = "vfp_canary0123456789canary"
	for _, spec := range []domain.EnvironmentsSpec{
		{Default: key, Allowed: domain.AllowedSpec{Names: []string{"main"}}},
		{Default: "VF.DM." + key},
		{Allowed: domain.AllowedSpec{Names: []string{"main", key, key}}},
		{Allowed: domain.AllowedSpec{Names: []string{"main", "VF.DM." + key}}},
		{AllowDraft: []string{key}},
		{AllowDraft: []string{strings.Repeat(key, 3)}},
	} {
		_, err := domain.ParseEnvironments(spec, "main")
		if domain.KindOf(err) != domain.Invalid || strings.Contains(err.Error(), "canary") {
			t.Errorf("got error %v for %+v", err, spec)
		}
	}
	err := domain.Project{Version: "main"}.MayLimitTo([]string{key})
	if domain.KindOf(err) != domain.Invalid || strings.Contains(err.Error(), "canary") {
		t.Errorf("got error %v", err)
	}
}

func TestTheListOfAllowedEnvironmentsIsAListOrAll(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       domain.AllowedSpec
		refused    bool
	}{
		{"a list", `["main","dev"]`, domain.AllowedSpec{Names: []string{"main", "dev"}}, false},
		{"an empty list", `[]`, domain.AllowedSpec{Names: []string{}}, false},
		{"all", `"all"`, domain.AllowedSpec{All: true}, false},
		{"all with white space", `" all\n"`, domain.AllowedSpec{All: true}, false},
		{"null is as if it were missing", `null`, domain.AllowedSpec{}, false},
		{"all in capitals", `"ALL"`, domain.AllowedSpec{}, true},
		{"the name of an environment", `"main"`, domain.AllowedSpec{}, true},
		{"an empty text", `""`, domain.AllowedSpec{}, true},
		{"a number", `7`, domain.AllowedSpec{}, true},
		{"true", `true`, domain.AllowedSpec{}, true},
		{"an object", `{"all":true}`, domain.AllowedSpec{}, true},
		{"a list with a number", `["main",7]`, domain.AllowedSpec{}, true},
		{"a list in a list", `[["main"]]`, domain.AllowedSpec{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got domain.AllowedSpec
			err := got.UnmarshalJSON([]byte(tc.text))
			if tc.refused {
				wantInvalid(t, err, "environments.allowed must be a list of names, or the text all")
				return
			}
			if d := cmp.Diff(tc.want, got); d != "" || err != nil {
				t.Errorf("error %v, -want +got\n%s", err, d)
			}
		})
	}
}

func TestEnvironmentsAreNamedInLists(t *testing.T) {
	for _, tc := range []struct {
		name          string
		names, drafts []string
		want          *domain.EnvironmentsSpec
	}{
		{"no lists pin the assistant", nil, nil, nil},
		{"the first is the default", []string{"main", "dev"}, nil,
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{Names: []string{"main", "dev"}}}},
		{"all among the others allows all", []string{"main", "all"}, []string{"dev"},
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{All: true, Names: []string{"main"}}, AllowDraft: []string{"dev"}}},
		{"all alone leaves the default out", []string{"all"}, nil, &domain.EnvironmentsSpec{Allowed: domain.AllowedSpec{All: true}}},
		{"all before the others", []string{"all", "main"}, nil,
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{All: true, Names: []string{"main"}}}},
		{"drafts alone leave the default out", nil, []string{"main"}, &domain.EnvironmentsSpec{AllowDraft: []string{"main"}}},
		{"an empty list of drafts is kept", []string{"main"}, []string{},
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{Names: []string{"main"}}, AllowDraft: []string{}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, domain.EnvironmentsNamed(tc.names, tc.drafts)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestATextThatNobodyWroteAllowsNothing(t *testing.T) {
	for name, text := range map[string]string{
		"no text":                        ``,
		"a name":                         `main`,
		"a JSON text":                    `"all"`,
		"null":                           `null`,
		"a list":                         `["main"]`,
		"an empty object":                `{}`,
		"no default":                     `{"default":"","allowed":"all","allow_draft":[]}`,
		"no allowed":                     `{"default":"main","allow_draft":[]}`,
		"null as allowed":                `{"default":"main","allowed":null,"allow_draft":[]}`,
		"a default that is not allowed":  `{"default":"main","allowed":["dev"],"allow_draft":[]}`,
		"a draft that is not allowed":    `{"default":"main","allowed":["main"],"allow_draft":["dev"]}`,
		"null as drafts":                 `{"default":"main","allowed":["main"],"allow_draft":null}`,
		"an unknown member":              `{"default":"main","allowed":"all","allow_draft":[],"deny":["dev"]}`,
		"a member twice":                 `{"default":"main","allowed":["main"],"allowed":"all","allow_draft":[]}`,
		"members in another order":       `{"allowed":"all","default":"main","allow_draft":[]}`,
		"a member in other letters":      `{"Default":"main","allowed":"all","allow_draft":[]}`,
		"all in other letters":           `{"default":"main","allowed":"ALL","allow_draft":[]}`,
		"white space":                    `{"default": "main", "allowed": "all", "allow_draft": []}`,
		"something behind it":            `{"default":"main","allowed":"all","allow_draft":[]} `,
		"the beginning of it":            `{"default":"main","allowed":"all","allow_dr`,
		"a number":                       `{"default":7,"allowed":"all","allow_draft":[]}`,
		"a wrong type among the allowed": `{"default":"main","allowed":["main",7],"allow_draft":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := domain.EnvironmentsFromText(text); !got.Equal(domain.Environments{}) || !got.Pinned() || got.Lists("main") || got.Lists("") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestEnvironmentsHaveOneForm(t *testing.T) {
	for _, tc := range []struct {
		name string
		is   domain.Environments
		want string
	}{
		{"a pinned assistant has none", domain.Environments{}, ``},
		{"a list", domain.Environments{Default: "main", Allowed: []string{"main", "dev"}, AllowDraft: []string{"dev"}}, `{"default":"main","allowed":["main","dev"],"allow_draft":["dev"]}`},
		{"all, without drafts", domain.Environments{Default: "main", All: true}, `{"default":"main","allowed":"all","allow_draft":[]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.is.Text(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if spec, err := json.Marshal(tc.is.Spec()); tc.want != "" && (err != nil || string(spec) != tc.want) {
				t.Errorf("got the spec %s and error %v, want %s", spec, err, tc.want)
			}
		})
	}
}

func TestAdminsSeeTheEnvironmentsOfAPinnedAssistant(t *testing.T) {
	perCall := domain.Environments{Default: "dev", All: true}
	for _, tc := range []struct {
		name string
		is   domain.Project
		mode string
		want domain.Environments
	}{
		{"its version alone", domain.Project{Version: "main"}, "pinned", domain.Environments{Default: "main", Allowed: []string{"main"}}},
		{"its version alone, which is the draft", domain.Project{Version: "development"}, "pinned",
			domain.Environments{Default: "development", Allowed: []string{"development"}, AllowDraft: []string{"development"}}},
		{"what an admin has set", domain.Project{Version: "main", Environments: perCall}, "per_call", perCall},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, tc.is.InEffect()); d != "" || tc.is.Environments.Mode() != tc.mode {
				t.Errorf("got the mode %s, want %s; -want +got\n%s", tc.is.Environments.Mode(), tc.mode, d)
			}
			if parsed, err := domain.ParseEnvironments(domain.EnvironmentsSpec{}, tc.is.Version); tc.mode == "pinned" && (err != nil || !parsed.Equal(tc.want)) {
				t.Errorf("got %+v and error %v for the same version without a spec", parsed, err)
			}
		})
	}
}

func TestAnAccessTokenIsLimitedToWhatTheAssistantAllows(t *testing.T) {
	listed := domain.Environments{Default: "main", Allowed: []string{"main", "dev", anEnvironmentID}}
	for _, tc := range []struct {
		name  string
		is    domain.Project
		names []string
		says  string // "" if it can be limited to these
	}{
		{"to none, which is no limit", domain.Project{Version: "main"}, nil, ""},
		{"to what is listed", domain.Project{Version: "x", Environments: listed}, []string{anEnvironmentID, "dev"}, ""},
		{"to anything, if all are allowed", domain.Project{Version: "x", Environments: domain.Environments{Default: "main", All: true}}, []string{"other", anEnvironmentID}, ""},
		{"to the version of a pinned assistant", domain.Project{Version: anEnvironmentID}, []string{anEnvironmentID}, ""},
		{"to the alias of a pinned assistant", domain.Project{Version: "main"}, []string{"main"}, ""},
		{"not to another version of a pinned assistant", domain.Project{Version: "main"}, []string{"main", "dev"}, "it allows main"},
		{"not to another id of a pinned assistant", domain.Project{Version: "main"}, []string{anEnvironmentID}, "name its alias"},
		{"not to an alias of a pinned assistant that was added by id", domain.Project{Version: anEnvironmentID}, []string{"main"}, "it allows " + anEnvironmentID},
		{"not to what is not listed", domain.Project{Version: "x", Environments: listed}, []string{"main", "x"}, "it allows main, dev, " + anEnvironmentID},
		{"not to an alias in other letters", domain.Project{Version: "x", Environments: listed}, []string{"Main"}, "it allows main"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.is.MayLimitTo(tc.names)
			if tc.says == "" && err != nil || tc.says != "" && err == nil {
				t.Errorf("got error %v", err)
			}
			if tc.says != "" {
				wantInvalid(t, err, tc.says)
			}
		})
	}
}

func TestTheLimitOfAnAccessTokenHasOneForm(t *testing.T) {
	for _, names := range [][]string{nil, {"main"}, {"main", anEnvironmentID, "A-z_0"}} {
		if got := domain.EnvironmentNamesFromText(domain.EnvironmentNamesText(names)); !slices.Equal(got, names) || (got == nil) != (names == nil) {
			t.Errorf("got %q, want %q", got, names)
		}
	}
	for _, text := range []string{" ", "  ", " main", "\t"} {
		if got := domain.EnvironmentNamesFromText(text); len(got) == 0 {
			t.Errorf("got no limit from the text %q", text)
		}
	}
}

func FuzzEnvironmentsFromText(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `{"default":"main","allowed":["main","dev"],"allow_draft":["dev"]}`, `{"default":"main","allowed":"all","allow_draft":[]}`,
		`{"default":"","allowed":"all","allow_draft":["x"]}`, `{"default":"main","allowed":null,"allow_draft":null}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := domain.EnvironmentsFromText(text)
		if e.Pinned() {
			if !e.Equal(domain.Environments{}) {
				t.Errorf("got %+v, which is pinned and allows something", e)
			}
			return
		}
		if e.Text() != text || !e.Lists(e.Default) {
			t.Errorf("got %+v, whose text is %s", e, e.Text())
		}
		for _, name := range e.AllowDraft {
			if !e.Lists(name) {
				t.Errorf("got %+v, which allows a draft of what it does not allow", e)
			}
		}
	})
}

// FuzzParseEnvironments reads names from a text, one a line: the default, those that are allowed, and
// after an empty line those whose draft is.
func FuzzParseEnvironments(f *testing.F) {
	f.Add("main\nmain\ndev\n\ndev", "main", false)
	f.Add("", "development", true)
	f.Add("all\nall", "all", false)
	f.Add(strings.ToUpper(anEnvironmentID)+"\n"+anEnvironmentID, "main", false)
	f.Fuzz(func(t *testing.T, text, version string, all bool) {
		ref, err := domain.ParseVersionRef(version, "65f1c0ffee0123456789abcc")
		if err != nil {
			return
		}
		spec := domain.EnvironmentsSpec{Allowed: domain.AllowedSpec{All: all}}
		names, drafts, draft := strings.Cut(text, "\n\n")
		spec.Default, names, _ = strings.Cut(names, "\n")
		if names != "" {
			spec.Allowed.Names = strings.Split(names, "\n")
		}
		if draft {
			spec.AllowDraft = strings.Split(drafts, "\n")
		}
		e, err := domain.ParseEnvironments(spec, ref.Version)
		if err != nil {
			wantInvalid(t, err, "environments")
			if !e.Equal(domain.Environments{}) {
				t.Errorf("got %+v with an error", e)
			}
			return
		}
		if e.Pinned() || !e.Lists(e.Default) || e.All && e.Allowed != nil || !domain.EnvironmentsFromText(e.Text()).Equal(e) {
			t.Errorf("got %+v, whose text is %s", e, e.Text())
		}
		for _, name := range e.Names() {
			if _, err := domain.ParseVersionRef(name, "65f1c0ffee0123456789abcc"); err != nil || name != strings.TrimSpace(name) {
				t.Errorf("got the name %q: %v", name, err)
			}
		}
	})
}
