package ginhttp

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// whoCalls finds out who calls. The host's login decides if there is one. Otherwise an access
// token counts, and without one the cookie.
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
	in, err := a.service.Identify(r.Context(), a.cookie(x, domain.LoginSession).text)
	x.call.Caller = in.Caller
	if !x.route.ends && !x.route.probe {
		a.renew(x, domain.LoginSession, in.Cookie)
	}
	return err
}

// renewAssistant sets the resealed cookie assistant_session if an older key sealed it. The use
// case of a forwarded call does that itself.
func (a *api) renewAssistant(x *exchange) {
	if x.route.ends || x.route.who == anyone || x.route.who == usesAssistant || x.call.Caller.Token != "" {
		return
	}
	if text := a.cookie(x, domain.AssistantSession).text; text != "" {
		a.renew(x, domain.AssistantSession, a.service.ResealAssistant(x.ctx(), x.call.Caller, text))
	}
}

// accessToken returns the access token in Authorization, bare or after Bearer. Several values
// are invalid: shown is true and the token is the zero Secret.
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

// withoutBearer removes the scheme Bearer from a value of Authorization.
func withoutBearer(value string) string {
	value = strings.TrimSpace(value)
	const scheme = "Bearer"
	if len(value) > len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) && (value[len(scheme)] == ' ' || value[len(scheme)] == '\t') {
		return strings.TrimSpace(value[len(scheme):])
	}
	return value
}

// claimsToken reports whether a value of Authorization looks like an access token. Such a value
// counts, even beside a valid cookie. Other schemes are for a proxy in front of the service. The
// name of a scheme has no case (RFC 9110, section 11.1).
func claimsToken(value string) bool {
	value = strings.TrimSpace(value)
	scheme, _, _ := strings.Cut(strings.ReplaceAll(value, "\t", " "), " ")
	const ours = domain.TokenPrefix
	return strings.EqualFold(scheme, "Bearer") || len(value) >= len(ours) && strings.EqualFold(value[:len(ours)], ours)
}

// checked accepts only callers that a host's Identify may name. It keeps their ID and Admin and
// nothing else. A caller without an id is not logged in.
func checked(identify Identify) Identify {
	return func(r *http.Request) (domain.Caller, error) {
		c, err := identify(r)
		if err != nil {
			return domain.Caller{}, err
		}
		if c.ID == "" {
			return domain.Caller{}, domain.NotLoggedIn(nil)
		}
		if c.ID, err = domain.ParseUserID(string(c.ID)); err != nil {
			return domain.Caller{}, &domain.Error{Kind: internal, Cause: fmt.Errorf("Identify returned an invalid id: %w", err)}
		}
		return domain.Caller{ID: c.ID, Admin: c.Admin}, nil
	}
}
