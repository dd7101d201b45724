package console

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// auditPage is what the page of the audit shows.
type auditPage struct {
	Asked    audit.EventQuery
	Filtered bool
	Actions  []domain.Action
	Rows     []auditRow
	Next     string
	File     string // the address of the file with all rows
	State    audit.State
	Unknown  string // why the state could not be found out, "" if it was
}

// auditRow is a row of the audit with the names of what it is about.
type auditRow struct {
	domain.AuditRow
	What   string // the action in words
	Who    named
	Object []named // the words of the object
}

const auditTitle = "Audit"

// audit shows the rows of the audit.
func (x *request) audit() error {
	asked, err := x.auditAsked()
	if err != nil {
		return x.again(err, "audit", auditTitle, auditPage{Actions: actions(), File: x.console.url("/console/audit.csv")})
	}
	out := auditPage{
		Asked: asked, Filtered: asked != (audit.EventQuery{}), Actions: actions(),
		File: x.console.url("/console/audit.csv") + "?" + auditQuery(asked).Encode(),
	}
	if out.State, err = x.stateOfAudit(); err != nil {
		out.Unknown = x.Failure(err).Message // the rows are shown all the same
	}
	after, err := x.cursor(domain.AuditList)
	if err != nil {
		return err
	}
	page, err := x.console.service.Audit().Events(x.Context(), x.Call(), asked, after, pageSize)
	if err != nil {
		return x.again(err, "audit", auditTitle, out)
	}
	if out.Rows, err = x.auditRows(page.Items); err != nil {
		return err
	}
	out.Next = x.next(page.Next, domain.AuditList)
	return x.show("audit", auditTitle, out)
}

// auditPatience is how long the page waits for a verification. A short audit is verified by then. The
// page of a long one shows the earlier result, and the verification goes on.
const auditPatience = 20 * time.Millisecond

// stateOfAudit returns what the last verification of the audit found.
func (x *request) stateOfAudit() (audit.State, error) {
	ctx, cancel := context.WithTimeout(x.Context(), auditPatience)
	defer cancel()
	return x.console.service.Audit().State(ctx, x.Call())
}

// auditRowPage is what the page of one row shows.
type auditRowPage struct {
	auditRow
	Hash string // of the chain up to the row, "" if the row is not in the chain yet
	Seq  int64
	// Request is the address of all rows of the request, "" for a row without one.
	Request string
}

// auditRow shows one row of the audit in full.
func (x *request) auditRow() error {
	id, err := strconv.ParseInt(x.Param("id"), 10, 64)
	if err != nil || strconv.FormatInt(id, 10) != x.Param("id") {
		return &domain.Error{Kind: domain.NotFound, Public: "there is no such row in the audit"}
	}
	found, err := x.console.service.Audit().Event(x.Context(), x.Call(), id)
	if err != nil {
		return err
	}
	rows, err := x.auditRows([]domain.AuditRow{found.Row})
	if err != nil {
		return err
	}
	out := auditRowPage{auditRow: rows[0]}
	if found.Link.Seq > 0 {
		out.Hash, out.Seq = found.Link.Hash.String(), found.Link.Seq
	}
	if out.RequestID != "" {
		out.Request = x.console.url("/console/audit") + "?" + auditQuery(audit.EventQuery{RequestID: out.RequestID}).Encode()
	}
	return x.show("audit_row", "Row "+x.Param("id")+" of the audit", out)
}

// auditFile answers with all rows of the audit that were asked for.
func (x *request) auditFile() error {
	asked, err := x.auditAsked()
	if err != nil {
		return err
	}
	columns := []string{"time", "actor", "actor_name", "action", "object", "outcome", "request_id", "address", "count", "id"}
	return sendCSV(x, "audit.csv", columns,
		func(after domain.Cursor) (paging.Page[domain.AuditRow], error) {
			return x.console.service.Audit().Events(x.Context(), x.Call(), asked, after, csvPage)
		},
		func(list []domain.AuditRow) ([][]string, error) {
			rows, err := x.auditRows(list)
			if err != nil {
				return nil, err
			}
			cells := make([][]string, len(rows))
			for i, r := range rows {
				cells[i] = []string{
					r.At.UTC().Format("2006-01-02T15:04:05.000000Z"), string(r.Actor), r.Who.Name, string(r.Action), r.AuditRow.Object, r.Outcome,
					r.RequestID, r.Address, strconv.FormatInt(r.Count, 10), strconv.FormatInt(r.ID, 10),
				}
			}
			return cells, nil
		})
}

// auditAsked reads the query, whose names are those of the JSON route.
func (x *request) auditAsked() (audit.EventQuery, error) {
	query := x.Request().URL.Query()
	text := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	asked := audit.EventQuery{
		Actor: text("actor"), Action: text("action"), Object: text("object"), Outcome: text("outcome"), RequestID: text("request_id"),
		Since: inUTC(text("since")), Until: inUTC(text("until")),
	}
	return asked, noKey(asked.Actor, asked.Action, asked.Object, asked.Outcome, asked.RequestID, asked.Since, asked.Until)
}

// inUTC returns the time of a field for a date and a time, which has no zone, in the format of
// RFC 3339. Other texts are returned as they are.
func inUTC(text string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Format(time.RFC3339)
		}
	}
	return text
}

// dateField returns a time in the format of RFC 3339 as a field for a date and a time has it.
func dateField(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05")
}

// auditQuery returns the query of a page or file of the audit.
func auditQuery(asked audit.EventQuery) url.Values {
	query := url.Values{}
	for name, text := range map[string]string{
		"actor": asked.Actor, "action": asked.Action, "object": asked.Object, "outcome": asked.Outcome,
		"request_id": asked.RequestID, "since": asked.Since, "until": asked.Until,
	} {
		if text != "" {
			query.Set(name, text)
		}
	}
	return query
}

// auditRows adds the names to the rows.
func (x *request) auditRows(list []domain.AuditRow) ([]auditRow, error) {
	var projects []domain.ProjectID
	var users []domain.UserID
	var tokens []domain.TokenID
	for _, r := range list {
		for _, word := range append(strings.Fields(r.Object), string(r.Actor)) {
			switch kind, id, _ := strings.Cut(word, ":"); kind {
			case "project":
				projects = append(projects, domain.ProjectID(id))
			case "user":
				users = append(users, domain.UserID(id))
			case "token":
				tokens = append(tokens, domain.TokenID(id))
			}
		}
	}
	known, err := x.names(projects, users, tokens)
	if err != nil {
		return nil, err
	}
	rows := make([]auditRow, len(list))
	for i, r := range list {
		rows[i] = auditRow{AuditRow: r, What: actionInWords(r.Action), Who: known.word(string(r.Actor))}
		for word := range strings.FieldsSeq(r.Object) {
			rows[i].Object = append(rows[i].Object, known.word(word))
		}
	}
	return rows, nil
}

// word returns what a word of the audit means, such as user:<id>. Other words stay as they are.
func (n names) word(word string) named {
	switch kind, id, _ := strings.Cut(word, ":"); kind {
	case "project":
		return n.project(domain.ProjectID(id))
	case "user":
		return n.user(domain.UserID(id))
	case "token":
		return n.token(domain.TokenID(id))
	}
	return named{Name: word}
}

// words are what pages call the actions of the audit.
var words = map[domain.Action]string{
	domain.ActionLogin: "logged in", domain.ActionLogout: "logged out", domain.ActionChangePassword: "changed the password",
	domain.ActionProviderLogin: "logged in with the identity provider", domain.ActionProviderRecheck: "asked the identity provider again",
	domain.ActionProviderLogout: "ended logins for the identity provider",
	domain.ActionLinkIdentity:   "linked a user to an identity", domain.ActionUnlinkIdentity: "unlinked a user from an identity",
	domain.ActionSetGroupRule: "set a rule for a group", domain.ActionDeleteGroupRule: "deleted a rule for a group",
	domain.ActionKeepAdmin: "kept the last admin", domain.ActionLoginLink: "made a login link", domain.ActionLoginByLink: "used a login link",
	domain.ActionAddProject: "added an assistant", domain.ActionDeleteProject: "deleted an assistant",
	domain.ActionSetProject: "chose an assistant", domain.ActionClearProject: "left an assistant",
	domain.ActionGrantProject: "granted an assistant", domain.ActionRevokeProject: "revoked a grant",
	domain.ActionSetToken: "set a Voiceflow key", domain.ActionSetEnvironments: "set environments",
	domain.ActionSetPictureOrigins: "set the origins of pictures",
	domain.ActionDeleteToken:       "deleted a Voiceflow key", domain.ActionRefreshProject: "took over a description from Voiceflow",
	domain.ActionExportProject: "exported an assistant", domain.ActionForward: "sent a call to Voiceflow",
	domain.ActionMarkKey: "noted the state of a key", domain.ActionMarkCredits: "noted the state of credits",
	domain.ActionCreateUser: "created a user", domain.ActionUpdateUser: "changed a user", domain.ActionDeleteUser: "deleted a user",
	domain.ActionCreateAccessToken: "created an access token", domain.ActionDeleteAccessToken: "ended an access token",
	domain.ActionRotateAccessToken: "rotated an access token",
	domain.ActionDeleteSession:     "ended a session", domain.ActionDeleteUserSessions: "ended sessions of a user",
	domain.ActionEndSessions: "ended sessions of a keyset key", domain.ActionRotateKeys: "replaced the current keyset key",
	domain.ActionRewrapKeys: "re-encrypted stored keys", domain.ActionRetireKeys: "retired a keyset key",
	domain.ActionConfirmOrigins: "confirmed origins of Voiceflow", domain.ActionVerifyAudit: "verified the audit",
	domain.ActionMakeAdmin: "made an admin", domain.ActionLockLogin: "refused logins of a user for a while",
	domain.ActionSetWebhook: "set a webhook", domain.ActionDeleteWebhook: "deleted a webhook", domain.ActionTestWebhook: "tested a webhook",
	domain.ActionExportAudit: "exported the audit", domain.ActionCutAudit: "removed old rows of the audit", domain.ActionBackup: "made a backup", domain.ActionRestore: "restored a backup",
}

// actionInWords returns the action in words. A refusal may have the name of a route, whose words are
// its own.
func actionInWords(a domain.Action) string {
	if text := words[a]; text != "" {
		return text
	}
	return strings.ReplaceAll(string(a), "_", " ")
}

// actions lists the actions that have words.
func actions() []domain.Action {
	return slices.Sorted(maps.Keys(words))
}
