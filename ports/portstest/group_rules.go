package portstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// GroupRules checks every sentence in the comments of ports.GroupRules.
func GroupRules(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Set stores the rule, and List returns all rules in their order", ruleSets},
		{"Set replaces the rule for the same group and the same project, and changes nothing if that is what it was", ruleReplaces},
		{"Set returns the error of GroupRule.Set, and NotFound if the project does not exist, and then changes nothing", ruleRefused},
		{"Set reaches the users who have something by the rule at once, and others at their next login", ruleReaches},
		{"Remove takes what users have by the rule at once, and nothing that an admin or another group gives", ruleTakes},
		{"Remove of a rule that makes admins demotes those whom it made admins, but not the last admin", ruleDemotes},
		{"an access token neither sets nor removes a rule that makes admins", ruleByToken},
		{"Remove of an unknown id is NotFound and changes nothing", ruleUnknown},
		{"a rule goes with its project", ruleOfProject},
		{"Members returns the users in the group and those who have something by it, in the order of their ids", ruleMembers},
		{"a rule that is removed while its member logs in leaves nothing by it", ruleRemovedDuring},
		{"a project that is removed while a member of its group logs in leaves no grant", ruleProjectDuring},
	}, promises("GroupRules")...))
}

// wantRules fails the test unless these are all rules.
func (f *fixture) wantRules(t *testing.T, what string, want ...domain.GroupRule) {
	t.Helper()
	got, err := f.Ports.GroupRules.List(t.Context())
	wantNil(t, what+": GroupRules.List", err)
	wantSame(t, what+": GroupRules.List", got, want)
}

// setsAgain stores a rule in place of another one, by which the users have something.
func (f *fixture) setsAgain(t *testing.T, r domain.GroupRule, changes ...domain.ChangeMade) domain.GroupRule {
	t.Helper()
	act := f.act(domain.ActionSetGroupRule, domain.OnRule(r.ID))
	stored, err := f.Ports.GroupRules.Set(t.Context(), act, r, signOnPolicy)
	wantNil(t, "GroupRules.Set", err)
	f.changed(domain.SignOnChange{Changes: changes}, act.Record.Actor, act.Record)
	f.log = append(f.log, act.Record)
	f.wantRecords(t, "after Set")
	return stored
}

// removes removes a rule, by which the users have something.
func (f *fixture) removes(t *testing.T, r domain.GroupRule, changes ...domain.ChangeMade) {
	t.Helper()
	act := f.act(domain.ActionDeleteGroupRule, domain.OnRule(r.ID))
	gone, err := f.Ports.GroupRules.Remove(t.Context(), act, r.ID, signOnPolicy)
	wantNil(t, "GroupRules.Remove", err)
	wantSame(t, "what GroupRules.Remove returns", gone, r)
	f.changed(domain.SignOnChange{Changes: changes}, act.Record.Actor, act.Record)
	f.log = append(f.log, act.Record)
	f.wantRecords(t, "after Remove")
}

func ruleSets(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.wantRules(t, "before the first")
	var all []domain.GroupRule
	for _, r := range []domain.GroupRule{
		f.rule("staff", q.ID, someScopes, "main", "dev"), f.rule("staff", "", 0), f.rule("staff", p.ID, domain.AllScopes()),
		f.rule("Staff", p.ID, domain.DefaultScopes()), f.rule("句 '; -- % _", "", 0), f.rule("a", q.ID, domain.DefaultScopes(), "main"),
	} {
		f.clock.advance(time.Second)
		wantSame(t, "what Set returns", f.setRule(t, r), r)
		all = append(all, r)
	}
	slices.SortFunc(all, domain.CompareRules)
	f.wantRules(t, "after each Set", all...)
	f.wantRecords(t, "after each Set")
}

func ruleReplaces(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	other := f.setRule(t, f.rule("staff", q.ID, someScopes, "main"))
	first := f.setRule(t, f.rule("staff", p.ID, someScopes, "main"))
	f.clock.advance(time.Hour)
	for _, r := range []domain.GroupRule{f.rule("staff", p.ID, domain.AllScopes()), f.rule("staff", p.ID, domain.AllScopes(), "dev", "main")} {
		stored := f.setRule(t, r)
		want := r
		want.ID, want.Created = first.ID, first.Created
		wantSame(t, "what Set of another rule for the same returns", stored, want)
		f.wantRules(t, "after Set of another rule for the same", want, other)
	}
	f.clock.advance(time.Hour)
	same := f.rule("staff", q.ID, someScopes, "main")
	stored, err := f.Ports.GroupRules.Set(t.Context(), f.act(domain.ActionSetGroupRule, "x"), same, signOnPolicy)
	wantNil(t, "Set of the same", err)
	wantSame(t, "what Set of the same returns", stored, other)
	f.wantRecords(t, "after Set of the same")
}

func ruleRefused(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	f.setRule(t, f.rule("staff", p.ID, domain.AllScopes()))
	for n := range domain.MaxGroupRules - 1 {
		_, err := f.Ports.GroupRules.Set(t.Context(), f.act(domain.ActionSetGroupRule, "x"), f.rule(fmt.Sprintf("group %d", n), "", 0), signOnPolicy)
		wantNil(t, "Set of as many as there may be", err)
	}
	f.log = f.Records(t)
	before := f.state(t, f.Ports)
	for what, tc := range map[string]struct {
		r    domain.GroupRule
		kind domain.Kind
	}{
		"one rule too many":            {f.rule("more", p.ID, domain.AllScopes()), domain.Conflict},
		"a project that never existed": {f.rule("staff", projectID(404), domain.AllScopes()), domain.NotFound},
	} {
		_, err := f.Ports.GroupRules.Set(t.Context(), f.act(domain.ActionSetGroupRule, "x"), tc.r, signOnPolicy)
		wantKind(t, "Set of "+what, err, tc.kind)
	}
	wantSame(t, "what is stored after what was refused", f.state(t, f.Ports), before)
	f.wantRecords(t, "after what was refused")
	again := f.rule("staff", p.ID, domain.DefaultScopes())
	f.setRule(t, again) // it replaces one
}

func ruleReaches(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	r := f.setRule(t, f.rule("staff", p.ID, someScopes))
	ana, bob := f.linked(t, "ana", domain.RoleMember), f.linked(t, "bob", domain.RoleMember, p.ID)
	at := f.signedOn(t, ana, "staff").in.At
	f.signedOn(t, bob, "others")
	f.grantScopes(t, ana.ID, p.ID, domain.ScopesOf(domain.ScopeExport))
	f.clock.advance(time.Hour)
	r.Scopes, r.Environments = domain.ScopesOf(domain.ScopeConverse), []string{"main"}
	r = f.setsAgain(t, r, domain.ChangeMade{Action: domain.ActionGrantProject, Object: domain.OnGrant(ana.ID, p.ID)})
	want := byGroups(ana.ID, p.ID, at, group(r)).Regranted(domain.ScopesOf(domain.ScopeExport))
	f.wantGrants(t, "after Set in place of a rule", domain.GrantFilter{User: ana.ID}, want)
	f.wantGrants(t, "of another user", domain.GrantFilter{User: bob.ID}, domain.NewGrant(bob.ID, p.ID, 0, at))

	more := f.setsAgain(t, f.rule("staff", q.ID, someScopes))
	f.wantGrants(t, "after Set of a new rule", domain.GrantFilter{User: ana.ID}, want)
	later := f.signedOn(t, ana, "staff").in.At
	f.wantGrants(t, "after the next login", domain.GrantFilter{User: ana.ID}, want, byGroups(ana.ID, q.ID, later, group(more)))
}

func ruleTakes(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	staff, agents := f.setRule(t, f.rule("staff", p.ID, someScopes)), f.setRule(t, f.rule("agents", p.ID, domain.DefaultScopes()))
	inQ := f.setRule(t, f.rule("staff", q.ID, someScopes))
	alone, both, manual := f.linked(t, "ana", domain.RoleMember), f.linked(t, "bob", domain.RoleMember), f.linked(t, "cem", domain.RoleMember, p.ID)
	began := domain.Instant(f.clock.now())
	login := f.signedOn(t, alone, "staff").login
	f.signedOn(t, both, "staff", "agents")
	f.signedOn(t, manual, "staff")
	lost := f.set(t, f.under(login, p.ID))
	other := f.signedOn(t, alone, "staff").login
	stays := f.set(t, f.under(other, q.ID))
	f.clock.advance(time.Second)
	f.removes(t, staff, domain.ChangeMade{Action: domain.ActionRevokeProject, Object: domain.OnGrant(alone.ID, p.ID)},
		domain.ChangeMade{Action: domain.ActionGrantProject, Object: domain.OnGrant(both.ID, p.ID)},
		domain.ChangeMade{Action: domain.ActionGrantProject, Object: domain.OnGrant(manual.ID, p.ID)})
	inQOf := func(u domain.User) domain.Grant { return byGroups(u.ID, q.ID, began, group(inQ)) }
	f.wantGrants(t, "after Remove", domain.GrantFilter{}, inQOf(alone), byGroups(both.ID, p.ID, began, group(agents)), inQOf(both),
		domain.NewGrant(manual.ID, p.ID, 0, began), inQOf(manual))
	f.wantOver(t, "after Remove", lost)
	f.wantLive(t, "after Remove", login, other, stays)
	f.wantRules(t, "after Remove", agents, inQ)
}

func ruleDemotes(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	r := f.setRule(t, f.rule("leads", "", 0))
	ana, bob := f.linked(t, "ana", domain.RoleMember), f.linked(t, "bob", domain.RoleMember)
	o := f.signedOn(t, ana, "leads")
	f.signedOn(t, bob, "leads")
	ruled := f.set(t, f.byRole(o.login, p.ID))
	f.removes(t, r, domain.ChangeMade{Action: domain.ActionUpdateUser, Object: domain.OnUser(ana.ID)},
		domain.ChangeMade{Action: domain.ActionKeepAdmin, Object: domain.OnUser(bob.ID)})
	f.wantOver(t, "allowed by the role", ruled)
	ana.SignedOn, bob.SignedOn = domain.Instant(o.in.At), domain.Instant(o.in.At)
	bob.Role, bob.AdminBy, bob.AdminKept = domain.RoleAdmin, "leads", true
	f.wantUser(t, "who is no longer an admin", ana)
	f.wantUser(t, "who is the last admin", bob)
	kept, err := f.Ports.Users.KeptAdmins(t.Context(), 10)
	wantNil(t, "KeptAdmins", err)
	wantSame(t, "KeptAdmins", kept, []domain.User{bob})
	f.admin(t, "another")
	f.signedOn(t, bob)
	bob.Role, bob.AdminBy, bob.AdminKept = domain.RoleMember, "", false
	f.wantUser(t, "at the next login, while there is another admin", bob)
}

func ruleByToken(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	who := f.actorByToken(t, "", domain.ManageScopes())
	admins, grants := f.setRule(t, f.rule("leads", "", 0)), f.setRule(t, f.rule("staff", p.ID, someScopes))
	act := f.actBy(who, attempt{needs: domain.NeedsAdmin()}, "x")
	_, err := f.Ports.GroupRules.Set(t.Context(), act, f.rule("others", "", 0), signOnPolicy)
	wantKind(t, "Set of a rule that makes admins", err, domain.NotAllowed)
	_, err = f.Ports.GroupRules.Remove(t.Context(), act, admins.ID, signOnPolicy)
	wantKind(t, "Remove of a rule that makes admins", err, domain.NotAllowed)
	f.wantRules(t, "after what was refused", admins, grants)
	_, err = f.Ports.GroupRules.Remove(t.Context(), act, grants.ID, signOnPolicy)
	wantNil(t, "Remove of a rule that grants", err)
	f.log = append(f.log, act.Record)
	f.wantRecords(t, "after Remove of a rule that grants")
}

func ruleUnknown(t *testing.T, f *fixture) {
	r := f.setRule(t, f.rule("staff", "", 0))
	for _, id := range []domain.RuleID{ruleID(404), ""} {
		_, err := f.Ports.GroupRules.Remove(t.Context(), f.act(domain.ActionDeleteGroupRule, "x"), id, signOnPolicy)
		wantKind(t, "Remove of an unknown id", err, domain.NotFound)
	}
	f.wantRules(t, "after Remove of an unknown id", r)
	f.wantRecords(t, "after Remove of an unknown id")
}

func ruleOfProject(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.setRule(t, f.rule("staff", p.ID, someScopes))
	inQ, admins := f.setRule(t, f.rule("staff", q.ID, someScopes)), f.setRule(t, f.rule("staff", "", 0))
	f.remove(t, p.ID)
	f.wantRules(t, "after Projects.Remove", admins, inQ)
}

func ruleMembers(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	began := domain.Instant(f.clock.now())
	r := f.setRule(t, f.rule("staff", p.ID, someScopes))
	var want []domain.GroupMember
	for n := range 5 {
		u := f.linked(t, domain.Username(fmt.Sprintf("user%d", 9-n)), domain.RoleMember, p.ID)
		f.signedOn(t, u, "staff", "more")
		u.SignedOn = began
		both, _ := domain.NewGrant(u.ID, p.ID, 0, began).ByGroups([]domain.GroupGrant{group(r)})
		want = append(want, domain.GroupMember{User: u, Groups: []string{"more", "staff"}, Grants: []domain.Grant{both}})
	}
	f.signedOn(t, f.linked(t, "other", domain.RoleMember), "Staff", "staff2", "taff")
	f.wantMembers(t, "of all", "staff", want...)
	for _, at := range []int{0, 2, 4} {
		got, err := f.Ports.GroupRules.Members(t.Context(), "staff", want[at].User.ID, 2)
		wantNil(t, "Members after an id", err)
		wantSame(t, "Members after an id", got, want[at+1:min(at+3, len(want))])
	}
	// The last admin is no longer in the group.
	boss := f.linked(t, "boss", domain.RoleMember)
	f.signedOn(t, boss, "bosses")
	f.signedOn(t, boss)
	boss.SignedOn, boss.Role, boss.AdminBy, boss.AdminKept = began, domain.RoleAdmin, "bosses", true
	f.wantMembers(t, "of a group that made an admin", "bosses", domain.GroupMember{User: boss})
}

func ruleRemovedDuring(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	for n := range rounds {
		r := f.setRule(t, f.rule("staff", p.ID, someScopes))
		u := f.linked(t, domain.Username(fmt.Sprintf("ana%d", n)), domain.RoleMember)
		if n%2 == 0 {
			f.signedOn(t, u, "staff")
		}
		var err error
		f.openAll(t, []opening{f.opening(f.signOn(u, "staff"))}, func() {
			_, err = at[len(at)-1].Ports.GroupRules.Remove(t.Context(), f.act(domain.ActionDeleteGroupRule, "x"), r.ID, signOnPolicy)
		})
		wantNil(t, "Remove during a login", err)
		f.wantGrants(t, "after Remove during a login", domain.GrantFilter{User: u.ID})
		f.log = f.Records(t)
	}
}

func ruleProjectDuring(t *testing.T, f *fixture) {
	at := f.instances(t)
	for n := range rounds {
		p := f.addNamed(t, "p")
		f.setRule(t, f.rule("staff", p.ID, someScopes))
		u := f.linked(t, domain.Username(fmt.Sprintf("ana%d", n)), domain.RoleMember)
		var err error
		done := f.openAll(t, []opening{f.opening(f.signOn(u, "staff"))}, func() {
			err = at[len(at)-1].Ports.Projects.Remove(t.Context(), f.act(domain.ActionDeleteProject, "x"), p.ID)
		})
		wantNil(t, "Projects.Remove during a login", err)
		wantSame(t, "how many logins succeeded during Projects.Remove", len(done), 1)
		f.wantGrants(t, "after Projects.Remove during a login", domain.GrantFilter{User: u.ID})
		f.wantRules(t, "after Projects.Remove during a login")
		f.log = f.Records(t)
	}
}
