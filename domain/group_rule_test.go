package domain_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhatCanBeARule(t *testing.T) {
	for _, tc := range []struct {
		name         string
		group        string
		project      domain.ProjectID
		scopes       domain.Scopes
		environments []string
		want         domain.GroupRule
		kind         domain.Kind
	}{
		{"a rule that makes admins", "it", "", 0, nil, domain.GroupRule{Group: "it"}, ""},
		{"has no scopes", "it", "", converse, nil, domain.GroupRule{}, domain.Invalid},
		{"and no environments", "it", "", 0, []string{"dev"}, domain.GroupRule{}, domain.Invalid},
		{"a rule that grants has the default scopes", "it", "p", 0, nil, domain.GroupRule{Group: "it", Project: "p", Scopes: converse}, ""},
		{"or its own", "it", "p", export, nil, domain.GroupRule{Group: "it", Project: "p", Scopes: export}, ""},
		{"and environments", "it", "p", 0, []string{"staging", "dev"}, domain.GroupRule{Group: "it", Project: "p", Scopes: converse, Environments: []string{"dev", "staging"}}, ""},
		{"but no name that is none", "it", "p", 0, []string{"a b"}, domain.GroupRule{}, domain.Invalid},
		{"upper and lower case of a group differ", "IT Staff ", "", 0, nil, domain.GroupRule{Group: "IT Staff"}, ""},
		{"a group has a name", " ", "", 0, nil, domain.GroupRule{}, domain.Invalid},
		{"of 256 bytes at most", strings.Repeat("x", domain.MaxGroupName+1), "", 0, nil, domain.GroupRule{}, domain.Invalid},
		{"without control characters", "i\nt", "", 0, nil, domain.GroupRule{}, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.NewGroupRule("id", tc.group, tc.project, tc.scopes, tc.environments, start.Add(999))
			wantKind(t, err, tc.kind)
			if tc.kind == "" {
				tc.want.ID, tc.want.Created = "id", start
			}
			slices.Sort(got.Environments)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err == nil && got.MakesAdmins() != (tc.project == "") {
				t.Error("it is of the other kind")
			}
		})
	}
	wantKind(t, func() error { _, err := domain.ParseRuleID("x"); return err }(), domain.Invalid)
	id, err := domain.ParseRuleID(" " + strings.ToUpper(uuid) + " ")
	if wantKind(t, err, ""); id != uuid {
		t.Errorf("got %s", id)
	}
}

func TestRulesAreSetAndDeleted(t *testing.T) {
	rules, first, err := grants("sales").Set(nil)
	wantKind(t, err, "")
	rules, _, err = admins("sales").Set(rules)
	wantKind(t, err, "")
	before := slices.Clone(rules)
	again := grants("sales", "dev")
	again.ID, again.Created = "other", start
	rules, set, err := again.Set(rules)
	wantKind(t, err, "")
	if len(rules) != 2 || set.ID != first.ID || !set.Created.Equal(first.Created) || !slices.Equal(set.Environments, []string{"dev"}) {
		t.Errorf("setting a rule again made %+v of %+v", rules, set)
	}
	if set.Equal(first) || !set.Equal(rules[0]) || !cmp.Equal(before[0], first) {
		t.Errorf("got %+v, and the rules before are %+v", set, before)
	}
	left, gone, err := domain.WithoutRule(rules, set.ID)
	wantKind(t, err, "")
	if len(left) != 1 || !left[0].MakesAdmins() || !gone.Equal(set) || len(rules) != 2 || !rules[0].Equal(set) {
		t.Errorf("got %+v without %+v", left, gone)
	}
	_, _, err = domain.WithoutRule(left, set.ID)
	wantKind(t, err, domain.NotFound)

	many := make([]domain.GroupRule, domain.MaxGroupRules)
	for i := range many {
		many[i] = grants(strconv.Itoa(i))
	}
	_, _, err = grants("one more").Set(many)
	wantKind(t, err, domain.Conflict)
	_, _, err = grants("7").Set(many)
	wantKind(t, err, "")

	mixed := []domain.GroupRule{{Group: "b"}, {Group: "a", Project: "q"}, {Group: "a", Project: "p"}, {Group: "a"}}
	slices.SortFunc(mixed, domain.CompareRules)
	var order []string
	for _, r := range mixed {
		order = append(order, r.Group+string(r.Project))
	}
	if !slices.Equal(order, []string{"a", "ap", "aq", "b"}) {
		t.Errorf("in the order %v", order)
	}
}

func TestWhomARuleConcerns(t *testing.T) {
	admin := linked("ada")
	admin.Role, admin.AdminBy = domain.RoleAdmin, "it"
	byGroup, _ := domain.Grant{Project: "p"}.ByGroups([]domain.GroupGrant{{Group: "sales", Scopes: converse}})
	for _, tc := range []struct {
		name          string
		member        domain.GroupMember
		rule          domain.GroupRule
		has, concerns bool
	}{
		{"an admin by the group", domain.GroupMember{User: admin}, admins("it"), true, true},
		{"an admin by another group", domain.GroupMember{User: admin}, admins("ops"), false, false},
		{"an admin by another group who is in it", domain.GroupMember{User: admin, Groups: []string{"ops"}}, admins("ops"), false, true},
		{"a member with the grant", domain.GroupMember{Grants: []domain.Grant{byGroup}}, grants("sales"), true, true},
		{"a member with the grant of an admin", domain.GroupMember{Grants: []domain.Grant{domain.NewGrant("u", "p", 0, start)}}, grants("sales"), false, false},
		{"a member of the group without it", domain.GroupMember{Groups: []string{"sales"}}, grants("sales"), false, true},
		{"a member whose group grants another project", domain.GroupMember{Grants: []domain.Grant{byGroup}}, domain.GroupRule{Group: "sales", Project: "q"}, false, true},
		{"anybody else", domain.GroupMember{Groups: []string{"it"}}, grants("sales"), false, false},
	} {
		if got := tc.member.HasBy(tc.rule); got != tc.has {
			t.Errorf("%s: has something by it: %v", tc.name, got)
		}
		if got := tc.member.Concerns(tc.rule.Group); got != tc.concerns {
			t.Errorf("%s: is concerned: %v", tc.name, got)
		}
	}
}

func TestWhoMakesLoginLinks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		caller domain.Caller
		kind   domain.Kind
	}{
		{"the operator", domain.Operator(), ""},
		{"an admin", domain.Caller{ID: "u", Admin: true}, domain.NotAllowed},
		{"an admin with a login", domain.CallerByLogin(domain.Session{ID: "l", User: "u"}, domain.RoleAdmin), domain.NotAllowed},
		{"the set-up link", domain.CallerBySetupLink(), domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) { wantKind(t, tc.caller.MayMakeLoginLink(), tc.kind) })
	}
}
