package ginhttp

import (
	"net/http"
	"strconv"

	"github.com/flowlatch/flowlatch/domain"
)

// healthz says that the process lives.
func (a *api) healthz(x *exchange) error { return x.ok("alive") }

// readyz says whether the service can serve. Strangers are not told what is wrong. An
// admin who asks is told how many keys of assistants have to be entered again.
func (a *api) readyz(x *exchange) error {
	if err := a.service.Keyset().Ready(x.ctx()); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "not ready", Cause: err}
	}
	b := say("ready")
	if n, told := a.toReenter(x); told {
		b = strconv.AppendInt(b.member("needs_reentry"), int64(n), 10)
	}
	x.send(http.StatusOK, b)
	return nil
}

// toReenter is what an admin is told who asks. That there is no admin who asks, or that
// this can't be found out now, is no failure of a probe.
func (a *api) toReenter(x *exchange) (n int, told bool) {
	if x.c.Request.Method == http.MethodHead {
		return 0, false
	}
	if err := a.whoCalls(x); err != nil {
		return 0, false
	}
	n, err := a.service.Keyset().ToReenter(x.ctx(), x.call)
	return n, err == nil
}
