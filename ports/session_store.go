package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SessionStore keeps the sessions of both kinds. A session that is over, by either of its
// ends, is as if it had never been. What has ended stays ended.
//
// A user has at most domain.MaxSessions sessions of each kind, remembered ones included. In the
// same transaction as it opens a session, the store ends those that Session.Displaces names, with
// the assistant sessions of the logins among them. It keeps no record of that. An assistant
// session of a login displaces none: a login has one, so the logins bound them.
type SessionStore interface {
	// OpenLogin stores a login. Its right is the password: returns NotAllowed unless the
	// user exists, is enabled, and has the password hash that was checked, which is not zero.
	OpenLogin(ctx context.Context, s domain.Session, hash domain.Secret, rec domain.Record) error

	// OpenLoginByLink stores a login. Its right is a link that the operator made: returns NotAllowed
	// unless the user exists and is enabled, and Conflict if the link was used before. Then nothing is
	// stored.
	OpenLoginByLink(ctx context.Context, s domain.Session, link domain.Once, rec domain.Record) error

	// OpenAssistant stores an assistant session, which is act.By's, and returns the project
	// without its sealed keys. It replaces the assistant session of the same login; one
	// without a login, as of a host program's user, replaces none.
	//
	// Returns NotAuthenticated if the login is over or another user's, or if the user is
	// gone or disabled. Returns NotAllowed if what is to allow the session is gone: the role
	// of an admin or the grant. Returns NotFound if the role is there and the project is
	// not. The role of a host's user is not looked at. If the user is admitted but
	// Project.MayBeSet fails, its error is returned. Returns Invalid if the session is not
	// one that the act can open (Act.Opens).
	OpenAssistant(ctx context.Context, act domain.Act, s domain.Session) (domain.Project, error)

	// Page returns at most limit sessions of the user, of both kinds, that are not over and
	// come after the cursor, in the order of their ids. No match is no error.
	Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.Session, error)

	// Touch stores what Session.UsedBy makes of the session. It keeps no record. Returns
	// NotFound for a session that never was or is over: it never revives one.
	Touch(ctx context.Context, id domain.SessionID, use domain.SessionUse) error

	// End ends the sessions that are named and not over, and what is under them, and
	// returns how much that was. If that is nothing, it succeeds and keeps no record.
	End(ctx context.Context, act domain.Act, which domain.SessionsToEnd) (domain.SessionsEnded, error)
}
