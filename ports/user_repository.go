package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// UserRepository keeps users and what is granted to them.
type UserRepository interface {
	// Create stores u with the grants of u.Assistants, of the default scopes. A name that
	// is taken is Conflict; an assistant that is not there is NotFound.
	Create(ctx context.Context, u domain.User, rec domain.Record) error

	// Find returns the user. An unknown id is NotFound.
	Find(ctx context.Context, id domain.UserID) (domain.User, error)

	// FindByName returns the user with exactly that name. An unknown one is NotFound.
	FindByName(ctx context.Context, name domain.Username) (domain.User, error)

	// Page returns at most limit users that come after the cursor, in the order of the
	// bytes of (name, id). None is no error. It reads no more rows than it returns, and
	// their grants, and holds no connection once it has returned.
	Page(ctx context.Context, after domain.Cursor, limit int) ([]domain.User, error)

	// Update lets change alter the user and stores role, disabled, password hash and
	// assistants as it leaves them; what it does to other fields is lost. Grants that stay
	// keep their scopes, and new ones have the default scopes. otherAdmin says
	// whether another user counts as admin, and stays true until the change is stored:
	// changes that concern admins come one after the other. change may run more than once,
	// so it does nothing outside; its error is returned as it is, and nothing is stored.
	//
	// A user who is now disabled loses all sessions; one whose password hash is another
	// all but keep and what is under it; one who is no admin any more the assistant
	// sessions that the role let in; and with a grant that is gone those that it let in.
	// It returns the user as stored. An unknown id, and an assistant that is not there,
	// are NotFound.
	Update(ctx context.Context, id domain.UserID, change func(u *domain.User, otherAdmin bool) error,
		keep domain.SessionID, rec domain.Record) (domain.User, error)

	// Remove forgets the user, their grants, their sessions and their access tokens, if
	// allow, which is called as change is in Update, agrees. An unknown id is NotFound.
	Remove(ctx context.Context, id domain.UserID, allow func(u *domain.User, otherAdmin bool) error, rec domain.Record) error
}
