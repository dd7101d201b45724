package console

import (
	"cmp"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// usersPage is what the list of users shows.
type usersPage struct {
	Users    []domain.User
	Next     string // the address of the next page, "" if there is none
	Username string // who was looked for
}

const usersTitle = "Users"

func (x *request) users() error {
	name := fields(x.Request().URL.Query()).text("username")
	if name == "" {
		page, err := x.usersPage()
		if err != nil {
			return err
		}
		return x.show("users", usersTitle, page)
	}
	u, err := x.console.service.FindUser(x.Context(), x.Call(), name)
	if err != nil {
		return x.again(err, "users", usersTitle, usersPage{Username: withoutKey(name)})
	}
	return x.redirect(userPath(u.ID))
}

func (x *request) usersPage() (usersPage, error) {
	after, err := x.cursor(domain.UserList)
	if err != nil {
		return usersPage{}, err
	}
	page, err := x.console.service.GetAllUsers(x.Context(), x.Call(), after, pageSize)
	return usersPage{Users: page.Items, Next: x.next(page.Next, domain.UserList)}, err
}

// userPath returns the path of the page of a user, without that of the base URL.
func userPath(id domain.UserID) string { return "/console/users/" + string(id) }

// newUserForm is what the page for a new user shows. The password is never among it.
type newUserForm struct {
	Username, Role string
	Assistants     assistantChoices
}

const newUserTitle = "Add a user"

// mostBoxes is how many assistants a form lists as boxes.
const mostBoxes = 50

func (x *request) newUser() error {
	choices, err := x.assistantChoices(mostBoxes, fields(x.Request().URL.Query()).texts("assistants")...)
	if err != nil {
		return err
	}
	return x.show("users_new", newUserTitle, newUserForm{Assistants: choices})
}

// createUser makes a user. Who is to be an admin is made a member first, and the next page asks
// whether to make them an admin. So the second question comes without a second password, and no
// password stands in a page. If the answer is no, the user stays a member.
func (x *request) createUser() error {
	in, err := x.fields()
	if err != nil {
		return x.again(err, "users_new", newUserTitle, newUserForm{})
	}
	role, err := domain.ParseRole(cmp.Or(in.text("role"), string(domain.RoleMember)))
	var assistants []string
	if err == nil {
		assistants, err = x.assistantIDs(in.texts("assistants"))
	}
	var u domain.User
	if err == nil {
		u, err = x.console.service.CreateUser(x.Context(), x.Call(), app.CreateUser{
			Username: in.text("username"), Password: in.secret("password"), Assistants: assistants,
		})
	}
	if err != nil {
		choices, failed := x.assistantChoices(mostBoxes, in.texts("assistants")...)
		if failed != nil {
			return failed
		}
		return x.again(err, "users_new", newUserTitle, newUserForm{Username: in.shown("username"), Role: in.text("role"), Assistants: choices})
	}
	if role == domain.RoleAdmin {
		return x.done(userPath(u.ID)+"/admin", string(u.Name)+" was created as a member.")
	}
	return x.done(userPath(u.ID), string(u.Name)+" was created.")
}
