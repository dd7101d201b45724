package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Access tells who calls and what they may use, in one look-up, as things are at this
// moment. There is a method for each kind of credential.
type Access interface {
	// ByLogin returns the user whose login it is as Caller, and with an assistant session
	// of that login and user also Session, Project with its sealed keys, and Granted. Without
	// an assistant session, or with one that is over or another's, these are zero. Returns
	// NotFound if the login does not exist or is over, or if the user is gone or disabled.
	ByLogin(ctx context.Context, login, assistant domain.SessionID) (domain.Access, error)

	// ByHostUser is ByLogin for a user whom a host program identified, with an assistant
	// session without a login. Caller is returned as given.
	ByHostUser(ctx context.Context, caller domain.Caller, assistant domain.SessionID) (domain.Access, error)

	// ByToken returns Token and, as Caller, the user who made it with the token's id,
	// project and scopes. Project with its sealed keys and Granted are those of the token's
	// project. Returns NotFound if the token does not exist or is over, or if its user is
	// gone or disabled.
	ByToken(ctx context.Context, hash domain.TokenHash) (domain.Access, error)

	// ByConversation returns Conversation with the Access of what opened it, as ByLogin,
	// ByHostUser or ByToken would. caller counts only for a conversation that a host's user
	// opened. Returns NotFound if the conversation does not exist or is over, if what opened
	// it is over or gone, if its user is gone or disabled, and if a host's user opened it
	// who is not caller.
	ByConversation(ctx context.Context, id domain.ConversationID, caller domain.Caller) (domain.Access, error)

	// StillAllowed returns, in any order, the open uses whose session or token is not over
	// and whose user is not gone or disabled. Of each Access it fills in Caller
	// (domain.CallerBySession or domain.CallerByToken), Session, Token and Granted. No match
	// is no error.
	StillAllowed(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error)
}
