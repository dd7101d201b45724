package ginhttp

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// whoCalls finds out who calls: by the host's login, and where there is none by an access
// token where one is shown, otherwise by the cookie.
func (a *api) whoCalls(x *exchange) (err error) {
	r := x.c.Request
	if !a.own {
		x.call.Caller, err = a.identify(r)
		return err
	}
	if token, shown := accessToken(r); shown {
		x.call.Caller, err = a.service.IdentifyToken(r.Context(), token)
		return err
	}
	in, err := a.service.Identify(r.Context(), onlyCookie(r, userCookie))
	x.call.Caller = in.Caller
	if !x.route.ends && !x.route.probe {
		a.cookies.renew(x, userCookie, in.Cookie)
	}
	return err
}

// renewAssistant sets the resealed cookie assistant_session if an older key sealed it. The use
// case of a forwarded call does that by itself.
func (a *api) renewAssistant(x *exchange) {
	text := onlyCookie(x.c.Request, assistantCookie)
	if text == "" || x.route.ends || x.route.who == anyone || x.route.who == usesAssistant || x.call.Caller.Token != "" {
		return
	}
	a.cookies.renew(x, assistantCookie, a.service.ResealAssistant(x.ctx(), x.call.Caller, text))
}

// accessToken is what Authorization shows as an access token, bare or behind Bearer. Of
// several none is good, and the zero Secret is shown.
func accessToken(r *http.Request) (token domain.Secret, shown bool) {
	values := r.Header["Authorization"]
	for _, value := range values {
		if claimsToken(value) {
			shown = true
		}
	}
	if !shown || len(values) != 1 {
		return domain.Secret{}, shown
	}
	return domain.NewSecret(withoutBearer(values[0])), true
}

// withoutBearer is a value of Authorization without the name of that scheme.
func withoutBearer(value string) string {
	value = strings.TrimSpace(value)
	const scheme = "Bearer"
	if len(value) > len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) && (value[len(scheme)] == ' ' || value[len(scheme)] == '\t') {
		return strings.TrimSpace(value[len(scheme):])
	}
	return value
}

// claimsToken says whether a value of Authorization means to be an access token, which
// then counts, however good a cookie is beside it. Other schemes are the affair of a
// proxy in front of us. The name of a scheme has no case (RFC 9110, section 11.1).
func claimsToken(value string) bool {
	value = strings.TrimSpace(value)
	scheme, _, _ := strings.Cut(strings.ReplaceAll(value, "\t", " "), " ")
	const ours = domain.TokenPrefix
	return strings.EqualFold(scheme, "Bearer") || len(value) >= len(ours) && strings.EqualFold(value[:len(ours)], ours)
}

// checked lets through only callers that a host's Identify may name. A caller without
// an id is nobody.
func checked(identify Identify) Identify {
	return func(r *http.Request) (domain.Caller, error) {
		c, err := identify(r)
		if err != nil {
			return domain.Caller{}, err
		}
		if c.ID == "" {
			return domain.Caller{}, &domain.Error{Kind: domain.NotAuthenticated, Public: "you are not logged in"}
		}
		if c.ID, err = domain.ParseUserID(string(c.ID)); err != nil {
			return domain.Caller{}, &domain.Error{Kind: internal, Cause: fmt.Errorf("Identify returned an invalid id: %w", err)}
		}
		return c, nil
	}
}
