package console

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	// signOnPath begins a login by the identity provider, and answerPath is where the provider's answer
	// comes in.
	signOnPath = "/oidc/login"
	answerPath = "/oidc/callback"
	// signOnCookie is the name of the cookie of a login by the identity provider that is under way.
	signOnCookie = "sign_on"
)

// signOnFailTitle is the title of the page that says why a login by the identity provider failed.
const signOnFailTitle = "Login failed"

// signOnFailure is what that page shows beside the problem.
type signOnFailure struct {
	Again    string // the address that tries again
	Password bool   // somebody may log in with a password
	Account  bool   // it was about a link from the page of one's own account
	Answer   bool   // the log tells what is wrong with the answer of the identity provider
}

// signOnURL returns the address that begins a login by the identity provider. to is the local page to go
// to afterwards.
func (c *console) signOnURL(to string) string {
	if to == "" || to == home {
		return c.url(signOnPath)
	}
	return c.url(signOnPath) + "?return=" + url.QueryEscape(to)
}

// startSignOn sends the browser to the identity provider. A browser in which somebody is logged in goes
// on at once.
func (x *request) startSignOn() error {
	to := x.localReturn(x.Request().URL.Query().Get("return"))
	if !x.ShowsToken() && x.Identify() {
		return x.redirect(to)
	}
	out, err := x.console.service.StartSignOn(x.Context(), x.Call(), app.StartSignOn{Return: to})
	if err != nil {
		return x.signOnFailed(err, signOnFailure{Again: x.console.signOnURL(to)})
	}
	return x.goToProvider(out)
}

// goToProvider sends the browser to the identity provider, with the cookie that the answer needs.
func (x *request) goToProvider(out app.StartedSignOn) error {
	x.SetReturnCookie(signOnCookie, out.Cookie, app.SignOnLifetime)
	return x.leave(out.URL)
}

// leave sends the browser to an address of the identity provider.
func (x *request) leave(address string) error {
	h := x.Writer().Header()
	x.secure(h)
	h.Set("Location", address)
	x.Writer().WriteHeader(http.StatusSeeOther)
	return nil
}

// finishSignOn takes the answer of the identity provider. Neither the code nor the state of the answer is
// on a page.
func (x *request) finishSignOn() error {
	x.Identify() // who links their own user is logged in
	in := app.FinishSignOn{Cookie: x.Cookie(signOnCookie), Strict: x.StrictCookies()}
	x.SetReturnCookie(signOnCookie, "", 0)
	err := readAnswer(x.Request().URL, &in)
	var out app.SignedOn
	if err == nil {
		out, err = x.console.service.FinishSignOn(x.Context(), x.Call(), in)
	}
	if err != nil {
		if out.User.ID != "" {
			x.Asked(domain.OnUser(out.User.ID))
		}
		return x.signOnFailed(err, signOnFailure{Again: x.console.signOnURL(x.localReturn(out.Return)), Account: x.Call().Caller.ID != ""})
	}
	if out.Linked {
		x.leaveNotice("You can log in with " + x.provider() + " from now on.")
		return x.goOn("/console/account")
	}
	x.LogIn(out.Cookie, out.User.ID)
	return x.goOn(x.localReturn(out.Return))
}

// goOn sends the browser to a local page after the answer of the identity provider. A browser that keeps
// the cookie of the login from other sites would keep it back after a redirect too, since the provider
// began it. So such a browser gets a page that goes on by itself.
func (x *request) goOn(path string) error {
	if !x.StrictCookies() {
		return x.redirect(path)
	}
	x.alone = true
	x.Writer().Header().Set("Refresh", "0; url="+x.console.url(path))
	return x.show("sign_on_done", "You are logged in", x.console.url(path))
}

// maxAnswer is the longest parameter of the provider's answer that is read, in bytes.
const maxAnswer = 8 << 10

// readAnswer reads the parameters of the provider's answer (RFC 6749, section 4.1.2; RFC 9207). Returns
// NotAuthenticated if one is there twice or too long.
func readAnswer(from *url.URL, in *app.FinishSignOn) error {
	if len(from.RawQuery) > 4*maxAnswer {
		return answerUnreadable()
	}
	query := from.Query()
	for _, name := range []string{"code", "state", "iss", "error"} {
		if values := query[name]; len(values) > 1 || len(values) == 1 && len(values[0]) > maxAnswer {
			return answerUnreadable()
		}
	}
	in.Code, in.State = domain.NewSecret(query.Get("code")), domain.NewSecret(query.Get("state"))
	in.Issuer, in.Error = query.Get("iss"), query.Get("error")
	return nil
}

func answerUnreadable() error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "the answer of the identity provider can't be read; log in again"}
}

// signOnFailed returns the error of a login by the identity provider. The page has no frame: its address
// may have a code, so it sends no referrer, and a form on it would be taken for one of another origin.
func (x *request) signOnFailed(err error, page signOnFailure) error {
	page.Password = x.console.service.PasswordLogin() != domain.PasswordLoginOff
	page.Answer = errors.Is(err, domain.ErrProviderAnswer)
	return &pages.Again{Err: err, Render: func(f pages.Failure) {
		x.alone = true
		x.writeFailure(f, "sign_on_fail", view{Title: signOnFailTitle, Data: page, Problem: &f})
	}}
}

// linkAccount sends the browser to the identity provider, to link the caller's own user to the identity
// there.
func (x *request) linkAccount() error {
	x.Asked(domain.OnUser(x.Call().Caller.ID))
	in, err := x.fields()
	var out app.StartedSignOn
	if err == nil {
		out, err = x.console.service.StartSignOn(x.Context(), x.Call(), app.StartSignOn{
			Return: "/console/account", Link: true, Password: in.secret("password"),
		})
	}
	if err != nil {
		return x.accountAgain(err, false)
	}
	return x.goToProvider(out)
}

// provider returns the label of the identity provider, "" if there is none.
func (x *request) provider() string {
	label, _ := x.console.service.SignsOn()
	return label
}

// fresh reports whether the caller has just logged in by the identity provider, so that no password
// confirms a change.
func (x *request) fresh() bool { return x.Call().Caller.Login.FreshByProvider(x.console.clock()) }
