package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/domain"
)

const issuer = "https://idp.example"

// person is somebody at the identity provider who is in the groups.
func person(subject string, groups ...string) domain.Person {
	return domain.Person{Identity: domain.Identity{Issuer: issuer, Subject: subject}, Name: subject, Groups: domain.ListedGroups(groups)}
}

// linked is a member here who is that person.
func linked(subject string) domain.User {
	u := domain.NewUser("u", "ada", domain.RoleMember, domain.Secret{}, nil, start)
	u.Identity = domain.Identity{Issuer: issuer, Subject: subject}
	return u
}

// grants is a rule that lets the group converse with p. admins is one that makes its members admins.
func grants(group string, environments ...string) domain.GroupRule {
	return domain.GroupRule{ID: domain.RuleID("of " + group), Group: group, Project: "p", Scopes: domain.DefaultScopes(), Environments: environments}
}

func admins(group string) domain.GroupRule {
	return domain.GroupRule{ID: domain.RuleID("admins of " + group), Group: group}
}

func TestWhoMayLogInByTheIdentityProvider(t *testing.T) {
	state := func(s domain.GroupsState) domain.Person {
		p := person("ada")
		p.Groups = domain.Groups{State: s}
		return p
	}
	many := person("ada")
	many.Groups.Names = make([]string, domain.MaxGroups+1)
	disabled := linked("ada")
	disabled.Disabled = true
	ruled, creates := []domain.GroupRule{grants("sales")}, domain.SignOnPolicy{CreateUsers: true}
	required := domain.SignOnPolicy{Required: []string{"staff", "sales"}}
	for _, tc := range []struct {
		name   string
		person domain.Person
		policy domain.SignOnPolicy
		found  domain.SignOnFound
		first  bool // there is no admin
		renews bool
		as     domain.UserID // "u" if it is ""
		kind   domain.Kind
		says   string
	}{
		{name: "a user who is linked", person: person("ada"), found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada")}}},
		{name: "a user who is linked, to renew", person: person("ada"), found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada")}}, renews: true},
		{name: "somebody unknown if there is no admin", person: person("ada"), policy: creates, first: true, kind: domain.NotAllowed, says: "no admin here yet"},
		{name: "a user who is linked if there is no admin", person: person("ada"), first: true, found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada")}}},
		{name: "a disabled user", person: person("ada"), found: domain.SignOnFound{Member: domain.GroupMember{User: disabled}}, kind: domain.NotAllowed, says: "disabled"},
		{name: "somebody unknown if users are created", person: person("ada"), policy: creates},
		{name: "somebody unknown if users are not created", person: person("ada"), kind: domain.NotAuthenticated, says: "an admin can link"},
		{name: "somebody unknown, to renew", person: person("ada"), policy: creates, renews: true, kind: domain.NotAuthenticated, says: "an admin can link"},
		{name: "another user than was looked up", person: person("ada"), found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada")}}, as: "other", kind: domain.Conflict},
		{name: "somebody whose names are all taken", person: person("ada"), policy: creates, found: domain.SignOnFound{Taken: person("ada").Usernames()}, kind: domain.Conflict, says: "taken"},

		{name: "somebody in a required group", person: person("ada", "sales"), policy: required, found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada")}}},
		{name: "somebody in no required group", person: person("ada", "guests"), policy: required, found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada")}}, kind: domain.NotAllowed, says: "none of the groups"},
		{name: "somebody in no required group, although the groups here say so", person: person("ada"), policy: required,
			found: domain.SignOnFound{Member: domain.GroupMember{User: linked("ada"), Groups: []string{"sales"}}}, kind: domain.NotAllowed, says: "none of the groups"},

		{name: "no claim if nothing depends on groups", person: state(domain.GroupsAbsent), policy: creates},
		{name: "no claim if there are rules", person: state(domain.GroupsAbsent), policy: creates, found: domain.SignOnFound{Rules: ruled}, kind: domain.NotAuthenticated, says: "sent no groups"},
		{name: "no claim if a group is required", person: state(domain.GroupsAbsent), policy: required, kind: domain.NotAuthenticated, says: "sent no groups"},
		{name: "no claim if a group makes admins", person: state(domain.GroupsAbsent), policy: domain.SignOnPolicy{Admins: []string{"it"}}, kind: domain.NotAuthenticated, says: "sent no groups"},
		{name: "an empty claim if there are rules", person: person("ada"), policy: creates, found: domain.SignOnFound{Rules: ruled}},
		{name: "too many groups to be listed", person: state(domain.GroupsElsewhere), policy: creates, kind: domain.NotAuthenticated, says: "assigned to this application"},
		{name: "more groups than are kept", person: many, policy: creates, kind: domain.NotAuthenticated, says: "more than 1000 groups"},
		{name: "a claim that is no list if there are rules", person: state(domain.GroupsUnreadable), policy: creates, found: domain.SignOnFound{Rules: ruled}, kind: domain.NotAuthenticated, says: "GROUPS_CLAIM"},
		{name: "a claim that is no list if nothing depends on it", person: state(domain.GroupsUnreadable), policy: creates},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := domain.SignOn{Person: tc.person, Policy: tc.policy, User: "u", Renews: tc.renews, At: start}
			if tc.as != "" {
				in.User = tc.as
			}
			tc.found.OtherAdmin = !tc.first
			got, err := in.Decide(tc.found)
			wantKind(t, err, tc.kind)
			switch {
			case err != nil && !strings.Contains(err.Error(), tc.says):
				t.Errorf("got %v, want it to say %q", err, tc.says)
			case err != nil && !cmp.Equal(got, domain.SignOnChange{}):
				t.Errorf("got the change %+v with an error", got)
			case err == nil && (got.User.ID != "u" || !got.User.SignedOn.Equal(start) || got.User.Identity != tc.person.Identity):
				t.Errorf("got the user %+v", got.User)
			}
		})
	}
}

func TestTheFirstLoginCreatesAUser(t *testing.T) {
	in := domain.SignOn{Person: person("ada", "sales", "it"), Policy: domain.SignOnPolicy{CreateUsers: true, Admins: []string{"it"}}, User: "new", At: start}
	got, err := in.Decide(domain.SignOnFound{Rules: []domain.GroupRule{grants("sales")}, Taken: []domain.Username{"ada"}})
	wantKind(t, err, "")
	want := domain.NewUser("new", "ada-2", domain.RoleAdmin, domain.Secret{}, []domain.ProjectID{"p"}, start)
	want.Identity, want.SignedOn, want.AdminBy = in.Person.Identity, start, "it"
	if diff := cmp.Diff(want, got.User); diff != "" || !got.Created {
		t.Errorf("created is %v; the user (-want +got):\n%s", got.Created, diff)
	}
	changes := []domain.ChangeMade{
		{Action: domain.ActionCreateUser, Object: "user:new"}, {Action: domain.ActionGrantProject, Object: "user:new project:p"},
		{Action: domain.ActionUpdateUser, Object: "user:new"}, {Action: domain.ActionMakeAdmin, Object: "user:new"},
	}
	if diff := cmp.Diff(changes, got.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if !slices.Equal(got.Groups, []string{"it", "sales"}) {
		t.Errorf("keeps the groups %v", got.Groups)
	}
}

func TestWhatGroupsMakeOfTheRole(t *testing.T) {
	user := func(role domain.Role, by string, kept bool) domain.User {
		u := linked("ada")
		u.Role, u.AdminBy, u.AdminKept = role, by, kept
		return u
	}
	disabled := user(domain.RoleAdmin, "it", false)
	disabled.Disabled = true
	update, keep := []domain.Action{domain.ActionUpdateUser}, []domain.Action{domain.ActionKeepAdmin}
	promote := []domain.Action{domain.ActionUpdateUser, domain.ActionMakeAdmin}
	for _, tc := range []struct {
		name       string
		was        domain.User
		groups     []string
		policy     []string
		rules      []domain.GroupRule
		otherAdmin bool
		role       domain.Role
		by         string
		kept       bool
		changes    []domain.Action
	}{
		{name: "a member in no group stays one", was: user(domain.RoleMember, "", false), role: domain.RoleMember},
		{name: "a rule makes a member an admin", was: user(domain.RoleMember, "", false), groups: []string{"it"}, rules: []domain.GroupRule{admins("it")}, role: domain.RoleAdmin, by: "it", changes: promote},
		{name: "a setting makes a member an admin", was: user(domain.RoleMember, "", false), groups: []string{"it"}, policy: []string{"it"}, role: domain.RoleAdmin, by: "it", changes: promote},
		{name: "a rule that grants makes nobody an admin", was: user(domain.RoleMember, "", false), groups: []string{"it"}, rules: []domain.GroupRule{{Group: "it", Project: "q"}}, role: domain.RoleMember, changes: nil},
		{name: "an admin by hand in no group stays one", was: user(domain.RoleAdmin, "", false), otherAdmin: true, role: domain.RoleAdmin},
		{name: "an admin by hand in a group that makes admins stays one by hand", was: user(domain.RoleAdmin, "", false), groups: []string{"it"}, policy: []string{"it"}, otherAdmin: true, role: domain.RoleAdmin},
		{name: "an admin who left the group is a member", was: user(domain.RoleAdmin, "it", false), policy: []string{"it"}, otherAdmin: true, role: domain.RoleMember, changes: update},
		{name: "an admin whose group makes no admins any longer is a member", was: user(domain.RoleAdmin, "it", false), groups: []string{"it"}, otherAdmin: true, role: domain.RoleMember, changes: update},
		{name: "an admin who is still in the group stays one", was: user(domain.RoleAdmin, "it", false), groups: []string{"it"}, policy: []string{"it"}, otherAdmin: true, role: domain.RoleAdmin, by: "it"},
		{name: "an admin who left the group and is in another one stays one by that", was: user(domain.RoleAdmin, "it", false), groups: []string{"ops"}, policy: []string{"it", "ops"}, role: domain.RoleAdmin, by: "ops"},
		{name: "the last admin stays one", was: user(domain.RoleAdmin, "it", false), policy: []string{"it"}, role: domain.RoleAdmin, by: "it", kept: true, changes: keep},
		{name: "the audit is told once", was: user(domain.RoleAdmin, "it", true), policy: []string{"it"}, role: domain.RoleAdmin, by: "it", kept: true},
		{name: "an admin who was kept is a member once there is another one", was: user(domain.RoleAdmin, "it", true), otherAdmin: true, role: domain.RoleMember, changes: update},
		{name: "an admin who was kept is one again with the group", was: user(domain.RoleAdmin, "it", true), groups: []string{"it"}, policy: []string{"it"}, role: domain.RoleAdmin, by: "it"},
		{name: "a disabled admin is not the last one", was: disabled, role: domain.RoleMember, changes: update},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := domain.SignOnPolicy{Admins: tc.policy}.Regroup(domain.GroupMember{User: tc.was, Groups: tc.groups}, tc.rules, tc.otherAdmin, start)
			got.Changes = slices.DeleteFunc(got.Changes, func(c domain.ChangeMade) bool { return c.Action == domain.ActionGrantProject })
			var actions []domain.Action
			for _, c := range got.Changes {
				actions = append(actions, c.Action)
			}
			if u := got.User; u.Role != tc.role || u.AdminBy != tc.by || u.AdminKept != tc.kept {
				t.Errorf("got %s by %q, kept %v, want %s by %q, kept %v", u.Role, u.AdminBy, u.AdminKept, tc.role, tc.by, tc.kept)
			}
			if !slices.Equal(actions, tc.changes) || got.KeptAdmin != slices.Equal(actions, keep) {
				t.Errorf("the audit is told %v and that the admin was kept %v, want %v", actions, got.KeptAdmin, tc.changes)
			}
			if got.Lost.ByRole != (tc.was.Role == domain.RoleAdmin && tc.role == domain.RoleMember) {
				t.Errorf("ends what the role allowed: %v", got.Lost.ByRole)
			}
		})
	}
}

func TestARoleByHandEndsWhatGroupsDid(t *testing.T) {
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleMember} {
		u := linked("ada")
		u.Role, u.AdminBy, u.AdminKept = domain.RoleAdmin, "it", true
		wantKind(t, u.SetRole(role, true), "")
		if u.Role != role || u.AdminBy != "" || u.AdminKept {
			t.Errorf("got %s by %q, kept %v", u.Role, u.AdminBy, u.AdminKept)
		}
	}
}

func TestWhatGroupsMakeOfGrants(t *testing.T) {
	converse, export := domain.DefaultScopes(), domain.ScopesOf("export")
	manual := domain.Grant{User: "u", Project: "p", Scopes: export, Manual: export, Created: start}
	byGroup := func(g domain.Grant, groups ...domain.GroupGrant) domain.Grant {
		g, _ = g.ByGroups(groups)
		return g
	}
	group := func(name string, environments ...string) domain.GroupGrant {
		return domain.GroupGrant{Group: name, Scopes: converse, Environments: environments}
	}
	none := domain.Grant{User: "u", Project: "p", Created: start}
	for _, tc := range []struct {
		name    string
		grants  []domain.Grant
		groups  []string
		rules   []domain.GroupRule
		put     []domain.Grant
		removed []domain.ProjectID
		has     []domain.ProjectID
	}{
		{name: "a group grants", groups: []string{"sales"}, rules: []domain.GroupRule{grants("sales")}, put: []domain.Grant{byGroup(none, group("sales"))}, has: []domain.ProjectID{"p"}},
		{name: "a rule of another group grants nothing", groups: []string{"sales"}, rules: []domain.GroupRule{grants("Sales"), admins("it")}},
		{name: "two groups grant together", groups: []string{"b", "a"}, rules: []domain.GroupRule{grants("a", "dev"), grants("b")}, put: []domain.Grant{byGroup(none, group("b"), group("a", "dev"))}, has: []domain.ProjectID{"p"}},
		{name: "what a group still grants does not change", grants: []domain.Grant{byGroup(none, group("sales"))}, groups: []string{"sales"}, rules: []domain.GroupRule{grants("sales")}, has: []domain.ProjectID{"p"}},
		{name: "other environments change the grant", grants: []domain.Grant{byGroup(none, group("sales"))}, groups: []string{"sales"}, rules: []domain.GroupRule{grants("sales", "dev")}, put: []domain.Grant{byGroup(none, group("sales", "dev"))}, has: []domain.ProjectID{"p"}},
		{name: "who left the group loses the grant", grants: []domain.Grant{byGroup(none, group("sales"))}, rules: []domain.GroupRule{grants("sales")}, removed: []domain.ProjectID{"p"}},
		{name: "a rule that is gone grants nothing", grants: []domain.Grant{byGroup(none, group("sales"))}, groups: []string{"sales"}, removed: []domain.ProjectID{"p"}},
		{name: "a group adds to what an admin granted", grants: []domain.Grant{manual}, groups: []string{"sales"}, rules: []domain.GroupRule{grants("sales")}, put: []domain.Grant{byGroup(manual, group("sales"))}, has: []domain.ProjectID{"p"}},
		{name: "what an admin granted stays", grants: []domain.Grant{byGroup(manual, group("sales"))}, put: []domain.Grant{manual}, has: []domain.ProjectID{"p"}},
		{name: "what only an admin granted does not change", grants: []domain.Grant{manual}, rules: []domain.GroupRule{grants("sales")}, has: []domain.ProjectID{"p"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := linked("ada")
			for _, g := range tc.grants {
				u.SetAssistants(append(u.Assistants, g.Project))
			}
			got := domain.SignOnPolicy{}.Regroup(domain.GroupMember{User: u, Groups: tc.groups, Grants: tc.grants}, tc.rules, true, start)
			if diff := cmp.Diff(tc.put, got.Put); diff != "" {
				t.Errorf("put (-want +got):\n%s", diff)
			}
			if !slices.Equal(got.Removed, tc.removed) || !slices.Equal(got.User.Assistants, tc.has) || !slices.Equal(got.Lost.ByGrant, tc.removed) {
				t.Errorf("removed %v, ends the sessions of %v, leaves %v; want %v and %v", got.Removed, got.Lost.ByGrant, got.User.Assistants, tc.removed, tc.has)
			}
			if len(got.Changes) != len(tc.put)+len(tc.removed) {
				t.Errorf("the audit is told %v", got.Changes)
			}
		})
	}
}

func TestUnlinkingTakesWhatGroupsGave(t *testing.T) {
	g, _ := domain.NewGrant("u", "p", 0, start).ByGroups([]domain.GroupGrant{{Group: "sales", Scopes: domain.ScopesOf("export")}})
	only, _ := domain.Grant{User: "u", Project: "q"}.ByGroups([]domain.GroupGrant{{Group: "sales", Scopes: domain.ScopesOf("export")}})
	u := linked("ada")
	u.Role, u.AdminBy = domain.RoleAdmin, "it"
	m := domain.GroupMember{User: u, Groups: []string{"it", "sales"}, Grants: []domain.Grant{g, only}}
	got := m.Unlinked(true, start)
	if got.User.Role != domain.RoleMember || len(got.Groups) != 0 || !slices.Equal(got.Removed, []domain.ProjectID{"q"}) ||
		len(got.Put) != 1 || !got.Put[0].Equal(domain.NewGrant("u", "p", 0, start)) {
		t.Errorf("got %+v", got)
	}
	if last := m.Unlinked(false, start); last.User.Role != domain.RoleAdmin || !last.KeptAdmin {
		t.Errorf("the last admin became %+v", last.User)
	}
}

func TestWhatAChangeIsAbout(t *testing.T) {
	was := linked("ada")
	admin := was
	admin.Role, admin.AdminBy = domain.RoleAdmin, "it"
	for _, tc := range []struct {
		name   string
		change domain.SignOnChange
		rule   domain.GroupRule
		want   bool
	}{
		{"another role is about a rule that makes admins", domain.SignOnChange{User: admin}, admins("it"), true},
		{"another role is not about a rule that grants", domain.SignOnChange{User: admin}, grants("it"), false},
		{"a new grant is about the rule that grants the project", domain.SignOnChange{User: was, Put: []domain.Grant{{Project: "p"}}}, grants("it"), true},
		{"a grant that is gone too", domain.SignOnChange{User: was, Removed: []domain.ProjectID{"p"}}, grants("it"), true},
		{"a grant on another project is not", domain.SignOnChange{User: was, Put: []domain.Grant{{Project: "q"}}}, grants("it"), false},
		{"a grant is not about a rule that makes admins", domain.SignOnChange{User: was, Put: []domain.Grant{{Project: "p"}}}, admins("it"), false},
	} {
		if got := tc.change.Concerns(was, tc.rule); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

func TestWhoMayLogInWithAPassword(t *testing.T) {
	for _, tc := range []struct {
		text          string
		read          domain.Kind
		member, admin domain.Kind
	}{
		{"", "", "", ""},
		{"all", "", "", ""},
		{"admins", "", domain.NotAllowed, ""},
		{"off", "", domain.NotAllowed, domain.NotAllowed},
		{"Off", domain.Invalid, "", ""},
	} {
		p, err := domain.ParsePasswordLogin(tc.text)
		wantKind(t, err, tc.read)
		wantKind(t, p.Admits(domain.RoleMember), tc.member)
		wantKind(t, p.Admits(domain.RoleAdmin), tc.admin)
	}
}

// company is a model of users and rules with a few maps: what admins granted by hand, what the groups of
// each user are, and what the rules say.
type company struct {
	policy  domain.SignOnPolicy
	members map[domain.UserID]domain.GroupMember
	rules   []domain.GroupRule
	manual  map[string]domain.Scopes // by user and project
	byHand  map[domain.UserID]bool   // admins by hand
	made    int                      // rules that were made
}

func (c *company) otherAdmin(than domain.UserID) bool {
	for id, m := range c.members {
		if id != than && m.User.CountsAsAdmin() {
			return true
		}
	}
	return false
}

// apply stores a change, as a store does.
func (c *company) apply(change domain.SignOnChange) {
	m := c.members[change.User.ID]
	m.User, m.Groups = change.User, change.Groups
	m.Grants = slices.DeleteFunc(slices.Clone(m.Grants), func(g domain.Grant) bool {
		return slices.Contains(change.Removed, g.Project) || slices.ContainsFunc(change.Put, func(put domain.Grant) bool { return put.Project == g.Project })
	})
	m.Grants = append(m.Grants, change.Put...)
	slices.SortFunc(m.Grants, func(a, b domain.Grant) int { return strings.Compare(string(a.Project), string(b.Project)) })
	c.members[change.User.ID] = m
}

// regroup applies a change of r to those who have something by it.
func (c *company) regroup(r domain.GroupRule) {
	for id, m := range c.members {
		if m.HasBy(r) {
			c.apply(c.policy.Regroup(m, c.rules, c.otherAdmin(id), start))
		}
	}
}

// grant changes what an admin grants to the member.
func (c *company) grant(id domain.UserID, project domain.ProjectID, change func(domain.Grant) (domain.Grant, bool)) {
	m := c.members[id]
	at := slices.IndexFunc(m.Grants, func(g domain.Grant) bool { return g.Project == project })
	is := domain.Grant{User: id, Project: project, Created: start}
	if at >= 0 {
		is = m.Grants[at]
	}
	is, left := change(is)
	changes := domain.SignOnChange{User: m.User, Groups: m.Groups}
	if left {
		changes.Put = []domain.Grant{is}
	} else {
		changes.Removed = []domain.ProjectID{project}
	}
	c.apply(changes)
}

// check looks at what has to hold always.
func (c *company) check(t *rapid.T) {
	if !c.otherAdmin("") {
		t.Fatal("there is no enabled admin")
	}
	for id, m := range c.members {
		if c.byHand[id] && (m.User.Role != domain.RoleAdmin || m.User.AdminBy != "") {
			t.Fatalf("%s is %s by %q, and was made an admin by hand", id, m.User.Role, m.User.AdminBy)
		}
		seen := map[domain.ProjectID]bool{}
		for _, g := range m.Grants {
			seen[g.Project] = true
			if want := c.manual[string(id)+string(g.Project)]; g.Manual != want {
				t.Fatalf("%s has %v on %s by hand, want %v", id, g.Manual.List(), g.Project, want.List())
			}
			all := g.Manual
			for _, by := range g.Groups {
				all |= by.Scopes
				if !slices.Contains(m.Groups, by.Group) {
					t.Fatalf("%s has a grant by %s and is in %v", id, by.Group, m.Groups)
				}
				if !slices.ContainsFunc(c.rules, func(r domain.GroupRule) bool {
					return r.Group == by.Group && r.Project == g.Project && r.Scopes == by.Scopes && slices.Equal(r.Environments, by.Environments)
				}) {
					t.Fatalf("%s has a grant by %+v on %s that no rule gives", id, by, g.Project)
				}
			}
			if g.Scopes != all || all == 0 {
				t.Fatalf("%s has the scopes %v, which are not those of %+v", id, g.Scopes.List(), g)
			}
		}
		for key := range c.manual {
			if project, is := strings.CutPrefix(key, string(id)); is && !seen[domain.ProjectID(project)] {
				t.Fatalf("%s has lost the grant on %s that an admin gave", id, project)
			}
		}
	}
}

// checkAll looks at what holds just after a login: every rule of the groups counts.
func (c *company) checkAll(t *rapid.T, id domain.UserID) {
	m := c.members[id]
	want := map[domain.ProjectID][]string{}
	admin := c.byHand[id]
	for _, r := range c.rules {
		switch {
		case !slices.Contains(m.Groups, r.Group):
		case r.MakesAdmins():
			admin = true
		default:
			want[r.Project] = append(want[r.Project], r.Group)
		}
	}
	admin = admin || slices.ContainsFunc(m.Groups, func(g string) bool { return slices.Contains(c.policy.Admins, g) })
	if is := m.User.Role == domain.RoleAdmin; is != (admin || m.User.AdminKept) {
		t.Fatalf("%s in %v is %s", id, m.Groups, m.User.Role)
	}
	for _, project := range []domain.ProjectID{"p", "q"} {
		var has []string
		for _, g := range m.Grants {
			for _, by := range g.Groups {
				if g.Project == project {
					has = append(has, by.Group)
				}
			}
		}
		slices.Sort(want[project])
		if !slices.Equal(has, want[project]) {
			t.Fatalf("%s in %v has %s by %v, want %v", id, m.Groups, project, has, want[project])
		}
	}
}

// Whatever happens, groups never touch what an admin gave, they give what the rules say and nothing else,
// and there is always an admin.
func TestGroupsGiveWhatTheRulesSayAndTouchNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := []string{"a", "b", "c", "it"}
		group := rapid.SampledFrom(all)
		project := rapid.SampledFrom([]domain.ProjectID{"p", "q"})
		scopes := rapid.SampledFrom([]domain.Scopes{domain.DefaultScopes(), domain.ScopesOf("export"), domain.ScopesOf("export", "analytics")})
		environments := rapid.SampledFrom([][]string{nil, {"dev"}, {"dev", "staging"}})
		c := &company{members: map[domain.UserID]domain.GroupMember{}, manual: map[string]domain.Scopes{}, byHand: map[domain.UserID]bool{"root": true}}
		c.policy = domain.SignOnPolicy{CreateUsers: true, Admins: rapid.SliceOfN(rapid.SampledFrom([]string{"it"}), 0, 1).Draw(t, "admin groups")}
		c.members["root"] = domain.GroupMember{User: domain.NewUser("root", "root", domain.RoleAdmin, domain.NewSecret("hash"), nil, start)}
		signOn := func(t *rapid.T, id domain.UserID) {
			p := person(string(id), rapid.SliceOfDistinct(group, rapid.ID[string]).Draw(t, "groups")...)
			m := c.members[id]
			in := domain.SignOn{Person: p, Policy: c.policy, User: id, At: start.Add(time.Hour)}
			change, err := in.Decide(domain.SignOnFound{Member: m, Rules: c.rules, OtherAdmin: c.otherAdmin(id)})
			if err != nil {
				if !m.User.Disabled {
					t.Fatal(err)
				}
				return
			}
			c.apply(change)
			c.checkAll(t, id)
		}
		subject := rapid.SampledFrom([]domain.UserID{"ada", "ben", "eve"})
		for id := range map[domain.UserID]bool{"ada": true, "ben": true, "eve": true} {
			signOn(t, id)
		}
		anyone := rapid.SampledFrom([]domain.UserID{"ada", "ben", "eve", "root"})
		t.Repeat(map[string]func(*rapid.T){
			"":        c.check,
			"a login": func(t *rapid.T) { signOn(t, subject.Draw(t, "who")) },
			"a rule is set": func(t *rapid.T) {
				c.made++
				r := domain.GroupRule{ID: domain.RuleID(fmt.Sprint("rule ", c.made)), Group: group.Draw(t, "group")}
				if rapid.Bool().Draw(t, "grants") {
					r.Project, r.Scopes, r.Environments = project.Draw(t, "project"), scopes.Draw(t, "scopes"), environments.Draw(t, "environments")
				}
				rules, set, err := r.Set(c.rules)
				if err != nil {
					t.Fatal(err)
				}
				c.rules = rules
				c.regroup(set)
			},
			"a rule is deleted": func(t *rapid.T) {
				if len(c.rules) == 0 {
					t.Skip("there is none")
				}
				rules, gone, err := domain.WithoutRule(c.rules, rapid.SampledFrom(c.rules).Draw(t, "rule").ID)
				if err != nil {
					t.Fatal(err)
				}
				c.rules = rules
				c.regroup(gone)
			},
			"an admin grants": func(t *rapid.T) {
				id, on, within := anyone.Draw(t, "who"), project.Draw(t, "project"), scopes.Draw(t, "scopes")
				c.manual[string(id)+string(on)] = within
				c.grant(id, on, func(g domain.Grant) (domain.Grant, bool) { return g.Regranted(within), true })
			},
			"an admin revokes": func(t *rapid.T) {
				id, on := anyone.Draw(t, "who"), project.Draw(t, "project")
				_, granted := c.manual[string(id)+string(on)]
				c.grant(id, on, func(g domain.Grant) (domain.Grant, bool) {
					is, left, err := g.Revoked()
					if (err != nil) != (!granted && len(g.Groups) > 0) {
						t.Fatalf("revoking %+v: got %v", g, err)
					}
					return is, left
				})
				delete(c.manual, string(id)+string(on))
			},
			"a role by hand": func(t *rapid.T) {
				id, role := anyone.Draw(t, "who"), rapid.SampledFrom([]domain.Role{domain.RoleAdmin, domain.RoleMember}).Draw(t, "role")
				m := c.members[id]
				if m.User.SetRole(role, c.otherAdmin(id)) == nil {
					c.members[id], c.byHand[id] = m, role == domain.RoleAdmin
				}
			},
			"disabling": func(t *rapid.T) {
				id := anyone.Draw(t, "who")
				m := c.members[id]
				if m.User.SetDisabled(rapid.Bool().Draw(t, "disabled"), c.otherAdmin(id)) == nil {
					c.members[id] = m
				}
			},
			"unlinking and linking again": func(t *rapid.T) {
				id := subject.Draw(t, "who")
				m := c.members[id]
				c.apply(m.Unlinked(c.otherAdmin(id), start))
				if m = c.members[id]; len(m.Groups) > 0 || slices.ContainsFunc(m.Grants, func(g domain.Grant) bool { return len(g.Groups) > 0 }) {
					t.Fatalf("%s is not linked and has %+v", id, m)
				}
			},
		})
	})
}
