package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Conversations keeps the v4 sessions that are open at Voiceflow. It is a view on the
// database that ProjectRepository is one of: a conversation goes with its project.
type Conversations interface {
	// Open stores the conversation in the place of the one that its project had with the
	// same user id. A project that is not there is NotFound.
	Open(ctx context.Context, c domain.Conversation) error

	// Renew puts the session key to in the place of from, and returns the one that is
	// stored then: another one than to when from was not there any more, since somebody
	// else was faster. An unknown id is NotFound.
	Renew(ctx context.Context, id domain.ConversationID, from, to domain.Sealed) (domain.Sealed, error)

	// Sweep forgets at most limit conversations that are over and returns how many.
	Sweep(ctx context.Context, limit int) (int, error)
}
