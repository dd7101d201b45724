package domain

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"
)

// RuleID is the id of a GroupRule: a UUIDv7 as text.
type RuleID string

// NewRuleID makes an id from the time now and 10 bytes of random.
func NewRuleID(now time.Time, random io.Reader) (RuleID, error) {
	id, err := newUUID(now, random)
	return RuleID(id), err
}

// ParseRuleID reads a UUID in its usual text. Returns Invalid for any other text.
func ParseRuleID(text string) (RuleID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isUUID(text) {
		return "", invalid("rule_id is not the Id of a rule")
	}
	return RuleID(text), nil
}

// MaxGroupRules is how many rules there are at most.
const MaxGroupRules = 1000

// GroupRule says what a group at the identity provider may do here: it makes its members admins, or
// grants them a project. There is one rule at most for a group and what it gives.
type GroupRule struct {
	ID    RuleID
	Group string
	// Project is granted. It is "" for a rule that makes admins.
	Project ProjectID
	Scopes  Scopes // of the grant
	// Environments are the only ones that the grant is good for. Empty is no limit.
	Environments []string
	Created      time.Time
}

// NewGroupRule returns a rule that makes the members of the group admins if project is "", and else
// grants them the project. Empty scopes are DefaultScopes. environments are names for
// ParseEnvironmentNames; none is no limit. Returns Invalid for the name of a group or an environment
// that can't be one, and for scopes or environments of a rule that makes admins.
func NewGroupRule(id RuleID, group string, project ProjectID, scopes Scopes, environments []string, now time.Time) (GroupRule, error) {
	group, err := ParseGroup(group)
	if err != nil {
		return GroupRule{}, err
	}
	r := GroupRule{ID: id, Group: group, Project: project, Created: Instant(now)}
	if project == "" {
		if scopes != 0 || len(environments) > 0 {
			return GroupRule{}, invalid("a rule that makes admins has no scopes and no environments")
		}
		return r, nil
	}
	if len(environments) > 0 {
		if r.Environments, err = ParseEnvironmentNames("environments", environments); err != nil {
			return GroupRule{}, err
		}
	}
	if r.Scopes = scopes; scopes == 0 {
		r.Scopes = DefaultScopes()
	}
	return r, nil
}

// MakesAdmins reports whether the rule makes the members of the group admins.
func (r GroupRule) MakesAdmins() bool { return r.Project == "" }

// Replaces reports whether the rule is for the same group and gives the same as other, which it
// then replaces. It keeps the id and the time of other.
func (r GroupRule) Replaces(other GroupRule) bool {
	return r.Group == other.Group && r.Project == other.Project
}

// Equal reports whether r and other are the same but for the time.
func (r GroupRule) Equal(other GroupRule) bool {
	return r.ID == other.ID && r.Replaces(other) && r.Scopes == other.Scopes && slices.Equal(r.Environments, other.Environments)
}

// Set returns the rules with r in place of the one that it replaces, or added, and r as it is
// stored. Returns Conflict if there are MaxGroupRules already.
func (r GroupRule) Set(rules []GroupRule) ([]GroupRule, GroupRule, error) {
	set := slices.Clone(rules)
	if at := slices.IndexFunc(set, r.Replaces); at >= 0 {
		r.ID, r.Created = set[at].ID, set[at].Created
		set[at] = r
		return set, r, nil
	}
	if len(set) >= MaxGroupRules {
		return nil, GroupRule{}, &Error{Kind: Conflict, Public: "there are too many rules already; delete some"}
	}
	return append(set, r), r, nil
}

// WithoutRule returns the rules without the one of that id, and that one. Returns NotFound if there
// is none.
func WithoutRule(rules []GroupRule, id RuleID) ([]GroupRule, GroupRule, error) {
	at := slices.IndexFunc(rules, func(r GroupRule) bool { return r.ID == id })
	if at < 0 {
		return nil, GroupRule{}, NoSuch("rule")
	}
	return slices.Delete(slices.Clone(rules), at, at+1), rules[at], nil
}

// CompareRules orders rules by group, then those that make admins first, then by project.
func CompareRules(a, b GroupRule) int {
	return cmp.Or(strings.Compare(a.Group, b.Group), cmp.Compare(a.Project, b.Project))
}

// HasBy reports whether the member has what the rule gives, by it.
func (m GroupMember) HasBy(r GroupRule) bool {
	if r.MakesAdmins() {
		return m.User.AdminBy == r.Group
	}
	return slices.ContainsFunc(m.Grants, func(g Grant) bool {
		return g.Project == r.Project && slices.ContainsFunc(g.Groups, func(by GroupGrant) bool { return by.Group == r.Group })
	})
}

// Concerns reports whether the member is in the group, or has something by it.
func (m GroupMember) Concerns(group string) bool {
	return slices.Contains(m.Groups, group) || m.User.AdminBy == group ||
		slices.ContainsFunc(m.Grants, func(g Grant) bool {
			return slices.ContainsFunc(g.Groups, func(by GroupGrant) bool { return by.Group == group })
		})
}

// GroupMember is a user with the groups that the identity provider named last, and what they have now.
type GroupMember struct {
	User   User
	Groups []string // in order
	Grants []Grant  // in the order of the projects
}
