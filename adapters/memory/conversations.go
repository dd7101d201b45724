package memory

import (
	"context"
	"maps"

	"github.com/flowlatch/flowlatch/domain"
)

// conversations is a ports.Conversations.
type conversations struct{ store *Store }

// Open stores a conversation and replaces the one that its project had with the same user
// id. Returns NotFound if its project, or the access token that opened it, does not exist.
func (v conversations) Open(ctx context.Context, c domain.Conversation) error {
	s := v.store
	if err := s.enterToWrite(ctx, textsOfConversation(c)...); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.projects[c.Project]; !found {
		return domain.NoSuch("assistant")
	}
	if _, found := s.tokens[c.Token]; !found && c.Token != "" {
		return domain.NoSuch("access token")
	}
	replaced := func(_ domain.ConversationID, other domain.Conversation) bool {
		return other.Project == c.Project && other.UserID == c.UserID
	}
	if other, found := s.conversations[c.ID]; found && !replaced(c.ID, other) {
		return domain.IDTaken()
	}
	maps.DeleteFunc(s.conversations, replaced)
	c.Key = clone(c.Key)
	s.conversations[c.ID] = c
	return nil
}

// goesOn reports whether a conversation is not over.
func (s *Store) goesOn(c domain.Conversation) bool {
	return c.Live(s.tokens[c.Token].AccessToken, domain.Instant(s.now()))
}

// Renew replaces the session key from with to and returns the key that is stored then. Returns
// NotFound for a conversation that never existed or is over.
func (v conversations) Renew(ctx context.Context, id domain.ConversationID, from, to domain.Sealed) (domain.Sealed, error) {
	s := v.store
	if err := s.enterToWrite(ctx, string(id), string(from.Key), string(to.Key)); err != nil {
		return domain.Sealed{}, err
	}
	defer s.leave()
	c, found := s.conversations[id]
	if !found || !s.goesOn(c) {
		return domain.Sealed{}, domain.NoSuch("conversation")
	}
	if c.Key.Equal(from) {
		c.Key = clone(to)
		s.conversations[id] = c
	}
	return clone(c.Key), nil
}
