package ginhttp

import (
	"net/http"

	"github.com/flowlatch/flowlatch/domain"
)

// access says who may call a route.
type access int

const (
	anyone access = iota
	caller        // who is logged in
	admin         // a caller who may manage
)

// route is one entry of the route table.
type route struct {
	method, path string
	who          access
	documented   bool // one of the four, which answer only with the statuses documented for them
	own          bool // only where the logins are ours
	probe        bool // asked all the time, so logged at debug level
	nowhere      bool // no use case is behind it, so there is nothing to protect
	handle       func(*api, *exchange) error
}

var routes = []route{
	{method: http.MethodPost, path: "/add_project", who: admin, documented: true, handle: (*api).addProject},
	{method: http.MethodPost, path: "/delete_project", who: admin, documented: true, handle: (*api).deleteProject},
	{method: http.MethodGet, path: "/get_projects", who: caller, documented: true, handle: (*api).getProjects},
	{method: http.MethodPost, path: "/set_project", who: caller, documented: true, handle: (*api).setProject},

	{method: http.MethodGet, path: "/check_session", who: caller, handle: (*api).checkSession},
	{method: http.MethodPost, path: "/clear_project", who: caller, handle: (*api).clearProject},
	{method: http.MethodPost, path: "/grant_project", who: admin, handle: (*api).grantProject},
	{method: http.MethodPost, path: "/revoke_project", who: admin, handle: (*api).revokeProject},

	{method: http.MethodPost, path: "/login", who: anyone, own: true, handle: (*api).login},
	{method: http.MethodPost, path: "/logout", who: caller, own: true, handle: (*api).logout},
	{method: http.MethodPost, path: "/change_password", who: caller, own: true, handle: (*api).changePassword},
	{method: http.MethodPost, path: "/create_user", who: admin, own: true, handle: (*api).createUser},
	{method: http.MethodPatch, path: "/update_user", who: admin, own: true, handle: (*api).updateUser},
	{method: http.MethodPost, path: "/delete_user", who: admin, own: true, handle: (*api).deleteUser},
	{method: http.MethodGet, path: "/get_all_users", who: admin, own: true, handle: (*api).getAllUsers},
}

// probes are the routes that only New has.
var probes = []route{
	{method: http.MethodGet, path: "/healthz", probe: true, handle: (*api).healthz},
	{method: http.MethodHead, path: "/healthz", probe: true, handle: (*api).healthz},
	{method: http.MethodGet, path: "/readyz", probe: true, handle: (*api).readyz},
	{method: http.MethodHead, path: "/readyz", probe: true, handle: (*api).readyz},
}

// unknownPath and wrongMethod answer what has no route. gin has set Allow by then.
var (
	unknownPath = route{nowhere: true, handle: func(*api, *exchange) error {
		return &domain.Error{Kind: domain.NotFound, Public: "there is nothing at this path"}
	}}
	wrongMethod = route{nowhere: true, handle: func(*api, *exchange) error { return errMethod }}
)

var errMethod = &domain.Error{Kind: methodNotAllowed, Public: "this path does not take this method"}

// preflight is the OPTIONS route beside rt. What is a preflight of a trusted origin has
// its answer before the route; anything else is a wrong method.
func preflight(rt *route) *route {
	allow := rt.method + ", " + http.MethodOptions
	return &route{method: http.MethodOptions, path: rt.path, nowhere: true, handle: func(_ *api, x *exchange) error {
		x.c.Header("Allow", allow)
		return errMethod
	}}
}
