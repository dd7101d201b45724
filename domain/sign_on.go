package domain

import (
	"slices"
	"strings"
	"time"
)

// SignOnPolicy is what the operator has set for logins by the identity provider.
type SignOnPolicy struct {
	CreateUsers bool     // the first login of an unknown person creates a user
	Required    []string // if there are any, a person must be in one of these groups
	Admins      []string // groups that make admins, as a GroupRule does
}

// needsGroups reports whether anything depends on groups.
func (p SignOnPolicy) needsGroups(rules []GroupRule) bool {
	return len(p.Required) > 0 || len(p.Admins) > 0 || len(rules) > 0
}

// SignOn is a login by the identity provider, or the renewal of one.
type SignOn struct {
	Person Person
	Policy SignOnPolicy
	User   UserID // of the person; a new id if there is no such user yet
	Renews bool   // it renews a login, so the user must exist
	At     time.Time
}

// SignOnFound is what a store finds for a SignOn in the transaction of the login.
type SignOnFound struct {
	Member     GroupMember // of the user who has the identity; zero if there is none
	Rules      []GroupRule
	OtherAdmin bool       // another user counts as admin
	Taken      []Username // those of Person.Usernames that are taken
}

// SignOnChange is what a login by the identity provider changes, or a change of rules.
type SignOnChange struct {
	User    User     // as it becomes
	Created bool     // the user is new
	Groups  []string // the groups to keep, in order
	// Put are the grants that are new or that change, and Removed the projects that are no longer
	// granted.
	Put     []Grant
	Removed []ProjectID
	Lost    SessionsLost // the sessions that end
	// KeptAdmin is true if the user lost the group that made them an admin and stays one since
	// there is no other.
	KeptAdmin bool
	// Changes are what the audit is told, in order.
	Changes []ChangeMade
}

// Concerns reports whether the change of the user, who was was, is about what the rule gives: the role, or
// the grant on its project.
func (c SignOnChange) Concerns(was User, r GroupRule) bool {
	if r.MakesAdmins() {
		return c.User.Role != was.Role || c.User.AdminBy != was.AdminBy || c.User.AdminKept != was.AdminKept
	}
	return slices.Contains(c.Removed, r.Project) || slices.ContainsFunc(c.Put, func(g Grant) bool { return g.Project == r.Project })
}

// ChangeMade is an action and its object, for the audit.
type ChangeMade struct {
	Action Action
	Object string
}

// Decide decides whether the person may log in, and what that changes. Returns NotAuthenticated if
// their groups are not known and something depends on them, or if there is no such user and none is
// to be created. Returns NotAllowed if the user is disabled, and if the person is in none of the
// groups of which one is required. Returns NotAllowed if there is no admin yet, and the person has no user
// and does not become an admin: the first user is an admin. Returns Conflict if User is not the id of the
// user who has the identity, since that has just changed.
func (s SignOn) Decide(f SignOnFound) (SignOnChange, error) {
	groups := s.Person.Groups
	if err := groups.known(s.Policy.needsGroups(f.Rules)); err != nil {
		return SignOnChange{}, err
	}
	m := f.Member
	isNew := m.User.ID == ""
	if err := s.admits(m.User); err != nil {
		return SignOnChange{}, err
	}
	var made []ChangeMade
	if isNew {
		name, err := firstFree(s.Person.Usernames(), f.Taken)
		if err != nil {
			return SignOnChange{}, err
		}
		m.User = NewUser(s.User, name, RoleMember, Secret{}, nil, s.At)
		m.User.Identity = s.Person.Identity
		made = append(made, ChangeMade{ActionCreateUser, OnUser(s.User)})
	}
	m.User.SignedOn = Instant(s.At)
	if groups.State == GroupsListed {
		m.Groups = groups.Names
	}
	change := s.Policy.Regroup(m, f.Rules, f.OtherAdmin, s.At)
	if isNew && !f.OtherAdmin && change.User.Role != RoleAdmin { // with a first user who is a member, the set-up link would end
		return SignOnChange{}, noAdminYet()
	}
	change.Created, change.Changes = isNew, append(made, change.Changes...)
	return change, nil
}

// admits returns why the person may not log in as the user, who is zero if there is none yet. It does not
// know whether there is an admin.
func (s SignOn) admits(u User) error {
	isNew := u.ID == ""
	switch {
	case !isNew && u.ID != s.User:
		return &Error{Kind: Conflict, Public: "the user has just changed; log in again"}
	case !isNew && u.Disabled:
		return &Error{Kind: NotAllowed, Public: "your user here is disabled; an admin can enable it"}
	case !s.Policy.admits(s.Person.Groups.Names):
		return &Error{Kind: NotAllowed, Public: "you are in none of the groups that may log in here; ask whoever manages the groups of your company"}
	case isNew && (s.Renews || !s.Policy.CreateUsers):
		return refusedSignOn("there is no user here for you; an admin can link one to your identity")
	}
	return nil
}

func noAdminYet() error {
	return &Error{
		Kind: NotAllowed,
		Public: "there is no admin here yet; the operator has to create one with the command setup-link or user create, " +
			"or to name a group of admins in FLOWLATCH_OIDC_ADMIN_GROUPS",
	}
}

// admits reports whether somebody in the groups may log in.
func (p SignOnPolicy) admits(groups []string) bool {
	return len(p.Required) == 0 || slices.ContainsFunc(p.Required, func(g string) bool { return slices.Contains(groups, g) })
}

// firstFree returns the first name that is not taken.
func firstFree(names, taken []Username) (Username, error) {
	for _, name := range names {
		if !slices.Contains(taken, name) {
			return name, nil
		}
	}
	return "", &Error{Kind: Conflict, Public: "your user name is taken here; an admin can create a user and link it to your identity"}
}

// Regroup returns what the rules make of the member, who has the groups. What an admin granted, and
// the role that an admin gave, stay. The last admin stays one.
func (p SignOnPolicy) Regroup(m GroupMember, rules []GroupRule, otherAdmin bool, now time.Time) SignOnChange {
	was := m.User
	change := SignOnChange{User: m.User, Groups: m.Groups}
	change.regrant(m, rules, now)
	change.decideRole(p, m.Groups, rules, otherAdmin)
	for _, id := range change.Removed {
		change.Changes = append(change.Changes, ChangeMade{ActionRevokeProject, OnGrant(was.ID, id)})
	}
	for _, g := range change.Put {
		change.Changes = append(change.Changes, ChangeMade{ActionGrantProject, OnGrant(was.ID, g.Project)})
	}
	switch {
	case change.KeptAdmin:
		change.Changes = append(change.Changes, ChangeMade{ActionKeepAdmin, OnUser(was.ID)})
	case change.User.Role != was.Role:
		change.Changes = append(change.Changes, ChangeMade{ActionUpdateUser, OnUser(was.ID)})
	}
	if change.User.CountsAsAdmin() && !was.CountsAsAdmin() {
		change.Changes = append(change.Changes, ChangeMade{ActionMakeAdmin, OnUser(was.ID)})
	}
	lost := SessionsLostBy(was, change.User, Kept{})
	lost.ByGrant = change.Removed
	change.Lost = lost
	return change
}

// Unlinked returns what is left of what the groups gave the member, who is no longer linked to an identity:
// nothing, but the last admin stays one.
func (m GroupMember) Unlinked(otherAdmin bool, now time.Time) SignOnChange {
	m.Groups = nil
	return SignOnPolicy{}.Regroup(m, nil, otherAdmin, now)
}

// regrant sets Put, Removed and the assistants of User.
func (c *SignOnChange) regrant(m GroupMember, rules []GroupRule, now time.Time) {
	byProject := map[ProjectID][]GroupGrant{}
	for _, r := range rules {
		if r.Project != "" && slices.Contains(m.Groups, r.Group) {
			byProject[r.Project] = append(byProject[r.Project], GroupGrant{Group: r.Group, Scopes: r.Scopes, Environments: r.Environments})
		}
	}
	for _, g := range m.Grants {
		is, left := g.ByGroups(byProject[g.Project])
		delete(byProject, g.Project)
		switch {
		case !left:
			c.Removed = append(c.Removed, g.Project)
		case !is.Equal(g):
			c.Put = append(c.Put, is)
		}
	}
	for project, groups := range byProject {
		is, _ := Grant{User: m.User.ID, Project: project, Created: Instant(now)}.ByGroups(groups)
		c.Put = append(c.Put, is)
	}
	slices.SortFunc(c.Put, func(a, b Grant) int { return strings.Compare(string(a.Project), string(b.Project)) })
	assistants := slices.Clone(c.User.Assistants)
	assistants = slices.DeleteFunc(assistants, func(id ProjectID) bool { return slices.Contains(c.Removed, id) })
	for _, g := range c.Put {
		assistants = append(assistants, g.Project)
	}
	c.User.SetAssistants(assistants)
}

// decideRole sets the role of User and KeptAdmin.
func (c *SignOnChange) decideRole(p SignOnPolicy, groups []string, rules []GroupRule, otherAdmin bool) {
	by := p.adminGroup(groups, rules)
	u := &c.User
	switch {
	case u.Role == RoleAdmin && u.AdminBy == "": // an admin gave the role
	case by != "":
		u.Role, u.AdminBy, u.AdminKept = RoleAdmin, by, false
	case u.Role == RoleAdmin:
		if u.SetRole(RoleMember, otherAdmin) != nil {
			c.KeptAdmin = !u.AdminKept
			u.AdminKept = true
			return
		}
		u.AdminBy, u.AdminKept = "", false
	}
}

// adminGroup returns the first of the groups that makes admins, "" if none does.
func (p SignOnPolicy) adminGroup(groups []string, rules []GroupRule) string {
	for _, group := range groups {
		if slices.Contains(p.Admins, group) || slices.ContainsFunc(rules, func(r GroupRule) bool { return r.MakesAdmins() && r.Group == group }) {
			return group
		}
	}
	return ""
}

// PasswordLogin says who may log in with a password.
type PasswordLogin string

// Who may log in with a password.
const (
	PasswordLoginAll    PasswordLogin = "all"
	PasswordLoginAdmins PasswordLogin = "admins"
	PasswordLoginOff    PasswordLogin = "off"
)

// ParsePasswordLogin reads all, admins or off; "" is all. Returns Invalid for any other text.
func ParsePasswordLogin(text string) (PasswordLogin, error) {
	switch p := PasswordLogin(text); p {
	case "":
		return PasswordLoginAll, nil
	case PasswordLoginAll, PasswordLoginAdmins, PasswordLoginOff:
		return p, nil
	}
	return "", invalid("the value must be all, admins or off")
}

// Admits returns NotAllowed unless a user with the role may log in with a password. The zero
// PasswordLogin is PasswordLoginAll.
func (p PasswordLogin) Admits(role Role) error {
	switch {
	case p == PasswordLoginOff:
		return &Error{Kind: NotAllowed, Public: "nobody can log in with a password here; log in with the identity provider"}
	case p == PasswordLoginAdmins && role != RoleAdmin:
		return &Error{Kind: NotAllowed, Public: "only admins can log in with a password here; log in with the identity provider"}
	}
	return nil
}
