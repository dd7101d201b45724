// Package ginhttp puts the use cases of app behind HTTP routes on gin: it decodes,
// calls one use case and encodes. It alone knows which status and which word a failure
// has, what the cookies are called, and in which order a request is looked at.
//
// Mount puts the routes into a router of the host program's; New makes a whole engine.
// Neither changes gin's mode, which is global to a program: while it is gin.DebugMode,
// gin prints each route that is registered. A program that does not want that calls
// gin.SetMode(gin.ReleaseMode) first.
package ginhttp

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// Identify says who calls: the one plug for a host program's own login. The caller's ID
// is the host's id of the user, by which grants are kept, as domain.ParseUserID takes
// it; Admin says whether they may manage; Login stays zero. It is
// domain.NotAuthenticated when nobody is logged in, and domain.Unavailable when it can't
// tell; any error that is no *domain.Error is answered as internal. It is called once a
// request, by several goroutines at once, and never for a path that is not ours.
type Identify func(*http.Request) (domain.Caller, error)

// Options are the settings of the routes. The zero value works for a service that keeps
// its own users.
type Options struct {
	// Identify is the host program's login. When it is nil, the cookie user_session says
	// who calls, which needs a service that keeps its own users.
	Identify Identify

	// InsecureCookies leaves Secure off the cookies, for development over plain HTTP.
	InsecureCookies bool

	// SameSite of the cookies; zero is http.SameSiteLaxMode. http.SameSiteNoneMode is for
	// a console on another site and is an error together with InsecureCookies: browsers
	// drop such a cookie.
	SameSite http.SameSite

	// TrustedOrigins are the other origins whose pages may call, each exactly as a browser
	// writes it: https://console.example.com, with a port only where it is not the default
	// one. They get CORS answers with credentials, preflights included.
	TrustedOrigins []string

	// TrustedProxies are the addresses and CIDR ranges of the proxies whose
	// X-Forwarded-For is believed; none by default. It is for New only: under Mount the
	// host's router decides.
	TrustedProxies []string

	// ForwardTimeout is how long a forwarded call may take that is no stream, as the client
	// of Voiceflow has it; 120 s when zero.
	ForwardTimeout time.Duration

	// ForwardIdle is how long a stream may be silent, as the client of Voiceflow has it;
	// 60 s when zero.
	ForwardIdle time.Duration

	// ForwardMaxBody is the largest body that is forwarded, in bytes; 25 MiB when zero.
	ForwardMaxBody int64

	// Log gets one line per request, with the fields request_id, method, route, endpoint,
	// status, duration_ms, bytes, address, user, token, code, err and cut, one more per
	// panic, and one for a refusal that could not be put into the audit. Nothing is logged
	// when it is nil.
	Log *slog.Logger
}

const (
	defaultForwardTimeout = 120 * time.Second
	defaultForwardIdle    = 60 * time.Second
	defaultForwardMaxBody = 25 << 20
)

// Mount registers the routes in r, each with all that a request passes through on its
// way. Without o.Identify these are all of them; with it the four documented ones,
// /check_session, /clear_project, /grant_project, /revoke_project, /get_grants,
// /get_usage, /get_sessions, /delete_session, /delete_user_sessions, /set_token,
// /check_project, /get_audit_events, and /voiceflow/ with all that is forwarded.
// Everything else is the host's: unknown paths and methods, proxies, health. It is an error for options
// that can't be used and for a service without users when there is no o.Identify; where
// the host has a route of the same path already, gin panics.
//
// The client's address, which counts for the limit on logins and stands in the audit, is
// what r takes for it: a gin engine believes every proxy until SetTrustedProxies.
//
// A panic behind a route is answered and logged here. What passes on to the host is
// http.ErrAbortHandler, which cuts an answer that has begun; gin.Recovery catches it and
// prints the request with its cookies, so a recovery that panics on is the better one.
func Mount(r gin.IRouter, s *app.Service, o Options) error {
	if len(o.TrustedProxies) > 0 {
		return errors.New("ginhttp: TrustedProxies are for New; with Mount, set them on the host's router")
	}
	a, err := newAPI(s, o)
	if err != nil {
		return err
	}
	a.mount(r)
	return nil
}

// New returns an engine with all the routes that Mount has, /healthz and /readyz, answers
// in the same form for unknown paths (404) and wrong methods (405 with Allow), and no
// redirects. It is an error for options that can't be used. It starts nothing.
func New(s *app.Service, o Options) (*gin.Engine, error) {
	a, err := newAPI(s, o)
	if err != nil {
		return nil, err
	}
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	// gin believes whoever calls over a Unix socket, proxies or not.
	engine.ForwardedByClientIP = len(o.TrustedProxies) > 0
	if err := engine.SetTrustedProxies(o.TrustedProxies); err != nil {
		return nil, fmt.Errorf("ginhttp: a trusted proxy must be an address or a CIDR range: %w", err)
	}
	a.mount(engine)
	for i := range probes {
		engine.Handle(probes[i].method, probes[i].path, a.handler(&probes[i]))
	}
	engine.NoRoute(a.handler(&unknownPath))
	engine.NoMethod(a.handler(&wrongMethod))
	return engine, nil
}

// api is what the routes share. It is not changed once it is made.
type api struct {
	service  *app.Service
	own      bool     // the logins are ours
	identify Identify // nil where they are
	cookies  cookies
	origins  origins
	timeout  time.Duration // of forwarded calls
	patience time.Duration // with who takes the answer to one
	maxBody  int64         // of forwarded calls
	log      *slog.Logger
}

func newAPI(s *app.Service, o Options) (*api, error) {
	a := &api{
		service: s, own: o.Identify == nil, log: o.Log,
		timeout: cmp.Or(o.ForwardTimeout, defaultForwardTimeout), maxBody: cmp.Or(o.ForwardMaxBody, defaultForwardMaxBody),
	}
	a.patience = max(a.timeout, cmp.Or(o.ForwardIdle, defaultForwardIdle)) + forwardSlack
	if a.own && !s.OwnUsers() {
		return nil, errors.New("ginhttp: the service has no users, so Identify is required")
	}
	if !a.own {
		a.identify = checked(o.Identify)
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if a.cookies, err = newCookies(o); err != nil {
		return nil, err
	}
	a.origins, err = newOrigins(o.TrustedOrigins)
	return a, err
}

// mount registers the routes, and where there are trusted origins their preflights.
func (a *api) mount(r gin.IRouter) {
	for i := range routes {
		rt := &routes[i]
		if rt.own && !a.own {
			continue
		}
		r.Handle(rt.method, rt.path, a.handler(rt))
		if a.origins.any() {
			r.OPTIONS(rt.path, a.handler(preflight(rt)))
		}
	}
	r.Any(forwarded.path, a.handler(&forwarded))
}

// handler is the gin handler of a route.
func (a *api) handler(rt *route) gin.HandlerFunc {
	return func(c *gin.Context) { a.serve(c, rt) }
}
