package ginhttp

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// mountPages adds the routes of the adapter for pages to r.
func (a *api) mountPages(r gin.IRouter) {
	if a.pages == nil {
		return
	}
	for i := range a.pages.Routes {
		page := &a.pages.Routes[i]
		if page.OwnUsers && !a.own {
			continue
		}
		r.Handle(page.Method, page.Path, a.handler(routeOf(page)))
	}
}

// routeOf returns the route of a page.
func routeOf(page *pages.Route) *route {
	return &route{
		method: page.Method, path: page.Path, own: page.OwnUsers, ends: page.Ends, always: page.Always, probe: page.Static,
		who:       [...]access{pages.Anyone: anyone, pages.Caller: caller, pages.Admin: admin}[page.Who],
		readsBody: page.Method != http.MethodGet, page: page,
		handle: func(_ *api, x *exchange) error { return page.Serve(x.page) },
	}
}

// answersPage reports whether the answer is a page: on a route of the pages, and for a browser that
// asks for a path or a method without a route.
func (a *api) answersPage(x *exchange) bool {
	if x.route.page != nil {
		return true
	}
	return a.pages != nil && x.route.noUseCase && !x.belowVoiceflow() && wantsPage(x.c.Request)
}

// sendHome sends a browser that asks for "/" to the home of the pages.
func (a *api) sendHome(x *exchange) bool {
	r := x.c.Request
	if x.page == nil || r.URL.Path != "/" || r.Method != http.MethodGet {
		return false
	}
	x.c.Header("Location", a.base+a.pages.Home)
	x.c.Writer.WriteHeader(http.StatusSeeOther)
	return true
}

// wantsPage reports whether the client is a browser that navigates. Clients of the JSON routes do
// not name HTML in Accept.
func wantsPage(r *http.Request) bool {
	for value := range strings.SplitSeq(strings.Join(r.Header["Accept"], ","), ",") {
		if media, _, err := mime.ParseMediaType(value); err == nil && media == "text/html" {
			return true
		}
	}
	return false
}

// sentToLogin reports whether the answer leads a browser to the login, which refuses nobody: the
// request is for a page, and nobody is logged in.
func (x *exchange) sentToLogin() bool {
	return x.route.page != nil && x.c.Request.Method == http.MethodGet && x.route.who != anyone &&
		domain.KindOf(x.err) == domain.NotAuthenticated && !x.page.ShowsToken()
}

// sentUnreferred reports whether the request is a form of a page that sends no referrer. Its origin is
// null then (Fetch Standard, 'append a request Origin header'), and the browser says in
// Sec-Fetch-Site that it is the own one. That is not enough elsewhere: a page of another name that
// leads to this machine has it too. The routes of such pages have a secret in their path.
func (x *exchange) sentUnreferred() bool {
	h := x.c.Request.Header
	return x.route.page != nil && x.route.page.NoReferrer &&
		slices.Equal(h["Origin"], []string{"null"}) && slices.Equal(h["Sec-Fetch-Site"], []string{"same-origin"})
}

// noTokens returns the error for an access token on a page.
func (a *api) noTokens(x *exchange) error {
	if err := a.whoCalls(x); err != nil {
		return err
	}
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "pages need a login; they do not accept access tokens"}
}

// stillAllowed returns err, or why the caller has fewer rights than before. The page of a form that
// can't be carried out shows what the caller may see, and the caller may have lost that right since
// the request began: a client can hold its body back, and Voiceflow can take long.
func (a *api) stillAllowed(x *exchange, err error) error {
	if _, again := errors.AsType[*pages.Again](err); !again || x.route.who == anyone {
		return err
	}
	if lost := a.service.SameRights(x.ctx(), x.call.Caller); lost != nil {
		return lost
	}
	return err
}

// pageExchange is an exchange as the adapter for pages sees it.
type pageExchange struct {
	*exchange

	api    *api
	form   url.Values
	failed error // of the form
	read   bool  // the form was read
}

var _ pages.Exchange = (*pageExchange)(nil)

// fail answers with err.
func (p *pageExchange) fail(err error, retry time.Duration) {
	f := p.Failure(err)
	f.RetryAfter = retry
	if again, ok := errors.AsType[*pages.Again](err); ok {
		again.Render(f)
		return
	}
	p.api.pages.Fail(p, f)
}

// Request returns the request.
func (p *pageExchange) Request() *http.Request { return p.c.Request }

// Writer returns the writer of the answer.
func (p *pageExchange) Writer() http.ResponseWriter { return p.c.Writer }

// Context returns the context of the request.
func (p *pageExchange) Context() context.Context { return p.ctx() }

// Param returns the part of the path that a route calls by name.
func (p *pageExchange) Param(name string) string { return p.c.Param(name) }

// Call returns who calls.
func (p *pageExchange) Call() domain.Call { return p.call }

// Identify finds out who calls.
func (p *pageExchange) Identify() bool { return p.api.whoCalls(p.exchange) == nil }

// ShowsToken reports whether the request shows an access token.
func (p *pageExchange) ShowsToken() bool {
	_, shown := accessToken(p.c.Request)
	return shown && p.api.own
}

// Form reads the body of a form.
func (p *pageExchange) Form() (url.Values, error) {
	if !p.read {
		p.read = true
		p.form, p.failed = p.readForm()
	}
	return p.form, p.failed
}

// LogIn sets the cookie of a login.
func (p *pageExchange) LogIn(cookie session.Cookie, user domain.UserID) {
	p.call.Caller.ID = user // for the log
	p.api.replaceLogins(p.exchange)
	p.api.cookies.set(p.exchange, domain.LoginSession, cookie)
}

// LogOut ends the caller's login, and the others that the browser holds.
func (p *pageExchange) LogOut() (app.LoggedOut, error) { return p.api.endLogins(p.exchange) }

// ForgetLogin clears the cookies of the caller's login.
func (p *pageExchange) ForgetLogin() { p.api.forget(p.exchange) }

// Cookie returns the text of a cookie of the pages.
func (p *pageExchange) Cookie(name string) string {
	if found := p.c.Request.CookiesNamed(p.api.cookies.begins + name); len(found) > 0 {
		return found[0].Value
	}
	return ""
}

// SetCookie sets a cookie of the pages.
func (p *pageExchange) SetCookie(name, text string, within time.Duration) {
	p.setCookie(name, text, within, p.api.cookies.sameSite)
}

// SetReturnCookie sets a cookie of the pages that comes back with a link of another site.
func (p *pageExchange) SetReturnCookie(name, text string, within time.Duration) {
	p.setCookie(name, text, within, http.SameSiteLaxMode)
}

func (p *pageExchange) setCookie(name, text string, within time.Duration, sameSite http.SameSite) {
	age := -1
	if within > 0 {
		age = int(wholeSeconds(within))
	}
	p.api.cookies.write(p.exchange, p.api.cookies.begins+name, p.api.cookies.path, text, age, sameSite)
}

// StrictCookies reports whether the cookies have SameSite=Strict.
func (p *pageExchange) StrictCookies() bool {
	return p.api.cookies.sameSite == http.SameSiteStrictMode
}

// Asked notes the object that is asked for.
func (p *pageExchange) Asked(object string) { p.asked = object }

// Forward lets send forward a call.
func (p *pageExchange) Forward(send func() (forward.Result, error)) (forward.Result, error) {
	return p.api.callVoiceflow(p.exchange, send)
}

// Broken notes why an answer that has begun is not complete.
func (p *pageExchange) Broken(err error) { p.err = err }

// Pass writes the answer of Forward.
func (p *pageExchange) Pass(result forward.Result) { p.api.passOn(p.exchange, result) }

// Renew gives the client as long for the next part of an answer as for a whole one.
func (p *pageExchange) Renew() { p.renew() }

// GiveUp aborts an answer that has begun.
func (p *pageExchange) GiveUp(err error) { p.giveUp(err) }

// Failure returns what is told of err.
func (p *pageExchange) Failure(err error) pages.Failure {
	f := failureOf(err)
	e, _ := errors.AsType[*domain.Error](err)
	return pages.Failure{Err: err, Status: f.elsewhere, Code: f.code, Message: f.sentence(e), RequestID: p.call.RequestID}
}
