package domain

import "time"

// Grant lets a user who is not an admin use a project, within its scopes.
type Grant struct {
	User    UserID
	Project ProjectID
	Scopes  Scopes // not empty
	Created time.Time
}

// NewGrant lets the user use the project within the scopes from now on. Empty scopes are
// DefaultScopes.
func NewGrant(user UserID, project ProjectID, scopes Scopes, now time.Time) Grant {
	if scopes == 0 {
		scopes = DefaultScopes()
	}
	return Grant{User: user, Project: project, Scopes: scopes, Created: Instant(now)}
}

// Regranted returns the grant g after it is granted again within the scopes. Only its scopes are
// replaced. Empty scopes replace nothing.
func (g Grant) Regranted(scopes Scopes) Grant {
	if scopes != 0 {
		g.Scopes = scopes
	}
	return g
}

// GrantFilter picks grants. An empty field matches every grant.
type GrantFilter struct {
	User    UserID
	Project ProjectID
}
