package domain

import "slices"

// KnownEnvironment is an environment that a call uses, with what is known of it. The zero
// KnownEnvironment is that of a call that has none, or none yet.
type KnownEnvironment struct {
	Name string // as names are compared
	// Aliases are those that the id Name belongs to. Name is an alias if there are none.
	Aliases []string
}

// within reports whether a limit to the names lets the environment be used.
func (e KnownEnvironment) within(names []string) bool {
	if e.Name == "" {
		return false
	}
	return slices.Contains(names, e.Name) || len(e.Aliases) > 0 && len(both(e.Aliases, names)) == len(e.Aliases)
}

// LimitedToEnvironments reports whether what the caller may do depends on the environment, since a group
// grants something in some environments only. An admin is not limited. The limit of an access token is
// another one.
func (a Access) LimitedToEnvironments() bool {
	return !a.Caller.Admin && slices.ContainsFunc(a.Groups, func(g GroupGrant) bool { return len(g.Environments) > 0 })
}

// EnvironmentLimits returns the limits that the grant sets to a call that needs the scopes: the call can use
// an environment only if it is in each of the lists. There is a list for each of the scopes that is not
// granted in every environment. An empty list allows none.
func (a Access) EnvironmentLimits(needs Scopes) [][]string {
	if !a.LimitedToEnvironments() {
		return nil
	}
	var limits [][]string
	for _, scope := range needs.List() {
		if names, limited := a.environmentsOf(scope); limited {
			limits = append(limits, names)
		}
	}
	return limits
}

// environmentsOf returns the environments in which the grant has the scope, in order. limited is false if it
// has it in all.
func (a Access) environmentsOf(scope Scope) (names []string, limited bool) {
	if a.Manual.Has(scope) {
		return nil, false
	}
	for _, g := range a.Groups {
		switch {
		case !g.Scopes.Has(scope):
		case len(g.Environments) == 0:
			return nil, false
		default:
			names = append(names, g.Environments...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// In returns a as it is in the environment: with what is granted there. It returns a as it is if that does
// not depend on the environment.
func (a Access) In(e KnownEnvironment) Access {
	if !a.LimitedToEnvironments() {
		return a
	}
	a.Groups = slices.DeleteFunc(slices.Clone(a.Groups), func(g GroupGrant) bool {
		return len(g.Environments) > 0 && !e.within(g.Environments)
	})
	a.Granted = Grant{Manual: a.Manual, Groups: a.Groups}.together().Scopes
	return a
}
