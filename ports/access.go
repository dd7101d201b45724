package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Access tells what a call may use, in one look-up. It is a view on the database that
// ProjectRepository is one of.
type Access interface {
	// ForUse returns all that is known about the use that the credential stands for, as
	// things are at this moment. With a Token, or with a Conversation, Login and Assistant
	// are not looked at.
	//
	// For a login it is who BySession of Callers says, with the assistant session as
	// stored if it is one, is not over, and is under that login and of that user;
	// otherwise Session, Project, Key, Secondary and Granted are zero. It is NotFound where BySession
	// is.
	//
	// For a User without a Login, as under a host's own authentication, Caller is that
	// user with that role, and the assistant session is one without a login.
	//
	// For a token it is the token, and as Caller the user who made it, with the rights that
	// they have now, and with the token's id, project and scopes; Project, Key, Secondary
	// and Granted are those of its project. It is NotFound when there is no such token or it is over,
	// and when its user is gone or disabled.
	//
	// For a conversation it is the conversation with what made it, as for a login or a
	// token. It is NotFound when there is no such conversation or it is over, or what made
	// it is over or gone, or its user is gone or disabled. One that was made without a
	// login wants the User who made it in the credential, and is NotFound otherwise.
	ForUse(ctx context.Context, c domain.Credential) (domain.Access, error)

	// Standing returns, for those of the open uses whose session or token is still there,
	// not over, and of a user who is not gone or disabled, an Access of which Caller.ID and
	// Caller.Admin, Session, Token and Granted are filled in; in any order. A session
	// without a login is of an admin if it was let in by that role. None is no error.
	Standing(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error)
}
