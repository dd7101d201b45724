package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

var (
	converse = domain.DefaultScopes()
	export   = domain.ScopesOf(domain.ScopeExport)
)

func TestAGrantOfAnAdminAndOfGroups(t *testing.T) {
	sales := domain.GroupGrant{Group: "sales", Scopes: export, Environments: []string{"dev"}}
	manual := domain.NewGrant("u", "p", converse, start)
	both, left := manual.ByGroups([]domain.GroupGrant{sales, {Group: "it", Scopes: converse}})
	if !left || both.Scopes != converse|export || both.Manual != converse || both.Groups[0].Group != "it" || both.Source() != "manual" {
		t.Errorf("got %+v", both)
	}
	only, left := domain.Grant{User: "u", Project: "p", Created: start}.ByGroups([]domain.GroupGrant{sales})
	if !left || only.Scopes != export || only.Manual != 0 || only.Source() != "group:sales" {
		t.Errorf("got %+v", only)
	}
	if _, left := only.ByGroups(nil); left {
		t.Error("something is left of what only a group granted")
	}
	if is, left := both.ByGroups(nil); !left || !is.Equal(manual) {
		t.Errorf("got %+v without the groups", is)
	}

	for _, tc := range []struct {
		name   string
		was    domain.Grant
		scopes domain.Scopes
		manual domain.Scopes
		all    domain.Scopes
	}{
		{"granting again replaces what an admin granted", both, export, export, converse | export},
		{"without scopes it replaces nothing", both, 0, converse, converse | export},
		{"granting what only a group grants adds to it", only, converse, converse, converse | export},
		{"without scopes it adds the default ones", only, 0, converse, converse | export},
	} {
		got := tc.was.Regranted(tc.scopes)
		if got.Manual != tc.manual || got.Scopes != tc.all || !cmp.Equal(got.Groups, tc.was.Groups) {
			t.Errorf("%s: got %+v", tc.name, got)
		}
	}

	is, left, err := manual.Revoked()
	wantKind(t, err, "")
	if left || is.Scopes != 0 {
		t.Errorf("revoking what an admin granted leaves %+v", is)
	}
	is, left, err = both.Revoked()
	wantKind(t, err, "")
	if !left || is.Manual != 0 || is.Scopes != converse|export || !cmp.Equal(is.Groups, both.Groups) {
		t.Errorf("revoking leaves %+v of the groups", is)
	}
	is, left, err = only.Revoked()
	wantKind(t, err, domain.Conflict)
	if !left || !is.Equal(only) || !strings.Contains(err.Error(), `"sales"`) {
		t.Errorf("revoking what only a group grants leaves %+v and says %v", is, err)
	}
	if _, left, err := (domain.Grant{}).Revoked(); left || err != nil {
		t.Errorf("revoking no grant: %v, %v", left, err)
	}
	other := both
	other.Groups = slices.Clone(both.Groups)
	if !both.Equal(other) {
		t.Error("a grant is not equal to itself")
	}
	if other.Groups[1].Environments = nil; both.Equal(other) {
		t.Error("a grant in other environments is equal")
	}
}

func TestWhatAGrantAllowsInAnEnvironment(t *testing.T) {
	write := domain.ScopesOf(domain.ScopeKnowledgeWrite)
	group := func(name string, scopes domain.Scopes, environments ...string) domain.GroupGrant {
		return domain.GroupGrant{Group: name, Scopes: scopes, Environments: environments}
	}
	access := func(manual domain.Scopes, groups ...domain.GroupGrant) domain.Access {
		g, _ := domain.Grant{Manual: manual}.ByGroups(groups)
		return domain.Access{Caller: domain.Caller{ID: "u"}, Granted: g.Scopes, Manual: g.Manual, Groups: g.Groups}
	}
	admin := access(0, group("a", converse, "dev"))
	admin.Caller.Admin = true
	token := access(converse, group("a", converse|write, "dev"))
	token.Token = domain.AccessToken{ID: "t", Scopes: write}
	dev, main, none := domain.KnownEnvironment{Name: "dev"}, domain.KnownEnvironment{Name: "main"}, domain.KnownEnvironment{}
	ofDev := domain.KnownEnvironment{Name: mainPublished, Aliases: []string{"dev"}}
	ofBoth := domain.KnownEnvironment{Name: mainPublished, Aliases: []string{"dev", "main"}}
	type in map[*domain.KnownEnvironment]domain.Scopes
	for _, tc := range []struct {
		name   string
		access domain.Access
		needs  domain.Scopes
		limits [][]string
		in     in
	}{
		{"what an admin granted counts everywhere", access(converse), converse, nil, in{&dev: converse, &main: converse, &none: converse}},
		{"a group without environments counts everywhere", access(0, group("a", converse)), converse, nil, in{&dev: converse, &main: converse, &none: converse}},
		{"a group with environments counts there", access(0, group("a", converse, "dev")), converse, [][]string{{"dev"}}, in{&dev: converse, &main: 0, &none: 0}},
		{"a version counts as its alias", access(0, group("a", converse, "dev")), converse, [][]string{{"dev"}}, in{&ofDev: converse, &ofBoth: 0}},
		{"a version of two aliases needs both", access(0, group("a", converse, "dev", "main")), converse, [][]string{{"dev", "main"}}, in{&ofBoth: converse}},
		{"a version can be granted by its id", access(0, group("a", converse, mainPublished)), converse, [][]string{{mainPublished}}, in{&ofBoth: converse, &dev: 0}},
		{"two groups count each in its own", access(0, group("a", converse, "dev"), group("b", converse|write, "main")), converse, [][]string{{"dev", "main"}}, in{&dev: converse, &main: converse | write}},
		{"each scope that is limited sets a limit", access(0, group("a", converse, "dev"), group("b", write, "main")), converse | write, [][]string{{"dev"}, {"main"}}, in{&dev: converse, &main: write}},
		{"a scope that is not limited sets none", access(converse, group("a", write, "dev")), converse | write, [][]string{{"dev"}}, in{&dev: converse | write, &main: converse}},
		{"a call that does not need the limited scope is not limited", access(converse, group("a", write, "dev")), converse, nil, in{&main: converse}},
		{"a group without environments lifts the limit", access(0, group("a", converse, "dev"), group("b", converse)), converse, nil, in{&main: converse}},
		{"a scope that nobody grants is allowed nowhere", access(0, group("a", converse, "dev")), export, [][]string{nil}, in{&dev: converse}},
		{"an admin is not limited", admin, converse, nil, in{&main: domain.AllScopes(), &none: domain.AllScopes()}},
		{"an access token has what its owner has there", token, write, [][]string{{"dev"}}, in{&dev: write, &main: 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.limits, tc.access.EnvironmentLimits(tc.needs)); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
			before := slices.Clone(tc.access.Groups)
			for e, want := range tc.in {
				is := tc.access.In(*e)
				if got := is.Scopes(); got != want {
					t.Errorf("in %+v: got %v, want %v", *e, got.List(), want.List())
				}
				kind := domain.NotAllowed
				if want.And(tc.needs) == tc.needs {
					kind = ""
				}
				wantKind(t, is.StillMay(tc.needs), kind)
			}
			if !cmp.Equal(before, tc.access.Groups) {
				t.Error("In changed the access that it was called on")
			}
		})
	}
}

// What the choice allows and what In leaves must agree, or a call could use an environment and have no
// right in it.
func TestAKnownEnvironmentIsTheOneThatTheChoiceAllows(t *testing.T) {
	p := withEnvironments("all", "main", "")
	for _, name := range []string{"main", "staging", mainPublished, strings.ToUpper(stagePub), twice, mainRelease} {
		for _, limit := range [][]string{{"main"}, {"staging"}, {"main", "staging"}, {mainPublished}, {}} {
			c := domain.EnvironmentChoice{Route: at(t, "header"), Project: p, Asked: names(name)}
			used, _, err := c.Decide(listed)
			wantKind(t, err, "")
			if _, next := c.Known(used, domain.EnvironmentList{}); (next == domain.ListNeeded) != (len(name) == 24) {
				t.Errorf("%s: what is known needs the list: %v", name, next)
			}
			known, next := c.Known(used, listed)
			if next != domain.ListSuffices {
				t.Errorf("%s: got %v of a list that has it", name, next)
			}
			c.Grant = [][]string{limit}
			_, _, err = c.Decide(listed)
			a := domain.Access{Groups: []domain.GroupGrant{{Group: "a", Scopes: converse, Environments: append(limit, "none")}}}
			if got := a.In(known).Scopes() != 0; got != (err == nil) {
				t.Errorf("%s within %v: the choice says %v, and what is known of it %v", name, limit, err, got)
			}
		}
	}
}
