package console

import (
	"net/http"

	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

// route is a route whose function gets the request as the console sees it.
type route struct {
	pages.Route

	serve func(*request) error
}

// get is a route of a page that shows something. action is the JSON route that answers the same.
func get(path string, who pages.Who, action domain.Action, serve func(*request) error) route {
	return route{pages.Route{Method: http.MethodGet, Path: path, Who: who, Action: action}, serve}
}

// post is a route of a form.
func post(path string, who pages.Who, action domain.Action, serve func(*request) error) route {
	return route{pages.Route{Method: http.MethodPost, Path: path, Who: who, Action: action}, serve}
}

// own leaves the route out if a host program keeps the users.
func (r route) own() route {
	r.OwnUsers = true
	return r
}

// ends says that the request may end the caller's login.
func (r route) ends() route {
	r.Ends = true
	return r
}

// always says that the request does not count as a change.
func (r route) always() route {
	r.Always = true
	return r
}

// unreferred says that the pages of the route send no referrer.
func (r route) unreferred() route {
	r.NoReferrer = true
	return r
}

// table lists every route except the one of static files.
var table = []route{
	get("/console/login", pages.Anyone, domain.ActionLogin, (*request).showLogin).own(),
	post("/console/login", pages.Anyone, domain.ActionLogin, (*request).logIn).own(),
	post("/console/logout", pages.Caller, domain.ActionLogout, (*request).logOut).own().ends().always(),

	get(signOnPath, pages.Anyone, domain.ActionProviderLogin, (*request).startSignOn).own(),
	get(answerPath, pages.Anyone, domain.ActionProviderLogin, (*request).finishSignOn).own().unreferred(),
	get(loginLinkPath+":token", pages.Anyone, domain.ActionLoginByLink, (*request).showLoginLink).own().unreferred(),
	post(loginLinkPath+":token", pages.Anyone, domain.ActionLoginByLink, (*request).useLoginLink).own().unreferred(),

	get(setupPath+":token", pages.Anyone, domain.ActionCreateUser, (*request).showSetup).own().unreferred(),
	post(setupPath+":token", pages.Anyone, domain.ActionCreateUser, (*request).setUp).own().unreferred(),

	get("/console", pages.Anyone, "get_projects", (*request).goHome),
	get(home, pages.Caller, "get_projects", (*request).overview),

	get("/console/users", pages.Admin, "get_all_users", (*request).users).own(),
	get("/console/users/new", pages.Admin, domain.ActionCreateUser, (*request).newUser).own(),
	post("/console/users/new", pages.Admin, domain.ActionCreateUser, (*request).createUser).own(),
	get("/console/users/:id", pages.Admin, "get_all_users", (*request).showUser).own(),
	get("/console/users/:id/admin", pages.Admin, domain.ActionUpdateUser, (*request).confirmAdmin).own(),
	post("/console/users/:id/role", pages.Admin, domain.ActionUpdateUser, (*request).setRole).own().ends(),
	post("/console/users/:id/disabled", pages.Admin, domain.ActionUpdateUser, (*request).setDisabled).own().ends(),
	post("/console/users/:id/password", pages.Admin, domain.ActionUpdateUser, (*request).setPassword).own().ends(),
	post("/console/users/:id/link", pages.Admin, domain.ActionLinkIdentity, (*request).linkUser).own(),
	get("/console/users/:id/unlink", pages.Admin, domain.ActionUnlinkIdentity, (*request).confirmUnlink).own(),
	post("/console/users/:id/unlink", pages.Admin, domain.ActionUnlinkIdentity, (*request).unlinkUser).own().ends(),
	get("/console/users/:id/grant", pages.Admin, domain.ActionGrantProject, (*request).newGrant).own(),
	post("/console/users/:id/grant", pages.Admin, domain.ActionGrantProject, (*request).grant).own(),
	post("/console/users/:id/revoke", pages.Admin, domain.ActionRevokeProject, (*request).revoke).own().ends(),
	post("/console/users/:id/sessions/delete", pages.Admin, domain.ActionDeleteSession, (*request).endUserSession).own().ends(),
	post("/console/users/:id/sessions/delete_all", pages.Admin, domain.ActionDeleteUserSessions, (*request).endUserSessions).own().ends(),
	post("/console/users/:id/tokens/delete", pages.Admin, domain.ActionDeleteAccessToken, (*request).endUserToken).own(),
	get("/console/users/:id/delete", pages.Admin, domain.ActionDeleteUser, (*request).confirmDeleteUser).own(),
	post("/console/users/:id/delete", pages.Admin, domain.ActionDeleteUser, (*request).deleteUser).own().ends(),

	get(groupsPath, pages.Admin, "get_group_rules", (*request).groups).own(),
	get(groupsPath+"/new", pages.Admin, domain.ActionSetGroupRule, (*request).newRule).own(),
	post(groupsPath+"/preview", pages.Admin, domain.ActionSetGroupRule, (*request).previewRule).own().always(),
	post(groupsPath, pages.Admin, domain.ActionSetGroupRule, (*request).setRule).own().ends(),
	get(groupsPath+"/:id/delete", pages.Admin, domain.ActionDeleteGroupRule, (*request).confirmDeleteRule).own(),
	post(groupsPath+"/:id/delete", pages.Admin, domain.ActionDeleteGroupRule, (*request).deleteRule).own().ends(),

	get("/console/tokens", pages.Caller, "get_access_tokens", (*request).tokens).own(),
	get("/console/tokens/new", pages.Caller, domain.ActionCreateAccessToken, (*request).newToken).own(),
	post("/console/tokens/new", pages.Caller, domain.ActionCreateAccessToken, (*request).createToken).own(),
	get("/console/tokens/rotate", pages.Caller, domain.ActionRotateAccessToken, (*request).newRotation).own(),
	post("/console/tokens/rotate", pages.Caller, domain.ActionRotateAccessToken, (*request).rotateToken).own(),
	post("/console/tokens/delete", pages.Caller, domain.ActionDeleteAccessToken, (*request).endToken).own(),

	get("/console/sessions", pages.Caller, "get_sessions", (*request).sessions),
	post("/console/sessions/delete", pages.Caller, domain.ActionDeleteSession, (*request).endOwnSession).ends(),
	post("/console/sessions/delete_others", pages.Caller, domain.ActionDeleteUserSessions, (*request).endOtherSessions).ends(),

	get("/console/account", pages.Caller, "check_session", (*request).account).own(),
	post("/console/account", pages.Caller, domain.ActionChangePassword, (*request).changePassword).own(),

	post("/console/account/link", pages.Caller, domain.ActionLinkIdentity, (*request).linkAccount).own(),

	get("/chat", pages.Caller, "get_projects", (*request).chat),
	get("/chat/:id", pages.Caller, "get_projects", (*request).talk),
	post("/chat/:id/turn", pages.Caller, domain.ActionForward, (*request).turn).always(),

	get("/console/assistants", pages.Caller, "get_projects", (*request).assistants),
	get("/console/assistants/new", pages.Admin, domain.ActionAddProject, (*request).newAssistant),
	post("/console/assistants/new", pages.Admin, domain.ActionAddProject, (*request).addAssistant),
	get("/console/assistants/:id", pages.Caller, "get_grants", (*request).showAssistant),
	post("/console/assistants/:id/set_token", pages.Admin, domain.ActionSetToken, (*request).setToken),
	get("/console/assistants/:id/delete_token", pages.Admin, domain.ActionDeleteToken, (*request).confirmDeleteToken),
	post("/console/assistants/:id/delete_token", pages.Admin, domain.ActionDeleteToken, (*request).deleteToken),
	post("/console/assistants/:id/check_project", pages.Admin, "check_project", (*request).checkProject),
	post("/console/assistants/:id/set_environments", pages.Admin, domain.ActionSetEnvironments, (*request).setEnvironments),
	post("/console/assistants/:id/set_picture_origins", pages.Admin, domain.ActionSetPictureOrigins, (*request).setPictureOrigins),
	post("/console/assistants/:id/grant_project", pages.Admin, domain.ActionGrantProject, (*request).grantAssistant),
	post("/console/assistants/:id/revoke_project", pages.Admin, domain.ActionRevokeProject, (*request).revokeAssistant).ends(),
	post("/console/assistants/:id/delete_project", pages.Admin, domain.ActionDeleteProject, (*request).deleteAssistant).ends(),

	get("/console/usage", pages.Caller, "get_usage", (*request).usage),
	get("/console/usage.csv", pages.Caller, "get_usage", (*request).usageFile),
	get("/console/audit", pages.Admin, "get_audit_events", (*request).audit),
	get("/console/audit.csv", pages.Admin, "get_audit_events", (*request).auditFile),
	get("/console/audit/:id", pages.Admin, "get_audit_events", (*request).auditRow),
	get(webhooksPath, pages.Admin, "get_webhooks", (*request).webhooks),
	get(webhooksPath+"/new", pages.Admin, domain.ActionSetWebhook, (*request).newWebhook),
	post(webhooksPath, pages.Admin, domain.ActionSetWebhook, (*request).setWebhook),
	get(webhooksPath+"/:id/change", pages.Admin, domain.ActionSetWebhook, (*request).changeWebhook),
	post(webhooksPath+"/:id/test", pages.Admin, domain.ActionTestWebhook, (*request).testWebhook),
	get(webhooksPath+"/:id/delete", pages.Admin, domain.ActionDeleteWebhook, (*request).confirmDeleteWebhook),
	post(webhooksPath+"/:id/delete", pages.Admin, domain.ActionDeleteWebhook, (*request).deleteWebhook),
	get("/console/keys", pages.Admin, "get_keys", (*request).keys),
	post("/console/keys/check", pages.Admin, "check_keys", (*request).checkKeys),
}

// routes returns the routes for the adapter that serves HTTP.
func (c *console) routes() []pages.Route {
	all := []pages.Route{{
		Method: http.MethodGet, Path: staticPath + ":file", Who: pages.Anyone, Static: true, Serve: c.serveAsset,
	}}
	for _, r := range table {
		r.Serve = func(x pages.Exchange) error { return r.serve(c.request(x)) }
		all = append(all, r.Route)
	}
	return all
}
