package console

import (
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// userPage is what the page of a user shows.
type userPage struct {
	User      domain.User
	Self      bool // it is who looks at the page
	LastAdmin bool // no other admin can log in
	Login     string
	Grants    []userGrant
	Next      string // the address of the next page of grants, "" if there is none
	Sessions  sessionTable
	Tokens    tokenTable
	Linked    bool
	Subject   string // what was typed
}

// userGrant is a grant as the page of a user shows it.
type userGrant struct {
	domain.Grant

	Name    string // of the assistant
	Sources []grantSource
}

// showUser shows the page of a user.
func (x *request) showUser() error {
	page, err := x.userPage()
	if err != nil {
		return err
	}
	return x.show("user", string(page.User.Name), page)
}

// userAgain is again for a form on the page of a user.
func (x *request) userAgain(err error) error {
	page, failed := x.userPage()
	if failed != nil {
		return failed
	}
	return x.again(err, "user", string(page.User.Name), page)
}

// userOf looks up the user whom the path names.
func (x *request) userOf() (domain.User, error) {
	return x.console.service.GetUser(x.Context(), x.Call(), x.Param("id"))
}

func (x *request) userPage() (userPage, error) {
	u, err := x.userOf()
	if err != nil {
		return userPage{}, err
	}
	page := userPage{User: u, Self: u.ID == x.Call().Caller.ID, Login: x.baseURL() + "/console/login", Linked: u.Identity != (domain.Identity{})}
	if page.LastAdmin, err = x.console.service.IsLastAdmin(x.Context(), x.Call(), u); err != nil {
		return userPage{}, err
	}
	if page.Sessions, err = x.sessionTable(u.ID, userPath(u.ID)+"/sessions/delete"); err != nil {
		return userPage{}, err
	}
	tokens, err := x.console.service.GetUsersTokens(x.Context(), x.Call(), string(u.ID), domain.Cursor{}, paging.Max)
	if err != nil {
		return userPage{}, err
	}
	page.Tokens.End = userPath(u.ID) + "/tokens/delete"
	if page.Tokens.Rows, err = x.tokenRows(tokens.Items); err != nil {
		return userPage{}, err
	}
	page.Grants, page.Next, err = x.userGrants(u.ID)
	return page, err
}

func (x *request) userGrants(of domain.UserID) (rows []userGrant, next string, err error) {
	after, err := x.cursor(domain.GrantList)
	if err != nil {
		return nil, "", err
	}
	grants, err := x.console.service.GetGrants(x.Context(), x.Call(), string(of), "", after, pageSize)
	if err != nil {
		return nil, "", err
	}
	var ids []domain.ProjectID
	for _, g := range grants.Items {
		ids = append(ids, g.Project)
	}
	names, err := x.names(ids, nil, nil)
	for _, g := range grants.Items {
		rows = append(rows, userGrant{Grant: g, Name: names.Projects[g.Project], Sources: sourcesOf(g)})
	}
	return rows, x.nextOf(userPath(of), grants.Next, domain.GrantList), err
}

// changeUser changes the user of the path. said returns what was done.
func (x *request) changeUser(change func(in fields, to *app.UpdateUser), said func(domain.User) string) error {
	in, err := x.fields()
	if err != nil {
		return x.userAgain(err)
	}
	to := app.UpdateUser{ID: x.Param("id")}
	change(in, &to)
	u, err := x.console.service.UpdateUser(x.Context(), x.Call(), to)
	if err != nil {
		return x.userAgain(err)
	}
	notice := said(u)
	self := u.ID == x.Call().Caller.ID
	switch {
	case self && (u.Disabled || to.Password != nil):
		return x.loggedOut(notice + " So you are logged out.")
	case self && u.Role != domain.RoleAdmin:
		return x.done(home, notice)
	}
	return x.done(userPath(u.ID), notice)
}

func (x *request) setRole() error {
	return x.changeUser(func(in fields, to *app.UpdateUser) { to.Role = new(in.text("role")) }, func(u domain.User) string {
		if u.Role == domain.RoleAdmin {
			return string(u.Name) + " is an admin now."
		}
		return string(u.Name) + " is a member now."
	})
}

func (x *request) setDisabled() error {
	return x.changeUser(func(in fields, to *app.UpdateUser) {
		switch in.text("disabled") {
		case "true":
			to.Disabled = new(true)
		case "false":
			to.Disabled = new(false)
		}
	}, func(u domain.User) string {
		if u.Disabled {
			return string(u.Name) + " is disabled. All sessions of " + string(u.Name) + " were ended."
		}
		return string(u.Name) + " is enabled."
	})
}

func (x *request) setPassword() error {
	kept := false
	return x.changeUser(func(in fields, to *app.UpdateUser) {
		kept = in.checked("keep_access_tokens")
		to.Password, to.KeepTokens = new(in.secret("password")), kept
	}, func(u domain.User) string {
		if kept {
			return string(u.Name) + " has a new password. All sessions of " + string(u.Name) + " were ended. The access tokens still work."
		}
		return string(u.Name) + " has a new password. All sessions and access tokens of " + string(u.Name) + " were ended."
	})
}

// confirmAdmin asks whether to make the user an admin.
func (x *request) confirmAdmin() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	if u.Role == domain.RoleAdmin {
		return x.redirect(userPath(u.ID))
	}
	return x.show("user_admin", "Make "+string(u.Name)+" an admin?", u)
}

// deleteUserPage is what the page shows that asks whether to delete a user.
type deleteUserPage struct {
	User domain.User
	Self bool
}

// confirmDeleteUser asks whether to delete the user.
func (x *request) confirmDeleteUser() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	return x.show("user_delete", "Delete "+string(u.Name)+"?", deleteUserPage{User: u, Self: u.ID == x.Call().Caller.ID})
}

func (x *request) deleteUser() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	if err := x.console.service.DeleteUser(x.Context(), x.Call(), string(u.ID)); err != nil {
		return x.userAgain(err)
	}
	return x.done("/console/users", string(u.Name)+" was deleted.")
}

// grantForm is what the page for a grant shows.
type grantForm struct {
	User       domain.User
	Granted    *assistantChoice // the assistant whose grant is changed; nil for a new grant
	Group      string           // the group that grants it alone, "" if an admin does
	Assistants assistantChoices
	Scopes     []scopeChoice
}

const grantTitle = "Grant an assistant to "

// mostOptions is how many assistants a form lists in a menu.
const mostOptions = 100

func (x *request) newGrant() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	form, err := x.grantForm(u, fields(x.Request().URL.Query()).text("project_id"), scopeNames(domain.DefaultScopes()))
	if err != nil {
		return err
	}
	return x.show("user_grant", grantTitle+string(u.Name), form)
}

// grantForm returns the form for a grant on the project, which may be "". scopes are chosen, unless
// the user has a grant on it already.
func (x *request) grantForm(u domain.User, project string, scopes []string) (grantForm, error) {
	form := grantForm{User: u}
	if ref, err := domain.ParseProjectRef(project); err == nil {
		grants, err := x.console.service.GetGrants(x.Context(), x.Call(), string(u.ID), project, domain.Cursor{}, 1)
		if err != nil && domain.KindOf(err) != domain.NotFound {
			return form, err
		}
		if len(grants.Items) > 0 {
			p, err := x.console.service.FindProject(x.Context(), x.Call(), project)
			if err != nil {
				return form, err
			}
			form.Granted = &assistantChoice{ID: ref.ID, Name: p.Name}
			if g := grants.Items[0]; g.Manual != 0 {
				scopes = scopeNames(g.Manual)
			} else {
				form.Group = g.Groups[0].Group
			}
		}
	}
	form.Scopes = scopeChoices(domain.AllScopes(), scopes)
	if form.Granted != nil {
		return form, nil
	}
	var chosen []string
	if project != "" {
		chosen = []string{project}
	}
	var err error
	form.Assistants, err = x.assistantChoices(mostOptions, chosen...)
	return form, err
}

func (x *request) grant() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	in, err := x.fields()
	if err != nil {
		return x.userAgain(err)
	}
	scopes := in.scopes()
	p, err := x.console.service.FindProject(x.Context(), x.Call(), in.text("project_id"))
	if err == nil {
		err = x.console.service.GrantProject(x.Context(), x.Call(), string(u.ID), string(p.ID), scopes)
	}
	if err != nil {
		form, failed := x.grantForm(u, in.shown("project_id"), scopes)
		if failed != nil {
			return failed
		}
		return x.again(err, "user_grant", grantTitle+string(u.Name), form)
	}
	return x.done(userPath(u.ID), p.Name+" is granted to "+string(u.Name)+".")
}

func (x *request) revoke() error {
	in, err := x.fields()
	user, project := x.Param("id"), in.text("project_id")
	if err == nil {
		err = x.console.service.RevokeProject(x.Context(), x.Call(), user, project)
	}
	if err != nil {
		return x.userAgain(err)
	}
	return x.done(userPath(domain.UserID(user)), x.revoked(user, project, "The grant was revoked."))
}

// endUserSession ends a session of the user.
func (x *request) endUserSession() error {
	ended, err := x.endSession()
	switch {
	case err != nil:
		return x.userAgain(err)
	case ended:
		return x.loggedOut("You have ended your session.")
	}
	return x.done(userPath(domain.UserID(x.Param("id"))), "The session was ended.")
}

// endUserSessions ends all sessions of the user.
func (x *request) endUserSessions() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	if err := x.console.service.DeleteUserSessions(x.Context(), x.Call(), string(u.ID)); err != nil {
		return x.userAgain(err)
	}
	if u.ID == x.Call().Caller.ID {
		return x.loggedOut("You have ended all of your sessions.")
	}
	return x.done(userPath(u.ID), "All sessions of "+string(u.Name)+" were ended.")
}

// endUserToken ends an access token of the user.
func (x *request) endUserToken() error {
	in, err := x.fields()
	if err == nil {
		err = x.console.service.DeleteAccessToken(x.Context(), x.Call(), in.text("token_id"))
	}
	if err != nil {
		return x.userAgain(err)
	}
	return x.done(userPath(domain.UserID(x.Param("id"))), "The access token was ended.")
}
