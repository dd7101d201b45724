package domain

import "testing"

func TestSourcesOfAGrantAreReadAsTheyWereWritten(t *testing.T) {
	export, converse := ScopesOf(ScopeExport), ScopesOf(ScopeConverse, ScopeState)
	staff := GroupGrant{Group: "staff of 'Ångström'; --", Scopes: converse}
	limited := GroupGrant{Group: "a b", Scopes: export, Environments: []string{"main", "dev"}}
	for _, tc := range []struct {
		name string
		g    Grant
	}{
		{"an admin alone", Grant{Scopes: export, Manual: export}},
		{"a group alone", Grant{Scopes: converse, Groups: []GroupGrant{staff}}},
		{"an admin and groups", Grant{Scopes: converse | export, Manual: export, Groups: []GroupGrant{limited, staff}}},
		{"no grant", Grant{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (Grant{Scopes: tc.g.Scopes}).WithSources(tc.g.SourcesText()); !got.Equal(tc.g) {
				t.Errorf("got %+v, want %+v", got, tc.g)
			}
		})
	}
	text := Grant{Scopes: converse | export, Manual: export, Groups: []GroupGrant{staff}}.SourcesText()
	narrowed := Grant{Scopes: converse, Groups: []GroupGrant{staff}}
	if got := (Grant{Scopes: converse}).WithSources(text); !got.Equal(narrowed) {
		t.Errorf("a grant that an older program narrowed: got %+v, want %+v", got, narrowed)
	}
}
