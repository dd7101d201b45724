package memory

import (
	"bytes"
	"context"
	"maps"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Conversations = (*Conversations)(nil)

// Conversations is a ports.Conversations, a view on a Store.
type Conversations struct{ store *Store }

// Open stores a conversation in the place of the one that its project had with the same
// user id. It is NotFound when its project, or the access token that made it, is not there.
func (v *Conversations) Open(ctx context.Context, c domain.Conversation) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.projects[c.Project]; !found {
		return notFound("assistant")
	}
	if _, found := s.tokens[c.Token]; !found && c.Token != "" {
		return notFound("access token")
	}
	maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, other domain.Conversation) bool {
		return other.Project == c.Project && other.UserID == c.UserID
	})
	c.Key = clone(c.Key)
	s.conversations[c.ID] = c
	return nil
}

// Renew puts the session key to in the place of from and returns the one that is stored
// then. It is NotFound for a conversation that never was or is over.
func (v *Conversations) Renew(ctx context.Context, id domain.ConversationID, from, to domain.Sealed) (domain.Sealed, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Sealed{}, err
	}
	defer s.leave()
	c, found := s.conversations[id]
	if !found || !domain.Instant(s.now()).Before(c.Expires) {
		return domain.Sealed{}, notFound("conversation")
	}
	if c.Key.Key == from.Key && bytes.Equal(c.Key.Bytes, from.Bytes) {
		c.Key = clone(to)
		s.conversations[id] = c
	}
	return clone(c.Key), nil
}

// Sweep forgets at most limit conversations that are over and returns how many.
func (v *Conversations) Sweep(ctx context.Context, limit int) (int, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	now, n := domain.Instant(s.now()), 0
	for id, c := range s.conversations {
		if n < limit && !now.Before(c.Expires) {
			delete(s.conversations, id)
			n++
		}
	}
	return n, nil
}
