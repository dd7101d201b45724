package domain

import (
	"strconv"
	"time"
)

// Actor is who did something, as the audit names them: user:<id>, token:<id> or operator.
type Actor string

// ActorOperator is the actor of the commands.
const ActorOperator Actor = "operator"

// ActorService is the actor of what the service finds out by itself.
const ActorService Actor = "service"

// ActorUser is the actor that a user is.
func ActorUser(id UserID) Actor { return Actor("user:" + string(id)) }

// ActorToken is the actor that an access token is.
func ActorToken(id TokenID) Actor { return Actor("token:" + string(id)) }

// Action is what was done, as the audit names it.
type Action string

// The actions that leave an audit row.
const (
	ActionLogin          Action = "login"
	ActionLogout         Action = "logout"
	ActionAddProject     Action = "add_project"
	ActionDeleteProject  Action = "delete_project"
	ActionSetProject     Action = "set_project"
	ActionClearProject   Action = "clear_project"
	ActionGrantProject   Action = "grant_project"
	ActionRevokeProject  Action = "revoke_project"
	ActionCreateUser     Action = "create_user"
	ActionUpdateUser     Action = "update_user"
	ActionDeleteUser     Action = "delete_user"
	ActionChangePassword Action = "change_password"

	ActionCreateAccessToken Action = "create_access_token"
	ActionDeleteAccessToken Action = "delete_access_token"
	// ActionForward is a call at Voiceflow that writes or deletes.
	ActionForward Action = "forward"
	// ActionMarkKey and ActionMarkCredits are what a call at Voiceflow showed of the
	// project's key and of its credits.
	ActionMarkKey     Action = "mark_key"
	ActionMarkCredits Action = "mark_credits"

	ActionRewrapKeys Action = "rewrap_keys"
	ActionRetireKeys Action = "retire_keys"
	// ActionEndSessions is the end of all sessions that a key of the keyset stands behind.
	ActionEndSessions Action = "end_sessions"
)

// OutcomeOK is the outcome of what succeeded.
const OutcomeOK = "ok"

// OutcomeRejected is the outcome of a call at Voiceflow that refused our key: it was not
// carried out.
const OutcomeRejected = "rejected"

// OutcomeUnknown is the outcome of a call at Voiceflow that brought no answer: whether it
// was carried out there is not known.
const OutcomeUnknown = "unknown"

// OutcomeStopped is the outcome of what was stopped before its end.
const OutcomeStopped = "stopped"

// OutcomeFailed is the outcome of what was recorded first and then could not be done.
const OutcomeFailed = "failed"

// OutcomeOf is the outcome of a call that Voiceflow answered with the HTTP status.
func OutcomeOf(status int) string {
	if status >= 200 && status < 300 {
		return OutcomeOK
	}
	return "status_" + strconv.Itoa(status)
}

// Record is an audit row. It is stored together with the change that it is about, in
// one atomic change, and holds no Secret.
type Record struct {
	At        time.Time // UTC, microseconds
	Actor     Actor
	Action    Action
	Object    string // what it was done to, such as project:<id>
	Outcome   string
	RequestID string
	Address   string // of the client; "" for a command
	Count     int64  // how many times it happened; refusals of a minute share a row
}

// OnProject is the object that a project is in a Record.
func OnProject(id ProjectID) string { return "project:" + string(id) }

// OnUser is the object that a user is in a Record.
func OnUser(id UserID) string { return "user:" + string(id) }

// OnGrant is the object that a grant is in a Record.
func OnGrant(user UserID, project ProjectID) string { return OnUser(user) + " " + OnProject(project) }

// OnSession is the object that a session is in a Record.
func OnSession(id SessionID) string { return "session:" + string(id) }

// OnToken is the object that an access token is in a Record.
func OnToken(id TokenID) string { return "token:" + string(id) }

// OnKey is the object that a key of the keyset is in a Record.
func OnKey(id KeyID) string { return "key:" + string(id) }
