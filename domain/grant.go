package domain

import "time"

// Grant lets a user who is no admin use a project, within its scopes.
type Grant struct {
	User    UserID
	Project ProjectID
	Scopes  Scopes // not empty
	Created time.Time
}

// GrantFilter picks grants. What is empty holds for every grant.
type GrantFilter struct {
	User    UserID
	Project ProjectID
}
