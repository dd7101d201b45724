package domain

import (
	"strconv"
	"strings"
	"time"
)

// Actor is how the audit names who did something: user:<id>, token:<id>, operator, setup_link,
// service, nobody or many.
type Actor string

// ActorOperator is the actor of the commands.
const ActorOperator Actor = "operator"

// ActorSetupLink is the actor who created the first admin with a set-up link. The operator made the
// link.
const ActorSetupLink Actor = "setup_link"

// ActorProvider is the actor of what the company's identity provider causes: users and grants that
// come with groups, and logouts.
const ActorProvider Actor = "identity_provider"

// ActorService is the actor of what the service itself finds out.
const ActorService Actor = "service"

// ActorNobody is the actor of refusals of callers who are unknown.
const ActorNobody Actor = "nobody"

// ActorMany is the actor of refusals that are only counted because they were so many.
const ActorMany Actor = "many"

// ActorUser returns a user as an actor.
func ActorUser(id UserID) Actor { return Actor("user:" + string(id)) }

// ActorToken returns an access token as an actor.
func ActorToken(id TokenID) Actor { return Actor("token:" + string(id)) }

// Action is how the audit names what was done.
type Action string

// The actions that leave an audit row. A refusal leaves one too. Its action is the route's path
// without the slash, which may be one of these.
const (
	ActionLogin          Action = "login"
	ActionLogout         Action = "logout"
	ActionChangePassword Action = "change_password"
	// ActionProviderLogin opens a login by the identity provider. ActionProviderRecheck renews one, and
	// is in the audit only if the provider refuses. ActionProviderLogout ends those that the provider
	// says are over.
	ActionProviderLogin   Action = "oidc/callback"
	ActionProviderRecheck Action = "oidc/recheck"
	ActionProviderLogout  Action = "oidc/backchannel-logout"
	// ActionLinkIdentity and ActionUnlinkIdentity link a user to an identity at the provider.
	ActionLinkIdentity   Action = "link_identity"
	ActionUnlinkIdentity Action = "unlink_identity"
	// ActionSetGroupRule and ActionDeleteGroupRule change what a group at the provider may do here.
	ActionSetGroupRule    Action = "set_group_rule"
	ActionDeleteGroupRule Action = "delete_group_rule"
	// ActionKeepAdmin notes that the last admin has left the group that made them one.
	ActionKeepAdmin Action = "keep_admin"
	// ActionLoginLink makes a link that logs a user in once, and ActionLoginByLink uses it.
	ActionLoginLink   Action = "login_link"
	ActionLoginByLink Action = "login_by_link"

	ActionAddProject    Action = "add_project"
	ActionDeleteProject Action = "delete_project"
	ActionSetProject    Action = "set_project"
	ActionClearProject  Action = "clear_project"
	ActionGrantProject  Action = "grant_project"
	ActionRevokeProject Action = "revoke_project"
	// ActionSetToken puts a key into a slot of the project.
	ActionSetToken Action = "set_token"
	// ActionSetEnvironments sets the environments that calls of the project can use.
	ActionSetEnvironments Action = "set_environments"
	// ActionSetPictureOrigins sets the origins from which the project's chat page may show pictures.
	ActionSetPictureOrigins Action = "set_picture_origins"
	// ActionDeleteToken empties a slot of the project.
	ActionDeleteToken Action = "delete_token"
	// ActionRefreshProject takes the project's description over from Voiceflow.
	ActionRefreshProject Action = "refresh_project"
	// ActionExportProject exports the keys of a project for another installation.
	ActionExportProject Action = "export_project"
	// ActionForward forwards a call that writes or deletes at Voiceflow, or a read that the
	// audit is to tell of (AuditReads).
	ActionForward Action = "forward"
	// ActionMarkKey and ActionMarkCredits note what a call at Voiceflow showed about the
	// project's key and about its credits.
	ActionMarkKey     Action = "mark_key"
	ActionMarkCredits Action = "mark_credits"

	ActionCreateUser Action = "create_user"
	ActionUpdateUser Action = "update_user"
	ActionDeleteUser Action = "delete_user"
	// ActionMakeAdmin notes that a user counts as admin now who did not. The change that made them one has
	// a record beside it.
	ActionMakeAdmin Action = "make_admin"
	// ActionLockLogin notes that so many logins of a user failed that further ones are refused for a while.
	ActionLockLogin Action = "lock_login"

	ActionSetWebhook    Action = "set_webhook"
	ActionDeleteWebhook Action = "delete_webhook"
	ActionTestWebhook   Action = "test_webhook"

	ActionCreateAccessToken Action = "create_access_token"
	ActionDeleteAccessToken Action = "delete_access_token"
	// ActionRotateAccessToken gives an access token another text.
	ActionRotateAccessToken Action = "rotate_access_token"

	ActionDeleteSession      Action = "delete_session"
	ActionDeleteUserSessions Action = "delete_user_sessions"
	// ActionEndSessions ends all sessions whose cookie a keyset key sealed.
	ActionEndSessions Action = "end_sessions"

	// ActionRotateKeys adds a key to the keyset and makes it the current key.
	ActionRotateKeys Action = "rotate_keys"
	ActionRewrapKeys Action = "rewrap_keys"
	ActionRetireKeys Action = "retire_keys"
	// ActionConfirmOrigins accepts other origins of Voiceflow's services.
	ActionConfirmOrigins Action = "confirm_origins"

	ActionVerifyAudit Action = "verify_audit"
	ActionExportAudit Action = "export_audit"
	// ActionCutAudit removes old rows of the audit. The object is the point where it begins then.
	ActionCutAudit Action = "cut_audit"

	ActionBackup  Action = "backup"
	ActionRestore Action = "restore"
)

// OutcomeOK is the outcome of what succeeded.
const OutcomeOK = "ok"

// OutcomeBegun is the outcome of a forwarded call that is about to be sent. A second row with the
// same request id has the outcome. If there is none, the call may have been carried out or not.
const OutcomeBegun = "begun"

// OutcomeNotSent is the outcome of a call that had begun. Nothing of it went to Voiceflow.
const OutcomeNotSent = "not_sent"

// OutcomeRejected is the outcome of a call whose key Voiceflow rejected. The call was not
// carried out.
const OutcomeRejected = "rejected"

// OutcomeUnknown is the outcome of a call that Voiceflow did not answer. Whether the call was
// carried out is unknown.
const OutcomeUnknown = "unknown"

// OutcomeStopped is the outcome of an action that was stopped before its end.
const OutcomeStopped = "stopped"

// OutcomeFailed is the outcome of an action that was recorded first and then failed.
const OutcomeFailed = "failed"

// OutcomeBroken is the outcome of a verification that found the audit tampered with.
const OutcomeBroken = "broken"

// OutcomeSeveral is the outcome of refusals that share a row and had different outcomes.
const OutcomeSeveral = "several"

// OutcomeKeySent is the outcome of a request that was refused because it showed a Voiceflow key as
// its credential. The record does not hold the key.
const OutcomeKeySent = "voiceflow_key_sent"

// OutcomeOf returns the outcome of a call that Voiceflow answered with the HTTP status.
func OutcomeOf(status int) string {
	if status >= 200 && status < 300 {
		return OutcomeOK
	}
	return "status_" + strconv.Itoa(status)
}

// Record is an audit row. It is stored in the same transaction as the change that it is about,
// and holds no Secret. A refusal has a Record without a change: the first refusal of a minute
// has a row at once, the others share one (app.Service.Refused).
type Record struct {
	At        time.Time // UTC, microseconds
	Actor     Actor
	Action    Action
	Object    string // what the action is about, such as project:<id>
	Outcome   string
	RequestID string
	Address   string // of the client, or the network of several clients; "" for a command
	Count     int64  // how often it happened; refusals of a minute share a row
}

// MakesAdmin returns the record that is kept beside r if r is of a change that turns was into is and is
// counts as admin only since then. The zero was is a user who does not exist yet.
func (r Record) MakesAdmin(was, is User) (made Record, ok bool) {
	r.Action, r.Object, r.Outcome = ActionMakeAdmin, OnUser(is.ID), OutcomeOK
	return r, is.CountsAsAdmin() && !was.CountsAsAdmin()
}

// OnProject returns a project as the object of a Record.
func OnProject(id ProjectID) string { return "project:" + string(id) }

// OnSlot returns the key in a slot of a project as the object of a Record.
func OnSlot(id ProjectID, slot Slot) string { return OnProject(id) + " " + string(slot) }

// OnUser returns a user as the object of a Record.
func OnUser(id UserID) string { return "user:" + string(id) }

// OnGrant returns a grant as the object of a Record.
func OnGrant(user UserID, project ProjectID) string { return OnUser(user) + " " + OnProject(project) }

// OnSession returns a session as the object of a Record.
func OnSession(id SessionID) string { return "session:" + string(id) }

// OnToken returns an access token as the object of a Record.
func OnToken(id TokenID) string { return "token:" + string(id) }

// OnRule returns a rule for a group as the object of a Record.
func OnRule(id RuleID) string { return "rule:" + string(id) }

// OnProvider returns the company's identity provider as the object of a Record.
func OnProvider() string { return string(ActorProvider) }

// OnKey returns a keyset key as the object of a Record.
func OnKey(id KeyID) string { return "key:" + string(id) }

// OnOrigins returns the services, with their origins, as the object of a Record.
func OnOrigins(o Origins, services []Service) string {
	texts := make([]string, len(services))
	for i, s := range services {
		texts[i] = string(s) + " " + string(o[s])
	}
	return "voiceflow:" + strings.Join(texts, ", ")
}

// OnBackup returns the backup of that time as the object of a Record.
func OnBackup(created time.Time) string {
	return "backup:" + created.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// OnAudit returns the audit up to p as the object of a Record. The zero ChainPoint is all of it.
func OnAudit(p ChainPoint) string {
	if p == (ChainPoint{}) {
		return "audit"
	}
	return "audit:" + p.String()
}
