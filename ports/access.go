package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Access looks up who calls and what they may use now. Each method is for one kind of
// credential, and does one look-up.
type Access interface {
	// ByLogin returns the user of the login as Caller. If use is an assistant session of that login
	// and user, it also returns Session, Project with its sealed keys, and Granted. These are
	// zero if there is no assistant session, or if it is over or another's. If use names a project,
	// it returns Named, and Project with its sealed keys and Granted. Project is zero if it does not
	// exist, or if it is not granted to a user who is not an admin. Returns NotFound if
	// the login does not exist or is over, or if the user is gone or disabled.
	ByLogin(ctx context.Context, login domain.SessionID, use domain.Use) (domain.Access, error)

	// ByHostUser does what ByLogin does, for a user whom a host program identified and an
	// assistant session without a login. Caller is returned as given.
	ByHostUser(ctx context.Context, caller domain.Caller, use domain.Use) (domain.Access, error)

	// ByToken returns Token, found by the hash of its text or of its previous text, and SecretEnds.
	// Caller is the user who created it, with the token's id, project and scopes, and the hash.
	// Project with its sealed keys and Granted are those of the token's project. Returns NotFound
	// if the token or the text does not exist or is over, or if its user is gone or disabled.
	ByToken(ctx context.Context, hash domain.TokenHash) (domain.Access, error)

	// ByConversation returns Conversation with the Access of the credential that opened it, as
	// ByLogin, ByHostUser or ByToken would. caller counts only for a conversation that a host's
	// user opened. Returns NotFound if the conversation does not exist or is over. Returns
	// NotFound if the credential that opened it is over or gone, or its user is gone or
	// disabled. Returns NotFound if a host's user other than caller opened it.
	ByConversation(ctx context.Context, id domain.ConversationID, caller domain.Caller) (domain.Access, error)

	// StillAllowed returns, in any order, the Access of each open use whose session, whose login, or
	// whose token and text, is not over and whose user is not gone or disabled. Each Access has only
	// Caller (domain.CallerBySession, domain.CallerByToken or domain.CallerByLogin), Session, Token,
	// Granted, Manual and Groups. That of a user who names a project also has Named, and the ID of Project if the
	// look-up of that use would have Project. It is returned without the ID too. A host program's
	// user is always there. No match is no error.
	StillAllowed(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error)
}
