package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SessionStore keeps the sessions of both kinds. A session that is over, by either of
// its ends, is as one that never was. What has ended stays ended.
type SessionStore interface {
	// OpenLogin stores a login. It is NotAllowed when the user is not there, is disabled,
	// or has another password hash than hash: things may have changed while the password
	// was being checked.
	OpenLogin(ctx context.Context, s domain.Session, hash domain.Secret, rec domain.Record) error

	// OpenAssistant stores an assistant session in the place of the one that its login
	// had, and returns the project that is set. A session without a login, as under a
	// host's own authentication, replaces none. It is NotAllowed when the login is over
	// or is another user's, or when what is to let the user in, the role of an admin or
	// the grant, is not there; and NotFound when the role is there and the project is
	// not. A role is not looked at for a session without a login: the host decided it. For
	// whom it lets in it is NeedsReentry when it is known that no key of the project opens.
	OpenAssistant(ctx context.Context, s domain.Session, rec domain.Record) (domain.Project, error)

	// Find returns the session. It is NotFound for one that never was or is over.
	Find(ctx context.Context, id domain.SessionID) (domain.Session, error)

	// Page returns at most limit sessions of the user, of both kinds, that are not over and
	// come after the cursor, in the order of their ids. None is no error.
	Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.Session, error)

	// Touch records a use of the session at used and moves its idle end, both forward
	// only, so that the later of two touches counts in whatever order they arrive. It is
	// NotFound for one that never was or is over: it never revives.
	Touch(ctx context.Context, id domain.SessionID, used, idle time.Time) error

	// MarkSealed records that the key sealed the cookie by which the session is used. It
	// keeps no record, and changes nothing of what never was or is over.
	MarkSealed(ctx context.Context, id domain.SessionID, by domain.KeyID) error

	// End ends the session and what is under it. It is NotFound for one that never was or
	// is over, and with a user for one of somebody else.
	End(ctx context.Context, id domain.SessionID, of domain.UserID, rec domain.Record) error

	// EndAll ends all sessions of the user, of both kinds. Where there are none it succeeds
	// and changes nothing.
	EndAll(ctx context.Context, of domain.UserID, rec domain.Record) error

	// Sweep forgets at most limit sessions that are over and returns how many. It keeps
	// no record, since nothing that could be used goes.
	Sweep(ctx context.Context, limit int) (int, error)
}
