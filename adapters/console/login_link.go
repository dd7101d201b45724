package console

import (
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// loginLinkPath is where login links are. The token follows.
const loginLinkPath = "/console/login-link/"

// loginLinkPage is what the page of a login link shows.
type loginLinkPage struct {
	Token string // for the address of the form only
	Name  domain.Username
}

const loginLinkTitle = "Log in with a link"

// showLoginLink shows the button of a login link. That does not use the link up: programs that show a
// preview of a message open the links in it.
func (x *request) showLoginLink() error {
	token := x.Param("token")
	u, err := x.console.service.CheckLoginLink(x.Context(), domain.NewSecret(token))
	if err != nil {
		return x.again(err, "login_link_fail", noLinkTitle, nil)
	}
	return x.show("login_link", loginLinkTitle, loginLinkPage{Token: token, Name: u.Name})
}

// useLoginLink logs the user of the link in.
func (x *request) useLoginLink() error {
	token := domain.NewSecret(x.Param("token"))
	_, err := x.fields()
	var out app.LoggedIn
	if err == nil {
		out, err = x.console.service.UseLoginLink(x.Context(), x.Call(), token)
	}
	if err != nil {
		if out.User.ID != "" {
			x.Asked(domain.OnUser(out.User.ID))
		}
		return x.again(err, "login_link_fail", noLinkTitle, nil)
	}
	x.LogIn(out.Cookie, out.User.ID)
	return x.done(home, "You are logged in as "+string(out.User.Name)+". The link does not work again.")
}
