package console

import (
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// accountPage is what the page of one's own account shows.
type accountPage struct {
	User domain.User
	Keep bool // the access tokens
	// Links says that the user can be linked to an identity at the identity provider.
	Links bool
}

const accountTitle = "Your account"

func (x *request) account() error {
	page, err := x.accountPage()
	if err != nil {
		return err
	}
	return x.show("account", accountTitle, page)
}

func (x *request) accountPage() (accountPage, error) {
	u, err := x.console.service.GetUser(x.Context(), x.Call(), string(x.Call().Caller.ID))
	page := accountPage{User: u, Links: u.Identity == (domain.Identity{}) && x.provider() != ""}
	if page.Links {
		x.formsToProvider()
	}
	return page, err
}

// accountAgain is again for a form on the page of one's own account.
func (x *request) accountAgain(err error, keep bool) error {
	page, failed := x.accountPage()
	if failed != nil {
		return failed
	}
	page.Keep = keep
	return x.again(err, "account", accountTitle, page)
}

func (x *request) changePassword() error {
	x.Asked(domain.OnUser(x.Call().Caller.ID))
	in, err := x.fields()
	keep := in.checked("keep_access_tokens")
	if err == nil {
		err = x.console.service.ChangePassword(x.Context(), x.Call(), app.ChangePassword{
			Current: in.secret("password"), Next: in.secret("new_password"), KeepTokens: keep,
		})
	}
	if err != nil {
		return x.accountAgain(err, keep)
	}
	if keep {
		return x.done("/console/account", "Your password was changed, and your other sessions were ended. Your access tokens still work.")
	}
	return x.done("/console/account", "Your password was changed. Your other sessions and your access tokens were ended.")
}
