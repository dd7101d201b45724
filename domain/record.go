package domain

import (
	"strconv"
	"time"
)

// Actor is who did something, as the audit names them: user:<id>, token:<id>, operator,
// service, nobody or many.
type Actor string

// ActorOperator is the actor of the commands.
const ActorOperator Actor = "operator"

// ActorService is the actor of what the service finds out by itself.
const ActorService Actor = "service"

// ActorNobody is the actor of what was refused before it was known who asks.
const ActorNobody Actor = "nobody"

// ActorMany is the actor of refusals that were so many that they are only counted.
const ActorMany Actor = "many"

// ActorUser is the actor that a user is.
func ActorUser(id UserID) Actor { return Actor("user:" + string(id)) }

// ActorToken is the actor that an access token is.
func ActorToken(id TokenID) Actor { return Actor("token:" + string(id)) }

// Action is what was done, as the audit names it.
type Action string

// The actions that leave an audit row. What is refused leaves one too, under the route's
// path without the slash, which is the action where it is one of these.
const (
	ActionLogin          Action = "login"
	ActionLogout         Action = "logout"
	ActionChangePassword Action = "change_password"

	ActionAddProject    Action = "add_project"
	ActionDeleteProject Action = "delete_project"
	ActionSetProject    Action = "set_project"
	ActionClearProject  Action = "clear_project"
	ActionGrantProject  Action = "grant_project"
	ActionRevokeProject Action = "revoke_project"
	// ActionSetToken puts a key into a slot of the project.
	ActionSetToken Action = "set_token"
	// ActionRefreshProject takes over what the project is called at Voiceflow.
	ActionRefreshProject Action = "refresh_project"
	// ActionExportProject is the keys of a project leaving for another installation.
	ActionExportProject Action = "export_project"
	// ActionForward is a call at Voiceflow that writes or deletes.
	ActionForward Action = "forward"
	// ActionMarkKey and ActionMarkCredits are what a call at Voiceflow showed of the
	// project's key and of its credits.
	ActionMarkKey     Action = "mark_key"
	ActionMarkCredits Action = "mark_credits"

	ActionCreateUser Action = "create_user"
	ActionUpdateUser Action = "update_user"
	ActionDeleteUser Action = "delete_user"

	ActionCreateAccessToken Action = "create_access_token"
	ActionDeleteAccessToken Action = "delete_access_token"

	ActionDeleteSession      Action = "delete_session"
	ActionDeleteUserSessions Action = "delete_user_sessions"
	// ActionEndSessions is the end of all sessions that a key of the keyset stands behind.
	ActionEndSessions Action = "end_sessions"

	// ActionRotateKeys is that a key was added to the service's keyset, which seals from
	// then on.
	ActionRotateKeys Action = "rotate_keys"
	ActionRewrapKeys Action = "rewrap_keys"
	ActionRetireKeys Action = "retire_keys"

	ActionVerifyAudit Action = "verify_audit"
	ActionExportAudit Action = "export_audit"

	ActionBackup  Action = "backup"
	ActionRestore Action = "restore"
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

// OutcomeBroken is the outcome of a look at the audit that found it tampered with.
const OutcomeBroken = "broken"

// OutcomeSeveral is the outcome of refusals that share a row and had different ones.
const OutcomeSeveral = "several"

// OutcomeOf is the outcome of a call that Voiceflow answered with the HTTP status.
func OutcomeOf(status int) string {
	if status >= 200 && status < 300 {
		return OutcomeOK
	}
	return "status_" + strconv.Itoa(status)
}

// Record is an audit row. It is stored together with the change that it is about, in
// one atomic change, and holds no Secret. Of what is refused there is no change, and the
// first of a minute has a row at once, the others one row together (app.Service.Refused).
type Record struct {
	At        time.Time // UTC, microseconds
	Actor     Actor
	Action    Action
	Object    string // what it was done to, such as project:<id>
	Outcome   string
	RequestID string
	Address   string // of the client, or the network of several; "" for a command
	Count     int64  // how many times it happened; refusals of a minute share a row
}

// OnProject is the object that a project is in a Record.
func OnProject(id ProjectID) string { return "project:" + string(id) }

// OnSlot is the object that the key in a slot of a project is in a Record.
func OnSlot(id ProjectID, slot Slot) string { return OnProject(id) + " " + string(slot) }

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

// OnBackup is the object that the backup of that time is in a Record.
func OnBackup(created time.Time) string {
	return "backup:" + created.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// OnAudit is the object that the audit is in a Record, up to p, "audit" for all of it.
func OnAudit(p ChainPoint) string {
	if p == (ChainPoint{}) {
		return "audit"
	}
	return "audit:" + p.String()
}
