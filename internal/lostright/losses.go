package lostright

import "slices"

// Loss is a way in which eve loses a right: a request of another admin, or of eve's own.
type Loss struct {
	Name string
	Own  bool // eve sends it, by the login by which she calls
	// KeepsPassword says that eve can still log in with her password.
	KeepsPassword bool

	method, path string
	body         func(Objects) map[string]any
	applies      func(Change, Caller) bool
	gone         bool // the caller is gone, not only the right
}

// Losses returns every way.
func Losses() []Loss {
	return []Loss{
		{Name: "the user is deleted", method: "POST", path: "/delete_user", body: eve, applies: always, gone: true},
		{Name: "the user is disabled", method: "PATCH", path: "/update_user", applies: always, gone: true, body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Eve, "disabled": true}
		}},
		{Name: "all logins are ended", KeepsPassword: true, method: "POST", path: "/delete_user_sessions", body: eve, applies: byLogin, gone: true},
		{Name: "the login is ended", KeepsPassword: true, method: "POST", path: "/delete_session", applies: byLogin, gone: true, body: func(o Objects) map[string]any {
			return map[string]any{"session_id": o.Login}
		}},
		{Name: "the login is logged out elsewhere", KeepsPassword: true, Own: true, method: "POST", path: "/logout", applies: byLogin, gone: true},
		{Name: "the password is reset", method: "PATCH", path: "/update_user", gone: true, applies: always, body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Eve, "password": o.NewPassword}
		}},
		{Name: "the access token is deleted", KeepsPassword: true, method: "POST", path: "/delete_access_token", gone: true, body: func(o Objects) map[string]any {
			return map[string]any{"token_id": o.Manager}
		}, applies: func(_ Change, by Caller) bool { return by == Manager }},
		{Name: "the admin is demoted", KeepsPassword: true, method: "PATCH", path: "/update_user", body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Eve, "role": "member"}
		}, applies: func(c Change, by Caller) bool { return by != Member && c.Takes != NothingMore }},
		{Name: "the grant is revoked", KeepsPassword: true, method: "POST", path: "/revoke_project", applies: byGrant, body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Eve, "project_id": o.Project}
		}},
		{Name: "the grant loses a scope", KeepsPassword: true, method: "POST", path: "/grant_project", body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Eve, "project_id": o.Project, "scopes": []string{"converse"}}
		}, applies: func(c Change, by Caller) bool { return byGrant(c, by) && c.Path() == "/create_access_token" }},
	}
}

func always(Change, Caller) bool       { return true }
func byLogin(_ Change, by Caller) bool { return by != Manager }
func byGrant(c Change, by Caller) bool { return by == Member && c.Takes == AGrant }

// Takes reports whether the loss takes the right to the change away from who calls like that.
func (l Loss) Takes(c Change, by Caller) bool {
	return slices.Contains(c.By, by) && l.applies(c, by)
}

// Request returns the request by which eve loses the right. The body is "" if there is none.
func (l Loss) Request(o Objects) (method, path, body string) {
	if l.body == nil {
		return l.method, l.path, ""
	}
	return l.method, l.path, text(l.body(o))
}

// Answer returns the status and the code of the change after the loss.
func (l Loss) Answer(c Change) (status int, code string) {
	documented := slices.Contains([]string{"/add_project", "/delete_project", "/set_project"}, c.Path())
	switch {
	case l.gone:
		return 401, "not_authenticated"
	case c.hidden:
		return 404, "not_found"
	case documented:
		return 401, "not_allowed"
	}
	return 403, "not_allowed"
}
