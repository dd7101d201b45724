package ginhttp

import (
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

// access is who may call a route.
type access int

const (
	anyone        access = iota
	caller               // who is logged in
	admin                // a caller who may manage
	usesAssistant        // who may use an assistant; the use case finds that out in the same look-up
)

// opening is which access tokens open a route.
type opening int

const (
	forLogins   opening = iota // none: the route needs a login
	forManaging                // those with the scope of the route's part, or with manage
	forTokens                  // all
)

// route is one entry of the route table.
type route struct {
	method, path string
	who          access
	tokens       opening
	part         domain.Scope // of managing, that an access token needs; "" unless tokens is forManaging
	documented   bool         // one of the four documented routes, which answer only with their documented statuses
	own          bool         // only if the service has its own logins
	probe        bool         // called all the time, so logged at debug level
	ends         bool         // it may end the caller's sessions, so it leaves their cookies as they are
	always       bool         // it is not refused for want of a rate: everybody can log out
	byProvider   bool         // the identity provider calls it, which knows two statuses
	noUseCase    bool         // no use case runs, so nothing needs protection
	readsBody    bool
	page         *pages.Route // of an adapter for pages; nil for the others
	handle       func(*api, *exchange) error
}

// admits returns NotAuthenticated if the route accepts no credential like that of c, and NotAllowed
// if c may not call it. Whether the owner of an access token is an admin is asked on admins' routes
// only.
func (rt *route) admits(c domain.Caller) error {
	byToken := c.Token != "" && rt.tokens != forTokens
	switch {
	case byToken && (rt.tokens == forLogins || !c.Scopes.Manage()):
		return &domain.Error{Kind: domain.NotAuthenticated, Public: "this route needs a login; it does not accept this access token"}
	case rt.who == admin, byToken:
		return c.MayManage(rt.part)
	}
	return nil
}

// counts reports whether the route counts as a change of the user who calls. Logins have a rate of
// their own, and so have forwarded calls.
func (rt *route) counts() bool {
	return (rt.who == caller || rt.who == admin) && rt.method != http.MethodGet && !rt.always
}

var routes = []route{
	{method: http.MethodPost, path: "/add_project", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, documented: true, readsBody: true, handle: (*api).addProject},
	{method: http.MethodPost, path: "/delete_project", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, documented: true, ends: true, readsBody: true, handle: (*api).deleteProject},
	{method: http.MethodGet, path: "/get_projects", tokens: forManaging, part: domain.ScopeManageProjects, who: caller, documented: true, handle: (*api).getProjects},
	{method: http.MethodPost, path: "/set_project", who: caller, documented: true, readsBody: true, handle: (*api).setProject},

	{method: http.MethodGet, path: "/check_session", tokens: forTokens, who: caller, handle: (*api).checkSession},
	{method: http.MethodPost, path: "/clear_project", who: caller, ends: true, handle: (*api).clearProject},
	{method: http.MethodPost, path: "/grant_project", tokens: forManaging, part: domain.ScopeManageGrants, who: admin, readsBody: true, handle: (*api).grantProject},
	{method: http.MethodPost, path: "/revoke_project", tokens: forManaging, part: domain.ScopeManageGrants, who: admin, ends: true, readsBody: true, handle: (*api).revokeProject},
	{method: http.MethodPost, path: "/set_token", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, readsBody: true, handle: (*api).setToken},
	{method: http.MethodPost, path: "/set_environments", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, readsBody: true, handle: (*api).setEnvironments},
	{method: http.MethodPost, path: "/set_picture_origins", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, readsBody: true, handle: (*api).setPictureOrigins},
	{method: http.MethodPost, path: "/delete_token", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, readsBody: true, handle: (*api).deleteToken},
	{method: http.MethodPost, path: "/check_project", tokens: forManaging, part: domain.ScopeManageProjects, who: admin, readsBody: true, handle: (*api).checkProject},
	{method: http.MethodGet, path: "/get_grants", tokens: forManaging, part: domain.ScopeManageGrants, who: admin, handle: (*api).getGrants},
	{method: http.MethodGet, path: "/get_usage", tokens: forManaging, part: domain.ScopeManageAudit, who: admin, handle: (*api).getUsage},
	{method: http.MethodGet, path: "/get_sessions", tokens: forManaging, part: domain.ScopeManageUsers, who: caller, handle: (*api).getSessions},
	{method: http.MethodPost, path: "/delete_session", tokens: forManaging, part: domain.ScopeManageUsers, who: caller, ends: true, readsBody: true, handle: (*api).deleteSession},
	{method: http.MethodPost, path: "/delete_user_sessions", tokens: forManaging, part: domain.ScopeManageUsers, who: caller, ends: true, readsBody: true, handle: (*api).deleteUserSessions},
	{method: http.MethodGet, path: "/get_audit_events", tokens: forManaging, part: domain.ScopeManageAudit, who: admin, handle: (*api).getAuditEvents},
	{method: http.MethodPost, path: "/set_webhook", tokens: forManaging, part: domain.ScopeManage, who: admin, readsBody: true, handle: (*api).setWebhook},
	{method: http.MethodGet, path: "/get_webhooks", tokens: forManaging, part: domain.ScopeManageAudit, who: admin, handle: (*api).getWebhooks},
	{method: http.MethodPost, path: "/test_webhook", tokens: forManaging, part: domain.ScopeManage, who: admin, readsBody: true, handle: (*api).testWebhook},

	{method: http.MethodPost, path: "/login", who: anyone, own: true, readsBody: true, handle: (*api).login},
	{method: http.MethodPost, path: "/logout", who: caller, own: true, ends: true, always: true, handle: (*api).logout},
	{method: http.MethodPost, path: "/change_password", who: caller, own: true, readsBody: true, handle: (*api).changePassword},
	{method: http.MethodPost, path: "/create_user", tokens: forManaging, part: domain.ScopeManageUsers, who: admin, own: true, readsBody: true, handle: (*api).createUser},
	{method: http.MethodPatch, path: "/update_user", tokens: forManaging, part: domain.ScopeManageUsers, who: admin, own: true, ends: true, readsBody: true, handle: (*api).updateUser},
	{method: http.MethodPost, path: "/delete_user", tokens: forManaging, part: domain.ScopeManageUsers, who: admin, own: true, ends: true, readsBody: true, handle: (*api).deleteUser},
	{method: http.MethodGet, path: "/get_all_users", tokens: forManaging, part: domain.ScopeManageUsers, who: admin, own: true, handle: (*api).getAllUsers},

	{method: http.MethodPost, path: "/link_identity", tokens: forManaging, part: domain.ScopeManageUsers, who: admin, own: true, readsBody: true, handle: (*api).linkIdentity},
	{method: http.MethodPost, path: "/unlink_identity", tokens: forManaging, part: domain.ScopeManageUsers, who: admin, own: true, ends: true, readsBody: true, handle: (*api).unlinkIdentity},
	{method: http.MethodPost, path: "/set_group_rule", tokens: forManaging, part: domain.ScopeManageGrants, who: admin, own: true, ends: true, readsBody: true, handle: (*api).setGroupRule},
	{method: http.MethodGet, path: "/get_group_rules", tokens: forManaging, part: domain.ScopeManageGrants, who: admin, own: true, handle: (*api).getGroupRules},
	{method: http.MethodPost, path: "/delete_group_rule", tokens: forManaging, part: domain.ScopeManageGrants, who: admin, own: true, ends: true, readsBody: true, handle: (*api).deleteGroupRule},
	{method: http.MethodPost, path: "/oidc/backchannel-logout", who: anyone, own: true, byProvider: true, readsBody: true, handle: (*api).providerLogout},

	{method: http.MethodPost, path: "/create_access_token", who: caller, own: true, readsBody: true, handle: (*api).createAccessToken},
	{method: http.MethodGet, path: "/get_access_tokens", who: caller, own: true, handle: (*api).getAccessTokens},
	{method: http.MethodPost, path: "/rotate_access_token", who: caller, own: true, readsBody: true, handle: (*api).rotateAccessToken},
	{method: http.MethodPost, path: "/delete_access_token", who: caller, own: true, readsBody: true, handle: (*api).deleteAccessToken},
}

// forwarded is the route of all calls that are forwarded to Voiceflow, whatever the method.
// domain.Endpoints lists them.
var forwarded = route{path: "/voiceflow/:service/*path", tokens: forTokens, who: usesAssistant, readsBody: true, handle: (*api).forward}

// Route describes a route.
type Route struct {
	Method    string // "" if the route takes several methods
	Path      string // as gin writes it, such as "/voiceflow/:service/*path"
	Who       string // who may call: "anyone", "caller", "admin", or "assistant" for who may use an assistant
	Tokens    string // which access tokens open it: "no", the scope that they need besides "manage", or "yes"; "" if anyone may call
	ReadsBody bool
	Mounted   bool // whether Mount registers it under a host's own login
}

// Routes returns every route that New registers, in the order of the documentation.
func Routes() []Route {
	var all []Route
	describe := func(rt *route, mounted bool) {
		r := Route{
			Method: rt.method, Path: rt.path, ReadsBody: rt.readsBody, Mounted: mounted,
			Who: [...]string{anyone: "anyone", caller: "caller", admin: "admin", usesAssistant: "assistant"}[rt.who],
		}
		if rt.who != anyone {
			r.Tokens = [...]string{forLogins: "no", forManaging: string(rt.part), forTokens: "yes"}[rt.tokens]
		}
		all = append(all, r)
	}
	for i := range routes {
		describe(&routes[i], !routes[i].own)
	}
	describe(&forwarded, true)
	for i := range probes {
		describe(&probes[i], false)
	}
	return all
}

// probes are the routes that only New has.
var probes = []route{
	{method: http.MethodGet, path: "/healthz", probe: true, handle: (*api).healthz},
	{method: http.MethodHead, path: "/healthz", probe: true, handle: (*api).healthz},
	{method: http.MethodGet, path: "/readyz", probe: true, handle: (*api).readyz},
	{method: http.MethodHead, path: "/readyz", probe: true, handle: (*api).readyz},
}

// unknownPath and wrongMethod answer requests without a route. gin has set Allow by then.
var (
	unknownPath = route{noUseCase: true, handle: func(a *api, x *exchange) error {
		r := x.c.Request
		if a.sendHome(x) {
			return nil
		}
		if x.belowVoiceflow() {
			// Nothing comes after the service, so there is no call.
			_, err := domain.MatchEndpoint(strings.TrimPrefix(r.URL.EscapedPath(), "/voiceflow/"), r.Method, "")
			return err
		}
		if service, is := domain.ServiceOf(r.Method, r.URL.EscapedPath()); is {
			return &domain.Error{Kind: domain.NotFound, Public: "there is nothing at this path; put /voiceflow/" + string(service) + " before it to call Voiceflow" + domain.SeeRefused}
		}
		return &domain.Error{Kind: domain.NotFound, Public: "there is nothing at this path"}
	}}
	wrongMethod = route{noUseCase: true, handle: func(_ *api, x *exchange) error {
		if x.belowVoiceflow() { // no endpoint has this method
			x.c.Writer.Header().Del("Allow")
			return &domain.Error{Kind: domain.NotFound, Public: "Flowlatch does not forward this method" + domain.SeeCalls}
		}
		return errMethod
	}}
)

var errMethod = &domain.Error{Kind: methodNotAllowed, Public: "this path does not accept this method"}

// preflight returns the OPTIONS route beside rt. A preflight of a trusted origin is answered
// before the route. Anything else is a wrong method.
func preflight(rt *route) *route {
	allow := rt.method + ", " + http.MethodOptions
	return &route{method: http.MethodOptions, path: rt.path, noUseCase: true, handle: func(_ *api, x *exchange) error {
		x.c.Header("Allow", allow)
		return errMethod
	}}
}
