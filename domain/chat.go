package domain

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a turn of a chat page, in bytes.
const (
	MaxChatText   = 16 << 10
	MaxChatChoice = 16 << 10
)

// ChatTurn is what a user does in a conversation of a chat page. It does exactly one thing: it
// launches the conversation, says a text, or chooses what a button offers.
type ChatTurn struct {
	// Conversation is a UUID in lower case that the page made. Each conversation is one of its own
	// at Voiceflow, and nobody else can have it: the user id that is made of it is bound to the
	// caller.
	Conversation string
	Launch       bool
	Text         string // 1 to MaxChatText bytes of UTF-8 without NUL, and not only white space
	// Choice is the request of a button as Voiceflow sent it: a JSON object of at most
	// MaxChatChoice bytes.
	Choice string
}

// IsChatConversation reports whether text has the form of the conversations that a chat page makes.
// No key and no access token has it, so a page may show such a text.
func IsChatConversation(text string) bool { return isUUID(text) }

// Check returns Invalid unless the turn keeps the rules of its fields. It does not read the JSON of
// Choice. The messages never repeat what the user said.
func (t ChatTurn) Check() error {
	did := 0
	for _, done := range []bool{t.Launch, t.Text != "", t.Choice != ""} {
		if done {
			did++
		}
	}
	switch {
	case !IsChatConversation(t.Conversation):
		return invalid("conversation is not one that the page has made; start again")
	case did == 0:
		return invalid("the turn is empty; write a message")
	case did > 1:
		return invalid("the turn must have only one of launch, text and choice")
	case len(t.Text) > MaxChatText:
		return invalid("the message is longer than " + strconv.Itoa(MaxChatText) + " bytes; shorten it")
	case len(t.Choice) > MaxChatChoice:
		return invalid("the choice is longer than " + strconv.Itoa(MaxChatChoice) + " bytes; write a message instead")
	case !utf8.ValidString(t.Text) || strings.ContainsRune(t.Text, 0):
		return invalid("the message contains NUL or invalid UTF-8; write it again")
	case !utf8.ValidString(t.Choice):
		return InvalidChoice()
	case t.Text != "" && strings.TrimSpace(t.Text) == "":
		return invalid("the message is empty; write one")
	}
	return nil
}

// InvalidChoice returns the error for a Choice that is not the request of a button: Invalid.
func InvalidChoice() error {
	return invalid("the choice must be a JSON object with the text type; write a message instead")
}

// Target returns the path of a turn in general-runtime that is answered as a whole, with the
// percent-encoding. The turn must pass Check.
func (t ChatTurn) Target() string { return "/state/user/" + t.userID() + "/interact" }

// StreamTarget returns the path and the query of a turn in general-runtime that is answered by
// server-sent events. With pieces, a text that a model writes comes while it is written, as
// completion traces in place of a text trace
// (docs.voiceflow.com/api-reference/conversation/interact-stream). The turn must pass Check.
func (t ChatTurn) StreamTarget(project VoiceflowID, pieces bool) (path string, query url.Values) {
	query = url.Values{}
	if pieces {
		query.Set("completion_events", "true")
	}
	return "/v2/project/" + url.PathEscape(string(project)) + "/user/" + t.userID() + "/interact/stream", query
}

// userID returns the user id of the conversation, before it is bound to the caller. The prefix
// keeps it apart from the ids of the caller's programs.
func (t ChatTurn) userID() string { return "chat-" + t.Conversation }

// NeedsLogin returns the error for another credential than a login on a call that names its
// assistant: NotAuthenticated.
func NeedsLogin() error {
	return &Error{Kind: NotAuthenticated, Public: "this needs a login and no other credential; log in, and send no Authorization"}
}

// MayChat returns NotAuthenticated unless the caller is a user with a login, or a user of a host
// program. A call that names its assistant takes such a caller.
func (c Caller) MayChat() error {
	switch {
	case c.Token != "":
		return NeedsLogin()
	case c.ID == "":
		return NotLoggedIn(nil)
	}
	return nil
}
