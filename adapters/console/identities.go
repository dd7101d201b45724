package console

import "github.com/flowlatch/flowlatch/domain"

// linkUser links the user of the path to a subject at the identity provider.
func (x *request) linkUser() error {
	in, err := x.fields()
	var u domain.User
	if err == nil {
		u, err = x.console.service.LinkIdentity(x.Context(), x.Call(), x.Param("id"), in.text("subject"))
	}
	if err != nil {
		page, failed := x.userPage()
		if failed != nil {
			return failed
		}
		page.Subject = in.shown("subject")
		return x.again(err, "user", string(page.User.Name), page)
	}
	return x.done(userPath(u.ID), string(u.Name)+" can log in with "+x.provider()+" from now on.")
}

// unlinkPage is what the page shows that asks whether to unlink a user.
type unlinkPage struct {
	User domain.User
	Self bool
}

// confirmUnlink asks whether to unlink the user.
func (x *request) confirmUnlink() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	if u.Identity == (domain.Identity{}) {
		return x.redirect(userPath(u.ID))
	}
	return x.show("user_unlink", "Unlink "+string(u.Name)+"?", unlinkPage{User: u, Self: u.ID == x.Call().Caller.ID})
}

func (x *request) unlinkUser() error {
	u, err := x.userOf()
	if err != nil {
		return err
	}
	linked := u.Identity != (domain.Identity{})
	if u, err = x.console.service.UnlinkIdentity(x.Context(), x.Call(), string(u.ID)); err != nil {
		return x.userAgain(err)
	}
	notice := string(u.Name) + " is linked to no identity. All sessions of " + string(u.Name) + " were ended."
	switch {
	case !linked:
		return x.done(userPath(u.ID), string(u.Name)+" is linked to no identity.")
	case u.ID == x.Call().Caller.ID:
		return x.loggedOut(notice + " So you are logged out.")
	}
	return x.done(userPath(u.ID), notice)
}
