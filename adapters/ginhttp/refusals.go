package ginhttp

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// refused says whether the request failed because of who asks, where from, or how often:
// by the kind of the failure, since the status on the four documented routes does not
// tell.
func (x *exchange) refused() bool {
	if x.err == nil {
		return false
	}
	switch failureOf(x.err).elsewhere {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return true
	}
	return false
}

// action is how the audit names what is asked for: by the path of the route, which is
// that of the action in what succeeds.
func (rt *route) action() domain.Action {
	if rt == &forwarded {
		return domain.ActionForward
	}
	return domain.Action(strings.TrimPrefix(rt.path, "/"))
}

// recordRefusal puts a request that is refused into the audit. Where that can't be done
// only the log tells, and the answer is what it would have been.
func (a *api) recordRefusal(x *exchange) {
	if !x.refused() {
		return
	}
	err := a.service.Audit().Refused(x.ctx(), x.call, x.route.action(), x.object(), failureOf(x.err).code)
	if err != nil {
		a.log.LogAttrs(x.ctx(), slog.LevelWarn, "a refusal could not be written to the audit yet",
			slog.String("request_id", x.call.RequestID), slog.String("err", err.Error()))
	}
}

// object is what was asked for, as far as that has the form of something of ours: which
// endpoint, of a call that is forwarded; else what the route says.
func (x *exchange) object() string {
	if e := x.forwarded.Endpoint; e != nil {
		return e.Method + " " + e.Path
	}
	return x.asked
}
