package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Grants keeps who may use which project.
type Grants interface {
	// Put lets the user use the project within the scopes. A new grant is domain.NewGrant,
	// with the instant at as its Created. An existing one becomes what Grant.Regranted
	// says; if that is what it was, nothing changes. Returns NotFound for an unknown
	// project. Put does not look whether there is such a user, since a host program may
	// have users of its own.
	Put(ctx context.Context, act domain.Act, user domain.UserID, project domain.ProjectID, scopes domain.Scopes, at time.Time) error

	// Remove takes back what an admin granted (Grant.Revoked). If nothing is left of the grant, it ends
	// the sessions that domain.SessionsLostByRevoking names. Without such a grant it succeeds and changes
	// nothing. Returns the error of Grant.Revoked.
	Remove(ctx context.Context, act domain.Act, user domain.UserID, project domain.ProjectID) error

	// Page returns at most limit grants that match the filter and come after the cursor, in
	// the order of the bytes of (user, project). The cursor's Name is a user, its ID a
	// project. No match is no error.
	Page(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error)
}
