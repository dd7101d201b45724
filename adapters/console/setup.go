package console

import (
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// setupForm is what the page for the first admin shows. The password is never among it.
type setupForm struct {
	Token    string // for the address of the form only
	Username string
}

// setupPath is where set-up links are. The token follows.
const setupPath = "/console/setup/"

const (
	setupTitle  = "Create the first admin"
	noLinkTitle = "This link does not work"
)

// showSetup shows the form for the first admin if the link of the path can be used. That does not use
// the link up.
func (x *request) showSetup() error {
	token := x.Param("token")
	if err := x.console.service.CheckSetupLink(x.Context(), domain.NewSecret(token)); err != nil {
		return x.noLink(err)
	}
	return x.show("setup", setupTitle, setupForm{Token: token})
}

// noLink answers for a link that can't be used. An expired link is a 404, as an invalid one is:
// nothing is stored about links, so none is known to have been there. The sentence tells them apart.
func (x *request) noLink(err error) error {
	users := domain.KindOf(err) == domain.Conflict
	return x.again(err, "setup_fail", noLinkTitle, users)
}

// setUp creates the first admin and logs them in.
func (x *request) setUp() error {
	token := x.Param("token")
	in, err := x.fields()
	form := setupForm{Token: token, Username: in.shown("username")}
	var out app.LoggedIn
	if err == nil {
		out, err = x.console.service.SetUp(x.Context(), x.Call(), app.SetUp{
			Token: domain.NewSecret(token), Username: in.text("username"), Password: in.secret("password"),
		})
	}
	switch domain.KindOf(err) {
	case "":
		if err != nil {
			return err
		}
	case domain.NotFound, domain.Conflict: // the link, and not what was typed
		return x.noLink(err)
	default:
		return x.again(err, "setup", setupTitle, form)
	}
	x.LogIn(out.Cookie, out.User.ID)
	return x.done(home, "You are the first admin, and you are logged in.")
}
