package ginhttp

import (
	"net/http"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func (a *api) login(x *exchange) error {
	var in struct {
		Username text          `json:"username"`
		Password domain.Secret `json:"password"`
		Remember bool          `json:"remember"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	out, err := a.service.Login(x.ctx(), x.call, app.Login{
		Username: string(in.Username), Password: in.Password, Remember: in.Remember,
	})
	if err != nil {
		if out.User.ID != "" {
			x.asked = domain.OnUser(out.User.ID)
		}
		return err
	}
	x.call.Caller.ID = out.User.ID // for the log
	a.replaceLogins(x)
	a.cookies.set(x, domain.LoginSession, out.Cookie)
	return x.user("you are logged in", out.User)
}

func (a *api) logout(x *exchange) error {
	out, err := a.endLogins(x)
	if err != nil {
		return err
	}
	a.forget(x)
	b := say("you are logged out")
	if !out.URL.IsZero() {
		b = b.member("logout_url").text(out.URL.Reveal())
	}
	x.send(http.StatusOK, b)
	return nil
}

// endLogins ends the caller's login and the others that the browser holds. The result is that of the
// caller's login.
func (a *api) endLogins(x *exchange) (app.LoggedOut, error) {
	out, err := a.service.Logout(x.ctx(), x.call)
	if err != nil {
		return app.LoggedOut{}, err
	}
	return out, a.logoutElsewhere(x)
}

// logoutElsewhere ends the other logins that the browser holds by earlier names and paths. The
// next request would otherwise be logged in by one of them. Returns an error if one of them may be left.
func (a *api) logoutElsewhere(x *exchange) error {
	if a.cookies.single(domain.LoginSession) {
		return nil
	}
	cookies, callers, unknown := a.openLogins(x)
	for i, h := range cookies {
		call := x.call
		call.Caller = callers[i]
		if _, err := a.service.Logout(x.ctx(), call); err != nil {
			return err
		}
		a.cookies.clear(x, h)
	}
	return unknown
}

func (a *api) checkSession(x *exchange) error {
	out, err := a.service.CheckSession(x.ctx(), x.call, a.cookie(x, domain.AssistantSession).text)
	if err != nil {
		return err
	}
	b := say("you are logged in").member("user").user(out.User).member("assistant")
	if out.Assistant == nil {
		b = append(b, `null`...)
	} else {
		b = b.assistant(*out.Assistant)
	}
	x.send(http.StatusOK, b)
	return nil
}

func (a *api) changePassword(x *exchange) error {
	var in struct {
		Current domain.Secret `json:"password"`
		Next    domain.Secret `json:"new_password"`
		Keep    bool          `json:"keep_access_tokens"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	x.asked = domain.OnUser(x.call.Caller.ID)
	if err := a.service.ChangePassword(x.ctx(), x.call, app.ChangePassword{Current: in.Current, Next: in.Next, KeepTokens: in.Keep}); err != nil {
		return err
	}
	if in.Keep {
		return x.ok("the password was changed, and your other sessions were ended; your access tokens still work")
	}
	return x.ok("the password was changed, and your other sessions and your access tokens were ended")
}

func (a *api) createUser(x *exchange) error {
	var in struct {
		Username   text          `json:"username"`
		Password   domain.Secret `json:"password"`
		Role       text          `json:"role"`
		Assistants []text        `json:"assistants"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	u, err := a.service.CreateUser(x.ctx(), x.call, app.CreateUser{
		Username: string(in.Username), Password: in.Password, Role: string(in.Role), Assistants: texts(in.Assistants),
	})
	if err != nil {
		return err
	}
	return x.user("the user was created", u)
}

func (a *api) updateUser(x *exchange) error {
	var in struct {
		ID         text           `json:"user_id"`
		Password   *domain.Secret `json:"password"`
		Role       *text          `json:"role"`
		Disabled   *bool          `json:"disabled"`
		Assistants *[]text        `json:"assistants"`
		Keep       bool           `json:"keep_access_tokens"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	change := app.UpdateUser{ID: string(in.ID), Password: in.Password, Role: (*string)(in.Role), Disabled: in.Disabled, KeepTokens: in.Keep}
	if in.Assistants != nil {
		change.Assistants = new(texts(*in.Assistants))
	}
	u, err := a.service.UpdateUser(x.ctx(), x.call, change)
	if err != nil {
		return err
	}
	return x.user("the user was changed", u)
}

func (a *api) deleteUser(x *exchange) error {
	var in struct {
		ID text `json:"user_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.DeleteUser(x.ctx(), x.call, string(in.ID)); err != nil {
		return err
	}
	return x.ok("the user was deleted")
}

// user sends an answer about a user.
func (x *exchange) user(message string, u domain.User) error {
	x.send(http.StatusOK, say(message).member("user").user(u))
	return nil
}

func texts(in []text) []string {
	out := make([]string, len(in))
	for i, t := range in {
		out[i] = string(t)
	}
	return out
}

// textsIfAny returns nil for a missing list, and never for one that is there.
func textsIfAny(in *[]text) []string {
	if in == nil {
		return nil
	}
	return texts(*in)
}
