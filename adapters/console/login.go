package console

import (
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// loginForm is what the page of the login shows.
type loginForm struct {
	Username string
	Remember bool
	Return   string // the local page to go to, "" for the overview
	SignOn   string // the address that begins a login by the identity provider
	Password domain.PasswordLogin
}

const loginTitle = "Log in"

func (x *request) showLogin() error {
	to := x.localReturn(x.Request().URL.Query().Get("return"))
	if !x.ShowsToken() && x.Identify() {
		return x.redirect(to)
	}
	return x.show("login", loginTitle, x.loginForm(loginForm{Return: to}))
}

func (x *request) logIn() error {
	in, err := x.fields()
	if err != nil {
		return x.again(err, "login", loginTitle, x.loginForm(loginForm{}))
	}
	form := x.loginForm(loginForm{Username: in.shown("username"), Remember: in.checked("remember"), Return: x.localReturn(in.text("return"))})
	out, err := x.console.service.Login(x.Context(), x.Call(), app.Login{
		Username: in.text("username"), Password: in.secret("password"), Remember: form.Remember,
	})
	if err != nil {
		if out.User.ID != "" {
			x.Asked(domain.OnUser(out.User.ID))
		}
		if domain.KindOf(err) == domain.Invalid { // the page has one sentence for whatever is wrong
			err = &domain.Error{Kind: domain.NotAuthenticated, Public: "the user name or the password is wrong", Cause: err}
		}
		return x.again(err, "login", loginTitle, form)
	}
	x.LogIn(out.Cookie, out.User.ID)
	return x.redirect(form.Return)
}

// loginForm returns the form with what the settings say of logins.
func (x *request) loginForm(form loginForm) loginForm {
	form.SignOn, form.Password = x.console.signOnURL(form.Return), x.console.service.PasswordLogin()
	return form
}

// localReturn returns the page to go to after the login, without the path of the base URL. It is
// the overview unless text is the address of another page of this service. It is also the overview if
// a key may have been pasted into the address.
func (x *request) localReturn(text string) string {
	path, ok := domain.LocalPath(text)
	if !ok || holdsKey(path) {
		return home
	}
	if below, found := strings.CutPrefix(path, x.console.path); found {
		path = below
	}
	if path != "/chat" && !strings.HasPrefix(path, "/chat/") && !strings.HasPrefix(path, home) {
		return home
	}
	return path
}

func (x *request) logOut() error {
	out, err := x.LogOut()
	if err != nil {
		return err
	}
	if !out.URL.IsZero() {
		x.forgetLogin("You are logged out.")
		return x.leave(out.URL.Reveal())
	}
	return x.loggedOut("You are logged out.")
}
