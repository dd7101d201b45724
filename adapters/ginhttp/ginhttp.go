// Package ginhttp serves the use cases of app over HTTP, with gin. It decodes a request, calls
// one use case and encodes the answer. Only this package knows the status and the code of each
// failure, the names of the cookies, and the order in which a request is checked.
//
// Mount adds the routes to a router of the host program. New makes a whole engine. Serve runs
// a server until a context ends. The package documentation of
// github.com/flowlatch/flowlatch has a whole host program.
//
// Neither Mount nor New changes gin's mode, which is global to a program. In gin.DebugMode, the
// default, gin prints each route. gin.SetMode(gin.ReleaseMode) avoids that.
package ginhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

// Identify returns who calls. It connects a host program's own login.
//
// The ID of the caller is the host's id of the user, as domain.ParseUserID accepts it. Grants
// are kept by this id. Admin reports whether the caller may manage. Login stays zero. A caller
// without an ID counts as not logged in.
//
// Return NotAuthenticated if nobody is logged in, and Unavailable if that can't be found out.
// Any error that is not a *domain.Error is answered as internal. Identify is called once for
// each request to a mounted route, by several goroutines at once.
type Identify func(*http.Request) (domain.Caller, error)

// Options are the settings of the routes. The zero value works for a service that keeps
// its own users.
type Options struct {
	// Identify is the host program's login. If it is nil, the cookie user_session names the
	// caller, and the service must have its own users.
	Identify Identify

	// InsecureCookies omits Secure from the cookies, for development over plain HTTP.
	InsecureCookies bool

	// SameSite is the attribute of the cookies. Zero is http.SameSiteLaxMode.
	// http.SameSiteNoneMode is for pages on another site. It is an error together with
	// InsecureCookies, because browsers reject such a cookie.
	SameSite http.SameSite

	// BaseURL is where browsers find the routes, such as https://example.com/flowlatch. Its origin
	// is then the only own one, and its path is the path of the cookies. If it is empty, the header
	// Host says what the own origin is, and the path is "/".
	BaseURL string

	// CookiePrefix is put before the names of the cookies: at most 32 of A-Z a-z 0-9 _ -. It keeps
	// two installations on one host name apart, because browsers send cookies to every port.
	CookiePrefix string

	// ServesTLS says that the server of these routes speaks TLS itself. If that is so, or if the
	// BaseURL is https, the names of the cookies begin with __Host-, unless InsecureCookies is set
	// or the BaseURL has a path.
	ServesTLS bool

	// TrustedOrigins are the other origins whose pages may call. Each is written as a browser
	// writes it, such as https://pages.example.com, with a port only if it is not the default
	// one. They get CORS answers with credentials, preflights included.
	TrustedOrigins []string

	// TrustedProxies are the addresses and networks of the proxies whose X-Forwarded-For is
	// trusted. No other header counts. If it is empty, no proxy is trusted; with Mount, the
	// host's router then finds the address of the client.
	TrustedProxies []string

	// ForwardTimeout is how long a forwarded call may take, except a stream. Set it to the value
	// of the Voiceflow client. Zero means 120 s.
	ForwardTimeout time.Duration

	// ForwardIdle is how long a stream may be silent. Set it to the value of the Voiceflow
	// client. Zero means 60 s.
	ForwardIdle time.Duration

	// ForwardMaxBody is the largest body that is forwarded, in bytes. Zero means 25 MiB.
	ForwardMaxBody int64

	// Pages are the routes of an adapter for pages, such as those of console.New; nil for none.
	// New also sends a browser that asks for "/" to Pages.Home.
	Pages *pages.Pages

	// Log gets one line for each request, with the fields request_id, method, route, endpoint,
	// status, duration_ms, bytes, address, user, token, code, err and cut, and for a request from
	// another origin also origin, own_origin and fetch_site. It also gets a line for each panic and
	// for each refusal that could not be written to the audit. nil logs nothing.
	Log *slog.Logger
}

const (
	defaultForwardTimeout = 120 * time.Second
	defaultForwardIdle    = 60 * time.Second
	defaultForwardMaxBody = 25 << 20
)

// Mount adds the routes to r. Each route has its own checks, recovery and log, so r needs no
// middleware for them.
//
// Without o.Identify, Mount adds all routes, and those of o.Pages. With o.Identify, it adds /voiceflow/ for forwarded
// calls, and the routes that need no users of our own: /get_projects, /add_project,
// /set_project, /delete_project, /check_session, /clear_project, /grant_project,
// /revoke_project, /get_grants, /get_usage, /get_sessions, /delete_session,
// /delete_user_sessions, /set_token, /delete_token, /set_environments, /set_picture_origins,
// /check_project and /get_audit_events. It also adds the pages that need no users of our own. Unknown paths, wrong methods, proxies and health stay the host's.
//
// Returns an error if the options can't be used, and if the service has no users and
// o.Identify is nil. gin panics if r already has a route of the same path.
//
// The address of the client counts for the limit on logins and is kept in the audit. Without
// o.TrustedProxies it is the one that r finds. A gin engine believes every proxy until
// SetTrustedProxies is called, and then still believes X-Real-IP of the trusted ones. So set
// o.TrustedProxies, or the engine's RemoteIPHeaders to X-Forwarded-For only.
//
// The host's server should have a ReadHeaderTimeout and an IdleTimeout. Its ReadTimeout bounds
// the bodies of all routes except forwarded calls. Its WriteTimeout must cover the ReadTimeout
// and a request to Voiceflow, which takes 20 s by default. Forwarded calls, streams included,
// set deadlines of their own, and a long list renews the WriteTimeout with each part. So
// neither timeout cuts them.
//
// A panic in a route is answered and logged here. Only http.ErrAbortHandler, which cuts an
// answer that has begun, goes on to the host. gin.Recovery would catch it and print the request
// with its cookies. A recovery of the host should panic again instead.
func Mount(r gin.IRouter, s *app.Service, o Options) error {
	a, err := newAPI(s, o, true)
	if err != nil {
		return err
	}
	a.mount(r)
	return nil
}

// New returns an engine with the routes of Mount, /healthz and /readyz. It answers unknown paths
// with 404 and wrong methods with 405 and Allow, in the form of all other errors, and never
// redirects, except that a browser is sent from "/" to the pages of o.Pages. If o.BaseURL has a
// path, the engine answers with that path and without it, because some proxies remove it. Returns an
// error if the options can't be used. New starts nothing.
func New(s *app.Service, o Options) (*gin.Engine, error) {
	a, err := newAPI(s, o, false)
	if err != nil {
		return nil, err
	}
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	engine.ForwardedByClientIP = false // this package finds the client
	a.mount(engine)
	for i := range probes {
		engine.Handle(probes[i].method, probes[i].path, a.handler(&probes[i]))
	}
	engine.NoRoute(a.withoutBase(engine), a.handler(&unknownPath))
	engine.NoMethod(a.handler(&wrongMethod))
	return engine, nil
}

// api holds what the routes share. It never changes.
type api struct {
	service  *app.Service
	own      bool     // the service has its own logins
	identify Identify // nil if own
	cookies  cookies
	origins  origins
	proxies  *proxies
	timeout  time.Duration // of forwarded calls
	patience time.Duration // with callers who read the answer of a forwarded call
	maxBody  int64         // of forwarded calls
	base     string        // the path of the base URL; "" for none
	pages    *pages.Pages  // nil for none
	log      *slog.Logger
}

func newAPI(s *app.Service, o Options, mounted bool) (*api, error) {
	a := &api{
		service: s, own: o.Identify == nil, log: o.Log, pages: o.Pages,
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
	var base domain.BaseURL
	if o.BaseURL != "" {
		if base, err = domain.ParseBaseURL(o.BaseURL); err != nil {
			return nil, fmt.Errorf("ginhttp: %w", err)
		}
	}
	a.base = strings.TrimSuffix(base.Path, "/")
	if a.cookies, err = newCookies(o, base); err != nil {
		return nil, err
	}
	if a.proxies, err = newProxies(o.TrustedProxies, mounted); err != nil {
		return nil, fmt.Errorf("ginhttp: %w", err)
	}
	a.origins, err = newOrigins(o.TrustedOrigins, base.Origin)
	return a, err
}

// mount adds the routes to r, and their preflights if there are trusted origins.
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
	a.mountPages(r)
}

// based marks the context of a request whose path began with that of the base URL.
type based struct{}

// withoutBase answers a request whose path begins with that of the base URL as one without it. It
// removes the path once: a path that repeats it thousands of times must not nest as many handlers.
func (a *api) withoutBase(engine *gin.Engine) gin.HandlerFunc {
	return func(c *gin.Context) {
		u := c.Request.URL
		path, below := strings.CutPrefix(u.Path, a.base)
		if a.base == "" || c.Request.Context().Value(based{}) != nil || !below || path != "" && path[0] != '/' {
			return
		}
		// The path of the base URL has no character that could be escaped.
		raw, plain := strings.CutPrefix(u.RawPath, a.base)
		if u.RawPath != "" && !plain {
			return
		}
		u.Path, u.RawPath = cmp.Or(path, "/"), raw
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), based{}, true))
		engine.HandleContext(c)
		c.Abort()
	}
}

// handler returns the gin handler of a route.
func (a *api) handler(rt *route) gin.HandlerFunc {
	return func(c *gin.Context) { a.serve(c, rt) }
}
