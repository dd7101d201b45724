package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Conversations keeps the v4 sessions that are open at Voiceflow. A conversation goes with
// its project and with the access token that opened it. Conversation.Live says when it is over.
type Conversations interface {
	// Open stores the conversation and replaces the one that its project had with the same
	// user id. Returns NotFound if the project or the access token does not exist.
	Open(ctx context.Context, c domain.Conversation) error

	// Renew replaces the session key from with to and returns the key that is stored then.
	// That is another one than to if somebody else was faster and from was no longer there.
	// Returns NotFound for an unknown id.
	Renew(ctx context.Context, id domain.ConversationID, from, to domain.Sealed) (domain.Sealed, error)
}
