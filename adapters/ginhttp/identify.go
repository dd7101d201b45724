package ginhttp

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// byCookie is the Identify of a service that keeps its own users.
func (a *api) byCookie(r *http.Request) (domain.Caller, error) {
	for _, value := range r.Header["Authorization"] {
		if claimsToken(value) {
			return domain.Caller{}, &domain.Error{Kind: domain.NotAuthenticated, Public: "the access token in Authorization is not good"}
		}
	}
	return a.service.Identify(r.Context(), onlyCookie(r, userCookie))
}

// claimsToken says whether a value of Authorization means to be an access token, which
// then counts, however good a cookie is beside it. Other schemes are the affair of a
// proxy in front of us. The name of a scheme has no case (RFC 9110, section 11.1).
func claimsToken(value string) bool {
	value = strings.TrimSpace(value)
	scheme, _, _ := strings.Cut(strings.ReplaceAll(value, "\t", " "), " ")
	const ours = "flk_"
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
			return domain.Caller{}, &domain.Error{Kind: internal, Cause: fmt.Errorf("Identify gave an id that no user can have: %w", err)}
		}
		return c, nil
	}
}
