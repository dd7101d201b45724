package importlist

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// wantSpec fails the test unless the text has one entry, with these environments or with Err.
func wantSpec(t *testing.T, read Reader, text string, want *domain.EnvironmentsSpec, refused string) {
	t.Helper()
	n := 0
	err := read(strings.NewReader(text), func(e Entry) error {
		n++
		if refused != "" {
			if e.Err == nil || !strings.Contains(e.Err.Error(), refused) || strings.Contains(e.Err.Error(), canary) {
				t.Errorf("got error %v, want one that says %q", e.Err, refused)
			}
			return nil
		}
		if d := cmp.Diff(want, e.Environments); d != "" || e.Err != nil {
			t.Errorf("error %v, -want +got\n%s", e.Err, d)
		}
		if e.Version != "v" || e.Key.Reveal() != "k" {
			t.Errorf("got the version %q and another key", e.Version)
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("got %d entries and error %v", n, err)
	}
}

func TestEnvironmentsInCSV(t *testing.T) {
	names := func(names ...string) domain.AllowedSpec { return domain.AllowedSpec{Names: names} }
	for _, tc := range []struct {
		name, text string
		want       *domain.EnvironmentsSpec
	}{
		{"no column", "version_id,token\nv,k\n", nil},
		{"an empty cell", "version_id,token,environments\nv,k,\n", nil},
		{"a cell of white space", "version_id,token,environments,allow_draft\nv,k, \u00a0 ,\t\n", nil},
		{"a cell that is missing", "version_id,token,environments,allow_draft\nv,k\n", nil},
		{"the default alone", "version_id,token,environments\nv,k,main\n", &domain.EnvironmentsSpec{Default: "main", Allowed: names("main")}},
		{"several, with white space", "version_id,token,environments\nv,k,  main   staging dev \n",
			&domain.EnvironmentsSpec{Default: "main", Allowed: names("main", "staging", "dev")}},
		{"all", "version_id,token,environments\nv,k,main all\n",
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{All: true, Names: []string{"main"}}}},
		{"drafts", "version_id,token,environments,allow_draft\nv,k,main dev,dev main\n",
			&domain.EnvironmentsSpec{Default: "main", Allowed: names("main", "dev"), AllowDraft: []string{"dev", "main"}}},
		{"drafts of the version", "version_id,token,allow_draft\nv,k,v\n", &domain.EnvironmentsSpec{AllowDraft: []string{"v"}}},
		{"in tabs, before the key, in another spelling", "Version ID\tEnvironments\tAllow-Draft\tToken\nv\tmain all\tmain\tk\n",
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{All: true, Names: []string{"main"}}, AllowDraft: []string{"main"}}},
	} {
		t.Run(tc.name, func(t *testing.T) { wantSpec(t, ReadCSV, tc.text, tc.want, "") })
	}
}

func TestEnvironmentsInJSON(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		want        *domain.EnvironmentsSpec
		refused     string
	}{
		{"null", `null`, nil, ""},
		{"an empty object", `{}`, &domain.EnvironmentsSpec{}, ""},
		{"a list", `{"default":"main","allowed":["main","dev"],"allow_draft":["dev"]}`,
			&domain.EnvironmentsSpec{Default: "main", Allowed: domain.AllowedSpec{Names: []string{"main", "dev"}}, AllowDraft: []string{"dev"}}, ""},
		{"all, without drafts", `{"allowed":"all","allow_draft":[]}`, &domain.EnvironmentsSpec{Allowed: domain.AllowedSpec{All: true}, AllowDraft: []string{}}, ""},
		{"a text", `"main all"`, nil, "a member is of the wrong type"},
		{"another text for a list", `{"allowed":"` + canary + `"}`, nil, "a member is of the wrong type"},
		{"a member twice", `{"default":"main","default":"` + canary + `"}`, nil, "two members of the same name"},
		{"an unknown member", `{"` + canary + `":1}`, nil, "an unknown member"},
		{"a member in another case", `{"Allowed":"all"}`, nil, "an unknown member"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantSpec(t, ReadJSON, `[{"version_id":"v","token":"k","environments":`+tc.value+`}]`, tc.want, tc.refused)
		})
	}
	wantSpec(t, ReadJSON, `[{"version_id":"v","token":"k","allow_draft":["main"]}]`, nil, "an unknown member")
}
