// Package pages has the words that an adapter for pages and the adapter that serves HTTP share.
// The adapter for pages lists its routes. The adapter that serves HTTP gives each request a request
// id, checks its origin, finds out who calls, charges rates, records refusals and writes the log,
// as for its own routes. So no adapter imports the other.
//
// The package uses net/http as the words for a request and its answer. It does nothing itself.
package pages

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// Pages are the routes of an adapter for pages.
type Pages struct {
	// Home is the path that a browser is sent to from "/", such as /console/.
	Home string
	// Routes are the routes. No two have the same method and path.
	Routes []Route
	// Fail answers a request that was refused or has failed, unless the error is an Again. It is
	// also called for a browser that asks for a path or a method that no route has.
	Fail func(x Exchange, f Failure)
}

// Who is who may call a route.
type Who int

const (
	// Anyone may call without a login. Nobody looks up who calls.
	Anyone Who = iota
	// Caller needs a login, or the login of a host program.
	Caller
	// Admin needs the login of an admin.
	Admin
)

// Route is a route of pages. An access token opens none of them but those of Anyone.
type Route struct {
	Method string
	Path   string // as the router writes it, such as /console/users/:id
	Who    Who
	// Action is the name of the request in the audit, if it is refused. It is that of the JSON
	// route that does the same.
	Action domain.Action
	// OwnUsers leaves the route out if a host program keeps the users.
	OwnUsers bool
	// Ends says that the request may end the caller's login. Its cookie is not renewed then.
	Ends bool
	// Always says that the request does not count as a change, and is not refused for want of a
	// rate. A request with GET never counts.
	Always bool
	// NoReferrer says that the pages of this path send Referrer-Policy: no-referrer. Browsers then
	// send Origin: null with their forms, so such a request is accepted if Sec-Fetch-Site says that
	// it is of the same origin.
	NoReferrer bool
	// Static says that the answer is the same for everybody and may be logged at debug level.
	Static bool
	// Serve answers the request, or returns why not.
	Serve func(Exchange) error
}

// Failure is what is told of a request that was refused or has failed.
type Failure struct {
	Err        error
	Status     int
	Code       string // the stable word for programs
	Message    string // a sentence for a person
	RequestID  string
	RetryAfter time.Duration // zero if a retry does not help
}

// Again is the error of a form that can't be carried out. Err says why. It decides the status, the
// audit and the log as any other error does. Render writes the page of the form once more. It is not
// called if the caller has lost a right since the request began: Pages.Fail answers then.
type Again struct {
	Err    error
	Render func(Failure)
}

// Error returns the text of Err.
func (a *Again) Error() string { return a.Err.Error() }

// Unwrap returns Err.
func (a *Again) Unwrap() error { return a.Err }

// Exchange is one request and its answer. It is for the goroutine that serves the request.
type Exchange interface {
	// Request returns the request. Only Form reads its body.
	Request() *http.Request
	// Writer returns the writer of the answer.
	Writer() http.ResponseWriter
	// Context returns the context of the request.
	Context() context.Context
	// Param returns the part of the path that a route calls by name.
	Param(name string) string
	// Call returns who calls, as far as that is known, and the request id.
	Call() domain.Call
	// Identify finds out who calls on a route for Anyone. It reports false if nobody is logged in
	// or if that can't be found out.
	Identify() bool
	// ShowsToken reports whether the request shows an access token.
	ShowsToken() bool
	// Form reads the body, a form of at most 64 KiB, or 4 KiB on a route for Anyone. The texts are
	// as they were sent. Returns Invalid if the body is not a form in UTF-8 or has NUL, and the
	// errors for bodies of JSON routes otherwise. A second call returns what the first did.
	Form() (url.Values, error)
	// LogIn sets the cookie of a login that was just opened for the user.
	LogIn(cookie session.Cookie, user domain.UserID)
	// LogOut ends the caller's login, and the others that the browser holds. The result says where the
	// browser goes to end its session at the identity provider too.
	LogOut() (app.LoggedOut, error)
	// ForgetLogin clears the cookies of the caller's login, which has ended.
	ForgetLogin()
	// Cookie returns the text of a cookie of the pages, "" if there is none. The name gets the
	// prefix of the installation.
	Cookie(name string) string
	// SetCookie sets a cookie of the pages. A time of zero or less clears it.
	SetCookie(name, text string, within time.Duration)
	// SetReturnCookie is SetCookie with SameSite=Lax, whatever the settings say. The browser also
	// sends the cookie when another site leads it back here, as the identity provider does.
	SetReturnCookie(name, text string, within time.Duration)
	// StrictCookies reports whether the cookie of the login has SameSite=Strict. Browsers then do not
	// send it when another site leads them here, redirects by this service included.
	StrictCookies() bool
	// Asked notes the object that is asked for, for the audit if the request is refused.
	Asked(object string)
	// Forward lets send forward a call to Voiceflow, and notes what became of it for the log and the
	// audit. It gives the answer the time of a forwarded call. The caller closes the body of the
	// result, or gives it to Pass.
	Forward(send func() (forward.Result, error)) (forward.Result, error)
	// Pass writes the result of Forward as the answer, part by part as it comes.
	Pass(result forward.Result)
	// Renew gives the client as long for the next part of a long answer as for a whole one.
	Renew()
	// GiveUp aborts an answer that has begun and that err keeps from its end.
	GiveUp(err error)
	// Broken notes why an answer that has begun is not complete, for the log.
	Broken(err error)
	// Failure returns what is told of err.
	Failure(err error) Failure
}
