package domain

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// EventType is a kind of event that webhooks can be told of.
type EventType string

// The types of events. Each has one cause, which leaves a Record.
const (
	EventKeyRejected     EventType = "key.rejected"      // Voiceflow has begun to reject a key of an assistant
	EventKeyNeedsReentry EventType = "key.needs_reentry" // a key of an assistant can't be decrypted any longer
	EventCreditsUsedUp   EventType = "credits.used_up"   // the credits of an assistant are used up
	EventAdminMade       EventType = "admin.made"        // somebody is an admin now who was none
	EventAuditBroken     EventType = "audit.broken"      // a verification found the audit tampered with
	EventKeysetRotated   EventType = "keyset.rotated"    // the keyset has another current key
	EventLoginLocked     EventType = "login.locked"      // too many logins of a user have failed
)

// eventTypes are in the order in which they are listed.
var eventTypes = []EventType{
	EventKeyRejected, EventKeyNeedsReentry, EventCreditsUsedUp, EventAdminMade, EventAuditBroken, EventKeysetRotated,
	EventLoginLocked,
}

// eventTest is the type of the event that tests a webhook. Nobody can ask for it.
const eventTest EventType = "webhook.test"

// EventTypes lists every EventType. The caller may modify the list.
func EventTypes() []EventType { return slices.Clone(eventTypes) }

// ParseEventTypes reads the parameter events, in any order, and returns it in the order of EventTypes.
// Returns Invalid for an unknown type and for a type that comes twice.
func ParseEventTypes(list []string) ([]EventType, error) {
	var types []EventType
	for _, text := range list {
		t := EventType(strings.TrimSpace(text))
		switch {
		case !slices.Contains(eventTypes, t):
			return nil, invalid("events can only contain " + strings.ReplaceAll(EventTypesText(eventTypes), " ", ", "))
		case slices.Contains(types, t):
			return nil, invalid("events repeats an event")
		}
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b EventType) int { return slices.Index(eventTypes, a) - slices.Index(eventTypes, b) })
	return types, nil
}

// EventTypesText returns the types as they are stored: separated by spaces.
func EventTypesText(types []EventType) string {
	texts := make([]string, len(types))
	for i, t := range types {
		texts[i] = string(t)
	}
	return strings.Join(texts, " ")
}

// EventTypesFromText reads what EventTypesText wrote. Types that a newer program stored stay, since they
// may be known again.
func EventTypesFromText(text string) []EventType {
	var types []EventType
	for word := range strings.FieldsSeq(text) {
		types = append(types, EventType(word))
	}
	return types
}

// Event is something that an operator may want to be told of at once. Its Record is in the audit.
type Event struct {
	// ID is the same for all webhooks and all tries. Receivers tell a repetition by it.
	ID   string
	Type EventType
	Record
}

// EventOf returns the event that the record tells of, if it tells of one. The id depends on the record
// alone, so a transaction that runs again stores the same event.
func EventOf(r Record) (Event, bool) {
	t := typeOf(r)
	if t == "" {
		return Event{}, false
	}
	return newEvent(t, r), true
}

// TestEvent returns the event that tests a webhook, with its record.
func TestEvent(r Record) Event { return newEvent(eventTest, r) }

func newEvent(t EventType, r Record) Event {
	hash := sha256.Sum256([]byte(bind(
		"flowlatch/event/v1", string(t), strconv.FormatInt(r.At.UnixMicro(), 10), string(r.Actor), string(r.Action), r.Object, r.Outcome,
		r.RequestID, r.Address,
	).ad))
	r.Count = 1
	const enough = 18 // bytes
	return Event{ID: "msg_" + base64.RawURLEncoding.EncodeToString(hash[:enough]), Type: t, Record: r}
}

// typeOf returns the type of the event that the record tells of, "" for none. A mark is stored only if it
// is news.
func typeOf(r Record) EventType {
	switch r.Action {
	case ActionMarkKey:
		switch KeyStatus(r.Outcome) {
		case KeyRejected:
			return EventKeyRejected
		case KeyNeedsReentry:
			return EventKeyNeedsReentry
		}
	case ActionMarkCredits:
		if Credits(r.Outcome) == CreditsUsedUp {
			return EventCreditsUsedUp
		}
	case ActionMakeAdmin:
		return EventAdminMade
	case ActionVerifyAudit:
		if r.Outcome == OutcomeBroken {
			return EventAuditBroken
		}
	case ActionRotateKeys:
		return EventKeysetRotated
	case ActionLockLogin:
		return EventLoginLocked
	}
	return ""
}

// Concerns returns what the event is about and who caused it: projects, users and access tokens.
func (e Event) Concerns() (projects []ProjectID, users []UserID, tokens []TokenID) {
	for word := range strings.FieldsSeq(e.Object + " " + string(e.Actor)) {
		switch sort, id, _ := strings.Cut(word, ":"); {
		case id == "":
		case sort == "project":
			projects = append(projects, ProjectID(id))
		case sort == "user":
			users = append(users, UserID(id))
		case sort == "token":
			tokens = append(tokens, TokenID(id))
		}
	}
	return projects, users, tokens
}

// EventNames are the names that things have when an event is delivered. What is gone has none.
type EventNames struct {
	Projects map[ProjectID]string
	Users    map[UserID]Username
	Tokens   map[TokenID]string
}

// eventBody is the JSON text of an event, in the form of Standard Webhooks.
type eventBody struct {
	Type      EventType `json:"type"`
	Timestamp string    `json:"timestamp"`
	Data      eventData `json:"data"`
}

// eventData is what an operator needs to act. Ids and names of what the event is not about are left out.
type eventData struct {
	ProjectID   ProjectID `json:"project_id,omitempty"`
	ProjectName string    `json:"project_name,omitempty"`
	Slot        Slot      `json:"slot,omitempty"`
	UserID      UserID    `json:"user_id,omitempty"`
	Username    Username  `json:"username,omitempty"`
	TokenID     TokenID   `json:"token_id,omitempty"`
	TokenName   string    `json:"token_name,omitempty"`
	KeyID       string    `json:"key_id,omitempty"`
	Actor       Actor     `json:"actor"`
	ActorName   string    `json:"actor_name,omitempty"`
	Action      Action    `json:"action"`
	Object      string    `json:"object"`
	Outcome     string    `json:"outcome"`
	RequestID   string    `json:"request_id"`
	Address     string    `json:"address,omitempty"`
}

// Body returns the JSON text that webhooks get. It holds no secret, since a Record holds none.
func (e Event) Body(names EventNames) []byte {
	data := eventData{Actor: e.Actor, Action: e.Action, Object: e.Object, Outcome: e.Outcome, RequestID: e.RequestID, Address: e.Address}
	for word := range strings.FieldsSeq(e.Object) {
		switch sort, id, _ := strings.Cut(word, ":"); sort {
		case "project":
			data.ProjectID, data.ProjectName = ProjectID(id), names.Projects[ProjectID(id)]
		case "user":
			data.UserID, data.Username = UserID(id), names.Users[UserID(id)]
		case "token":
			data.TokenID, data.TokenName = TokenID(id), names.Tokens[TokenID(id)]
		case "key":
			data.KeyID = id
		case string(SlotPrimary), string(SlotSecondary), string(SlotPersonal):
			data.Slot = Slot(word)
		}
	}
	switch sort, id, _ := strings.Cut(string(e.Actor), ":"); sort {
	case "user":
		data.ActorName = string(names.Users[UserID(id)])
	case "token":
		data.ActorName = names.Tokens[TokenID(id)]
	}
	body, _ := json.Marshal(eventBody{Type: e.Type, Timestamp: e.At.UTC().Format("2006-01-02T15:04:05.000000Z"), Data: data}) // texts only
	return body
}
