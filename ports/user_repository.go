package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// UserRepository keeps users. Their assistants are their grants.
type UserRepository interface {
	// Create stores u with the grants of u.Assistants (domain.NewGrant with the default
	// scopes). Returns the error of Act.Changes for a user who does not exist yet. Returns Conflict
	// if the name, the identity or the id is taken. Returns NotFound if an assistant does not exist.
	Create(ctx context.Context, act domain.Act, u domain.User) error

	// Find returns the user that ref names. Returns NotFound if there is none, and for the
	// zero ref.
	Find(ctx context.Context, ref domain.UserRef) (domain.User, error)

	// Page returns at most limit users that come after the cursor, in the order of the bytes of
	// (name, id). No match is no error. It reads only the rows that it returns and their grants.
	// It holds no connection after it has returned.
	Page(ctx context.Context, after domain.Cursor, limit int) ([]domain.User, error)

	// Names returns the names of the users that the ids name. An id that names none is absent.
	// Returns the error of domain.MayName.
	Names(ctx context.Context, of []domain.UserID) (map[domain.UserID]domain.Username, error)

	// OtherAdmin reports whether a user other than the one with that id counts as an admin
	// (domain.User.CountsAsAdmin). The id need not be one of a user.
	OtherAdmin(ctx context.Context, than domain.UserID) (bool, error)

	// HasSignedOnAdmin reports whether there is a user for whom User.SignedOnAdmin is true.
	HasSignedOnAdmin(ctx context.Context) (bool, error)

	// KeptAdmins returns the users for whom User.AdminKept is true, at most limit, in the order of
	// their ids, without their assistants.
	KeptAdmins(ctx context.Context, limit int) ([]domain.User, error)

	// Update lets change alter the user, stores what User.Changed keeps of that, and returns
	// the user as stored. Grants that stay keep their scopes; new ones are domain.NewGrant.
	// The sessions that domain.SessionsLostBy names end, and the access tokens if
	// domain.TokensLostBy says so. If change alters nothing, nothing is stored. Returns the
	// error of Act.Changes. Returns Conflict if another user is linked to the identity that the user gets.
	// Assistants that only groups grant stay granted, whether change keeps them or not. If change removes
	// the identity, what groups gave the user goes too, as domain.GroupMember.Unlinked says; each of its
	// Changes gets a record with the actor, the time, the request id and the address of act.Record.
	//
	// otherAdmin tells change whether another user counts as admin. That stays true until
	// the change is stored: changes of users come one after the other. change may run more
	// than once, so it must not have effects outside. Its error is returned as it is, and
	// nothing is stored. Returns NotFound for an unknown id and for an assistant that does
	// not exist.
	Update(ctx context.Context, act domain.Act, id domain.UserID, change func(u *domain.User, otherAdmin bool) error,
		keep domain.Kept) (domain.User, error)

	// Remove forgets the user, their grants, their sessions and their access tokens, if allow
	// agrees. allow is called as change is in Update. Returns NotFound for an unknown id.
	Remove(ctx context.Context, act domain.Act, id domain.UserID, allow func(u *domain.User, otherAdmin bool) error) error
}
