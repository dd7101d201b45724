package ginhttp

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// refused reports whether the request failed because of who asks, where from, or how often. A wrong
// current password counts as a failed login does. Otherwise it goes by the kind of the failure,
// because the status on the four documented routes does not tell.
func (x *exchange) refused() bool {
	if x.err == nil || x.sentToLogin() {
		return false
	}
	if errors.Is(x.err, domain.ErrWrongPassword) {
		return true
	}
	switch failureOf(x.err).elsewhere {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return true
	}
	return false
}

// action returns the name of the request in the audit. It is the path of the route, as for the
// actions that succeed.
func (rt *route) action() domain.Action {
	if rt.page != nil {
		return rt.page.Action
	}
	if rt == &forwarded || rt == &unknownPath || rt == &wrongMethod { // the latter refuse nobody elsewhere
		return domain.ActionForward
	}
	return domain.Action(strings.TrimPrefix(rt.path, "/"))
}

// recordRefusal writes a refused request to the audit. If that fails, only the log tells, and
// the answer stays the same.
func (a *api) recordRefusal(x *exchange) {
	if !x.refused() {
		return
	}
	err := a.service.Audit().Refused(x.ctx(), x.call, x.route.action(), x.object(), x.outcome())
	if err != nil {
		a.log.LogAttrs(x.ctx(), slog.LevelWarn, "a refusal could not be written to the audit yet",
			slog.String("request_id", x.call.RequestID), slog.String("err", err.Error()))
	}
}

// outcome returns the outcome of the refusal. It is the code of the failure, except that an
// operator has to find who leaks Voiceflow keys.
func (x *exchange) outcome() string {
	if errors.Is(x.err, domain.ErrVoiceflowKeySent) {
		return domain.OutcomeKeySent
	}
	return failureOf(x.err).code
}

// object returns what was asked for, if it has the form of something of the service. For a
// forwarded call it is the endpoint; otherwise the route names it.
func (x *exchange) object() string {
	if e := x.forwarded.Endpoint; e != nil {
		return e.Method + " " + e.Path
	}
	return x.asked
}
