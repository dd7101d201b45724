package domain_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestAGrantTellsWhoGrants(t *testing.T) {
	converse, export := domain.ScopesOf(domain.ScopeConverse), domain.ScopesOf(domain.ScopeExport)
	group := func(name string, environments ...string) domain.GroupGrant {
		return domain.GroupGrant{Group: name, Scopes: converse, Environments: environments}
	}
	manual := domain.GrantSource{Source: "manual", Scopes: export}
	by := func(name string, environments ...string) domain.GrantSource {
		return domain.GrantSource{Source: "group:" + name, Scopes: converse, Environments: environments}
	}
	for _, tc := range []struct {
		name    string
		g       domain.Grant
		sources []domain.GrantSource
		only    []string
	}{
		{"an admin grants every environment", domain.Grant{Manual: export}, []domain.GrantSource{manual}, nil},
		{"a group that is limited limits the grant", domain.Grant{Groups: []domain.GroupGrant{group("a", "main")}},
			[]domain.GrantSource{by("a", "main")}, []string{"main"}},
		{"two groups grant the environments of both, each once", domain.Grant{Groups: []domain.GroupGrant{group("a", "staging", "main"), group("b", "main", "dev")}},
			[]domain.GrantSource{by("a", "staging", "main"), by("b", "main", "dev")}, []string{"dev", "main", "staging"}},
		{"a group without a limit lifts that of another", domain.Grant{Groups: []domain.GroupGrant{group("a", "main"), group("b")}},
			[]domain.GrantSource{by("a", "main"), by("b")}, nil},
		{"an admin lifts the limit of a group", domain.Grant{Manual: export, Groups: []domain.GroupGrant{group("a", "main")}},
			[]domain.GrantSource{manual, by("a", "main")}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.sources, tc.g.Sources()); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.only, tc.g.OnlyEnvironments()); diff != "" {
				t.Errorf("environments (-want +got):\n%s", diff)
			}
		})
	}
}
