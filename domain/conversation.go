package domain

import (
	"io"
	"time"
)

// ConversationID names a conversation: a UUIDv7 as text.
type ConversationID string

// NewConversationID makes an id from now and 10 bytes of random. It fails only if random does.
func NewConversationID(now time.Time, random io.Reader) (ConversationID, error) {
	id, err := newUUID(now, random)
	return ConversationID(id), err
}

// Conversation is a v4 session at Voiceflow. Its session key is stored sealed. The caller gets a
// handle that names the conversation.
type Conversation struct {
	ID      ConversationID
	Project ProjectID
	UserID  string    // as Voiceflow has it; a Project has one conversation for each
	Session SessionID // the assistant session that started it, or ""
	Token   TokenID   // the access token that started it, or ""
	Key     Sealed    // Voiceflow's session key
	Created time.Time
	Expires time.Time // exclusive; the end of Session or Token when it was opened
	// HandleSealedBy is the keyset key that sealed its handle; "" if that is unknown.
	HandleSealedBy KeyID
	// Environment is the name of the environment that it was started in. It is "" if Voiceflow's
	// traffic split chose one.
	Environment string
}

// ConversationHandle is the kind of a handle.
const ConversationHandle SessionKind = "conversation"

// NewConversation returns the conversation that a starts at now. Its UserID and Key are unknown
// until Voiceflow has answered. Its Claims are known at once.
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

// Live reports whether the conversation can be used at now. t is the access token that opened it,
// if one did. A conversation of an access token ends with the token, which a rotation makes last
// longer. Any other one ends at Expires, which is exclusive, or earlier with the session.
func (c Conversation) Live(t AccessToken, now time.Time) bool {
	if c.Token != "" {
		return t.ID == c.Token && t.Live(now)
	}
	return now.Before(c.Expires)
}

// Claims returns the claims of the handle, for a conversation of the user.
func (c Conversation) Claims(user UserID) Claims {
	return Claims{Kind: ConversationHandle, Session: SessionID(c.ID), User: user, Project: c.Project, Expires: c.Expires}
}
