package domain

import (
	"slices"
	"strings"
	"time"
)

// Grant lets a user who is not an admin use a project, within its scopes. An admin has granted it,
// or groups at the identity provider, or both.
type Grant struct {
	User    UserID
	Project ProjectID
	Scopes  Scopes // those of Manual and Groups together; not empty
	Manual  Scopes // what an admin granted; empty if only groups grant
	// Groups are the groups that grant, in the order of their names.
	Groups  []GroupGrant
	Created time.Time
}

// GroupGrant is what a group at the identity provider grants by a GroupRule.
type GroupGrant struct {
	Group  string
	Scopes Scopes
	// Environments are the only ones that it is good for. Empty is no limit.
	Environments []string
}

// NewGrant lets the user use the project within the scopes from now on. Empty scopes are
// DefaultScopes.
func NewGrant(user UserID, project ProjectID, scopes Scopes, now time.Time) Grant {
	if scopes == 0 {
		scopes = DefaultScopes()
	}
	return Grant{User: user, Project: project, Scopes: scopes, Manual: scopes, Created: Instant(now)}
}

// Regranted returns the grant g after an admin has granted it again within the scopes. Only the
// scopes that an admin granted are replaced. Empty scopes replace none; where only groups grant, they
// are DefaultScopes.
func (g Grant) Regranted(scopes Scopes) Grant {
	switch {
	case scopes != 0:
		g.Manual = scopes
	case g.Manual == 0:
		g.Manual = DefaultScopes()
	}
	return g.together()
}

// Revoked returns the grant g after an admin has taken it back. left is false if nothing is left of
// it. Returns Conflict if only groups grant it: whoever is in such a group would have it again.
func (g Grant) Revoked() (is Grant, left bool, err error) {
	if g.Manual == 0 && len(g.Groups) > 0 {
		return g, true, &Error{Kind: Conflict, Public: "the group " + shown(g.Groups[0].Group) + " grants this assistant; remove the user from the group, or delete its rule"}
	}
	g.Manual = 0
	return g.together(), len(g.Groups) > 0, nil
}

// ByGroups returns the grant g with the groups in place of those that it has. left is false if nothing
// is left of it.
func (g Grant) ByGroups(groups []GroupGrant) (is Grant, left bool) {
	g.Groups = slices.SortedFunc(slices.Values(groups), func(a, b GroupGrant) int { return strings.Compare(a.Group, b.Group) })
	g = g.together()
	return g, g.Scopes != 0
}

// together sets Scopes.
func (g Grant) together() Grant {
	g.Scopes = g.Manual
	for _, by := range g.Groups {
		g.Scopes |= by.Scopes
	}
	return g
}

// Equal reports whether g and other are the same but for the time.
func (g Grant) Equal(other Grant) bool {
	return g.User == other.User && g.Project == other.Project && g.Scopes == other.Scopes && g.Manual == other.Manual &&
		slices.EqualFunc(g.Groups, other.Groups, func(a, b GroupGrant) bool {
			return a.Group == b.Group && a.Scopes == b.Scopes && slices.Equal(a.Environments, b.Environments)
		})
}

// Source says who grants: manual for an admin, else group: and the name of the first group.
func (g Grant) Source() string {
	if g.Manual != 0 || len(g.Groups) == 0 {
		return SourceManual
	}
	return g.Groups[0].Source()
}

// SourceManual is the source of what an admin granted.
const SourceManual = "manual"

// Source is the source of what the group grants: group: and its name.
func (g GroupGrant) Source() string { return "group:" + g.Group }

// GrantSource is what one source grants: an admin, or a group.
type GrantSource struct {
	Source string // SourceManual, or group: and the name of the group
	Scopes Scopes
	// Environments are the only ones that it is good for. Empty is no limit.
	Environments []string
}

// Sources returns what grants, an admin first.
func (g Grant) Sources() []GrantSource {
	var all []GrantSource
	if g.Manual != 0 {
		all = append(all, GrantSource{Source: SourceManual, Scopes: g.Manual})
	}
	for _, by := range g.Groups {
		all = append(all, GrantSource{Source: by.Source(), Scopes: by.Scopes, Environments: by.Environments})
	}
	return all
}

// OnlyEnvironments returns the environments that any source of the grant is good for, in order. It is
// empty if there is no limit, since a source has none.
func (g Grant) OnlyEnvironments() []string {
	var all []string
	for _, by := range g.Sources() {
		if len(by.Environments) == 0 {
			return nil
		}
		all = append(all, by.Environments...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// GrantFilter picks grants. An empty field matches every grant.
type GrantFilter struct {
	User    UserID
	Project ProjectID
}
