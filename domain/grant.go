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

// Regranted is what becomes of the grant g by granting again within the scopes. Its scopes
// are replaced and nothing else; empty scopes replace nothing.
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
