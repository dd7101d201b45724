package domain

import (
	"io"
	"time"
)

// ConversationID names a conversation: a UUIDv7 as text.
type ConversationID string

// NewConversationID makes an id from the time now and 10 bytes of random.
func NewConversationID(now time.Time, random io.Reader) (ConversationID, error) {
	id, err := newUUID(now, random)
	return ConversationID(id), err
}

// Conversation is a v4 session at Voiceflow. Its session key is kept sealed here; its
// handle, which names it, is what the caller gets in the key's place.
type Conversation struct {
	ID      ConversationID
	Project ProjectID
	UserID  string    // as Voiceflow has it; with Project it is there once
	Session SessionID // the assistant session that made it, or ""
	Token   TokenID   // the access token that made it, or ""
	Key     Sealed    // Voiceflow's session key
	Created time.Time
	Expires time.Time // exclusive; not later than that of what made it
	// HandleSealedBy is the key that sealed its handle; "" where that is not known.
	HandleSealedBy KeyID
}

// ConversationHandle is the kind of what the caller gets in the place of Voiceflow's
// session key.
const ConversationHandle SessionKind = "conversation"

// NewConversation returns the conversation that a starts at now. Its user id and its key
// are known once Voiceflow has answered. Its claims are known at once.
func NewConversation(id ConversationID, a Access, now time.Time) Conversation {
	c := Conversation{
		ID: id, Project: a.Project.ID, Session: a.Session.ID, Token: a.Token.ID,
		Created: Instant(now), Expires: a.Session.Expires,
	}
	if a.Token.ID != "" {
		c.Expires = a.Token.Expires
	}
	return c
}

// Claims are what the handle of the conversation says, which user made.
func (c Conversation) Claims(user UserID) Claims {
	return Claims{Kind: ConversationHandle, Session: SessionID(c.ID), User: user, Project: c.Project, Expires: c.Expires}
}
